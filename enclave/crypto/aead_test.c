/*
 * AES-256-GCM, HKDF and HMAC against published values (McGrew and Viega, RFC 4231) and another implementation's, and
 * that nothing opens which was not sealed, and nothing is called changed for lack of memory.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/crypto/crypto.h"

static size_t from_hex(const char *text, uint8_t *out)
{
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++)
        assert_int_equal(sscanf(text + 2 * i, "%2hhx", &out[i]), 1);
    return size;
}

static const struct {
    const char *key, *nonce, *plain, *aad, *sealed;
} published[] = {
    /* test cases 13, 14 and 16 */
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "00000000000000000000000000000000", "", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
     "ba637b39",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
     "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
};

static void test_published_messages_open(void **state)
{
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        uint8_t key[32], sealed[256], plain[256], aad[64], opened[256];
        from_hex(published[i].key, key);
        size_t size = from_hex(published[i].nonce, sealed);
        size += from_hex(published[i].sealed, sealed + size);
        size_t plain_size = from_hex(published[i].plain, plain), aad_size = from_hex(published[i].aad, aad);
        assert_int_equal(size, plain_size + AEAD_OVERHEAD);
        assert_int_equal(aead_open(key, aad, aad_size, sealed, size, opened), 0);
        assert_memory_equal(opened, plain, plain_size);
    }
}

static void test_every_bit_counts(void **state)
{
    uint8_t key[32] = {1}, aad[5] = {2}, sealed[20 + AEAD_OVERHEAD], opened[20];
    static const uint8_t zeros[20];
    assert_int_equal(aead_seal(key, aad, sizeof aad, "twenty bytes of text", 20, sealed), 0);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(opened, 7, sizeof opened);
        assert_int_equal(aead_open(key, aad, sizeof aad, sealed, sizeof sealed, opened), -EBADMSG);
        assert_memory_equal(opened, zeros, sizeof opened); /* wiped */
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < sizeof sealed; size++)
        assert_int_equal(aead_open(key, aad, sizeof aad, sealed, size, opened), -EBADMSG);
    assert_int_equal(aead_open(key, aad, sizeof aad - 1, sealed, sizeof sealed, opened), -EBADMSG);
    key[31] ^= 1;
    assert_int_equal(aead_open(key, aad, sizeof aad, sealed, sizeof sealed, opened), -EBADMSG);
    key[31] ^= 1;
    assert_int_equal(aead_open(key, aad, sizeof aad, sealed, sizeof sealed, opened), 0);
    assert_memory_equal(opened, "twenty bytes of text", 20);
}

static void test_nonces_differ(void **state)
{
    uint8_t key[32] = {1}, a[AEAD_OVERHEAD], b[AEAD_OVERHEAD];
    assert_int_equal(aead_seal(key, NULL, 0, NULL, 0, a), 0);
    assert_int_equal(aead_seal(key, NULL, 0, NULL, 0, b), 0);
    assert_memory_not_equal(a, b, AEAD_NONCE_SIZE);
    assert_int_equal(aead_open(key, NULL, 0, a, sizeof a, b), 0);
}

static void test_sizes(void **state)
{
    uint8_t key[32] = {1}, out[64];
    assert_int_equal(aead_seal(key, NULL, 0, "", (size_t)INT_MAX + 1, out), -EINVAL);
    assert_int_equal(aead_seal(key, "", (size_t)INT_MAX + 1, "", 0, out), -EINVAL);
    assert_int_equal(aead_open(key, NULL, 0, out, (size_t)INT_MAX + 1, out), -EBADMSG);
}

/* As Python's hmac module computes them, from a function that gives RFC 5869's third test case. */
static void test_derived_keys(void **state)
{
    static const struct {
        const char *label, *context, *expected;
    } cases[] = {{"label", "context", "8329ad6c1de6797ef6cb03b5cedc10dcca9a632811ec89758bf7ba7d7483dedb"},
                 {"label", "", "696a27d2ef995c28425f791a651552f144549867ad5282f851cddd7c128f092b"},
                 {"", "", "51a4c31fbbec016e9d0cd3b99c213740a1fe42a1c587a8289af97978fd00e978"}};
    uint8_t secret[22], out[32], expected[32];
    char context[256] = {0};
    memset(secret, 0x0b, sizeof secret);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        from_hex(cases[i].expected, expected);
        assert_int_equal(kdf(secret, sizeof secret, cases[i].label, cases[i].context, strlen(cases[i].context), out),
                         0);
        assert_memory_equal(out, expected, 32);
    }
    assert_int_equal(kdf(secret, sizeof secret, "label", context, 250, out), 0);
    assert_int_equal(kdf(secret, sizeof secret, "label", context, 251, out), -EINVAL);
}

/* RFC 4231's keys are shorter; HMAC fills keys up with zeros. */
static void test_hmac(void **state)
{
    uint8_t key[32] = {0}, out[32], expected[32];
    memset(key, 0x0b, 20);
    from_hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", expected);
    assert_int_equal(hmac_sha256(key, "Hi There", 8, out), 0);
    assert_memory_equal(out, expected, 32);
    memset(key, 0, sizeof key);
    memcpy(key, "Jefe", 4);
    from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", expected);
    assert_int_equal(hmac_sha256(key, "what do ya want for nothing?", 28, out), 0);
    assert_memory_equal(out, expected, 32);
}

/* ---- OpenSSL without memory ------------------------------------------------------------------------------------ */

static long left = -1; /* allocations until one fails; below 0: none does */
static bool failed;

static void *get_memory(size_t size, const char *file, int line)
{
    if (left >= 0 && left-- == 0) {
        failed = true;
        return NULL;
    }
    return malloc(size);
}

static void *resize_memory(void *p, size_t size, const char *file, int line)
{
    return realloc(p, size);
}

static void give_memory(void *p, const char *file, int line)
{
    free(p);
}

/* Whoever has no memory to look does not say that it was tampered with. */
static void test_no_memory_is_no_attack(void **state)
{
    uint8_t key[AEAD_KEY_SIZE] = {1}, sealed[5 + AEAD_OVERHEAD], plain[5];
    assert_int_equal(aead_seal(key, "a", 1, "hello", 5, sealed), 0);
    long n = 0;
    do {
        assert_true(n < 100);
        failed = false;
        left = n++;
        int error = aead_open(key, "a", 1, sealed, sizeof sealed, plain);
        left = -1;
        assert_true(error == 0 || (failed && error == -EIO));
    } while (failed);
    assert_true(n > 1);
    sealed[sizeof sealed - 1] ^= 1;
    assert_int_equal(aead_open(key, "a", 1, sealed, sizeof sealed, plain), -EBADMSG);
}

int main(void)
{
    if (CRYPTO_set_mem_functions(get_memory, resize_memory, give_memory) != 1)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_messages_open),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_nonces_differ),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_derived_keys),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_no_memory_is_no_attack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
