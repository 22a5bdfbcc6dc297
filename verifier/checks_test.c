/*
 * The checks, one by one: with everything right all of them pass, and for each there is a world in which it is the only
 * one that fails. A check without such a case fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "verifier/testing/manifests.h"
#include "verifier/testing/worlds.h"

static void print(const struct verifier_result *r)
{
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check c = verifier_result_check(r, i);
        print_message("  %d %s: %s\n", c.outcome, c.name, c.reason);
    }
}

/* Exactly the check of that name fails, for a reason with that word. */
static void expect_only(const struct verifier_result *r, const char *name, const char *word)
{
    int failures = 0;
    bool found = false;
    assert_non_null(r);
    assert_false(verifier_result_ok(r));
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check c = verifier_result_check(r, i);
        if (c.outcome != VERIFIER_FAILED)
            continue;
        failures++;
        found |= strcmp(c.name, name) == 0 && strstr(c.reason, word);
    }
    if (failures != 1 || !found) {
        print_message("expected only '%s' to fail, saying '%s':\n", name, word);
        print(r);
    }
    assert_true(failures == 1 && found);
}

static void test_all_pass(void **state)
{
    struct world *w = world_open();
    world_build(w);
    struct verifier_result *r = verifier_verify_certificate(w->policy, w->fixture->collateral, w->fixture->leaf);
    if (!verifier_result_ok(r))
        print(r);
    assert_true(verifier_result_ok(r));
    bool contents = false; /* of the configuration: verifier/configuration */
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check check = verifier_result_check(r, i);
        contents |= strcmp(check.name, "manifest") == 0 || strcmp(check.name, "app publisher") == 0;
        if (strcmp(check.name, "extension") == 0)
            contents = false;
        /* but for what the certificate alone says */
        bool skipped = (contents && strcmp(check.name, "lineage") != 0) ||
                       strcmp(check.name, "collateral freshness") == 0 || strcmp(check.name, "fresh evidence") == 0;
        assert_int_equal(check.outcome, skipped ? VERIFIER_NOT_CHECKED : VERIFIER_PASSED);
    }
    assert_int_equal(verifier_result_verdict(r), VERIFIER_VERIFIED);
    const struct verifier_claims *c = verifier_result_claims(r);
    assert_true(c->has_quote && c->has_platform && c->has_spki && c->has_merkle_root && !c->debug && !c->simulated);
    assert_int_equal(c->tcb_status, VERIFIER_TCB_UP_TO_DATE);
    assert_int_equal(c->isv_prod_id, 7);
    assert_int_equal(c->isv_svn, 3);
    assert_int_equal(c->advisory_count, 0);
    assert_int_equal(c->collateral_until_s, FIXTURE_NOW + 29 * FIXTURE_DAY);
    assert_int_equal(c->tcb_date_s, 1735689600);
    verifier_result_destroy(r);
    world_close(w);
}

static void test_one_fails(void **state)
{
    for (size_t i = 0; i < world_case_count; i++) {
        struct world *w = world_open();
        if (world_cases[i].before)
            world_cases[i].before(w);
        world_build(w);
        if (world_cases[i].after)
            world_cases[i].after(w);
        struct verifier_result *r = verifier_verify_certificate(w->policy, w->fixture->collateral, w->fixture->leaf);
        expect_only(r, world_cases[i].name, world_cases[i].word);
        verifier_result_destroy(r);
        world_close(w);
    }
}

/* Cases that need another call or another policy. */
static void test_one_fails_otherwise(void **state)
{
    struct world *w = world_open();
    world_build(w);
    struct verifier_result *r = verifier_verify_certificate_der(w->policy, w->fixture->collateral, "no DER", 6);
    expect_only(r, "certificate", "not one certificate");
    verifier_result_destroy(r);
    world_close(w);

    w = world_open(); /* RFC 5280, section 4.2: what one must understand and does not */
    w->options.evidences = 0;
    world_build(w);
    X509 *leaf = X509_dup(w->fixture->leaf);
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.3.4", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    assert_true(X509_add_ext(leaf, extension, -1));
    struct verifier_policy *plain = verifier_policy_create();
    verifier_policy_set_time(plain, FIXTURE_NOW);
    assert_int_equal(verifier_policy_set_roots(plain, w->fixture->root_pem, strlen(w->fixture->root_pem)), 0);
    r = verifier_verify_certificate(plain, w->fixture->collateral, leaf);
    expect_only(r, "certificate", "critical");
    verifier_result_destroy(r);
    verifier_policy_destroy(plain);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    X509_free(leaf);
    world_close(w);

    w = world_open(); /* no root in the certificate: an app cannot be proven either, so none is expected */
    w->options.roots = 0;
    world_build(w);
    struct verifier_policy *bare = verifier_policy_create();
    verifier_policy_set_time(bare, FIXTURE_NOW);
    verifier_policy_set_live(bare, true);
    assert_int_equal(verifier_policy_set_roots(bare, w->fixture->root_pem, strlen(w->fixture->root_pem)), 0);
    r = verifier_verify_certificate(bare, w->fixture->collateral, w->fixture->leaf);
    expect_only(r, "configuration root", "exactly one");
    verifier_result_destroy(r);
    verifier_policy_destroy(bare);
    world_close(w);

    w = world_open(); /* collateral that a caller requires and does not have, of a simulation */
    w->options.root_name = "A SIMULATION Root CA";
    world_build(w);
    world_without_collateral(w);
    verifier_policy_allow_simulation(w->policy, true);
    r = verifier_verify_certificate(w->policy, NULL, w->fixture->leaf);
    expect_only(r, "collateral", "requires");
    verifier_result_destroy(r);
    world_close(w);
}

static void test_every_check_has_a_case(void **state)
{
    static const char *const elsewhere[] = {"certificate", "configuration root"}; /* test_one_fails_otherwise */
    for (size_t i = 0; verifier_check_name(i); i++) {
        bool found = false;
        for (size_t k = 0; k < world_case_count; k++)
            found |= strcmp(world_cases[k].name, verifier_check_name(i)) == 0;
        for (size_t k = 0; k < made_case_count; k++) /* verifier/configuration */
            found |= strcmp(made_cases[k].name, verifier_check_name(i)) == 0;
        for (size_t k = 0; k < 2; k++)
            found |= strcmp(elsewhere[k], verifier_check_name(i)) == 0;
        if (!found)
            print_message("no case for '%s'\n", verifier_check_name(i));
        assert_true(found);
        assert_true(strlen(verifier_check_meaning(i)) > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_pass),
        cmocka_unit_test(test_one_fails),
        cmocka_unit_test(test_one_fails_otherwise),
        cmocka_unit_test(test_every_check_has_a_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
