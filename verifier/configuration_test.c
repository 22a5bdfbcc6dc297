/*
 * What is expected of the configuration, read from a policy file and judged by a manifest: with everything right all
 * checks pass, and for each there are cases in which it alone fails; then the verdicts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "verifier/internal.h"
#include "verifier/testing/manifests.h"

static void print(const struct verifier_result *r)
{
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check c = verifier_result_check(r, i);
        print_message("  %d %s: %s\n", c.outcome, c.name, c.reason);
    }
}

static struct verifier_check find(const struct verifier_result *r, const char *name)
{
    for (size_t i = 0; i < verifier_result_count(r); i++)
        if (strcmp(verifier_result_check(r, i).name, name) == 0)
            return verifier_result_check(r, i);
    fail_msg("no check %s", name);
    return (struct verifier_check){0};
}

static void test_all_hold(void **state)
{
    struct made *m = made_open();
    made_build(m);
    struct verifier_result *r = made_verify(m);
    if (verifier_result_verdict(r) != VERIFIER_VERIFIED)
        print(r);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_VERIFIED);
    for (size_t i = 0; i < verifier_result_count(r); i++) {
        struct verifier_check c = verifier_result_check(r, i);
        /* hello has no publisher to expect, vault neither code nor identity */
        bool skipped = strstr(c.reason, "(not pinned by the caller)") != NULL;
        assert_int_equal(c.outcome, skipped ? VERIFIER_NOT_CHECKED : VERIFIER_PASSED);
        assert_true(!skipped || strncmp(c.name, "app", 3) == 0);
    }
    const struct verifier_claims *c = verifier_result_claims(r);
    assert_true(c->has_generation && c->generation == 41 && c->has_instance && c->instance[0] == 0x1d);
    assert_int_equal(c->age_s, 3600);
    assert_int_equal(c->evaluation_number, 1);
    verifier_result_destroy(r);
    made_close(m);
}

static void test_one_fails(void **state)
{
    for (size_t i = 0; i < made_case_count; i++) {
        const struct made_case *k = &made_cases[i];
        struct made *m = made_open();
        if (k->before)
            k->before(m);
        made_build(m);
        if (k->after)
            k->after(m);
        struct verifier_result *r = made_verify(m);
        size_t failures = 0;
        bool found = false;
        for (size_t n = 0; n < verifier_result_count(r); n++) {
            struct verifier_check c = verifier_result_check(r, n);
            failures += c.outcome == VERIFIER_FAILED;
            found |= c.outcome == VERIFIER_FAILED && strcmp(c.name, k->name) == 0 && strstr(c.reason, k->word);
        }
        if (failures != 1 || !found || verifier_result_ok(r)) {
            print_message("case %zu: expected only '%s' to fail, saying '%s':\n", i, k->name, k->word);
            print(r);
        }
        assert_true(failures == 1 && found && !verifier_result_ok(r));
        verifier_result_destroy(r);
        made_close(m);
    }
}

/* A certificate file alone: nobody proved its key, so its extensions are nobody's word. */
static void test_unbound(void **state)
{
    static const uint8_t instance[32] = {0x1d, 2, 3};
    struct made *m = made_open();
    made_build(m);
    struct verifier_policy *p = verifier_policy_create();
    verifier_policy_set_time(p, FIXTURE_NOW);
    assert_int_equal(verifier_policy_set_roots(p, m->fixture->root_pem, strlen(m->fixture->root_pem)), 0);
    assert_int_equal(verifier_policy_add_mrenclave(p, m->options.body.mrenclave), 0);
    assert_int_equal(verifier_policy_expect_instance(p, instance), 0);
    struct verifier_result *r = verifier_verify(p, m->fixture->collateral, &m->evidence);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_REFUSED);
    assert_non_null(strstr(find(r, "manifest").reason, "not bound"));
    assert_non_null(strstr(find(r, "instance").reason, "neither certificate nor manifest"));
    assert_false(verifier_result_claims(r)->has_instance);
    verifier_result_destroy(r);
    verifier_policy_destroy(p);
    made_close(m);
}

struct verdict_case {
    bool measured, signer, instance, administrators, issuer, root, product, manifest;
    enum verifier_verdict verdict;
    bool named;
};

