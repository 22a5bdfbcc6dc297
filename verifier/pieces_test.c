/*
 * The verifier's pieces: the channel binder, the three modes of ReportData, Merkle proofs of every tree, an enclave's
 * own quote, and collateral without a certificate.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <cmocka.h>

#include "enclave/merkle/merkle.h"
#include "verifier/http_get.h"
#include "verifier/internal.h"
#include "verifier/json.h"
#include "verifier/testing/fixture.h"

/* HKDF-Expand of up to one block is HMAC(secret, info || 0x01): an arithmetic of its own for the binder. */
static void test_binder(void **state)
{
    static const char label[] = "tls13 privasys-ratls-binder-v1";
    uint8_t secret[48], transcript[48], binder[32], expected[64], info[128];
    memset(secret, 0x5e, sizeof secret);
    memset(transcript, 0x7a, sizeof transcript);
    assert_int_equal(sizeof label - 1, 30);
    for (unsigned size = 32; size <= 48; size += 16) {
        unsigned n = 0, out = 0;
        info[n++] = 0;
        info[n++] = 32;
        info[n++] = 30;
        memcpy(info + n, label, 30);
        n += 30;
        info[n++] = (uint8_t)size;
        memcpy(info + n, transcript, size);
        n += size;
        info[n++] = 1;
        HMAC(size == 32 ? EVP_sha256() : EVP_sha384(), secret, (int)size, info, n, expected, &out);
        assert_int_equal(verifier_channel_binder(secret, transcript, size, binder), 0);
        assert_memory_equal(binder, expected, 32);
    }
    assert_int_equal(verifier_channel_binder(secret, transcript, 20, binder), -EINVAL);
}

static enum verifier_outcome report_data(enum verifier_mode mode, const uint8_t *in_quote, size_t size,
                                         const uint8_t *nonce, size_t nonce_size, const uint8_t binder[32])
{
    struct fixture_options o = fixture_defaults();
    o.binding = in_quote;
    o.binding_size = size;
    struct fixture *f = fixture_create(&o);
    struct verifier_policy *p = verifier_policy_create();
    assert_int_equal(verifier_policy_set_roots(p, f->root_pem, strlen(f->root_pem)), 0);
    verifier_policy_set_time(p, FIXTURE_NOW);
    verifier_policy_set_live(p, true);
    assert_int_equal(verifier_policy_set_binding(p, mode, nonce, nonce_size, binder), 0);
    struct verifier_result *r = verifier_verify_certificate(p, f->collateral, f->leaf);
    enum verifier_outcome outcome = VERIFIER_NOT_CHECKED;
    for (size_t i = 0; i < verifier_result_count(r); i++)
        if (strcmp(verifier_result_check(r, i).name, "report data") == 0)
            outcome = verifier_result_check(r, i).outcome;
    assert_int_equal(verifier_result_ok(r), outcome == VERIFIER_PASSED);
    verifier_result_destroy(r);
    verifier_policy_destroy(p);
    fixture_destroy(f);
    return outcome;
}

