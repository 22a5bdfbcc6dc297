/*
 * The store against an honest host in memory: what was acknowledged is there after every reopening, batches and lists
 * are what they should be, and nobody stores more than is his. What a host may do to it is in lies_test.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/raw.h"
#include "enclave/kvstore/store.h"
#include "enclave/kvstore/testing/waited.h"
#include "tests/native/host_memory.h"

/* ---- what is acknowledged stays ---------------------------------------------------------------------------*/

static void test_reopening(void **state)
{
    assert_int_equal(put("a", "one", 3), 0);
    assert_int_equal(put("b", "", 0), 0);
    assert_int_equal(put("c", "gone", 4), 0);
    assert_int_equal(delete_key("c"), 0);
    close_store();
    assert_int_equal(reopen(false), 0);
    assert_value("a", "one");
    assert_value("b", "");
    assert_int_equal(get_error("c"), -ENOENT);
}

/* The largest value must not keep the store from opening. */
static void test_largest_value(void **state)
{
    uint8_t *value = calloc(1, KV_VALUE_MAX + 1);
    assert_int_equal(put("large", value, KV_VALUE_MAX), 0);
    assert_int_equal(put("small", "x", 1), 0);
    assert_int_equal(put("larger", value, KV_VALUE_MAX + 1u), -EINVAL);
    free(value);
    char key[KV_KEY_MAX + 2] = "";
    memset(key, 'k', KV_KEY_MAX);
    assert_int_equal(put(key, "x", 1), 0);
    key[KV_KEY_MAX] = 'k';
    assert_int_equal(put(key, "x", 1), -EINVAL); /* longer than KV_KEY_MAX */
    close_store();
    assert_int_equal(reopen(false), 0);
    struct result r = get("large");
    assert_int_equal(r.error, 0);
    assert_int_equal(r.size, KV_VALUE_MAX);
    free(r.value);
}

/* The root must count a key once, however often a batch names it. */
static void test_one_key_twice_in_a_batch(void **state)
{
    struct result r = {0};
    struct kv_op ops[] = {{KV_PUT, ns, "k", 1, "first", 5}, {KV_PUT, ns, "other", 5, "x", 1},
                          {KV_DELETE, ns, "k", 1, NULL, 0}, {KV_PUT, ns, "k", 1, "last", 4},
                          {KV_PUT, ns, "other", 5, "y", 1}, {KV_DELETE, ns, "other", 5, NULL, 0}};
    assert_int_equal(kv_commit(&worker, ops, sizeof ops / sizeof *ops, on_done, &r), 0);
    finish(&r);
    assert_int_equal(r.error, 0);
    close_store();
    assert_int_equal(reopen(false), 0);
    assert_value("k", "last");
    assert_int_equal(get_error("other"), -ENOENT);
}

/* What the host keeps as it is, with a commit: both are made, or neither, and the store opens beside it. */
static void test_beside(void **state)
{
    const struct kv_op op = {KV_PUT, ns, "k", 1, "sealed", 6};
    const struct raw_op beside[] = {{KV_PUT, "plain", 5, "as it is", 8}, {KV_DELETE, "older", 5, NULL, 0}};
    host_memory_put("older", 5, "x", 1);
    for (int fails = 1; fails >= 0; fails--) {
        struct result r = {0};
        host_memory.commit_status = fails ? -EIO : 0;
        assert_int_equal(store_commit_beside(store, &op, 1, beside, 2, on_done, &r), 0);
        finish(&r);
        assert_int_equal(r.error, fails ? -EIO : 0);
        assert_true((get_error("k") == -ENOENT) == fails);
        assert_true((host_memory_find("plain", 5) == NULL) == fails);
        assert_true((host_memory_find("older", 5) != NULL) == fails);
    }
    const struct host_record *kept = host_memory_find("plain", 5);
    assert_int_equal(kept->value_size, 8);
    assert_memory_equal(kept->value, "as it is", 8);
    close_store();
    assert_int_equal(reopen(false), 0);
    assert_value("k", "sealed");
}

static int add_letter(void *user, const uint8_t *value, size_t size, uint8_t **out, size_t *out_size)
{
    *out = malloc(*out_size = size + 1);
    memset(*out, 'x', size + 1);
    return 0;
}

/* The host cannot even be asked: whoever waits is told so, and nothing has changed. */
static void test_refused_calls(void **state)
{
    struct result r = {0};
    assert_int_equal(put("a", "one", 3), 0);
    host_memory.refuse = -ENOMEM;
    assert_int_equal(get_error("a"), -ENOMEM);
    assert_int_equal(put("a", "two", 3), -ENOMEM);
    assert_int_equal(delete_key("a"), -ENOMEM);
    assert_int_equal(kv_update(&worker, ns, "a", 1, add_letter, on_done, &r), 0);
    finish(&r);
    assert_int_equal(r.error, -ENOMEM);
    host_memory.refuse = 0;
    assert_value("a", "one");
    assert_int_equal(put("a", "three", 5), 0);
    assert_value("a", "three");
}

static struct {
    bool done;
    uint64_t cursor;
    int seen[1500];
} listing;

static void on_names(void *user, int error, const struct kv_name *names, size_t count, uint64_t cursor)
{
    assert_int_equal(error, 0);
    for (size_t i = 0; i < count; i++)
        if (names[i].data[0] == 'k')
            listing.seen[atoi((const char *)names[i].data + 1)]++;
    listing.cursor = cursor;
    listing.done = true;
}

