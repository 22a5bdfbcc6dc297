/* Lineages: what the store has of one, and how one grows. */
#include "enclave/service/lineage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/service/system.h"

struct system enclave_system;

static uint8_t record[(LINEAGE_MAX + 1) * 32];
static size_t record_size;
static int record_error;

int system_get(const char *key, uint8_t **value, size_t *size)
{
    assert_string_equal(key, LINEAGE_KEY);
    if (record_error)
        return record_error;
    *value = malloc(record_size + 1);
    memcpy(*value, record, record_size);
    *size = record_size;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    enclave_system.owner = &enclave_system.workers[0];
    for (size_t i = 0; i < sizeof record / 32; i++) {
        memset(record + 32 * i, 0x11, 32);
        record[32 * i] = (uint8_t)i;
        record[32 * i + 1] = (uint8_t)(i >> 8);
    }
    return loop_init(&enclave_system.owner->loop, NULL);
}

static int boot(int error, size_t size, struct lineage **out)
{
    char text[200] = "";
    record_error = error;
    record_size = size;
    int result = lineage_boot(out, text, sizeof text);
    assert_true((result < 0) == (text[0] != 0));
    assert_true(result == 0 || !*out);
    return result;
}

static void boot_reads_what_there_is(void **state)
{
    (void)state;
    struct lineage *l;
    assert_int_equal(boot(-ENOENT, 0, &l), 0);
    assert_null(l);
    assert_int_equal(boot(0, 96, &l), 0);
    assert_int_equal(l->count, 3);
    assert_memory_equal(l->of, record, 96);
    lineage_unref(l);
    assert_int_equal(boot(0, 0, &l), -EBADMSG);
    assert_int_equal(boot(0, 33, &l), -EBADMSG);
    assert_int_equal(boot(0, sizeof record, &l), -EBADMSG);
    assert_int_equal(boot(-EIO, 0, &l), -EIO);
    record[32] = 0; /* as the first */
    assert_int_equal(boot(0, 64, &l), -EBADMSG);
    record[32] = 1;
}

static void one_grows_at_its_end(void **state)
{
    (void)state;
    int error;
    struct lineage *none = NULL, *one = lineage_with(none, record, &error), *same = lineage_with(one, record, &error),
                   *two = lineage_with(one, record + 32, &error);
    assert_int_equal(one->count, 1);
    assert_int_equal(same->count, 1);
    assert_int_equal(two->count, 2);
    const struct kv_op op = lineage_op(two);
    assert_int_equal(op.kind, KV_PUT);
    assert_int_equal(op.value_size, 64);
    assert_memory_equal(op.value, record, 64);
    lineage_unref(one);
    lineage_unref(same);
    lineage_unref(two);
}

static void a_full_one_grows_no_more(void **state)
{
    (void)state;
    struct lineage *full;
    int error;
    assert_int_equal(boot(0, LINEAGE_MAX * 32, &full), 0);
    assert_null(lineage_with(full, record + LINEAGE_MAX * 32, &error));
    assert_int_equal(error, -ENOSPC);
    struct lineage *same = lineage_with(full, record, &error);
    assert_int_equal(same->count, LINEAGE_MAX);
    lineage_unref(same);
    lineage_unref(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_reads_what_there_is),
        cmocka_unit_test(one_grows_at_its_end),
        cmocka_unit_test(a_full_one_grows_no_more),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
