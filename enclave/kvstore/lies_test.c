/*
 * The store against a host in memory that lies: whatever it does to the records is noticed, and what it lists cannot
 * hold up or confuse the start.
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
#include "enclave/kvstore/record.h"
#include "enclave/kvstore/store.h"
#include "enclave/kvstore/testing/waited.h"
#include "tests/native/host_memory.h"

/* ---- what the host does is noticed ---------------------------------------------------------------------------*/

static struct host_record *first_record(void)
{
    for (size_t i = 0; i < host_memory.count; i++)
        if (host_memory.records[i].key_size == 32)
            return &host_memory.records[i];
    fail();
    return NULL;
}

/* What its twin would say is gone, too. */
static void drop_twin(const struct host_record *of)
{
    uint8_t key[TWIN_KEY_SIZE];
    record_twin_key(of->key, key);
    assert_non_null(host_memory_find(key, sizeof key));
    host_memory_delete(key, sizeof key);
}

static void test_record_changed_while_open(void **state)
{
    assert_int_equal(put("a", "one", 3), 0);
    struct host_record *r = first_record();
    for (size_t i = 0; i < r->value_size; i++) {
        r->value[i] ^= 0x10;
        assert_value("a", "one"); /* its twin has it */
        r->value[i] ^= 0x10;
    }
    drop_twin(r);
    r = first_record();
    for (size_t i = 0; i < r->value_size; i++) {
        r->value[i] ^= 0x10;
        assert_int_equal(get_error("a"), -EBADMSG);
        r->value[i] ^= 0x10;
    }
    assert_value("a", "one");
    host_memory_delete(r->key, r->key_size);
    assert_int_equal(get_error("a"), -EBADMSG);
}

/* ---- and by whoever else asks ------------------------------------------------------------------------------------ */

static struct worker away;

static void on_away(void *user, int error, const uint8_t *value, size_t size)
{
    struct result *r = user;
    loop_check(&away.loop);
    *r = (struct result){.done = true, .error = error, .value = malloc(size + 1), .size = size};
    assert_non_null(r->value);
    if (size)
        memcpy(r->value, value, size);
}

/* What another worker is answered; meanwhile runs once the store's has answered, and before the other hears of it. */
static struct result get_away(const char *key, void (*meanwhile)(void))
{
    struct result r = {0};
    assert_int_equal(kv_get(&away, ns, key, strlen(key), on_away, &r), 0);
    for (int turns = 0; !r.done; turns++) {
        assert_true(turns < 1000);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
        bool answered = atomic_load(&away.loop.remote) != NULL;
        if (answered && meanwhile)
            meanwhile();
        meanwhile = answered ? NULL : meanwhile;
        loop_run_once(&away.loop, away.loop.now_ns + 1);
    }
    assert_null(meanwhile);
    store_check(store);
    return r;
}

static void assert_away(const char *key, const char *expected)
{
    struct result r = get_away(key, NULL);
    assert_int_equal(r.error, 0);
    assert_int_equal(r.size, strlen(expected));
    assert_memory_equal(r.value, expected, r.size);
    free(r.value);
}

static int away_error(const char *key)
{
    struct result r = get_away(key, NULL);
    assert_int_equal(r.size, 0);
    free(r.value);
    return r.error;
}

static void test_another_worker_asks(void **state)
{
    assert_int_equal(put("a", "one", 3), 0);
    assert_away("a", "one");
    assert_int_equal(away_error("b"), -ENOENT);
    struct host_record *r = first_record();
    for (size_t i = 0; i < r->value_size; i++) {
        r->value[i] ^= 0x10;
        assert_away("a", "one"); /* its twin has it */
        r->value[i] ^= 0x10;
    }
    size_t whole = r->value_size;
    for (r->value_size = 0; r->value_size < whole; r->value_size++)
        assert_away("a", "one");
    r->value = realloc(r->value, whole + 1);
    r->value[whole] = 0;
    r->value_size = whole + 1; /* longer than it was */
    assert_away("a", "one");
    r->value_size = whole;
    drop_twin(r);
    r = first_record();
    for (size_t i = 0; i < r->value_size; i++) {
        r->value[i] ^= 0x10;
        assert_int_equal(away_error("a"), -EBADMSG);
        r->value[i] ^= 0x10;
    }
    for (r->value_size = 0; r->value_size < whole; r->value_size++)
        assert_int_equal(away_error("a"), -EBADMSG);
    assert_away("a", "one");
    host_memory_delete(r->key, r->key_size);
    assert_int_equal(away_error("a"), -EBADMSG);
}

static char large[40001]; /* of which no twin has a copy */

static void put_large(void)
{
    assert_int_equal(put("a", large, strlen(large)), 0);
}

static void delete_it(void)
{
    assert_int_equal(delete_key("a"), 0);
}

/* What did not open is asked for again, and may have changed by then. */
static void test_another_worker_asks_again(void **state)
{
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(put("a", "one", 3), 0);
    first_record()->value[40] ^= 1;
    struct result r = get_away("a", put_large);
    assert_int_equal(r.error, 0);
    assert_int_equal(r.size, strlen(large));
    assert_memory_equal(r.value, large, r.size);
    free(r.value);
    assert_away("a", large);
    assert_int_equal(put("a", "one", 3), 0);
    first_record()->value[40] ^= 1;
    r = get_away("a", delete_it);
    assert_int_equal(r.error, -ENOENT);
    free(r.value);
    assert_int_equal(put("a", "one", 3), 0);
    r = get_away("a", put_large); /* it was whole: as it was when it was asked for */
    assert_int_equal(r.error, 0);
    assert_int_equal(r.size, 3);
    free(r.value);
}

static int away_setup(void **state)
{
    away = (struct worker){0};
    return waited_setup(state) || loop_init(&away.loop, NULL);
}

static int away_teardown(void **state)
{
    loop_deinit(&away.loop);
    return waited_teardown(state);
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
    drop_twin(first_record());
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
    drop_twin(first_record());
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
    assert_value("a", "three"); /* from its twin */
    drop_twin(first_record());
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
    drop_twin(first_record());
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, waited_setup, waited_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_record_changed_while_open),
        TEST(test_damaged_record_written_anew),
        TEST(test_damaged_value),
        TEST(test_record_of_a_failed_commit),
        TEST(test_old_record_at_start),
        TEST(test_emptiness),
        TEST(test_impossible_listings),
        cmocka_unit_test_setup_teardown(test_another_worker_asks, away_setup, away_teardown),
        cmocka_unit_test_setup_teardown(test_another_worker_asks_again, away_setup, away_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
