/*
 * What someone makes who has all names and forms right, but not the keys; documents that are signed and yet wrong
 * inside; and extensions that nothing binds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sgx/quote/der.h"
#include "verifier/internal.h"
#include "verifier/testing/fixture.h"

static struct verifier_policy *policy_for(const struct fixture *f)
{
    struct verifier_policy *p = verifier_policy_create();
    assert_int_equal(verifier_policy_set_roots(p, f->root_pem, strlen(f->root_pem)), 0);
    verifier_policy_set_time(p, FIXTURE_NOW);
    verifier_policy_set_live(p, true);
    return p;
}

/* Exactly that check fails, for a reason with that word. */
static void expect_only(struct verifier_result *r, const char *name, const char *word)
{
    int failures = 0;
    bool found = false;
    assert_false(verifier_result_ok(r));
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check c = verifier_result_check(r, i);
        if (c.outcome != VERIFIER_FAILED)
            continue;
        failures++;
        found |= strcmp(c.name, name) == 0 && strstr(c.reason, word);
        if (strcmp(c.name, name) != 0 || !strstr(c.reason, word))
            print_message("%s: %s, instead of %s: %s\n", c.name, c.reason, name, word);
    }
    assert_true(failures == 1 && found);
    verifier_result_destroy(r);
}

