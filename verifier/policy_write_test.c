/*
 * What becomes of each member of the schema when a policy is written under one that has it: none is lost without a
 * word.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "verifier/testing/manifests.h"

enum becomes { KEPT, RENEWED, GONE }; /* as it stands there; as it is now; it allowed what is not needed */

/* In the order of the schema. */
static const struct {
    const char *member;
    enum becomes becomes;
    bool beyond_who; /* with who, such a policy is refused */
    const char *now; /* RENEWED: what is written, as JSON; NULL: something else than was there */
} members[] = {
    {"format", KEPT, false, NULL},
    {"mrenclave", RENEWED, false, NULL},
    {"mrsigner", KEPT, false, NULL},
    {"prod_id", KEPT, false, NULL},
    {"min_svn", KEPT, false, NULL},
    {"allow_simulation", GONE, false, NULL},
    {"allow_debug", GONE, false, NULL},
    {"roots", KEPT, false, NULL},
    {"collateral.required", KEPT, false, NULL},
    {"collateral.accept_tcb", KEPT, false, NULL},
    {"collateral.min_evaluation_number", RENEWED, false, "1"},
    {"max_lifetime", KEPT, false, NULL},
    {"extensions", KEPT, false, NULL},
    {"issuer", KEPT, false, NULL},
    {"instance", KEPT, false, NULL},
    {"administrators.threshold", KEPT, true, NULL},
    {"administrators.keys.role", KEPT, true, NULL},
    {"administrators.keys.key", KEPT, true, NULL},
    {"upgrade_rule", KEPT, true, NULL},
    {"predecessors", RENEWED, false, NULL},
    {"min_generation", RENEWED, true, "41"},
    {"log.key", KEPT, false, NULL},
    {"log.size", RENEWED, false, "7"},
    {"log.root", RENEWED, false, NULL},
    {"log.witnesses", KEPT, false, NULL},
    {"log.quorum", KEPT, false, NULL},
    {"log.max_age", KEPT, false, NULL},
    {"limits", KEPT, true, NULL},
    {"egress_ca", KEPT, true, NULL},
    {"apps.name", KEPT, true, NULL},
    {"apps.sha256", KEPT, true, NULL},
    {"apps.publisher", KEPT, true, NULL},
    {"apps.min_version", RENEWED, true, "7"},
    {"apps.id", KEPT, true, NULL},
    {"apps.settings", KEPT, true, NULL},
    {"apps.egress", KEPT, true, NULL},
    {"only_apps", KEPT, true, NULL},
};
#define MEMBERS (sizeof members / sizeof members[0])

/* What the schema has, one by one: each stands in the table, and at its place there. */
static void expect_members(const json_t *schema, const char *prefix, size_t *next)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(schema, "properties"), name, value)
    {
        char path[128];
        const json_t *items = json_object_get(value, "items");
        snprintf(path, sizeof path, "%s%s", prefix, name);
        if (!json_object_get(value, "properties") && !json_object_get(items, "properties")) {
            if (*next == MEMBERS || strcmp(members[*next].member, path) != 0)
                fail_msg("%s of the schema: what becomes of it is not said here", path);
            ++*next;
            continue;
        }
        strcat(path, ".");
        expect_members(items ? items : value, path, next);
    }
}

/* The values of a member, in all elements of the arrays on its way; an array of its own. */
static json_t *values_of(json_t *policy, const char *member)
{
    char path[128], *rest = path;
    json_t *values = json_pack("[O]", policy);
    snprintf(path, sizeof path, "%s", member);
    for (const char *name; (name = strsep(&rest, "."));) {
        json_t *found = json_array(), *one, *element;
        size_t i, k;
        json_array_foreach(values, i, one)
        {
            json_t *value = json_object_get(one, name);
            if (json_is_array(value) && rest)
                json_array_foreach(value, k, element) json_array_append(found, element);
            else if (value)
                json_array_append(found, value);
        }
        json_decref(values);
        values = found;
    }
    return values;
}