static void test_modes(void **state)
{
    uint8_t bytes[255 + 32], binder[32], other[32];
    memset(bytes, 0x4e, 255);
    memset(binder, 0xb1, 32);
    memset(other, 0xb2, 32);
    for (size_t nonce_size = 1; nonce_size <= 255; nonce_size += 127) { /* 1, 128, 255 */
        memcpy(bytes + nonce_size, binder, 32);
        assert_int_equal(report_data(VERIFIER_CHALLENGE, bytes, nonce_size + 32, bytes, nonce_size, binder),
                         VERIFIER_PASSED);
        assert_int_equal(report_data(VERIFIER_CHALLENGE, bytes, nonce_size + 32, bytes, nonce_size, other),
                         VERIFIER_FAILED);
        memset(bytes, 0x4e, 255);
    }
    memcpy(bytes + 32, binder, 32);
    assert_int_equal(report_data(VERIFIER_MUTUAL, bytes, 64, bytes, 32, binder), VERIFIER_PASSED);
    assert_int_equal(report_data(VERIFIER_MUTUAL, bytes, 64, other, 32, binder), VERIFIER_FAILED);
    /* a quote for a challenge does not pass as one of this minute, nor the other way */
    assert_int_equal(report_data(VERIFIER_DETERMINISTIC, bytes, 64, NULL, 0, NULL), VERIFIER_FAILED);
    assert_int_equal(report_data(VERIFIER_DETERMINISTIC, NULL, 0, NULL, 0, NULL), VERIFIER_PASSED);
    assert_int_equal(report_data(VERIFIER_CHALLENGE, NULL, 0, bytes, 32, binder), VERIFIER_FAILED);

    struct verifier_policy *p = verifier_policy_create();
    assert_int_equal(verifier_policy_set_binding(p, VERIFIER_MUTUAL, bytes, 31, binder), -EINVAL);
    assert_int_equal(verifier_policy_set_binding(p, VERIFIER_CHALLENGE, bytes, 0, binder), -EINVAL);
    assert_int_equal(verifier_policy_set_binding(p, VERIFIER_CHALLENGE, bytes, 256, binder), -EINVAL);
    assert_int_equal(verifier_policy_set_binding(p, VERIFIER_CHALLENGE, NULL, 8, binder), -EINVAL);
    assert_int_equal(verifier_policy_set_binding(p, (enum verifier_mode)9, bytes, 8, binder), -EINVAL);
    verifier_policy_destroy(p);
}

/* Every leaf of every tree of up to 40, by the enclave's own tree; and no proof for another place, leaf or root. */
static void test_merkle(void **state)
{
    uint8_t path[64][32], root[32], changed[32];
    for (size_t size = 1; size <= 40; size++) {
        struct merkle tree = {0};
        for (size_t i = 0; i < size; i++)
            assert_int_equal(merkle_add(&tree, &i, sizeof i), 0);
        merkle_root(&tree, root);
        memcpy(changed, root, 32);
        changed[0] ^= 1;
        for (size_t i = 0; i < size; i++) {
            struct verifier_inclusion proof = {i, size, path, (size_t)merkle_proof(&tree, i, path)};
            assert_true(verifier_inclusion_holds(&proof, &i, sizeof i, root));
            assert_false(verifier_inclusion_holds(&proof, &i, sizeof i, changed));
            size_t other = i + 1;
            assert_false(verifier_inclusion_holds(&proof, &other, sizeof other, root));
            proof.leaf_index = (i + 1) % (size + 1);
            assert_false(verifier_inclusion_holds(&proof, &i, sizeof i, root));
            proof.leaf_index = i;
            proof.path_count++;
            assert_false(verifier_inclusion_holds(&proof, &i, sizeof i, root));
            proof.path_count = 65;
            assert_false(verifier_inclusion_holds(&proof, &i, sizeof i, root));
        }
        merkle_free(&tree);
    }
    struct merkle four = {0}; /* the same path would do for a tree that it is too short for */
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(merkle_add(&four, &i, sizeof i), 0);
    merkle_root(&four, root);
    struct verifier_inclusion first = {0, 4, path, (size_t)merkle_proof(&four, 0, path)};
    size_t leaf = 0;
    for (first.tree_size = 5; first.tree_size < 20; first.tree_size++)
        assert_false(verifier_inclusion_holds(&first, &leaf, sizeof leaf, root));
    merkle_free(&four);
    struct verifier_inclusion nothing = {0, 0, path, 0};
    assert_false(verifier_inclusion_holds(&nothing, "", 0, root));
}

static const char *tampered(const struct fixture *f, size_t at)
{
    uint8_t copy[16384], body[384];
    memcpy(copy, f->quote, f->quote_size);
    memcpy(body, f->quote + 48, 384);
    copy[at] ^= 1;
    return verifier_quote_is_for(copy, f->quote_size, body);
}