static void expect_refusal(const struct fixture_options *o, const char *name, const char *word)
{
    struct fixture *f = fixture_create(o);
    struct verifier_policy *p = policy_for(f);
    expect_only(verifier_verify_certificate(p, f->collateral, f->leaf), name, word);
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

static void test_strangers_signatures(void **state)
{
    struct fixture_options o = fixture_defaults();
    o.forged_pck = true;
    expect_refusal(&o, "pck chain", "not signed by its issuer's key");
    o = fixture_defaults();
    o.forged_ca = true;
    expect_refusal(&o, "pck chain", "not signed by its issuer's key");
    o = fixture_defaults();
    o.forged_signer = true;
    expect_refusal(&o, "tcb info", "not signed by its issuer's key");
    o = fixture_defaults();
    o.root_allows_no_ca = true;
    expect_refusal(&o, "pck chain", "allows no CA");
    o = fixture_defaults();
    o.pck_by_sha384 = true;
    expect_refusal(&o, "pck chain", "not signed with ECDSA and SHA-256");
    o = fixture_defaults();
    o.partial_crl = true;
    expect_refusal(&o, "pck crl", "may not be the whole list");
}

/* A root of the same name with another key, and all that hangs on it. */
static void test_strangers_root(void **state)
{
    struct fixture_options o = fixture_defaults();
    struct fixture *real = fixture_create(&o);
    o.stranger_is_root = true;
    struct fixture *strange = fixture_create(&o);
    struct verifier_policy *p = policy_for(real);
    struct verifier_result *r = verifier_verify_certificate(p, real->collateral, real->leaf);
    assert_true(verifier_result_ok(r));
    verifier_result_destroy(r);
    expect_only(verifier_verify_certificate(p, strange->collateral, strange->leaf), "root", "another root");
    verifier_policy_destroy(p);
    p = policy_for(strange);
    r = verifier_verify_certificate(p, strange->collateral, strange->leaf);
    assert_true(verifier_result_ok(r)); /* it is consistent in itself */
    verifier_result_destroy(r);
    verifier_policy_destroy(p);
    fixture_destroy(real);
    fixture_destroy(strange);
}

/* ---- documents that are signed and wrong ----------------------------------------------------------------------- */

static void expect_document(enum verifier_document document, const char *name, const char *from, const char *to,
                            const char *check)
{
    struct fixture_options o = fixture_defaults();
    struct fixture *f = fixture_create(&o);
    struct verifier_policy *p = policy_for(f);
    size_t size, prefix = strlen(name) + 4;
    const char *text = verifier_collateral_get(f->collateral, document, &size);
    const char *end = strstr(text, ",\"signature\":\""), *at = strstr(text, from);
    if (!at)
        fail_msg("'%s' is not in the document", from);
    char *inner = calloc(1, size + strlen(to) + 1);
    memcpy(inner, text + prefix, (size_t)(at - text) - prefix);
    strcat(inner, to);
    strncat(inner, at + strlen(from), (size_t)(end - at) - strlen(from));
    char *made = fixture_sign(name, inner, strlen(inner));
    assert_int_equal(verifier_collateral_set(f->collateral, document, made, strlen(made)), 0);
    expect_only(verifier_verify_certificate(p, f->collateral, f->leaf), check, "malformed");
    free(made);
    free(inner);
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

static void test_wrong_tcb_info(void **state)
{
    static const char *const changes[][2] = {
        {"\"version\":3", "\"version\":2"},
        {"\"version\":3", "\"version\":3,\"version\":3"},
        {"\"id\":\"SGX\"", "\"id\":\"TDX\""},
        {"\"tcbType\":0", "\"tcbType\":1"},
        {"\"tcbType\":0,", ""},
        {"\"fmspc\":\"00", "\"fmspc\":\""},
        {"\"pceId\":\"0000", "\"pceId\":\"000"},
        {"\"issueDate\":\"2", "\"issueDate\":\"x"},
        {"\"nextUpdate\"", "\"nextupdate\""},
        {"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"Wonderful\""},
        {"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"Unknown\""},
        {"\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":7"}, /* a level that is not even met */
        {"{\"svn\":5},", ""},
        {"{\"svn\":5}", "{\"svn\":256}"},
        {"{\"svn\":5}", "{\"svn\":-5}"},
        {"{\"svn\":5}", "5"},
        {"\"pcesvn\":10", "\"pcesvn\":65536"},
        {"\"tcbDate\":\"2025-01-01T00:00:00Z\"", "\"tcbDate\":\"2025-01-01\""},
        {"[\"TEST-SA-00001\"]", "[1]"},
        {"[\"TEST-SA-00001\"]", "[\"TEST-SA-00001-which-is-longer-than-any-id\"]"},
        {"\"tcbLevels\":[", "\"tcbLevels\":[],\"others\":["},
        {"\"tcbLevels\":[", "\"tcbLevels\":{\"a\":["}, /* no JSON at all */
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        expect_document(VERIFIER_TCB_INFO, "tcbInfo", changes[i][0], changes[i][1], "tcb info");
}

static void test_wrong_qe_identity(void **state)
{
    static const char *const changes[][2] = {
        {"\"version\":2", "\"version\":3"},
        {"\"version\":2", "\"version\":1"},
        {"\"id\":\"QE\"", "\"id\":\"TD_QE\""},
        {"\"miscselect\":\"00", "\"miscselect\":\""},
        {"\"miscselectMask\":\"ff", "\"miscselectMask\":\"fg"},
        {"\"attributes\":\"15", "\"attributes\":\"1515"},
        {"\"attributesMask\"", "\"attributesmask\""},
        {"\"mrsigner\":\"9e", "\"mrsigner\":\""},
        {"\"isvprodid\":1", "\"isvprodid\":\"1\""},
        {"\"isvsvn\":8", "\"isvsvn\":65536"},
        {"\"isvsvn\":8", "\"isvsvn\":8.0"},
        {"\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"SWHardeningNeeded\""},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        expect_document(VERIFIER_QE_IDENTITY, "enclaveIdentity", changes[i][0], changes[i][1], "qe identity");
}

/* A chain that is not exactly signer and root. */
static void test_wrong_signers_chain(void **state)
{
    struct fixture_options o = fixture_defaults();
    struct fixture *f = fixture_create(&o);
    struct verifier_policy *p = policy_for(f);
    size_t size;
    const char *chain = verifier_collateral_get(f->collateral, VERIFIER_TCB_INFO_CHAIN, &size);
    char *copy = malloc(2 * size + 1);
    const char *second = strstr(chain + 1, "-----BEGIN");
    const struct {
        size_t from, size;
    } parts[] = {{0, (size_t)(second - chain)},
                 {(size_t)(second - chain), size - (size_t)(second - chain)},
                 {0, size - 40},
                 {0, 0}};
    memcpy(copy, chain, size + 1);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        verifier_collateral_set(f->collateral, VERIFIER_TCB_INFO_CHAIN, copy + parts[i].from, parts[i].size);
        expect_only(verifier_verify_certificate(p, f->collateral, f->leaf), "tcb info", "exactly a signer and a root");
    }
    memcpy(copy + size, copy, size); /* twice over */
    verifier_collateral_set(f->collateral, VERIFIER_TCB_INFO_CHAIN, copy, 2 * size);
    expect_only(verifier_verify_certificate(p, f->collateral, f->leaf), "tcb info", "exactly a signer and a root");
    free(copy);
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

/* ---- what nothing binds ---------------------------------------------------------------------------------------- */

static void test_unbound(void **state)
{
    struct fixture_options o = fixture_defaults();
    struct fixture *f = fixture_create(&o);
    struct verifier_policy *p = policy_for(f);
    verifier_policy_set_live(p, false); /* a certificate from a file */
    struct verifier_result *r = verifier_verify_certificate(p, f->collateral, f->leaf);
    assert_true(verifier_result_ok(r)); /* the quote is good; nothing was asked of the extensions */
    verifier_result_destroy(r);
    assert_int_equal(verifier_policy_expect_extension(p, "1.3.6.1.4.1.65230.1.1", f->merkle_root, 32), 0);
    expect_only(verifier_verify_certificate(p, f->collateral, f->leaf), "extension", "not bound");
    verifier_policy_destroy(p);

    p = policy_for(f);
    verifier_policy_set_live(p, false);
    uint8_t hash[32] = {0};
    struct verifier_inclusion alone = {0, 1, NULL, 0}; /* a tree of this one leaf */
    uint8_t leaf[4 + 1 + 1 + 32] = "app:a";
    verifier__merkle_leaf(leaf, sizeof leaf, o.merkle_root);
    fixture_destroy(f);
    f = fixture_create(&o);
    verifier_policy_set_roots(p, f->root_pem, strlen(f->root_pem));
    assert_int_equal(verifier_policy_expect_app(p, "a", hash, &alone), 0);
    expect_only(verifier_verify_certificate(p, f->collateral, f->leaf), "app", "not bound");
    verifier_policy_set_live(p, true);
    r = verifier_verify_certificate(p, f->collateral, f->leaf);
    assert_true(verifier_result_ok(r));
    verifier_result_destroy(r);

    /* without collateral, the quoting enclave must be the one that is built in */
    expect_only(verifier_verify_certificate(p, NULL, f->leaf), "quoting enclave's identity", "not Intel's");
    /* something behind the certificate */
    uint8_t *der = NULL;
    int size = i2d_X509(f->leaf, &der);
    uint8_t *longer = calloc(1, (size_t)size + 1);
    memcpy(longer, der, (size_t)size);
    r = verifier_verify_certificate_der(p, f->collateral, longer, (size_t)size);
    assert_true(verifier_result_ok(r));
    verifier_result_destroy(r);
    r = verifier_verify_certificate_der(p, f->collateral, longer, (size_t)size + 1);
    assert_false(verifier_result_ok(r));
    verifier_result_destroy(r);
    free(longer);
    OPENSSL_free(der);
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

/* ---- Intel's SGX extension, with one thing wrong --------------------------------------------------------------- */

enum flaw {
    NO_FLAW,
    PAIR_MISSING, /* the TCB's pair which */
    PAIR_TWICE,
    PAIR_NEGATIVE,
    PAIR_LARGE,  /* 256 for a component, 65536 for PCESVN */
    PAIR_PADDED, /* a zero too many */
    TAIL,        /* something behind the whole */
    LONG_LENGTH, /* not DER's shortest */
    FMSPC_MISSING,
    FMSPC_SHORT,
    PCE_ID_TWICE
};

static void put_pair(struct der *d, size_t before, uint8_t a, uint8_t b)
{
    uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, a, b};
    der_value(d, DER_OID, oid, sizeof oid - (b == 0));
    der_header(d, DER_SEQUENCE, der_size(d) - before);
}

static void put_component(struct der *d, uint8_t which, enum flaw flaw)
{
    static const uint8_t negative[] = {0x80}, padded[] = {0, 5};
    size_t before = der_size(d);
    if (which == 18)
        der_value(d, DER_OCTET_STRING, "0123456789abcdef", 16);
    else if (flaw == PAIR_NEGATIVE)
        der_value(d, DER_INTEGER, negative, 1);
    else if (flaw == PAIR_PADDED)
        der_value(d, DER_INTEGER, padded, 2);
    else if (flaw == PAIR_LARGE)
        der_value(d, DER_INTEGER, "\x01\x00\x00", which == 17 ? 3 : 2);
    else
        der_small(d, DER_INTEGER, which);
    put_pair(d, before, 2, which);
}

static void put_octets(struct der *d, uint8_t a, const char *data, size_t size)
{
    size_t before = der_size(d);
    der_value(d, DER_OCTET_STRING, data, size);
    put_pair(d, before, a, 0);
}

static const char *read_flawed(enum flaw flaw, uint8_t which, struct platform *p)
{
    struct der d;
    der_init(&d);
    if (flaw == TAIL)
        der_prepend(&d, "\x05\x00", 2);
    size_t end = der_size(&d);
    if (flaw != FMSPC_MISSING)
        put_octets(&d, 4, "fmspc!", flaw == FMSPC_SHORT ? 5 : 6);
    for (int i = 0; i <= (flaw == PCE_ID_TWICE); i++)
        put_octets(&d, 3, "pc", 2);
    size_t before = der_size(&d);
    for (uint8_t i = 18; i >= 1; i--) {
        if (i != which || flaw != PAIR_MISSING)
            put_component(&d, i, i == which ? flaw : NO_FLAW);
        if (i == which && flaw == PAIR_TWICE)
            put_component(&d, i, NO_FLAW);
    }
    der_header(&d, DER_SEQUENCE, der_size(&d) - before);
    put_pair(&d, before, 2, 0);
    size_t size = der_size(&d) - end;
    if (flaw == LONG_LENGTH) {
        uint8_t header[] = {DER_SEQUENCE, 0x83, 0, (uint8_t)(size >> 8), (uint8_t)size};
        der_prepend(&d, header, sizeof header);
    } else {
        der_header(&d, DER_SEQUENCE, size);
    }
    X509 *x = X509_new();
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.840.113741.1.13.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, d.bytes + d.start, (int)der_size(&d));
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    assert_true(X509_add_ext(x, extension, -1));
    const char *wrong = verifier__read_platform(x, p);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    X509_free(x);
    return wrong;
}

static void test_sgx_extension(void **state)
{
    struct platform p;
    assert_null(read_flawed(NO_FLAW, 0, &p));
    assert_memory_equal(p.fmspc, "fmspc!", 6);
    assert_memory_equal(p.pce_id, "pc", 2);
    assert_int_equal(p.pce_svn, 17);
    for (int i = 0; i < 16; i++)
        assert_int_equal(p.tcb_components[i], i + 1);
    for (uint8_t which = 1; which <= 18; which++) {
        assert_non_null(read_flawed(PAIR_MISSING, which, &p));
        assert_non_null(read_flawed(PAIR_TWICE, which, &p));
        if (which == 18)
            continue;
        assert_non_null(read_flawed(PAIR_NEGATIVE, which, &p));
        assert_non_null(read_flawed(PAIR_LARGE, which, &p));
        assert_non_null(read_flawed(PAIR_PADDED, which, &p));
    }
    for (enum flaw flaw = TAIL; flaw <= PCE_ID_TWICE; flaw++)
        assert_non_null(read_flawed(flaw, 0, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strangers_signatures), cmocka_unit_test(test_strangers_root),
        cmocka_unit_test(test_wrong_tcb_info),       cmocka_unit_test(test_wrong_qe_identity),
        cmocka_unit_test(test_wrong_signers_chain),  cmocka_unit_test(test_unbound),
        cmocka_unit_test(test_sgx_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
