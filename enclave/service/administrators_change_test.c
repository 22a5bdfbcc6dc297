/* What boot makes of what a store has, older ones too, and what a change writes: with a store, a list in force and a
 * change's core that the test plays. */
#include "enclave/service/administrators_change.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/x509.h>
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
#include "enclave/thread/rpc_client.h"

#define KEY_SIZE ((int)ADMINISTRATOR_KEY_SIZE)

struct system enclave_system;

static struct run_args args;
static struct {
    const char *key; /* NULL: nothing */
    const void *value;
    size_t size;
    int error; /* of every reading */
} kept;
static char said[1024]; /* in the log */
static uint8_t ders[2][ADMINISTRATOR_KEY_SIZE];
static struct administrators *in_force;
static struct change *asked;
static int failed_with;
static char written[8192], removed[64];

/* ---- what it needs ----------------------------------------------------------------------------------------------- */

const struct run_args *ecall_run_args(void)
{
    return &args;
}

int system_get(const char *key, uint8_t **value, size_t *size)
{
    if (kept.error)
        return kept.error;
    if (!kept.key || strcmp(key, kept.key) != 0)
        return -ENOENT;
    *value = malloc(kept.size);
    memcpy(*value, kept.value, kept.size);
    *size = kept.size;
    return 0;
}

void rpc_log(struct rpc_client *rpc, enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
}

void generation_parts_administrators(struct generation_parts *parts, struct administrators *administrators)
{
    administrators_unref(parts->administrators);
    parts->administrators = administrators;
}

void change_ask(struct change *c, const struct change_asker *asker)
{
    assert_string_equal(c->subject.what, "administrators");
    assert_null(asked);
    asked = c;
}

void change_fail(struct change *c, int status, const char *format, ...)
{
    failed_with = status;
}

void change_propose(struct change *c, const struct kv_op *ops, size_t count)
{
    assert_int_equal(count, 2);
    assert_int_equal(ops[0].kind, KV_PUT);
    assert_memory_equal(ops[0].key, ADMINISTRATORS_KEY, ops[0].key_size);
    assert_int_equal(ops[1].kind, KV_DELETE);
    snprintf(written, sizeof written, "%.*s", (int)ops[0].value_size, (const char *)ops[0].value);
    snprintf(removed, sizeof removed, "%.*s", (int)ops[1].key_size, (const char *)ops[1].key);
    in_force = c->draft.administrators;
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        uint8_t *at = ders[i];
        assert_int_equal(i2d_PUBKEY(key, &at), KEY_SIZE);
        EVP_PKEY_free(key);
    }
    enclave_system.owner = &enclave_system.workers[0];
    return loop_init(&enclave_system.owner->loop, NULL);
}

static void keep(const char *key, const void *value, size_t size)
{
    kept.key = key;
    kept.value = value;
    kept.size = size;
    kept.error = 0;
    said[0] = 0;
}

static void give(const uint8_t *der)
{
    args.admin_key_size = der ? ADMINISTRATOR_KEY_SIZE : 0;
    if (der)
        memcpy(args.admin_key, der, ADMINISTRATOR_KEY_SIZE);
}

static struct administrators *boot(void)
{
    struct administrators *a;
    char error[256];
    assert_int_equal(administrators_boot(&a, error, sizeof error), 0);
    return a;
}

static struct administrators *of_key(size_t i)
{
    char why[ADMINISTRATORS_WHY_SIZE];
    struct administrators *a = administrators_of_key(ders[i], ADMINISTRATOR_KEY_SIZE, why);
    assert_non_null(a);
    return a;
}

static void expect_same(struct administrators *found, struct administrators *expected)
{
    assert_memory_equal(found->sha256, expected->sha256, 32);
    administrators_unref(found);
    administrators_unref(expected);
}

static void a_record_is_what_counts(void **state)
{
    (void)state;
    struct administrators *a = of_key(0);
    char *record = administrators_record(a);
    keep(ADMINISTRATORS_KEY, record, strlen(record));
    give(ders[0]);
    expect_same(boot(), administrators_ref(a));
    assert_string_equal(said, "");
    give(NULL);
    expect_same(boot(), administrators_ref(a));
    assert_string_equal(said, "");
    give(ders[1]); /* no administrator's */
    expect_same(boot(), a);
    assert_non_null(strstr(said, "ignored"));
    free(record);
}

static void an_older_stores_key_is_taken_over(void **state)
{
    (void)state;
    keep("admin.pub", ders[0], ADMINISTRATOR_KEY_SIZE);
    give(ders[1]);
    expect_same(boot(), of_key(0));
    assert_non_null(strstr(said, "ignored"));
}

/* And cannot be had later: a host that gives a key at a later boot makes nobody of it. */
static void an_older_store_without_a_key_has_nobody(void **state)
{
    (void)state;
    keep(NULL, NULL, 0);
    give(ders[0]);
    struct administrators *a = boot();
    assert_int_equal(a->count, 0);
    assert_int_equal(a->threshold, 0);
    assert_non_null(strstr(said, "nobody can deploy"));
    administrators_unref(a);
}

static void what_cannot_be_read_stops_the_boot(void **state)
{
    (void)state;
    struct administrators *a;
    char error[256];
    keep(ADMINISTRATORS_KEY, "{}", 2);
    assert_int_equal(administrators_boot(&a, error, sizeof error), -EBADMSG);
    keep("admin.pub", ders[0], ADMINISTRATOR_KEY_SIZE - 1);
    assert_int_equal(administrators_boot(&a, error, sizeof error), -EBADMSG);
    kept.error = -EIO;
    assert_int_equal(administrators_boot(&a, error, sizeof error), -EIO);
}

static void order(const char *text)
{
    char why[ADMINISTRATORS_WHY_SIZE];
    asked = NULL;
    failed_with = 0;
    written[0] = removed[0] = 0;
    const struct change_asker asker = {.worker = enclave_system.owner};
    assert_int_equal(administrators_set(&asker, text, strlen(text), why), 0);
    asked->draft.administrators = in_force;
    asked->ops->write(asked);
    asked->ops->release(asked);
}

static void a_change_writes_the_record_and_removes_the_older_key(void **state)
{
    (void)state;
    struct administrators *next = of_key(1);
    char *record = administrators_record(next), conditional[4096], replaces[65];
    in_force = of_key(0);
    hex_text(in_force->sha256, 32, replaces);
    snprintf(conditional, sizeof conditional, "%.*s,\"replaces\":\"%s\"}", (int)strlen(record) - 1, record, replaces);
    order(conditional);
    assert_int_equal(failed_with, 0);
    assert_string_equal(written, record);
    assert_string_equal(removed, "admin.pub");
    order(conditional); /* it was made from the list before */
    assert_int_equal(failed_with, 409);
    assert_string_equal(written, "");
    order(record);
    assert_int_equal(failed_with, 0);
    char why[ADMINISTRATORS_WHY_SIZE];
    asked = NULL;
    const struct change_asker asker = {.worker = enclave_system.owner};
    assert_int_equal(administrators_set(&asker, "{}", 2, why), -EINVAL);
    assert_null(asked);
    free(record);
    administrators_unref(next);
    administrators_unref(in_force);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_what_counts),
        cmocka_unit_test(an_older_stores_key_is_taken_over),
        cmocka_unit_test(an_older_store_without_a_key_has_nobody),
        cmocka_unit_test(what_cannot_be_read_stops_the_boot),
        cmocka_unit_test(a_change_writes_the_record_and_removes_the_older_key),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
