/* A leaf's DICE evidence: byte by byte what other makers' verifiers look for, and what its claims hang on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>
#include <cmocka.h>

#include "enclave/ratls/certificate.h"
#include "enclave/ratls/dice.h"
#include "verifier/verifier.h"

#define NOW 1800000059

static const uint8_t thirty_two[32] = {1, 2, 3}, another[32] = {4, 5, 6};
static uint8_t quote[4600];

static struct {
    EVP_PKEY *key, *ca_key;
    X509 *ca;
} made;

static int make(void **state)
{
    made.key = certificate_make_key();
    made.ca_key = certificate_make_key();
    made.ca = certificate_make_ca(made.ca_key, NOW);
    memset(quote, 0x51, sizeof quote);
    return 0;
}

static int unmake(void **state)
{
    X509_free(made.ca);
    EVP_PKEY_free(made.key);
    EVP_PKEY_free(made.ca_key);
    return 0;
}

static struct leaf_content content_now(void)
{
    return (struct leaf_content){.not_before_s = certificate_not_before(NOW),
                                 .names = "localhost",
                                 .quote = quote,
                                 .quote_size = sizeof quote,
                                 .merkle_root = thirty_two,
                                 .generation = 7,
                                 .instance = thirty_two,
                                 .log_root = thirty_two,
                                 .log_key = thirty_two,
                                 .runtime_hash = thirty_two};
}

static void the_bytes_are_as_others_expect(void **state)
{
    static const uint8_t key_claim[] = "\xa6\x6bpubkey-hash\x58\x24\x82\x01\x58\x20";
    uint8_t evidence[DICE_SIZE_MAX], data[64], expected[64] = {0}, hash[32], *der = NULL, *spki = NULL;
    struct leaf_content content = content_now();
    struct dice_made_claims claims;
    assert_int_equal(dice_claims_make(made.key, made.ca, &content, &claims), 0);
    assert_memory_equal(claims.text, key_claim, sizeof key_claim - 1);
    assert_int_equal(i2d_PUBKEY(made.key, &spki), 91);
    SHA256(spki, 91, hash);
    OPENSSL_free(spki);
    assert_memory_equal(claims.text + sizeof key_claim - 1, hash, 32);
    SHA256(claims.text, claims.size, expected);
    dice_report_data(&claims, data);
    assert_memory_equal(data, expected, 64);

    ssize_t size = dice_evidence_make(&claims, quote, sizeof quote, evidence);
    const uint8_t begins[] = {0xd9, 0xea, 0x60, 0x82, 0x59, sizeof quote >> 8, sizeof quote & 255};
    assert_int_equal(size, sizeof begins + sizeof quote + 2 + claims.size);
    assert_memory_equal(evidence, begins, sizeof begins);
    assert_memory_equal(evidence + sizeof begins, quote, sizeof quote);
    assert_int_equal(evidence[sizeof begins + sizeof quote], 0x58);
    assert_int_equal(evidence[sizeof begins + sizeof quote + 1], claims.size);
    assert_memory_equal(evidence + (size_t)size - claims.size, claims.text, claims.size);

    /* in the certificate: the OID, no word on being critical, a length of two bytes */
    content.dice = evidence;
    content.dice_size = (size_t)size;
    X509 *leaf = certificate_make_leaf(made.key, made.ca_key, made.ca, &content);
    const uint8_t head[] = {6, 6, 0x67, 0x81, 5, 5, 4, 9, 4, 0x82, (uint8_t)(size >> 8), (uint8_t)size};
    size_t der_size = (size_t)i2d_X509(leaf, &der), found = 0;
    for (size_t i = 0; i + sizeof head + (size_t)size <= der_size; i++)
        found += memcmp(der + i, head, sizeof head) == 0 && memcmp(der + i + sizeof head, evidence, (size_t)size) == 0;
    assert_int_equal(found, 1);
    uint8_t extensions[32];
    assert_true(verifier_extensions_sha256(leaf, extensions)); /* the last claim is over what the leaf has beside it */
    assert_memory_equal(claims.text + claims.size - 32, extensions, 32);
    OPENSSL_free(der);
    X509_free(leaf);
}

static void claims_hang_on_all_that_the_leaf_says(void **state)
{
    struct leaf_content cases[8];
    struct dice_made_claims first, same, other;
    for (size_t i = 0; i < 8; i++)
        cases[i] = content_now();
    cases[0].not_before_s += 60;
    cases[1].merkle_root = another;
    cases[2].generation++;
    cases[3].instance = another;
    cases[4].log_root = another;
    cases[5].egress_hash = another;
    cases[6].names = "other.example";
    cases[7].quote_size--;
    struct leaf_content content = content_now();
    assert_int_equal(dice_claims_make(made.key, made.ca, &content, &first), 0);
    assert_int_equal(dice_claims_make(made.key, made.ca, &content, &same), 0);
    assert_memory_equal(first.text, same.text, first.size);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(dice_claims_make(made.key, made.ca, &cases[i], &other), 0);
        assert_int_equal(other.size, first.size);
        assert_memory_not_equal(other.text, first.text, first.size);
    }
    assert_int_equal(dice_claims_make(made.ca_key, made.ca, &content, &other), 0); /* another key */
    assert_memory_not_equal(other.text, first.text, first.size);
    content.names = "a b"; /* there is no such leaf */
    assert_int_equal(dice_claims_make(made.key, made.ca, &content, &other), -EIO);
}

static void what_others_would_refuse_is_not_made(void **state)
{
    static uint8_t long_quote[DICE_SIZE_MAX], evidence[DICE_SIZE_MAX];
    struct leaf_content content = content_now();
    struct dice_made_claims claims;
    assert_int_equal(dice_claims_make(made.key, made.ca, &content, &claims), 0);
    size_t around = 3 + 1 + 3 + 2 + claims.size, most = DICE_SIZE_MAX - around;
    assert_int_equal(dice_evidence_make(&claims, long_quote, most, evidence), DICE_SIZE_MAX);
    assert_int_equal(dice_evidence_make(&claims, long_quote, most + 1, evidence), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_as_others_expect),
        cmocka_unit_test(claims_hang_on_all_that_the_leaf_says),
        cmocka_unit_test(what_others_would_refuse_is_not_made),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