static void test_own_quote(void **state)
{
    struct fixture_options o = fixture_defaults();
    struct fixture *f = fixture_create(&o);
    assert_null(verifier_quote_is_for(f->quote, f->quote_size, f->quote + 48));
    assert_non_null(tampered(f, 0));                                                     /* no quote */
    assert_string_equal(tampered(f, 112), "it is over another report");                  /* MRENCLAVE */
    assert_string_equal(tampered(f, 368), "it is over another report");                  /* ReportData */
    assert_string_equal(tampered(f, 28), "its signature is not the attestation key's");  /* header */
    assert_string_equal(tampered(f, 436), "its signature is not the attestation key's"); /* signature */
    assert_string_equal(tampered(f, 500), "its quoting enclave does not vouch for its attestation key");
    assert_non_null(verifier_quote_is_for(f->quote, f->quote_size - 1, f->quote + 48));
    assert_non_null(verifier_quote_is_for(f->quote, 0, f->quote + 48));
    fixture_destroy(f);
}

static void test_quote_alone(void **state)
{
    struct fixture_options o = fixture_defaults();
    struct fixture *f = fixture_create(&o);
    struct verifier_policy *p = verifier_policy_create();
    uint8_t other[64] = {0};
    assert_int_equal(verifier_policy_set_roots(p, f->root_pem, strlen(f->root_pem)), 0);
    verifier_policy_set_time(p, FIXTURE_NOW);
    struct verifier_result *r = verifier_verify_quote(p, f->collateral, f->quote, f->quote_size, f->quote + 368);
    assert_true(verifier_result_ok(r));
    verifier_result_destroy(r);
    r = verifier_verify_quote(p, f->collateral, f->quote, f->quote_size, other);
    assert_false(verifier_result_ok(r));
    verifier_result_destroy(r);
    r = verifier_verify_quote(p, f->collateral, NULL, 0, NULL);
    assert_false(verifier_result_ok(r));
    verifier_result_destroy(r);
    assert_int_equal(verifier_policy_expect_extension(p, "1.2.3", "x", 1), 0); /* cannot be met without a certificate */
    r = verifier_verify_quote(p, f->collateral, f->quote, f->quote_size, f->quote + 368);
    assert_false(verifier_result_ok(r));
    verifier_result_destroy(r);
    assert_false(verifier_result_ok(NULL));
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

static void test_limits(void **state)
{
    struct verifier_policy *p = verifier_policy_create();
    struct verifier_collateral *c = verifier_collateral_create();
    uint8_t hash[32] = {0}, path[64][32] = {{0}};
    struct verifier_inclusion proof = {0, 1, path, 0};
    static uint8_t large[VERIFIER_DOCUMENT_SIZE_MAX + 1];
    char name[66];
    for (int i = 0; i < 64; i++)
        assert_int_equal(verifier_policy_add_mrenclave(p, hash), 0);
    assert_int_equal(verifier_policy_add_mrenclave(p, hash), -E2BIG);
    for (int i = 0; i < 16; i++)
        assert_int_equal(verifier_policy_expect_extension(p, "1.2.3", NULL, 0), 0);
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "app%d", i);
        assert_int_equal(verifier_policy_expect_app(p, name, hash, &proof), 0);
        assert_int_equal(verifier_policy_expect_app(p, name, hash, &proof), 0); /* the same app */
    }
    assert_int_equal(verifier_policy_expect_extension(p, "1.2.3", NULL, 0), -E2BIG);
    assert_int_equal(verifier_policy_expect_app(p, "a", hash, &proof), -E2BIG);
    verifier_policy_destroy(p);
    p = verifier_policy_create();
    memset(name, 'n', 65);
    name[65] = '\0';
    assert_int_equal(verifier_policy_expect_app(p, name, hash, &proof), -EINVAL);
    assert_int_equal(verifier_policy_expect_app(p, "", hash, &proof), -EINVAL);
    proof.path_count = 65;
    assert_int_equal(verifier_policy_expect_app(p, "a", hash, &proof), -EINVAL);
    assert_int_equal(verifier_policy_expect_extension(p, "no oid", NULL, 0), -EINVAL);
    assert_int_equal(verifier_policy_expect_extension(p, "1.2.3", large, 1025), -EINVAL);
    assert_int_equal(verifier_policy_set_roots(p, "", 0), -EINVAL);
    assert_int_equal(verifier_policy_set_issuer(p, "x", 1), -EINVAL);
    assert_int_equal(verifier_policy_accept_tcb(p, VERIFIER_TCB_REVOKED), -EINVAL);
    assert_int_equal(verifier_policy_accept_tcb(p, VERIFIER_TCB_UNKNOWN), -EINVAL);
    assert_int_equal(verifier_collateral_set(c, VERIFIER_TCB_INFO, large, sizeof large), -EINVAL);
    assert_int_equal(verifier_collateral_set(c, VERIFIER_DOCUMENTS, "x", 1), -EINVAL);
    size_t size;
    assert_null(verifier_collateral_get(c, VERIFIER_TCB_INFO, &size));
    verifier_collateral_destroy(c);
    verifier_policy_destroy(p);
    verifier_collateral_destroy(NULL);
    verifier_policy_destroy(NULL);
    verifier_result_destroy(NULL);
}

