/*
 * The store against a host in memory: what was acknowledged is there after every reopening, and whatever the host
 * does to its records is noticed. Also that a host's listing cannot hold up or confuse the start.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"
#include "tests/native/host_memory.h"

static const uint8_t master[32] = {1, 2, 3};
static struct worker worker;
static struct store *store;
static struct kv_namespace *ns;
static char why[256];

static int reopen(bool first)
{
    loop_deinit(&worker.loop);
    host_memory_worker(&worker);
    if (!first)
        return store_open(store, master, why, sizeof why);
    int error = store_begin(store, master, (const uint8_t *)"sealed", 6);
    return error == 0 ? store_create(store, NULL, 0, why, sizeof why) : error;
}

static int setup(void **state)
{
    host_memory_worker(&worker);
    store = store_new(&worker);
    ns = kv_namespace_open(store, "app:a");
    return reopen(true);
}

static int teardown(void **state)
{
    kv_namespace_close(ns);
    store_check(store);
    store_close(store);
    store_free(store);
    loop_deinit(&worker.loop);
    worker = (struct worker){0};
    host_memory_reset();
    return 0;
}

/* ---- calls, waited for ------------------------------------------------------------------------------------------ */

struct result {
    bool done;
    int error;
    uint8_t *value;
    size_t size;
};

static void on_get(void *user, int error, const uint8_t *value, size_t size)
{
    struct result *r = user;
    *r = (struct result){.done = true, .error = error};
    if (error == 0) {
        r->value = malloc(size + 1);
        memcpy(r->value, value, size);
        r->size = size;
    }
}

static void on_done(void *user, int error)
{
    *(struct result *)user = (struct result){.done = true, .error = error};
}

static void finish(struct result *r)
{
    for (int turns = 0; !r->done; turns++) {
        assert_true(turns < 1000);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    }
    if (store_record_count(store) < 100) /* it walks all of them */
        store_check(store);
}

static int put(const char *key, const void *value, size_t size)
{
    struct result r = {0};
    struct kv_op op = {KV_PUT, ns, key, strlen(key), value, size};
    assert_int_equal(kv_commit(&worker, &op, 1, on_done, &r), 0);
    finish(&r);
    return r.error;
}

static int delete_key(const char *key)
{
    struct result r = {0};
    struct kv_op op = {.kind = KV_DELETE, .ns = ns, .key = key, .key_size = strlen(key)};
    assert_int_equal(kv_commit(&worker, &op, 1, on_done, &r), 0);
    finish(&r);
    return r.error;
}

static struct result get(const char *key)
{
    struct result r = {0};
    assert_int_equal(kv_get(&worker, ns, key, strlen(key), on_get, &r), 0);
    finish(&r);
    return r;
}

static int get_error(const char *key)
{
    struct result r = get(key);
    free(r.value);
    return r.error;
}

static void assert_value(const char *key, const char *expected)
{
    struct result r = get(key);
    assert_int_equal(r.error, 0);
    assert_int_equal(r.size, strlen(expected));
    assert_memory_equal(r.value, expected, r.size);
    free(r.value);
}

static void close_store(void)
{
    store_flush(store);
    store_check(store);
    store_close(store);
}

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

/* ---- what the host does is noticed ---------------------------------------------------------------------------*/

static struct host_record *first_record(void)
{
    for (size_t i = 0; i < host_memory.count; i++)
        if (host_memory.records[i].key_size == 32)
            return &host_memory.records[i];
    fail();
    return NULL;
}

static void test_record_changed_while_open(void **state)
{
    assert_int_equal(put("a", "one", 3), 0);
    struct host_record *r = first_record();
    for (size_t i = 0; i < r->value_size; i++) {
        r->value[i] ^= 0x10;
        assert_int_equal(get_error("a"), -EBADMSG);
        r->value[i] ^= 0x10;
    }
    assert_value("a", "one");
    host_memory_delete(r->key, r->key_size);
    assert_int_equal(get_error("a"), -EBADMSG);
}

static bool count_name(void *user, const uint8_t *key, size_t size)
{
    *(int *)user += size == 2 && !memcmp(key, "k0", 2);
    return true;
}

/* Damaged at start: its name is not known, so there are no lists, until it is written anew. */
static void test_damaged_record_written_anew(void **state)
{
    int count = 0;
    assert_int_equal(put("k0", "one", 3), 0);
    struct host_record *r = first_record();
    r->value[r->value_size / 2] ^= 1;
    close_store();
    assert_int_equal(reopen(false), 0);
    assert_int_equal(get_error("k0"), -EBADMSG);
    assert_int_equal(kv_each(ns, count_name, &count), -EBADMSG);
    assert_int_equal(put("k0", "two", 3), 0);
    assert_value("k0", "two");
    assert_int_equal(kv_each(ns, count_name, &count), 0);
    assert_int_equal(count, 1);
    close_store();
    assert_int_equal(reopen(false), 0);
    assert_value("k0", "two");
}

