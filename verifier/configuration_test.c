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
    m->options.evidences = 1;
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
    assert_true(c->has_log_key && c->has_log_head && c->log_size == 5 && c->has_checkpoint && c->checkpoint_size == 7);
    assert_int_equal(c->cosigned, 2);
    assert_non_null(strstr(find(r, "hand-over").reason, "hand-over: entry 1, of 2026-11-27T"));
    assert_true(c->hand_over && c->hand_over_index == 1 && strcmp(c->hand_over, m->log->entries[1]) == 0);
    char *json = verifier_result_json(r);
    assert_non_null(strstr(json, "\"hand_over\": {\"index\": 1, \"entry\": {\"format\":\"enclave-os-entry/1\""));
    verifier_free(json);
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

/* Whoever trusts a measurement says whom before it he trusts, too; who names none is told how many there were. */
static void test_lineage(void **state)
{
    static const uint8_t before[32] = {[0 ... 31] = 0xe5};
    for (int pinned = 0; pinned < 4; pinned++) {
        struct made *m = made_open();
        uint8_t lineage[64];
        memcpy(lineage, before, 32);
        memcpy(lineage + 32, m->options.body.mrenclave, 32);
        made_set(m, "lineage", lineage, 64);
        made_build(m);
        struct verifier_policy *p = verifier_policy_create();
        verifier_policy_set_time(p, FIXTURE_NOW);
        verifier_policy_set_live(p, true);
        assert_int_equal(verifier_policy_set_roots(p, m->fixture->root_pem, strlen(m->fixture->root_pem)), 0);
        if (pinned & 1)
            assert_int_equal(verifier_policy_add_mrenclave(p, m->options.body.mrenclave), 0);
        if (pinned & 2)
            assert_int_equal(verifier_policy_add_predecessor(p, before), 0);
        struct verifier_result *r = verifier_verify(p, m->fixture->collateral, &m->evidence);
        struct verifier_check c = find(r, "lineage");
        assert_int_equal(c.outcome, pinned == 0   ? VERIFIER_NOT_CHECKED
                                    : pinned == 3 ? VERIFIER_PASSED
                                                  : VERIFIER_FAILED);
        assert_non_null(strstr(c.reason, pinned == 0   ? "2 images"
                                         : pinned == 1 ? "e5e5 has had"
                                         : pinned == 2 ? "has had"
                                                       : "2 have had"));
        assert_int_equal(verifier_result_ok(r), pinned == 0 || pinned == 3);
        verifier_result_destroy(r);
        verifier_policy_destroy(p);
        made_close(m);
    }
}

/* What is shown as the entry counts only as it stands, where it stands, under the certificate's head and no other. */
static void test_hand_over_is_proven(void **state)
{
    for (int lie = 0; lie < 5; lie++) {
        struct made *m = made_open();
        made_build(m);
        verifier_result_destroy(made_verify(m)); /* which shows the log */
        struct verifier_log_leaf leaf = *m->view.hand_over;
        char text[512];
        snprintf(text, sizeof text, "%s", leaf.data);
        text[40] ^= lie == 1;
        leaf.data = text;
        leaf.proof.leaf_index += lie == 2;
        leaf.proof.path_count -= lie == 3;
        leaf.proof.tree_size += lie == 4;
        m->view.hand_over = &leaf;
        struct verifier_result *r = verifier_verify(m->policy, m->fixture->collateral, &m->evidence);
        assert_int_equal(verifier_result_ok(r), lie == 0);
        assert_int_equal(find(r, "hand-over").outcome, lie == 0 ? VERIFIER_PASSED : VERIFIER_FAILED);
        assert_true(!verifier_result_claims(r)->hand_over == (lie != 0));
        verifier_result_destroy(r);
        made_close(m);
    }
}