/* Nothing that was not checked counts as good. */
static void test_nothing_checked(void **state)
{
    struct verifier_policy *policy = verifier_policy_create();
    struct verifier_result *r = verifier__result_create(policy);
    struct verification v = {.result = r};
    assert_false(verifier_result_ok(r));
    for (int id = 0; id < CHECK_COUNT; id++)
        verifier__pass(&v, (enum check_id)id, "passed");
    r->of_certificate = r->has_collateral = true;
    assert_true(verifier_result_ok(r));
    static const enum check_id optional[] = {CHECK_LIFETIME,  CHECK_ISSUER,   CHECK_COLLATERAL, CHECK_FRESHNESS,
                                             CHECK_MRENCLAVE, CHECK_MRSIGNER, CHECK_PROD_ID,    CHECK_SVN,
                                             CHECK_FRESH,     CHECK_DICE};
    for (int id = 0; id < CHECK_COUNT; id++) {
        bool may_be_left_out = id >= CHECK_CONFIGURATION;
        for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++)
            may_be_left_out |= (int)optional[i] == id;
        verifier__skip(&v, (enum check_id)id, "skipped");
        assert_int_equal(verifier_result_ok(r), may_be_left_out);
        verifier__fail(&v, (enum check_id)id, "failed");
        assert_false(verifier_result_ok(r));
        verifier__pass(&v, (enum check_id)id, "passed");
    }
    verifier_result_destroy(r);
    verifier_policy_destroy(policy);
}

