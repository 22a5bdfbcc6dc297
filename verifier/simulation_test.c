/*
 * Tests of the verifier against the simulated quoting enclave: a good certificate passes, and each thing that an
 * attacker could change fails the check that is meant for it. The negative cases flip bytes at known offsets of the
 * quote (Intel's DCAP layout), so they also hold the simulation's format.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <cmocka.h>

#include "sgx/include/arch.h"
#include "sgx/quote/quote.h"
#include "sgx/quote/pki.h"
#include "verifier/verifier_fetch.h"

static char folder[64];
static struct quote_backend *quoting;
static EVP_PKEY *leaf_key;

static int report_key(const uint8_t targetinfo[512], const uint8_t keyid[32], uint8_t key[16])
{
    memset(key, 7, 16);
    return 0;
}

static void mac_report(struct sgx_report *report)
{
    uint8_t key[16];
    size_t size;
    char cipher[] = "AES-128-CBC";
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0), OSSL_PARAM_END};
    memset(key, 7, sizeof key);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    assert_true(EVP_MAC_init(context, key, sizeof key, parameters));
    EVP_MAC_update(context, (const uint8_t *)report, 384);
    EVP_MAC_final(context, report->mac, &size, 16);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
}

/* A quote for leaf_key with NotBefore at the given minute. */
static size_t make_quote(time_t minute, uint8_t *out)
{
    uint8_t input[49], *spki = NULL;
    struct tm tm;
    char text[32];
    int spki_size = i2d_PUBKEY(leaf_key, &spki);
    assert_int_equal(spki_size, 91);
    SHA256(spki, (size_t)spki_size, input);
    OPENSSL_free(spki);
    gmtime_r(&minute, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%MZ", &tm);
    memcpy(input + 32, text, 17);
    struct sgx_report report = {.body = {.attributes = {SGX_FLAGS_INIT | SGX_FLAGS_DEBUG | SGX_FLAGS_MODE64BIT, 7},
                                         .isvprodid = 1,
                                         .isvsvn = 2}};
    memset(report.body.mrenclave, 0xab, 32);
    memset(report.body.mrsigner, 0xcd, 32);
    SHA512(input, sizeof input, report.body.reportdata);
    mac_report(&report);
    size_t size = 0;
    assert_int_equal(quote_get(quoting, (const uint8_t *)&report, out, QUOTE_SIZE_MAX, &size), 0);
    return size;
}

static void add_raw(X509 *x, const char *oid_text, const void *data, size_t size)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(oid_text, 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(value, data, (int)size);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static X509 *make_leaf(time_t minute, const uint8_t *quote, size_t size)
{
    const uint8_t root[32] = {0x11};
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_TIME_set(X509_getm_notBefore(x), minute);
    ASN1_TIME_set(X509_getm_notAfter(x), minute + 86400);
    X509_set_pubkey(x, leaf_key);
    if (quote)
        add_raw(x, "1.2.840.113741.1.13.1.0", quote, size);
    add_raw(x, "1.3.6.1.4.1.65230.1.1", root, sizeof root);
    X509_sign(x, leaf_key, EVP_sha256());
    return x;
}

static time_t this_minute(void)
{
    return time(NULL) / 60 * 60;
}

static struct verifier_check find(const struct verifier_result *r, const char *name)
{
    for (size_t i = 0; i < verifier_result_count(r); i++)
        if (strcmp(verifier_result_check(r, i).name, name) == 0)
            return verifier_result_check(r, i);
    fail_msg("no check '%s'", name);
    return (struct verifier_check){0};
}

static int setup(void **state)
{
    char error[256];
    strcpy(folder, "/tmp/verifier_test_XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(quote_simulation_create(folder, report_key, &quoting, error, sizeof error), 0);
    leaf_key = EVP_EC_gen("P-256");
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    quote_destroy(quoting);
    EVP_PKEY_free(leaf_key);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* A policy as a client of a simulation has it. */
static struct verifier_policy *allowing(void)
{
    struct verifier_policy *policy = verifier_policy_create();
    assert_non_null(policy);
    verifier_policy_allow_simulation(policy, true);
    verifier_policy_set_live(policy, true);
    return policy;
}

static void test_good(void **state)
{
    uint8_t quote[QUOTE_SIZE_MAX], expected[32];
    size_t size = make_quote(this_minute(), quote);
    X509 *leaf = make_leaf(this_minute(), quote, size);
    struct verifier_policy *policy = allowing();
    memset(expected, 0xab, 32);
    assert_int_equal(verifier_policy_add_mrenclave(policy, expected), 0);
    struct verifier_result *r = verifier_verify_certificate(policy, NULL, leaf);
    assert_true(verifier_result_ok(r));
    const struct verifier_claims *c = verifier_result_claims(r);
    assert_true(c->simulated && c->debug && c->has_merkle_root && c->isv_svn == 2 && c->merkle_root[0] == 0x11);
    assert_int_equal(find(r, "mrenclave").outcome, VERIFIER_PASSED);
    assert_int_equal(find(r, "configuration root").outcome, VERIFIER_PASSED);
    assert_int_equal(find(r, "collateral").outcome, VERIFIER_NOT_CHECKED);
    verifier_result_destroy(r);

    verifier_policy_set_live(policy, false); /* a bare file: its extensions are not bound */
    r = verifier_verify_certificate(policy, NULL, leaf);
    assert_true(verifier_result_ok(r));
    assert_int_equal(find(r, "configuration root").outcome, VERIFIER_NOT_CHECKED);
    verifier_result_destroy(r);
    verifier_policy_destroy(policy);
    X509_free(leaf);
}

static void expect_failure(X509 *leaf, const struct verifier_policy *policy, const char *check)
{
    struct verifier_result *r = verifier_verify_certificate(policy, NULL, leaf);
    assert_non_null(r);
    assert_false(verifier_result_ok(r));
    assert_int_equal(find(r, check).outcome, VERIFIER_FAILED);
    verifier_result_destroy(r);
}

static void test_policy(void **state)
{
    uint8_t quote[QUOTE_SIZE_MAX], other[32] = {1};
    X509 *leaf = make_leaf(this_minute(), quote, make_quote(this_minute(), quote));
    struct verifier_policy *policy = allowing();
    verifier_policy_allow_simulation(policy, false);
    expect_failure(leaf, policy, "root");
    expect_failure(leaf, policy, "debug");
    verifier_policy_allow_simulation(policy, true);
    assert_int_equal(verifier_policy_add_mrenclave(policy, other), 0);
    expect_failure(leaf, policy, "mrenclave");
    verifier_policy_destroy(policy);
    X509_free(leaf);
}

static char *read_pem_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/quote-simulation/%s", folder, name);
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 16384);
    assert_non_null(file);
    assert_true(fread(text, 1, 16383, file) > 0);
    fclose(file);
    return text;
}

/* A folder of this PKI is collateral, under which everything passes; its root, or another of the same name, can be
 * pinned. */
static void test_pki(void **state)
{
    uint8_t quote[QUOTE_SIZE_MAX];
    char path[128], error[256];
    X509 *leaf = make_leaf(this_minute(), quote, make_quote(this_minute(), quote));
    struct verifier_policy *policy = allowing();
    struct verifier_collateral *collateral = verifier_collateral_create();
    char *root = read_pem_file("root.pem");
    assert_int_equal(verifier_policy_set_roots(policy, root, strlen(root)), 0);
    snprintf(path, sizeof path, "%s/quote-simulation", folder);
    assert_int_equal(verifier_collateral_load(collateral, path, error, sizeof error), 0);
    struct verifier_result *r = verifier_verify_certificate(policy, collateral, leaf);
    assert_true(verifier_result_ok(r));
    assert_int_equal(verifier_result_claims(r)->tcb_status, VERIFIER_TCB_UP_TO_DATE);
    verifier_result_destroy(r);
    verifier_policy_allow_simulation(policy, false); /* a pin does not make a simulation hardware */
    expect_failure(leaf, policy, "root");
    verifier_policy_allow_simulation(policy, true);
    free(root);

    struct quote_backend *other;
    char elsewhere[128];
    snprintf(elsewhere, sizeof elsewhere, "%s/other", folder);
    assert_int_equal(quote_simulation_create(elsewhere, report_key, &other, error, sizeof error), 0);
    quote_destroy(other);
    root = read_pem_file("../other/quote-simulation/root.pem");
    assert_int_equal(verifier_policy_set_roots(policy, root, strlen(root)), 0);
    expect_failure(leaf, policy, "root");
    free(root);
    verifier_collateral_destroy(collateral);
    verifier_policy_destroy(policy);
    X509_free(leaf);
}

/* The collateral is signed anew in the second half of its time, and not before. */
static void test_refresh(void **state)
{
    char path[128], file[160];
    struct stat before, after;
    time_t now = time(NULL);
    snprintf(path, sizeof path, "%s/quote-simulation", folder);
    snprintf(file, sizeof file, "%s/tcb-info.json", path);
    assert_int_equal(stat(file, &before), 0);
    assert_int_equal(pki_refresh(path, now + 14 * 86400), 0);
    assert_int_equal(stat(file, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(pki_refresh(path, now + 16 * 86400), 0);
    assert_int_equal(stat(file, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(pki_refresh(path, now), 0); /* a clock that was wrong */
    before = after;
    assert_int_equal(stat(file, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
}

/* Offsets of wire.md's table. */
static void test_tampering(void **state)
{
    static const struct {
        size_t offset;
        const char *check;
    } flips[] = {
        {0, "quote"},                 /* version */
        {2, "quote"},                 /* key type */
        {12, "quote"},                /* vendor */
        {432, "quote"},               /* signature length */
        {1046, "quote"},              /* certification type */
        {1048, "quote"},              /* certification size */
        {28, "quote signature"},      /* user data */
        {48 + 64, "quote signature"}, /* MRENCLAVE */
        {48 + 48, "debug"},           /* INIT */
        {368, "report data"},         /* ReportData */
        {436, "quote signature"},     /* signature */
        {500, "attestation key"},     /* attestation key */
        {564 + 320, "quoting enclave's report"},
        {948, "quoting enclave's report"}, /* its signature */
        {1014, "attestation key"},         /* authentication data */
        {1052 + 60, "pck chain"},          /* in the PCK certificate */
    };
    uint8_t quote[QUOTE_SIZE_MAX];
    size_t size = make_quote(this_minute(), quote);
    struct verifier_policy *policy = allowing();
    for (size_t i = 0; i < sizeof flips / sizeof flips[0]; i++) {
        quote[flips[i].offset] ^= 1;
        X509 *leaf = make_leaf(this_minute(), quote, size);
        expect_failure(leaf, policy, flips[i].check);
        X509_free(leaf);
        quote[flips[i].offset] ^= 1;
    }
    for (size_t cut = 0; cut < size; cut += 13) { /* truncated anywhere: refused, and nothing is read beyond */
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, quote, cut);
        X509 *leaf = make_leaf(this_minute(), exact, cut);
        expect_failure(leaf, policy, "quote");
        X509_free(leaf);
        free(exact);
    }
    verifier_policy_destroy(policy);
}

/* A PKI that an older version made is taken as it is: its root stays the one that clients pinned. */
static void test_older_pki(void **state)
{
    char machine[128], command[512], error[256], path[160];
    snprintf(machine, sizeof machine, "%s/older", folder);
    snprintf(path, sizeof path, "%s/quote-simulation", machine);
    struct quote_backend *backend;
    assert_int_equal(quote_simulation_create(machine, report_key, &backend, error, sizeof error), 0);
    quote_destroy(backend);
    snprintf(command, sizeof command,
             "cd %s && mv tcb-info-chain.pem tcb-chain.pem && rm qe-identity-chain.pem collateral-refresh", path);
    assert_int_equal(system(command), 0);
    assert_int_equal(quote_simulation_create(machine, report_key, &backend, error, sizeof error), 0);
    quote_destroy(backend);
    struct verifier_collateral *collateral = verifier_collateral_create();
    assert_int_equal(verifier_collateral_load(collateral, path, error, sizeof error), 0);
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++) {
        size_t size;
        assert_non_null(verifier_collateral_get(collateral, (enum verifier_document)i, &size));
    }
    verifier_collateral_destroy(collateral);
}

static void test_quoting_refuses(void **state)
{
    struct sgx_report report = {0};
    uint8_t out[QUOTE_SIZE_MAX];
    size_t size;
    assert_int_equal(quote_get(quoting, (const uint8_t *)&report, out, sizeof out, &size), -EACCES);
    mac_report(&report);
    assert_int_equal(quote_get(quoting, (const uint8_t *)&report, out, 500, &size), -ENOSPC);
    assert_int_equal(quote_get(quoting, (const uint8_t *)&report, out, 100, &size), -ENOSPC);
    report.body.isvsvn ^= 1;
    assert_int_equal(quote_get(quoting, (const uint8_t *)&report, out, sizeof out, &size), -EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_pki),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_older_pki),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_quoting_refuses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
