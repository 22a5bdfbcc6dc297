/* Upgrade rules: which enclaves each lets have the instance, which texts are none, and what may become of them. */
#include "enclave/service/upgrade_rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SIGNER "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3,\"svn\":5}"

/* ---- this enclave, as the processor says it ---------------------------------------------------------------------- */

static bool self_debug;
static uint16_t self_svn = 5;

void sgx_report(const struct sgx_targetinfo *target, const uint8_t reportdata[64], struct sgx_report *out)
{
    (void)target, (void)reportdata;
    memset(out, 0, sizeof *out);
    memset(out->body.mrenclave, 0x11, 32);
    memset(out->body.mrsigner, 0xAA, 32);
    out->body.isvprodid = 3;
    out->body.isvsvn = self_svn;
}

bool sgx_is_debug(void)
{
    return self_debug;
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static char why[UPGRADE_WHY_SIZE];

static struct upgrade_rule *read_rule(const char *json)
{
    bool conditional;
    uint8_t replaces[32];
    why[0] = 0;
    struct upgrade_rule *r = upgrade_rule_read(json, strlen(json), &conditional, replaces, why);
    assert_true((r != NULL) == (why[0] == 0));
    return r;
}

static bool allows(const char *json, const struct upgrade_candidate *c)
{
    struct upgrade_rule *r = read_rule(json);
    assert_non_null(r);
    bool may = upgrade_rule_allows(r, c, why, sizeof why);
    assert_true(may == (why[0] == 0));
    upgrade_rule_unref(r);
    return may;
}

static struct upgrade_candidate candidate(uint8_t measurement)
{
    struct upgrade_candidate c = {.product = 3, .svn = 5};
    memset(c.mrenclave, measurement, 32);
    memset(c.mrsigner, 0xAA, 32);
    return c;
}

static void none_lets_nobody(void **state)
{
    (void)state;
    const struct upgrade_candidate c = candidate(0x11); /* not even one of the same image */
    assert_false(allows("{\"rule\":\"none\"}", &c));
    assert_non_null(strstr(why, "never"));
}

static void measurements_lets_those_that_are_named(void **state)
{
    (void)state;
    const struct upgrade_candidate a = candidate(0xAA), b = candidate(0xBB), c = candidate(0xCC);
    static const char both[] = "{\"rule\":\"measurements\",\"measurements\":[\"" B "\",\"" A "\"]}";
    assert_true(allows(both, &a));
    assert_true(allows(both, &b));
    assert_false(allows(both, &c));
    assert_false(allows("{\"rule\":\"measurements\",\"measurements\":[]}", &a));
}

static void signer_lets_what_it_signed_from_a_version_on(void **state)
{
    (void)state;
    struct upgrade_candidate c = candidate(0xCC);
    assert_true(allows(SIGNER, &c));
    c.svn = 6;
    assert_true(allows(SIGNER, &c));
    c.product = 4;
    assert_false(allows(SIGNER, &c));
    c.product = 3;
    c.mrsigner[31] ^= 1;
    assert_false(allows(SIGNER, &c));
    c = candidate(0xCC);
    c.svn = 6;
    assert_false(allows("{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3,\"svn\":7}", &c));
}

/* Whatever the rule says. */
static void nothing_weaker_than_this_one(void **state)
{
    (void)state;
    static const char *const rules[] = {"{\"rule\":\"measurements\",\"measurements\":[\"" A "\"]}",
                                        "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3,\"svn\":0}"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct upgrade_candidate c = candidate(0xAA);
        c.svn = self_svn - 1;
        assert_false(allows(rules[i], &c));
        c = candidate(0xAA);
        c.debug = true;
        assert_false(allows(rules[i], &c));
        self_debug = true;
        assert_true(allows(rules[i], &c));
        c.simulated = true;
        assert_true(allows(rules[i], &c));
        self_debug = false;
        c.debug = false;
        assert_false(allows(rules[i], &c));
    }
}

static void what_is_no_rule_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"rule\":\"any\"}",
        "{\"rule\":1}",
        "{\"rule\":\"none\",\"rule\":\"none\"}",
        "{\"rule\":\"none\",\"publishers\":true}",
        "{\"rule\":\"none\",\"measurements\":[]}",
        "{\"rule\":\"measurements\"}",
        "{\"rule\":\"measurements\",\"measurements\":{}}",
        "{\"rule\":\"measurements\",\"measurements\":[1]}",
        "{\"rule\":\"measurements\",\"measurements\":[\"" A "a\"]}",
        "{\"rule\":\"measurements\",\"measurements\":[\"" A "\",\"" A "\"]}",
        "{\"rule\":\"measurements\",\"measurements\":[],\"svn\":1}",
        "{\"rule\":\"measurements\",\"measurements\":[],\"publishers\":1}",
        "{\"rule\":\"measurements\",\"measurements\":[],\"replaces\":\"aa\"}",
        "{\"rule\":\"signer\",\"product\":3,\"svn\":5}",
        "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3}",
        "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":65536,\"svn\":5}",
        "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3,\"svn\":-1}",
        "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3,\"svn\":1.0}",
        "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3,\"svn\":5,\"measurements\":[]}",
        "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3,\"svn\":5} "
        "x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct upgrade_rule *r = read_rule(texts[i]);
        if (r)
            fail_msg("%s is taken", texts[i]);
    }
    char many[UPGRADE_RULE_JSON_MAX];
    int at = snprintf(many, sizeof many, "{\"rule\":\"measurements\",\"measurements\":[");
    for (unsigned i = 0; i <= UPGRADE_MEASUREMENTS_MAX; i++)
        at += snprintf(many + at, sizeof many - (size_t)at, "%s\"%064x\"", i ? "," : "", i);
    snprintf(many + at, sizeof many - (size_t)at, "]}");
    assert_null(read_rule(many));
    assert_non_null(strstr(why, "more than 16"));
}