/* What the policy demands may not be left out. */
static void test_demanded_and_not_checked(void **state)
{
    static const uint8_t hash[32] = {1};
    static const enum check_id ids[] = {
        CHECK_FRESHNESS,    CHECK_MRENCLAVE,    CHECK_MRSIGNER,
        CHECK_PROD_ID,      CHECK_SVN,          CHECK_MANIFEST,
        CHECK_INSTANCE,     CHECK_GENERATION,   CHECK_ADMINISTRATORS,
        CHECK_LIMITS,       CHECK_EGRESS_CA,    CHECK_ONLY_APPS,
        CHECK_EXTENSION,    CHECK_APP,          CHECK_APP_PUBLISHER,
        CHECK_APP_IDENTITY, CHECK_APP_SETTINGS, CHECK_APP_EGRESS,
    };
    struct verifier_policy *p = verifier_policy_create();
    verifier_policy_set_min_evaluation_number(p, 1);
    assert_int_equal(verifier_policy_add_mrenclave(p, hash), 0);
    verifier_policy_set_mrsigner(p, hash);
    verifier_policy_set_prod_id(p, 1);
    verifier_policy_set_min_svn(p, 1);
    verifier_policy_set_min_generation(p, 1);
    verifier_policy_only_apps(p, true);
    assert_int_equal(verifier_policy_expect_instance(p, hash), 0);
    assert_int_equal(verifier_policy_expect_administrators(p, 0, NULL, 0), 0);
    assert_int_equal(verifier_policy_expect_limits(p, ""), 0);
    assert_int_equal(verifier_policy_expect_egress_ca(p, NULL), 0);
    assert_int_equal(verifier_policy_expect_extension(p, "1.2.3", hash, 1), 0);
    assert_int_equal(verifier_policy_expect_code(p, "a", hash), 0);
    assert_int_equal(verifier_policy_expect_publisher(p, "a", hash, 1), 0);
    assert_int_equal(verifier_policy_expect_app_id(p, "a", hash), 0);
    assert_int_equal(verifier_policy_expect_settings(p, "a", NULL), 0);
    assert_int_equal(verifier_policy_expect_egress(p, "a", ""), 0);
    struct verifier_result *r = verifier__result_create(p);
    struct verification v = {.result = r};
    for (int id = 0; id < CHECK_COUNT; id++)
        verifier__pass(&v, (enum check_id)id, "passed");
    assert_true(verifier_result_ok(r));
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        verifier__skip(&v, ids[i], "skipped");
        assert_false(verifier_result_ok(r));
        verifier__pass(&v, ids[i], "passed");
    }
    verifier_result_destroy(r);
    verifier_policy_destroy(p);
}

/* What somebody chose to trust has nothing in it but certificates. */
static void test_bundles(void **state)
{
    static const char key[] = "-----BEGIN PRIVATE KEY-----\nMAAB\n-----END PRIVATE KEY-----\n";
    struct fixture_options o = fixture_defaults();
    struct fixture *f = fixture_create(&o);
    struct verifier_policy *p = verifier_policy_create();
    const char *root = f->root_pem;
    struct {
        const char *parts[3];
        int roots, issuer;
    } cases[] = {
        {{root, "", ""}, 0, 0},
        {{"a comment\n", root, ""}, 0, 0},
        {{root, root, ""}, 0, -EINVAL},
        {{root, key, ""}, -EINVAL, -EINVAL},
        {{key, root, ""}, -EINVAL, -EINVAL},
        {{root, " ", key}, -EINVAL, -EINVAL},
        {{root, "-----BEGIN CERTIFICATE-----\n", ""}, -EINVAL, -EINVAL},
        {{root, "junk\n", ""}, -EINVAL, -EINVAL},
        {{"\xef\xbb\xbf", root, root}, -EINVAL, -EINVAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char pem[16384];
        const char **part = cases[i].parts;
        size_t size = (size_t)snprintf(pem, sizeof pem, "%s%s%s", part[0], part[1], part[2]);
        assert_true(size < sizeof pem);
        if (verifier_policy_set_roots(p, pem, size) != cases[i].roots ||
            verifier_policy_set_issuer(p, pem, size) != cases[i].issuer)
            fail_msg("case %zu", i);
    }
    verifier_policy_destroy(p);
    fixture_destroy(f);
}

/* A certificate that claims to be encrypted must not make anyone type. */
static void test_no_password(void **state)
{
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                              "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n"
                              "-----END CERTIFICATE-----\n";
    assert_null(verifier__read_certificates(pem, strlen(pem), 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bundles),         cmocka_unit_test(test_binder),
        cmocka_unit_test(test_modes),           cmocka_unit_test(test_merkle),
        cmocka_unit_test(test_own_quote),       cmocka_unit_test(test_quote_alone),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_no_password),
        cmocka_unit_test(test_nothing_checked), cmocka_unit_test(test_demanded_and_not_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
