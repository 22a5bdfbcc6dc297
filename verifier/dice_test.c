/*
 * DICE evidence: a leaf by itself, without a handshake or a CA, whose extensions count; what is read of hostile bytes;
 * and what nobody of us makes, but others do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/cbor.h"
#include "common/dice.h"
#include "verifier/internal.h"
#include "verifier/testing/fixture.h"

#define OID_OTHER "1.3.6.1.4.1.65230.2.4"

static struct verifier_policy *policy_of(const struct fixture *f)
{
    struct verifier_policy *p = verifier_policy_create();
    uint8_t mrenclave[32];
    memset(mrenclave, 0xab, 32);
    verifier_policy_set_time(p, FIXTURE_NOW);
    assert_int_equal(verifier_policy_set_roots(p, f->root_pem, strlen(f->root_pem)), 0);
    assert_int_equal(verifier_policy_add_mrenclave(p, mrenclave), 0);
    assert_int_equal(verifier_policy_expect_extension(p, OID_MERKLE_ROOT, f->merkle_root, 32), 0);
    return p;
}

static struct verifier_check named(const struct verifier_result *r, const char *name)
{
    for (size_t i = 0; i < verifier_result_count(r); i++)
        if (strcmp(verifier_result_check(r, i).name, name) == 0)
            return verifier_result_check(r, i);
    fail_msg("no check %s", name);
    return (struct verifier_check){0};
}

/* Not live, no CA: the verdict, and what is said of the evidence and of the extensions. */
static void expect(const struct fixture_options *o, bool ok, enum verifier_outcome outcome, const char *says,
                   bool bound)
{
    struct fixture *f = fixture_create(o);
    struct verifier_policy *p = policy_of(f);
    struct verifier_result *r = verifier_verify_certificate(p, f->collateral, f->leaf);
    struct verifier_check dice = named(r, "dice evidence"), root = named(r, "configuration root");
    if (dice.outcome != outcome || !strstr(dice.reason, says) || (root.outcome == VERIFIER_PASSED) != bound)
        fail_msg("%d %s; %d %s", dice.outcome, dice.reason, root.outcome, root.reason);
    assert_non_null(strstr(root.reason, bound ? "extensions are bound" : "extensions: not bound"));
    assert_int_equal(named(r, "extension").outcome, bound ? VERIFIER_PASSED : VERIFIER_FAILED);
    assert_int_equal(verifier_result_ok(r), ok);
    assert_int_equal(verifier_result_verdict(r), ok ? VERIFIER_VERIFIED : VERIFIER_REFUSED);
    verifier_result_destroy(r);
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

static void a_leaf_alone_is_judged(void **state)
{
    struct fixture_options o = fixture_defaults();
    expect(&o, false, VERIFIER_NOT_CHECKED, "has none", false);
    o.evidences = 1;
    expect(&o, true, VERIFIER_PASSED, "binds the key, both times and all other extensions", true);
    o.quotes = 0; /* it is all there is */
    expect(&o, true, VERIFIER_PASSED, "binds the key, both times and all other extensions", true);
}

static void other_makers_claims_hold_as_far_as_they_go(void **state)
{
    struct fixture_options o = fixture_defaults();
    o.evidences = 1;
    o.evidence.unknown = true;
    expect(&o, true, VERIFIER_PASSED, "all other extensions", true);
    for (int i = 0; i < 2; i++) {
        o.evidence.algorithm = i ? DICE_SHA384 : DICE_SHA512;
        expect(&o, true, VERIFIER_PASSED, "all other extensions", true);
    }
    o.evidence.missing_claims = CLAIM_EXTENSIONS;
    expect(&o, false, VERIFIER_PASSED, "binds the key and both times; extensions: not bound", false);
    o.evidence.missing_claims = CLAIM_FROM;
    expect(&o, false, VERIFIER_PASSED, "binds the key; extensions: not bound", false);
    o.evidence.missing_claims = ~(unsigned)CLAIM_KEY;
    expect(&o, false, VERIFIER_PASSED, "binds the key; extensions: not bound", false);
}

/* A good leaf, by a CA of whoever likes, with another value, root, end or key: nobody has to steal a key for that. */
static void forged_leaves_are_refused(void **state)
{
    struct fixture_options o = fixture_defaults();
    o.evidences = 1;
    o.leaf_until_s = FIXTURE_NOW + FIXTURE_DAY / 2;
    struct fixture *f = fixture_create(&o);
    struct verifier_policy *p = policy_of(f);
    for (int i = 0; i < 5; i++) {
        static const char *const says[] = {"another NotAfter", "another NotBefore", "another key",
                                           "another configuration root", "other extensions"};
        X509 *x = X509_dup(f->leaf);
        EVP_PKEY *own = EVP_EC_gen("P-256");
        if (i == 0)
            ASN1_TIME_set(X509_getm_notAfter(x), FIXTURE_NOW + FIXTURE_DAY);
        if (i == 1)
            ASN1_TIME_set(X509_getm_notBefore(x), FIXTURE_NOW - 3601);
        if (i == 2)
            X509_set_pubkey(x, own);
        if (i == 3) {
            ASN1_OBJECT *oid = OBJ_txt2obj(OID_MERKLE_ROOT, 1);
            int at = X509_get_ext_by_OBJ(x, oid, -1);
            X509_EXTENSION_free(X509_delete_ext(x, at));
            fixture_add_extension(x, OID_MERKLE_ROOT, "another root of 32 bytes .......", 32);
            ASN1_OBJECT_free(oid);
        }
        if (i == 4)
            fixture_add_extension(x, OID_OTHER, "added", 5);
        assert_true(X509_sign(x, own, EVP_sha256()));
        struct verifier_result *r = verifier_verify_certificate(p, f->collateral, x);
        struct verifier_check dice = named(r, "dice evidence");
        if (dice.outcome != VERIFIER_FAILED || !strstr(dice.reason, says[i]))
            fail_msg("%s: %d %s", says[i], dice.outcome, dice.reason);
        assert_int_equal(verifier_result_verdict(r), VERIFIER_REFUSED);
        assert_int_not_equal(named(r, "configuration root").outcome, VERIFIER_PASSED);
        verifier_result_destroy(r);
        X509_free(x);
        EVP_PKEY_free(own);
    }
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

/* Nobody is pinned who could be missed: both quotes are good, and of two enclaves. */
static void both_quotes_are_of_one_enclave(void **state)
{
    struct fixture_options o = fixture_defaults();
    o.evidences = 1;
    o.evidence.another_enclave = true;
    struct fixture *f = fixture_create(&o);
    struct verifier_policy *p = verifier_policy_create();
    verifier_policy_set_time(p, FIXTURE_NOW);
    verifier_policy_set_live(p, true);
    assert_int_equal(verifier_policy_set_roots(p, f->root_pem, strlen(f->root_pem)), 0);
    struct verifier_result *r = verifier_verify_certificate(p, f->collateral, f->leaf);
    struct verifier_check dice = named(r, "dice evidence");
    assert_int_equal(dice.outcome, VERIFIER_FAILED);
    assert_string_equal(dice.reason, "it is another enclave's than the certificate's quote");
    assert_int_equal(verifier_result_verdict(r), VERIFIER_REFUSED);
    verifier_result_destroy(r);
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static void claims_are_read_strictly(void **state)
{
#define PAIR "\x6bpubkey-hash\x58\x24\x82\x01\x58\x20" HASH
#define HASH "0123456789abcdef0123456789abcdef"
    static const struct {
        const char *bytes;
        size_t size;
        const char *says;
    } cases[] = {
#define CASE(text, says) {text, sizeof text - 1, says}
        CASE("\xa1" PAIR, NULL),
        CASE("\xa2" PAIR "\x65nonce\x43"
             "any",
             NULL),
        CASE("\xa2\x65nonce\x40" PAIR, NULL),
        CASE("\xa2" PAIR "\x64\xf0\x9f\x8c\x9f\x40", NULL),
        CASE("", "no map"),
        CASE("\xbf" PAIR "\xff", "no map"), /* of indefinite length */
        CASE("\xb8\x01" PAIR, "no map"),    /* longer than it need be */
        CASE("\xa0", "nothing of a key"),
        CASE("\xa1\x65nonce\x43"
             "any",
             "nothing of a key"),
        CASE("\xa2" PAIR PAIR, "twice"),
        CASE("\xa1" PAIR "\x00", "behind"),
        CASE("\xa2" PAIR, "not a name"),
        CASE("\xa2" PAIR "\x01\x43"
             "any",
             "not a name"),
        CASE("\xa2" PAIR "\x65nonce\x63"
             "any",
             "not a name"),
        CASE("\xa2" PAIR "\x61\xff\x40", "not a name"),
        CASE("\xa2" PAIR "\x65nonce\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "not a name"),
        CASE("\xa2" PAIR "\x6bmerkle-root\x58\x18"
             "012345678901234567890123",
             "another length"),
        CASE("\xa2" PAIR "\x69not-after\x47"
             "1234567",
             "another length"),
        CASE("\xa1\x6bpubkey-hash\x58\x24\x82\x02\x58\x20" HASH, "another kind"),
        CASE("\xa1\x6bpubkey-hash\x58\x24\x82\x07\x58\x20" HASH, "another kind"),
        CASE("\xa1\x6bpubkey-hash\x58\x25\x82\x01\x58\x20" HASH "\x00", "another kind"),
        CASE("\xa1\x6bpubkey-hash\x58\x24\x83\x01\x58\x20" HASH, "no pair"),
        CASE("\xb8\x21" PAIR, "too many"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dice_claims claims;
        uint8_t *exact = malloc(cases[i].size + !cases[i].size); /* so that a sanitizer sees the end */
        memcpy(exact, cases[i].bytes, cases[i].size);
        const char *wrong = verifier__dice_read_claims(exact, cases[i].size, &claims);
        if (!wrong != !cases[i].says || (wrong && !strstr(wrong, cases[i].says)))
            fail_msg("%zu: %s, not %s", i, wrong ? wrong : "good", cases[i].says ? cases[i].says : "good");
        if (!wrong)
            assert_memory_equal(claims.key, HASH, 32);
        free(exact);
    }
}

/* tag, array of two, and strings of these sizes; then as many bytes as are left over. */
static const char *read_evidence(unsigned tag, unsigned count, size_t quote, size_t claims, int left)
{
    static uint8_t value[DICE_SIZE_MAX + 1024], zeros[DICE_SIZE_MAX];
    struct bytes_writer w = bytes_writer_make(value, sizeof value);
    struct dice_evidence out;
    cbor_append(&w, CBOR_TAG, tag);
    cbor_append(&w, CBOR_ARRAY, count);
    cbor_append_string(&w, CBOR_BYTES, zeros, quote);
    cbor_append_string(&w, CBOR_BYTES, zeros, claims);
    size_t size = left < 0 ? w.size - (size_t)-left : w.size + (size_t)left;
    const char *wrong = verifier__dice_read(value, size, &out);
    if (!wrong) {
        assert_int_equal(out.quote_size, quote);
        assert_int_equal(out.claims_size, claims);
    }
    return wrong;
}

static void evidence_is_read_strictly(void **state)
{
    assert_null(read_evidence(60000, 2, 4000, 51, 0));
    assert_non_null(strstr(read_evidence(60001, 2, 4000, 51, 0), "not a tagged quote"));
    assert_non_null(strstr(read_evidence(60000, 3, 4000, 51, 0), "not a tagged quote"));
    assert_non_null(strstr(read_evidence(60000, 2, 4000, 51, 1), "behind its claims"));
    assert_non_null(strstr(read_evidence(60000, 2, 4000, 51, -1), "cut short"));
    assert_non_null(strstr(read_evidence(60000, 2, 4000, DICE_CLAIMS_MAX + 1, 0), "too long"));
    /* 3 of the tag, 1 of the array, 2 or 3 of each string */
    assert_null(read_evidence(60000, 2, DICE_SIZE_MAX - 60, 51, 0));
    assert_non_null(strstr(read_evidence(60000, 2, DICE_SIZE_MAX - 59, 51, 0), "shorter or longer"));
    assert_null(read_evidence(60000, 2, 256 - 59, 51, 0));
    assert_non_null(strstr(read_evidence(60000, 2, 256 - 60, 51, 0), "shorter or longer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leaf_alone_is_judged),    cmocka_unit_test(other_makers_claims_hold_as_far_as_they_go),
        cmocka_unit_test(forged_leaves_are_refused), cmocka_unit_test(both_quotes_are_of_one_enclave),
        cmocka_unit_test(claims_are_read_strictly),  cmocka_unit_test(evidence_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