/* One rule has one text, which is read back as the same rule. */
static void a_rule_has_one_text(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"{ \"rule\" : \"none\" }", "{\"rule\":\"none\"}"},
        {"{\"rule\":\"measurements\",\"publishers\":false,\"measurements\":[\"" B "\",\"" A "\"]}",
         "{\"measurements\":[\"" A "\",\"" B "\"],\"rule\":\"measurements\"}"},
        {"{\"svn\":5,\"publishers\":true,\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3}",
         "{\"mrsigner\":\"" A "\",\"product\":3,\"publishers\":true,\"rule\":\"signer\",\"svn\":5}"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct upgrade_rule *first = read_rule(same[i][0]);
        char *record = upgrade_rule_record(first);
        assert_string_equal(record, same[i][1]);
        struct upgrade_rule *again = read_rule(record);
        assert_memory_equal(first->sha256, again->sha256, 32);
        free(record);
        upgrade_rule_unref(first);
        upgrade_rule_unref(again);
    }
}

static void an_order_may_say_what_it_replaces(void **state)
{
    (void)state;
    static const char order[] = "{\"rule\":\"none\",\"replaces\":\"" B "\"}";
    bool conditional;
    uint8_t replaces[32], expected[32];
    memset(expected, 0xBB, 32);
    struct upgrade_rule *r = upgrade_rule_read(order, strlen(order), &conditional, replaces, why);
    assert_non_null(r);
    assert_true(conditional);
    assert_memory_equal(replaces, expected, 32);
    upgrade_rule_unref(r);
}

static void first_boots_name_nobody_else(void **state)
{
    (void)state;
    struct upgrade_candidate self;
    upgrade_self(&self);
    struct upgrade_rule *signer = upgrade_rule_first(UPGRADE_SIGNER, &self, why);
    char *record = upgrade_rule_record(signer);
    assert_string_equal(record, "{\"mrsigner\":\"" A "\",\"product\":3,\"rule\":\"signer\",\"svn\":5}");
    free(record);
    upgrade_rule_unref(signer);
    struct upgrade_rule *open = upgrade_rule_first(UPGRADE_MEASUREMENTS, &self, why);
    assert_int_equal(open->count, 0);
    upgrade_rule_unref(open);
}

static bool becomes(const char *from, const char *to)
{
    struct upgrade_rule *now = read_rule(from), *next = read_rule(to);
    bool may = upgrade_rule_may_become(now, next, why);
    upgrade_rule_unref(now);
    upgrade_rule_unref(next);
    return may;
}