/* A policy that says something to each of them, and something else than is written of itself where it can. */
static json_t *thorough(const struct made *m)
{
    static const char more[] =
        "{\"allow_simulation\": true, \"allow_debug\": true, \"max_lifetime\": 90000, \"min_generation\": 40}";
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char code[] = "b700000000000000000000000000000000000000000000000000000000000000";
    json_t *policy = json_loads(m->policy_text, 0, NULL), *other = json_loads(more, 0, NULL);
    json_t *hello = json_array_get(json_object_get(policy, "apps"), 0);
    json_t *vault = json_array_get(json_object_get(policy, "apps"), 1);
    assert_true(policy && other && hello && vault);
    json_object_update(policy, other);
    json_decref(other);
    json_array_insert_new(json_object_get(policy, "mrenclave"), 0, json_string(zeros));
    json_object_set_new(json_object_get(policy, "collateral"), "min_evaluation_number", json_integer(0));
    json_object_set_new(hello, "egress", json_pack("[s,s]", "*.example.org:8443", "api.example.com:443"));
    json_object_set_new(vault, "min_version", json_integer(6));
    json_object_set_new(vault, "sha256",
                        json_string(code)); /* which its publisher may change, and the caller does not want */
    json_object_set_new(vault, "id", json_string("ffeeddccbbaa99887766554433221100"));
    return policy;
}

static json_t *written_under(struct made *m, json_t *policy, bool who)
{
    char *text = json_dumps(policy, 0);
    made_read_policy(m, text);
    free(text);
    struct verifier_result *r = made_verify(m);
    assert_true(verifier_result_ok(r));
    text = verifier_policy_write(m->policy, r, &m->evidence, who);
    assert_int_equal(text == NULL, who && verifier_policy_beyond_who(m->policy));
    json_t *written = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    assert_int_equal(written == NULL, text == NULL);
    verifier_free(text);
    verifier_result_destroy(r);
    return written;
}

static void expect_outcome(size_t i, json_t *policy, json_t *written)
{
    json_t *before = values_of(policy, members[i].member), *after = values_of(written, members[i].member);
    json_t *now = members[i].now ? json_loads(members[i].now, JSON_DECODE_ANY, NULL) : NULL;
    bool same = json_equal(before, after), none = json_array_size(after) == 0;
    assert_true(json_array_size(before) > 0);
    bool good = members[i].becomes == KEPT   ? same
                : members[i].becomes == GONE ? none
                : now ? !same && json_equal(json_array_get(after, json_array_size(after) - 1), now)
                      : !same && !none;
    if (!good)
        fail_msg("%s: %s becomes %s", members[i].member, json_dumps(before, 0), json_dumps(after, 0));
    json_decref(now);
    json_decref(before);
    json_decref(after);
}

/* Nothing that a policy pins is lost from the one that is written under it without a word. */
static void test_each_member(void **state)
{
    (void)state;
    size_t count = 0;
    json_t *schema = json_load_file(SCHEMA, 0, NULL);
    assert_non_null(schema);
    expect_members(schema, "", &count);
    assert_int_equal(count, MEMBERS);
    json_decref(schema);
    struct made *m = made_open();
    made_build(m);
    json_t *policy = thorough(m), *written = written_under(m, policy, false);
    for (size_t i = 0; i < MEMBERS; i++)
        expect_outcome(i, policy, written);
    json_decref(written);
    made_close(m);
    json_decref(policy);
}

static size_t top_size(const char *member)
{
    return strcspn(member, ".");
}

/* With who alone, what is beyond that is refused by name, and the rest is kept as it is without. */
static void test_each_member_with_who(void **state)
{
    (void)state;
    struct made *m = made_open();
    made_build(m);
    json_t *policy = thorough(m), *whose = json_deep_copy(policy);
    for (size_t i = 0; i < MEMBERS; i++)
        if (members[i].beyond_who) {
            char name[32];
            snprintf(name, sizeof name, "%.*s", (int)top_size(members[i].member), members[i].member);
            json_object_del(whose, name);
        }
    json_t *written = written_under(m, whose, true);
    assert_non_null(written);
    for (size_t i = 0; i < MEMBERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)top_size(members[i].member), members[i].member);
        if (!members[i].beyond_who) {
            expect_outcome(i, whose, written);
            continue;
        }
        assert_null(json_object_get(written, name));
        json_t *one = json_deep_copy(whose);
        json_object_set(one, name, json_object_get(policy, name));
        if (!strcmp(name, "only_apps")) /* it takes apps, or it would not hold */
            json_object_set(one, "apps", json_object_get(policy, "apps"));
        assert_null(written_under(m, one, true));
        assert_string_equal(verifier_policy_beyond_who(m->policy), !strcmp(name, "only_apps") ? "apps" : name);
        json_decref(one);
    }
    json_decref(written);
    json_decref(whose);
    json_decref(policy);
    made_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_member),
        cmocka_unit_test(test_each_member_with_who),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