/* What is not answered, since it was lost, say, is no reason to refuse anybody. */
static void test_hand_over_unanswered(void **state)
{
    struct made *m = made_open();
    made_build(m);
    verifier_result_destroy(made_verify(m));
    m->view.search = VERIFIER_NOT_ANSWERED;
    m->view.hand_over = NULL;
    struct verifier_result *r = verifier_verify(m->policy, m->fixture->collateral, &m->evidence);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_VERIFIED);
    assert_int_equal(find(r, "hand-over").outcome, VERIFIER_NOT_CHECKED);
    assert_non_null(strstr(find(r, "hand-over").reason, "it may have lost some"));
    verifier_result_destroy(r);
    made_close(m);
}

/* Where no other image has had it, what is new to the caller is gone through: this one may be on another machine. */
static void test_hand_over_since(void **state)
{
    for (size_t seen = 0; seen < 4; seen++) {
        struct made *m = made_open();
        made_set(m, "lineage", "", 0);
        m->seen_size = seen ? seen : 1;
        made_build(m);
        if (seen == 0)
            m->policy->head_count = 0;
        struct verifier_result *r = made_verify(m);
        struct verifier_check c = find(r, "hand-over");
        assert_int_equal(c.outcome, seen == 1 ? VERIFIER_PASSED : VERIFIER_NOT_CHECKED);
        assert_non_null(strstr(c.reason, seen == 0   ? "no other image"
                                         : seen == 1 ? "entry 1"
                                                     : "none since the caller has seen it"));
        verifier_result_destroy(r);
        made_close(m);
    }
}

/* Who is to have the instance has nothing of it yet: its quote alone, over what is expected, is judged by all that the
 * policy says of programs and platforms; and who has it now by whether he may have had it. */