static void what_was_promised_is_not_taken_back(void **state)
{
    (void)state;
    static const char none[] = "{\"rule\":\"none\"}", some[] = "{\"rule\":\"measurements\",\"measurements\":[]}",
                      agreed[] = "{\"rule\":\"measurements\",\"measurements\":[],\"publishers\":true}",
                      signer_agreed[] =
                          "{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":3,\"svn\":5,\"publishers\":true}";
    assert_false(becomes(none, some));
    assert_false(becomes(none, none));
    assert_false(becomes(agreed, some));
    assert_false(becomes(agreed, SIGNER));
    assert_true(becomes(agreed, signer_agreed));
    assert_true(becomes(agreed, none));
    assert_true(becomes(some, SIGNER));
    assert_true(becomes(SIGNER, some));
    assert_true(becomes(some, none));
}

/* By shares: whom it comes after counts, not what this one is. */
static bool recovers(const char *json, const struct upgrade_candidate *before, const struct upgrade_candidate *c)
{
    struct upgrade_rule *r = read_rule(json);
    assert_non_null(r);
    bool may = upgrade_rule_lets_recover(r, before, c, why, sizeof why);
    assert_true(may == (why[0] == 0));
    upgrade_rule_unref(r);
    return may;
}

static void the_same_image_recovers_under_any_rule(void **state)
{
    (void)state;
    static const char *const rules[] = {"{\"rule\":\"none\"}", "{\"rule\":\"measurements\",\"measurements\":[]}",
                                        "{\"rule\":\"signer\",\"mrsigner\":\"" B "\",\"product\":9,\"svn\":9}",
                                        "{\"rule\":\"measurements\",\"measurements\":[],\"publishers\":true}"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct upgrade_candidate before = candidate(0x11), c = candidate(0x11);
        assert_true(recovers(rules[i], &before, &c));
        c.svn++;
        assert_true(recovers(rules[i], &before, &c));
        c.svn -= 2;
        assert_false(recovers(rules[i], &before, &c));
        c = before;
        c.debug = true;
        assert_false(recovers(rules[i], &before, &c));
        before.debug = true;
        assert_true(recovers(rules[i], &before, &c));
    }
}

static void another_image_recovers_by_the_rule(void **state)
{
    (void)state;
    const struct upgrade_candidate before = candidate(0x11), a = candidate(0xAA);
    struct upgrade_candidate lower = candidate(0xAA);
    lower.svn--;
    assert_false(recovers("{\"rule\":\"none\"}", &before, &a));
    assert_non_null(strstr(why, "1111 alone may recover it"));
    assert_false(recovers("{\"rule\":\"measurements\",\"measurements\":[\"" B "\"]}", &before, &a));
    assert_true(recovers("{\"rule\":\"measurements\",\"measurements\":[\"" A "\"]}", &before, &a));
    assert_false(recovers("{\"rule\":\"measurements\",\"measurements\":[\"" A "\"]}", &before, &lower));
    assert_false(recovers("{\"rule\":\"measurements\",\"measurements\":[\"" A "\"],\"publishers\":true}", &before, &a));
    assert_non_null(strstr(why, "publishers must agree"));
    assert_true(recovers(SIGNER, &before, &a));
    assert_false(recovers("{\"rule\":\"signer\",\"mrsigner\":\"" B "\",\"product\":3,\"svn\":0}", &before, &a));
    assert_false(recovers("{\"rule\":\"signer\",\"mrsigner\":\"" A "\",\"product\":4,\"svn\":0}", &before, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_lets_nobody),
        cmocka_unit_test(measurements_lets_those_that_are_named),
        cmocka_unit_test(signer_lets_what_it_signed_from_a_version_on),
        cmocka_unit_test(nothing_weaker_than_this_one),
        cmocka_unit_test(what_is_no_rule_is_refused),
        cmocka_unit_test(a_rule_has_one_text),
        cmocka_unit_test(an_order_may_say_what_it_replaces),
        cmocka_unit_test(first_boots_name_nobody_else),
        cmocka_unit_test(what_was_promised_is_not_taken_back),
        cmocka_unit_test(the_same_image_recovers_under_any_rule),
        cmocka_unit_test(another_image_recovers_by_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