/* Keys that come and go between two pages make the index grow and move: nothing else is missed or doubled. */
static void test_listing_while_it_changes(void **state)
{
    char key[16];
    int extra = 0;
    memset(&listing, 0, sizeof listing);
    for (int i = 0; i < 1500; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(put(key, "", 0), 0);
    }
    do {
        listing.done = false;
        assert_int_equal(kv_list(&worker, ns, listing.cursor, on_names, NULL), 0);
        while (!listing.done)
            loop_run_once(&worker.loop, worker.loop.now_ns + 1);
        for (int i = 0; i < 600; i++) {
            snprintf(key, sizeof key, "x%d", extra++);
            assert_int_equal(put(key, "", 0), 0);
        }
        snprintf(key, sizeof key, "x%d", extra / 2);
        assert_int_equal(delete_key(key), 0);
    } while (listing.cursor && extra < 12000);
    for (int i = 0; i < 1500; i++)
        assert_int_equal(listing.seen[i], 1);
}

/* Three writes of one key wait for each other; one that there is no memory to send must not keep the next waiting. */
static void test_behind_one_that_failed(void **state)
{
    struct result results[3] = {{0}};
    for (size_t i = 0; i < 3; i++) {
        struct kv_op op = {KV_PUT, ns, "k", 1, "123" + i, 1};
        assert_int_equal(kv_commit(&worker, &op, 1, on_done, &results[i]), 0);
    }
    while (host_memory.commits < 2) /* the first one's; the other was the empty store's */
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    host_memory.refused = 1;
    for (size_t i = 0; i < 3; i++) {
        finish(&results[i]);
        assert_int_equal(results[i].error, i == 1 ? -ENOMEM : 0);
    }
    assert_value("k", "3");
}

/* Random operations against a plain table, reopened now and then. */
static void test_against_a_table(void **state)
{
    enum { KEYS = 40 };
    static char table[KEYS][16];
    memset(table, 0, sizeof table);
    srand(20261124);
    for (int step = 0; step < 3000; step++) {
        char key[8], value[16];
        int k = rand() % KEYS;
        snprintf(key, sizeof key, "key%d", k);
        snprintf(value, sizeof value, "v%d", step);
        switch (rand() % 4) {
        case 0:
            assert_int_equal(delete_key(key), 0);
            table[k][0] = '\0';
            break;
        case 1:
            assert_int_equal(put(key, value, strlen(value)), 0);
            strcpy(table[k], value);
            break;
        default:
            if (table[k][0])
                assert_value(key, table[k]);
            else
                assert_int_equal(get_error(key), -ENOENT);
        }
        if (step % 100 == 99) {
            close_store();
            assert_int_equal(reopen(false), 0);
        }
    }
}

/* ---- what may be stored ------------------------------------------------------------------------------------------ */

/* An app may hold as much memory as it leaves free: one that stores without end is refused, others are not. */
static void test_memory_is_shared_out(void **state)
{
    struct kv_namespace *first = kv_namespace_open(store, "app:first:kv:x"),
                        *also_first = kv_namespace_open(store, "app:first:fs");
    struct kv_namespace *own = ns;
    ns = first;
    assert_int_equal(put("before", "x", 1), 0);
    struct charge filling = {0};
    assert_true(charge_take(&filling, kv_memory(first), KV_MEMORY / 2 - 3 * KV_RECORD_COST));
    assert_int_equal(put("one more", "x", 1), 0);
    assert_int_equal(put("one too many", "x", 1), -ENOSPC);
    assert_false(budget_left(kv_memory(also_first), KV_RECORD_COST));
    assert_int_equal(put("before", "changed", 7), 0); /* what is there is written over */
    ns = own;
    assert_int_equal(put("another app's", "x", 1), 0);
    ns = first;
    assert_int_equal(delete_key("before"), 0);
    assert_int_equal(put("in its place", "x", 1), 0);
    assert_int_equal(put("one too many", "x", 1), -ENOSPC);
    ns = own;
    store_close(store);
    assert_int_equal(reopen(false), 0); /* counted again from what is there */
    ns = first;
    assert_int_equal(put("one too many", "x", 1), -ENOSPC);
    ns = own;
    kv_namespace_close(first);
    kv_namespace_close(also_first);
    charge_give(&filling);
}

/* Bytes on disk: what an app stores has a limit; what is written over counts once, what is removed no more. */
static void test_disk_is_limited(void **state)
{
    struct kv_namespace *app = kv_namespace_open(store, "app:large:kv:x"),
                        *other = kv_namespace_open(store, "app:other:kv:x");
    struct kv_namespace *own = ns;
    static char value[1 << 20];
    store_limit_disk(store, 3u << 20);
    ns = app;
    assert_int_equal(put("one", value, sizeof value), 0);
    assert_int_equal(put("two", value, sizeof value), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(put("two", value, sizeof value), 0);
    assert_int_equal(put("three", value, sizeof value), -ENOSPC);
    assert_int_equal(put("three", value, sizeof value / 2), 0);
    ns = other;
    assert_int_equal(put("one", value, sizeof value), 0); /* is not concerned */
    ns = own;
    store_close(store);
    assert_int_equal(reopen(false), 0); /* counted again from what is there */
    ns = app;
    assert_int_equal(put("four", value, sizeof value), -ENOSPC);
    assert_int_equal(delete_key("one"), 0);
    assert_int_equal(put("four", value, sizeof value), 0);
    assert_int_equal(put("five", value, sizeof value), -ENOSPC);
    ns = own;
    store_limit_disk(store, KV_DISK_DEFAULT);
    kv_namespace_close(app);
    kv_namespace_close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, waited_setup, waited_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reopening),
        TEST(test_largest_value),
        TEST(test_one_key_twice_in_a_batch),
        TEST(test_beside),
        TEST(test_refused_calls),
        TEST(test_listing_while_it_changes),
        TEST(test_behind_one_that_failed),
        TEST(test_against_a_table),
        TEST(test_memory_is_shared_out),
        TEST(test_disk_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