static void test_successor(void **state)
{
    static const struct {
        const char *fails; /* NULL: none does */
        uint8_t now;       /* MRENCLAVE of who has it, all its bytes; 0: the same */
    } cases[] = {{NULL, 0},        {NULL, 0xe5},         {"lineage", 0x44},    {"report data", 0xe5},
                 {"mrenclave", 0}, {"mrsigner", 0xe5},   {"product id", 0xe5}, {"security version", 0xe5},
                 {"debug", 0xe5},  {"tcb status", 0xe5}, {"collateral", 0xe5}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *fails = cases[i].fails ? cases[i].fails : "";
        struct made *m = made_open();
        if (!strcmp(fails, "debug"))
            m->options.body.attributes.flags |= FLAG_DEBUG;
        made_build(m);
        struct verifier_claims now = {.has_quote = true};
        memcpy(now.mrenclave, m->options.body.mrenclave, 32);
        if (cases[i].now)
            memset(now.mrenclave, cases[i].now, 32);
        uint8_t data[64];
        struct verifier_quote q;
        assert_null(verifier_quote_parse(m->fixture->quote, m->fixture->quote_size, &q));
        memcpy(data, BODY_REPORT_DATA(q.body), 64);
        data[0] ^= !strcmp(fails, "report data");
        m->policy->mrenclaves[0][0] ^= !strcmp(fails, "mrenclave");
        m->policy->mrsigner[0] ^= !strcmp(fails, "mrsigner");
        m->policy->prod_id += !strcmp(fails, "product id");
        m->policy->min_svn += !strcmp(fails, "security version");
        if (!strcmp(fails, "tcb status"))
            m->policy->accepted_tcb = 0;
        verifier_policy_require_collateral(m->policy, true);
        struct verifier_result *r =
            verifier_verify_successor(m->policy, strcmp(fails, "collateral") ? m->fixture->collateral : NULL,
                                      m->fixture->quote, m->fixture->quote_size, data, &now);
        if (verifier_result_ok(r) != !*fails)
            print(r);
        assert_int_equal(verifier_result_ok(r), !*fails);
        if (*fails)
            assert_int_equal(find(r, fails).outcome, VERIFIER_FAILED);
        verifier_result_destroy(r);
        made_close(m);
    }
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
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
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
        snprintf(expected, sizeof expected, "\"verdict\": \"%s\"", verifier_verdict_name(cases[i].verdict));
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

/* That nobody administers is expected, and holds: it does of anybody's who gave no key. */
static void test_nobody_is_nobodys(void **state)
{
    char label[96] = "admin:";
    struct made *m = made_open();
    for (size_t i = 0; i < 2; i++) {
        made_thumbprint(made_spki[i], 8, label + 6);
        made_remove(m, label);
    }
    made_set(m, "administrators", "threshold=0", 11);
    made_build(m);
    struct verifier_policy *p = policy_for(m, &(struct verdict_case){.measured = true});
    assert_int_equal(verifier_policy_expect_administrators(p, 0, NULL, 0), 0);
    assert_false(verifier_policy_names_instance(p));
    struct verifier_result *r = verifier_verify(p, m->fixture->collateral, &m->evidence);
    assert_int_equal(find(r, "administrators").outcome, VERIFIER_PASSED);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_GENUINE);
    verifier_result_destroy(r);
    verifier_policy_destroy(p);
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

/* The outcome of a check, whose reason must have that word. */
static void expect_outcome(const struct verifier_result *r, const char *name, enum verifier_outcome outcome,
                           const char *word)
{
    struct verifier_check c = find(r, name);
    if (c.outcome != outcome || !strstr(c.reason, word))
        fail_msg("%s: %d %s", c.name, c.outcome, c.reason);
}

/* A server of version 2: no quote is in its certificate, and all of it holds by what it makes behind the handshake. */
static void test_version_2(void **state)
{
    struct made *m = made_open();
    m->options.v2 = true;
    made_build(m);
    struct verifier_result *r = made_verify(m);
    if (verifier_result_verdict(r) != VERIFIER_VERIFIED)
        print(r);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_VERIFIED);
    expect_outcome(r, "report data", VERIFIER_PASSED, "behind the handshake");
    expect_outcome(r, "fresh evidence", VERIFIER_PASSED, "this connection");
    expect_outcome(r, "instance", VERIFIER_PASSED, "1d0203");
    expect_outcome(r, "lineage", VERIFIER_PASSED, "");
    assert_true(verifier_result_claims(r)->generation == 41);
    verifier_result_destroy(r);

    m->fresh.exported[0] ^= 1; /* somebody is in between */
    r = made_verify(m);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_REFUSED);
    expect_outcome(r, "report data", VERIFIER_FAILED, "is not that");
    assert_int_equal(find(r, "fresh evidence").outcome, VERIFIER_NOT_CHECKED);
    verifier_result_destroy(r);
    m->fresh.exported[0] ^= 1;

    m->evidence.fresh = NULL; /* it is not asked */
    r = made_verify(m);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_REFUSED);
    expect_outcome(r, "quote", VERIFIER_FAILED, "none was asked for behind a handshake");
    verifier_result_destroy(r);
    m->evidence.fresh = &m->fresh;

    m->fresh.answer_size = 1; /* it answers something else */
    r = made_verify(m);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_REFUSED);
    expect_outcome(r, "quote", VERIFIER_FAILED, "the answer to the challenge");
    verifier_result_destroy(r);
    m->fresh.answer_size = strlen(m->fresh.answer);

    verifier_policy_set_live(m->policy, false); /* a file: whoever has it can ask the enclave, too */
    r = made_verify(m);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_REFUSED);
    expect_outcome(r, "quote", VERIFIER_FAILED, "none was asked for behind a handshake");
    verifier_result_destroy(r);
    made_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_hold),          cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_one_fails),         cmocka_unit_test(test_unbound),
        cmocka_unit_test(test_lineage),           cmocka_unit_test(test_hand_over_is_proven),
        cmocka_unit_test(test_hand_over_since),   cmocka_unit_test(test_hand_over_unanswered),
        cmocka_unit_test(test_successor),         cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_nobody_is_nobodys), cmocka_unit_test(test_words_are_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