static struct verifier_policy *policy_for(const struct made *m, const struct verdict_case *k)
{
    static const uint8_t instance[32] = {0x1d, 2, 3};
    struct verifier_policy *p = verifier_policy_create();
    verifier_policy_set_time(p, FIXTURE_NOW);
    verifier_policy_set_live(p, true);
    assert_int_equal(verifier_policy_set_roots(p, m->fixture->root_pem, strlen(m->fixture->root_pem)), 0);
    if (k->measured)
        assert_int_equal(verifier_policy_add_mrenclave(p, m->options.body.mrenclave), 0);
    if (k->signer)
        verifier_policy_set_mrsigner(p, m->options.body.mrsigner);
    if (k->product)
        verifier_policy_set_prod_id(p, 7);
    if (k->instance)
        assert_int_equal(verifier_policy_expect_instance(p, instance), 0);
    if (k->administrators)
        assert_int_equal(verifier_policy_expect_administrators(p, 1, m->policy->administrators, 2), 0);
    if (k->issuer) {
        X509_up_ref(m->policy->issuer);
        p->issuer = m->policy->issuer;
    }
    if (k->root)
        assert_int_equal(verifier_policy_expect_extension(p, OID_MERKLE_ROOT, m->fixture->merkle_root, 32), 0);
    return p;
}

/* Everything that is checked holds in each of these: the verdict says whether it is enough. */
static void test_verdicts(void **state)
{
    static const struct verdict_case cases[] = {
        {.verdict = VERIFIER_GENUINE},
        {.measured = true, .verdict = VERIFIER_GENUINE},
        {.measured = true, .signer = true, .product = true, .verdict = VERIFIER_GENUINE},
        {.instance = true, .verdict = VERIFIER_GENUINE}, /* any program can say so of itself */
        {.administrators = true, .manifest = true, .verdict = VERIFIER_GENUINE},
        {.root = true, .product = true, .verdict = VERIFIER_GENUINE},
        {.issuer = true, .verdict = VERIFIER_VERIFIED, .named = true},
        {.measured = true, .instance = true, .verdict = VERIFIER_VERIFIED, .named = true},
        {.measured = true, .instance = true, .manifest = true, .verdict = VERIFIER_VERIFIED, .named = true},
        {.signer = true, .instance = true, .verdict = VERIFIER_VERIFIED, .named = true},
        {.measured = true, .administrators = true, .manifest = true, .verdict = VERIFIER_VERIFIED, .named = true},
        {.measured = true, .administrators = true, .verdict = VERIFIER_REFUSED, .named = true},
        {.measured = true, .root = true, .verdict = VERIFIER_VERIFIED, .named = true},
    };
    struct made *m = made_open();
    made_build(m);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct verifier_policy *p = policy_for(m, &cases[i]);
        struct verifier_evidence evidence = m->evidence;
        if (!cases[i].manifest)
            evidence.manifest = NULL;
        struct verifier_result *r = verifier_verify(p, m->fixture->collateral, &evidence);
        if (verifier_result_verdict(r) != cases[i].verdict) {
            print_message("case %zu: %s\n", i, verifier_verdict_name(verifier_result_verdict(r)));
            print(r);
        }
        assert_int_equal(verifier_result_verdict(r), cases[i].verdict);
        assert_int_equal(verifier_policy_names_instance(p), cases[i].named);
        char *json = verifier_result_json(r), expected[64];
        snprintf(expected, sizeof(expected), "\"verdict\": \"%s\"", verifier_verdict_name(cases[i].verdict));
        assert_non_null(strstr(json, expected));
        verifier_free(json);
        verifier_result_destroy(r);
        verifier_policy_accept_any_instance(p, true);
        assert_true(verifier_policy_names_instance(p));
        verifier_policy_destroy(p);
    }
    assert_int_equal(verifier_result_verdict(NULL), VERIFIER_REFUSED);
    made_close(m);
}

/* Words of a peer's in a reason: nothing that a terminal obeys. */
static void test_words_are_printable(void **state)
{
    struct made *m = made_open();
    made_set(m, "limits", "\33[2J\r\nverified", 14);
    made_build(m);
    struct verifier_result *r = made_verify(m);
    struct verifier_check c = find(r, "limits");
    assert_non_null(strstr(c.reason, "?[2J??verified"));
    verifier_result_destroy(r);
    made_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_hold), cmocka_unit_test(test_one_fails),           cmocka_unit_test(test_unbound),
        cmocka_unit_test(test_verdicts), cmocka_unit_test(test_words_are_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
