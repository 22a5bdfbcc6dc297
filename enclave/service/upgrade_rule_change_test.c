/* What a first boot makes of the option, a later one of what the store has, and what a change writes: with a store, a
 * rule in force and a change's core that the test plays. */
#include "enclave/service/upgrade_rule_change.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "enclave/early/ecall.h"
#include "enclave/service/generation.h"
#include "enclave/service/system.h"
#include "enclave/service/upgrade_record.h"
#include "enclave/thread/rpc_client.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"

#define SOME "{\"measurements\":[],\"rule\":\"measurements\"}"

struct system enclave_system;

static struct run_args args;
static const char *kept; /* NULL: nothing */
static int kept_error;
static struct upgrade_rule *in_force;
static struct change *asked;
static int failed_with;
static char written[8192];

/* ---- what it needs ----------------------------------------------------------------------------------------------- */

const struct run_args *ecall_run_args(void)
{
    return &args;
}

int system_get(const char *key, uint8_t **value, size_t *size)
{
    assert_string_equal(key, UPGRADE_RULE_KEY);
    if (kept_error || !kept)
        return kept_error ? kept_error : -ENOENT;
    *value = (uint8_t *)strdup(kept);
    *size = strlen(kept);
    return 0;
}

void rpc_log(struct rpc_client *rpc, enum log_level level, const char *format, ...)
{
    (void)rpc, (void)level, (void)format;
}

void sgx_report(const struct sgx_targetinfo *target, const uint8_t reportdata[64], struct sgx_report *out)
{
    (void)target, (void)reportdata;
    memset(out, 0, sizeof *out);
    out->body.isvsvn = 9;
}

bool sgx_is_debug(void)
{
    return false;
}

void generation_parts_upgrade_rule(struct generation_parts *parts, struct upgrade_rule *rule)
{
    upgrade_rule_unref(parts->upgrade_rule);
    parts->upgrade_rule = rule;
}

void change_ask(struct change *c, const struct change_asker *asker)
{
    (void)asker;
    assert_string_equal(c->subject.what, "upgrade-rule");
    assert_null(asked);
    asked = c;
}

void change_fail(struct change *c, int status, const char *format, ...)
{
    (void)c, (void)format;
    failed_with = status;
}

void change_propose(struct change *c, const struct kv_op *ops, size_t count)
{
    assert_int_equal(count, 1);
    assert_int_equal(ops[0].kind, KV_PUT);
    assert_memory_equal(ops[0].key, UPGRADE_RULE_KEY, ops[0].key_size);
    snprintf(written, sizeof written, "%.*s", (int)ops[0].value_size, (const char *)ops[0].value);
    in_force = c->draft.upgrade_rule;
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    enclave_system.owner = &enclave_system.workers[0];
    return loop_init(&enclave_system.owner->loop, NULL);
}

static void expect_first(uint32_t option, const char *expected)
{
    char error[256];
    args.upgrade_rule = option;
    char *record = upgrade_rule_record_first(error, sizeof error);
    assert_string_equal(record, expected);
    free(record);
}

static void a_first_boot_fixes_what_the_option_says(void **state)
{
    (void)state;
    expect_first(PROTO_UPGRADE_UNSAID, SOME);
    expect_first(PROTO_UPGRADE_MEASUREMENTS, SOME);
    expect_first(PROTO_UPGRADE_NONE, "{\"rule\":\"none\"}");
    expect_first(PROTO_UPGRADE_SIGNER, "{\"mrsigner\":\"00000000000000000000000000000000000000000000000000000000000000"
                                       "00\",\"product\":0,\"rule\":\"signer\",\"svn\":9}");
}

static int boot(const char *record, uint32_t option, enum upgrade_kind *kind)
{
    struct upgrade_rule *r;
    char error[512] = "";
    kept = record;
    args.upgrade_rule = option;
    int result = upgrade_rule_boot(&r, error, sizeof error);
    assert_true((result < 0) == (error[0] != 0) && (result < 0) == (r == NULL));
    if (r)
        *kind = r->kind;
    upgrade_rule_unref(r);
    return result;
}

static void an_older_store_is_given_to_nobody(void **state)
{
    (void)state;
    enum upgrade_kind kind;
    assert_int_equal(boot(NULL, PROTO_UPGRADE_UNSAID, &kind), 0);
    assert_int_equal(kind, UPGRADE_NONE);
    assert_int_equal(boot(NULL, PROTO_UPGRADE_MEASUREMENTS, &kind), -EINVAL);
}

static void an_option_that_says_another_rule_is_refused(void **state)
{
    (void)state;
    enum upgrade_kind kind;
    assert_int_equal(boot(SOME, PROTO_UPGRADE_UNSAID, &kind), 0);
    assert_int_equal(kind, UPGRADE_MEASUREMENTS);
    assert_int_equal(boot(SOME, PROTO_UPGRADE_MEASUREMENTS, &kind), 0);
    assert_int_equal(boot(SOME, PROTO_UPGRADE_SIGNER, &kind), -EINVAL);
    assert_int_equal(boot(SOME, PROTO_UPGRADE_NONE, &kind), -EINVAL);
}

static void what_cannot_be_read_stops_the_boot(void **state)
{
    (void)state;
    enum upgrade_kind kind;
    assert_int_equal(boot("{}", PROTO_UPGRADE_UNSAID, &kind), -EBADMSG);
    kept_error = -EIO;
    assert_int_equal(boot(NULL, PROTO_UPGRADE_UNSAID, &kind), -EIO);
    kept_error = 0;
}

static void order(const char *text)
{
    char why[UPGRADE_WHY_SIZE];
    asked = NULL;
    failed_with = 0;
    written[0] = 0;
    const struct change_asker asker = {.worker = enclave_system.owner};
    assert_int_equal(upgrade_rule_set(&asker, text, strlen(text), why), 0);
    asked->draft.upgrade_rule = in_force;
    asked->ops->write(asked);
    asked->ops->release(asked);
}

static void a_change_writes_the_record(void **state)
{
    (void)state;
    char why[UPGRADE_WHY_SIZE], conditional[512], replaces[65];
    struct upgrade_candidate self = {0};
    in_force = upgrade_rule_first(UPGRADE_SIGNER, &self, why);
    hex_text(in_force->sha256, 32, replaces);
    snprintf(conditional, sizeof conditional, "{\"rule\":\"measurements\",\"measurements\":[],\"replaces\":\"%s\"}",
             replaces);
    order(conditional);
    assert_int_equal(failed_with, 0);
    assert_string_equal(written, SOME);
    order(conditional); /* it was made from the rule before */
    assert_int_equal(failed_with, 409);
    assert_string_equal(written, "");
    order("{\"rule\":\"none\"}");
    assert_int_equal(failed_with, 0);
    order(SOME);
    assert_int_equal(failed_with, 409);
    assert_string_equal(written, "");
    upgrade_rule_unref(in_force);
    asked = NULL;
    const struct change_asker asker = {.worker = enclave_system.owner};
    assert_int_equal(upgrade_rule_set(&asker, "{}", 2, why), -EINVAL);
    assert_null(asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_boot_fixes_what_the_option_says),
        cmocka_unit_test(an_older_store_is_given_to_nobody),
        cmocka_unit_test(an_option_that_says_another_rule_is_refused),
        cmocka_unit_test(what_cannot_be_read_stops_the_boot),
        cmocka_unit_test(a_change_writes_the_record),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