/* Only its value is damaged: it is still listed, and everything else is as it was. */
static void test_damaged_value(void **state)
{
    int count = 0;
    assert_int_equal(put("k0", "one", 3), 0);
    struct host_record *r = first_record();
    r->value[r->value_size - 17] ^= 1;
    close_store();
    assert_int_equal(reopen(false), 0);
    assert_int_equal(store_damaged_count(store), 1);
    assert_int_equal(kv_each(ns, count_name, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(get_error("k0"), -EBADMSG);
    assert_int_equal(delete_key("k0"), 0);
    assert_int_equal(store_damaged_count(store), 0);
    assert_int_equal(kv_each(ns, count_name, &count), 0);
    assert_int_equal(count, 1);
    close_store();
    assert_int_equal(reopen(false), 0);
}

static struct host_record old_root;

static bool answer_old_root(uint32_t method, int *error, uint8_t **answer, size_t *size)
{
    if (method != RPC_KV_GET)
        return false;
    *answer = memcpy(malloc(old_root.value_size), old_root.value, *size = old_root.value_size);
    return true;
}

/* A commit that the host called failed, showing the root before it: its record is none of the store's, ever. */
static void test_record_of_a_failed_commit(void **state)
{
    assert_int_equal(put("a", "one", 3), 0);
    old_root = *host_memory_find(STORE_ROOT_KEY, strlen(STORE_ROOT_KEY));
    old_root.value = memcpy(malloc(old_root.value_size), old_root.value, old_root.value_size);
    struct host_image *before = host_memory_keep();
    host_memory.commit_status = -EIO;
    host_memory.keep_failed = true;
    host_memory.answer = answer_old_root;
    assert_int_equal(put("a", "refused", 7), -EIO);
    host_memory.answer = NULL;
    free(old_root.value);
    struct host_record *r = first_record();
    uint8_t refused[1024], key[32];
    size_t size = r->value_size;
    memcpy(refused, r->value, size);
    memcpy(key, r->key, 32);
    host_memory_restore(before);
    host_memory.commit_status = 0;
    assert_int_equal(put("a", "three", 5), 0);
    assert_value("a", "three");
    host_memory_put(key, 32, refused, size);
    assert_int_equal(get_error("a"), -EBADMSG);
}

static void test_old_record_at_start(void **state)
{
    assert_int_equal(put("a", "old", 3), 0);
    struct host_record *r = first_record();
    uint8_t old[1024], key[32];
    size_t size = r->value_size;
    memcpy(old, r->value, size);
    memcpy(key, r->key, 32);
    assert_int_equal(put("a", "new", 3), 0);
    close_store();
    host_memory_put(key, 32, old, size);
    assert_int_equal(reopen(false), -EBADMSG);
    assert_non_null(strstr(why, "do not match the sealed root"));
}

/* Records too large for a page of the listing are records, too. */
static void test_emptiness(void **state)
{
    close_store();
    host_memory_reset();
    assert_int_equal(store_is_empty(store), 1);
    static const uint8_t large[6u << 20];
    host_memory_put("x", 1, large, sizeof large);
    assert_int_equal(store_is_empty(store), 0);
    host_memory_put("x", 1, "", 0);
    assert_int_equal(store_is_empty(store), 0);
    host_memory_reset();
    assert_int_equal(reopen(true), 0);
}

/* ---- listings that no map would give -------------------------------------------------------------------------*/

static size_t pages;
static void (*write_page)(struct bytes_writer *w);

static bool answer_scan(uint32_t method, int *error, uint8_t **answer, size_t *size)
{
    if (method != RPC_KV_SCAN)
        return false;
    assert_true(++pages < 100); /* a host that goes on for ever must be stopped */
    *answer = malloc(4096);
    struct bytes_writer w = bytes_writer_make(*answer, 4096);
    write_page(&w);
    *size = w.size;
    return true;
}

static void page_again(struct bytes_writer *w) /* the same key on every page */
{
    bytes_append_u32(w, 1);
    bytes_append_blob(w, "key", 3);
    bytes_append_blob(w, "", 0);
    bytes_append_u8(w, 1);
}

static void page_empty_key(struct bytes_writer *w)
{
    bytes_append_u32(w, 1);
    bytes_append_blob(w, "", 0);
    bytes_append_blob(w, "", 0);
    bytes_append_u8(w, 1);
}

static void page_of_nothing(struct bytes_writer *w)
{
    bytes_append_u32(w, 0);
    bytes_append_u8(w, 1);
}

static void page_too_short(struct bytes_writer *w)
{
    bytes_append_u32(w, 2);
    bytes_append_blob(w, "key", 3);
    bytes_append_blob(w, "", 0);
    bytes_append_u8(w, 0);
}

static void page_too_long(struct bytes_writer *w)
{
    bytes_append_u32(w, 0);
    bytes_append_u8(w, 0);
    bytes_append_u8(w, 0);
}

static void page_long_key(struct bytes_writer *w)
{
    static const uint8_t key[65] = {1};
    bytes_append_u32(w, 1);
    bytes_append_blob(w, key, sizeof key);
    bytes_append_blob(w, "", 0);
    bytes_append_u8(w, 0);
}

static void test_impossible_listings(void **state)
{
    void (*const all[])(struct bytes_writer *) = {page_again,     page_empty_key, page_of_nothing,
                                                  page_too_short, page_too_long,  page_long_key};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        close_store();
        pages = 0;
        write_page = all[i];
        host_memory.answer = answer_scan;
        assert_int_equal(reopen(false), -EBADMSG);
        host_memory.answer = NULL;
    }
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reopening),
        TEST(test_largest_value),
        TEST(test_one_key_twice_in_a_batch),
        TEST(test_listing_while_it_changes),
        TEST(test_behind_one_that_failed),
        TEST(test_against_a_table),
        TEST(test_record_changed_while_open),
        TEST(test_damaged_record_written_anew),
        TEST(test_damaged_value),
        TEST(test_refused_calls),
        TEST(test_record_of_a_failed_commit),
        TEST(test_old_record_at_start),
        TEST(test_emptiness),
        TEST(test_impossible_listings),
        TEST(test_memory_is_shared_out),
        TEST(test_disk_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
