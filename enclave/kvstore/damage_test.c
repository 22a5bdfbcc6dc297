/*
 * Everything that the host keeps of a store, each in turn flipped, cut, removed, put back, and in another's place: the
 * store opens, what was kept twice is there again and written again, what was kept once is lost by name, and nothing
 * else is. And what is no damage of one thing: both of a pair, and records that were put back, never open as if they
 * were.
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
#include "enclave/kvstore/record.h"
#include "enclave/kvstore/store.h"
#include "enclave/kvstore/testing/waited.h"
#include "tests/native/host_memory.h"

#define LARGE (TWIN_WHOLE_MAX + 1000u) /* of which the twin has the fact alone */

static struct kv_namespace *own; /* of the enclave's own */
static uint8_t large[LARGE];
static struct host_image *image; /* as it was written */
static size_t image_count;

static int put_in(struct kv_namespace *in, const char *key, const void *value, size_t size)
{
    struct kv_op op = {KV_PUT, in, key, strlen(key), value, size};
    return kv_commit_wait(&worker, &op, 1);
}

static int setup(void **state)
{
    waited_setup(state);
    own = kv_namespace_open(store, "system");
    memset(large, 'L', sizeof large);
    assert_int_equal(put("small", "0", 1), 0);
    assert_int_equal(put("small", "1", 1), 0);
    assert_int_equal(put("large", large, sizeof large), 0);
    assert_int_equal(put_in(own, "own", large, sizeof large), 0);
    close_store();
    image = host_memory_keep();
    image_count = host_memory.count;
    assert_int_equal(image_count, 2 * (3 + 2));
    return 0;
}

static int teardown(void **state)
{
    host_memory_drop(image);
    if (own)
        kv_namespace_close(own);
    own = NULL;
    return waited_teardown(state);
}

static void restore(void)
{
    host_memory_restore(image);
    image = host_memory_keep();
}

/* ---- one thing of all ------------------------------------------------------------------------------------------- */

static bool note_lost(void *user, const struct store_lost *lost)
{
    size_t *count = user;
    assert_non_null(lost->key);
    assert_int_equal(lost->ns_size, strlen("app:a"));
    assert_int_equal(lost->key_size, strlen("large"));
    assert_memory_equal(lost->key, "large", 5);
    (*count)++;
    return true;
}

static bool count_key(void *user, const uint8_t *key, size_t size)
{
    (*(size_t *)user)++;
    return true;
}

static void expect_own(void)
{
    uint8_t *value;
    size_t size;
    assert_int_equal(kv_get_wait(&worker, own, "own", &value, &size), 0);
    assert_int_equal(size, sizeof large);
    free(value);
}

/* Whether the large one is lost; all else is as it was. */
static bool expect_all_but_large(uint64_t *mended)
{
    size_t lost = 0, listed = 0;
    int opened = reopen(false);
    if (opened < 0)
        fail_msg("%s", why);
    store_check(store);
    *mended = store_mended_count(store);
    assert_value("small", "1");
    expect_own();
    int error = get_error("large");
    assert_true(error == 0 || error == -EBADMSG);
    store_each_lost(store, note_lost, &lost);
    assert_int_equal(lost, error < 0);
    assert_int_equal(store_damaged_count(store), lost);
    assert_int_equal(kv_each(ns, count_key, &listed), 0);
    assert_int_equal(listed, 2); /* nothing disappears */
    assert_int_equal(*store_lost_of(store, ns), lost);
    close_store();
    return error < 0;
}

static bool of_master; /* what was damaged is a sealed master key: secrets/master_test.c's, and nothing to the store */

/* What was kept twice is told to be mended, and is: the next start finds nothing more. */
static bool expect_mended(void)
{
    uint64_t mended, again;
    bool lost = expect_all_but_large(&mended);
    assert_int_equal(mended > 0, !lost && !of_master);
    assert_int_equal(expect_all_but_large(&again), lost);
    assert_int_equal(again, 0);
    return lost;
}

/* The one to be damaged, of a store that is as it was written. */
static struct host_record *take(size_t i)
{
    restore();
    struct host_record *r = &host_memory.records[i];
    of_master = r->value_size == strlen("sealed") && memcmp(r->value, "sealed", r->value_size) == 0;
    return r;
}

static bool is_large(const struct host_record *r)
{
    return r->key_size == 32 && r->value_size > LARGE && host_memory_find(r->key, 32) == r;
}

/* The large one is the app's, whose twin has no value: found by what is lost when it is gone. */
static size_t find_large(void)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < image_count; i++) {
        if (!is_large(take(i)))
            continue;
        host_memory_delete(host_memory.records[i].key, 32);
        found = expect_mended() ? i : found;
    }
    assert_true(found < image_count);
    restore();
    return found;
}

static void test_flips(void **state)
{
    size_t of_large = find_large();
    for (size_t i = 0; i < image_count; i++) {
        size_t size = host_memory.records[i].value_size;
        for (size_t at = 0; at<size; at += size> 400 ? 1 + size / 200 : 1) {
            take(i)->value[at] ^= (uint8_t)(1u << at % 8);
            assert_int_equal(expect_mended(), i == of_large);
        }
        restore();
    }
    uint64_t mended;
    assert_false(expect_all_but_large(&mended));
    assert_int_equal(mended, 0);
}

static void test_cuts(void **state)
{
    size_t of_large = find_large();
    for (size_t i = 0; i < image_count; i++) {
        size_t size = host_memory.records[i].value_size;
        for (size_t left = 0; left<size; left += size> 400 ? 1 + size / 50 : 3) {
            take(i)->value_size = left;
            assert_int_equal(expect_mended(), i == of_large);
        }
        restore();
    }
}

static void remove_at(size_t i)
{
    uint8_t key[64];
    size_t size = host_memory.records[i].key_size;
    memcpy(key, host_memory.records[i].key, size);
    host_memory_delete(key, size);
}

static void test_removals(void **state)
{
    size_t of_large = find_large();
    for (size_t i = 0; i < image_count; i++) {
        (void)take(i);
        remove_at(i);
        assert_int_equal(expect_mended(), i == of_large);
        assert_int_equal(host_memory.count, image_count - (i == of_large || of_master));
    }
}

/* Each with each: two things are damaged, but no two of one pair; unless they are, and then the store says so. */
static void test_swaps(void **state)
{
    size_t of_large = find_large(), refused = 0;
    for (size_t i = 0; i < image_count; i++)
        for (size_t k = i + 1; k < image_count; k++) {
            restore();
            struct host_record *a = &host_memory.records[i], *b = &host_memory.records[k], was = *a;
            a->value = b->value;
            a->value_size = b->value_size;
            b->value = was.value;
            b->value_size = was.value_size;
            if (reopen(false) == 0) {
                close_store();
                uint64_t mended;
                bool lost = expect_all_but_large(&mended);
                assert_true(!lost || i == of_large || k == of_large);
                assert_int_equal(mended, 0);
            } else {
                assert_non_null(strstr(why, "store: "));
                refused++;
            }
        }
    assert_in_range(refused, 0, image_count / 2); /* the two of a pair */
    restore();
}

/* ---- both of a pair --------------------------------------------------------------------------------------------- */

static void expect_refused(const char *what)
{
    assert_int_equal(reopen(false), -EBADMSG);
    assert_non_null(strstr(why, what));
}

static void test_both_gone(void **state)
{
    for (size_t i = 0; i < image_count; i++) {
        restore();
        const struct host_record *r = &host_memory.records[i];
        uint8_t twin[TWIN_KEY_SIZE];
        if (r->key_size != 32)
            continue;
        record_twin_key(r->key, twin);
        remove_at(i);
        host_memory_delete(twin, sizeof twin);
        expect_refused("do not match the sealed root");
    }
    restore();
    host_memory_delete(STORE_ROOT_KEY, strlen(STORE_ROOT_KEY));
    host_memory_delete(STORE_ROOT_COPY_KEY, strlen(STORE_ROOT_COPY_KEY));
    expect_refused("root is missing");
    restore();
    host_memory_find(STORE_ROOT_KEY, strlen(STORE_ROOT_KEY))->value[20] ^= 1;
    host_memory_find(STORE_ROOT_COPY_KEY, strlen(STORE_ROOT_COPY_KEY))->value[7] ^= 1;
    expect_refused("root is damaged");
}

static struct host_record copy_of(const struct host_record *r)
{
    return (struct host_record){memcpy(malloc(r->key_size), r->key, r->key_size),
                                memcpy(malloc(r->value_size), r->value, r->value_size), r->key_size, r->value_size};
}

/* All that the host keeps, as it was before one more commit of this key. Returns how many. */
static size_t older_ones(struct host_record older[32], struct kv_namespace *in, const char *key, const void *value,
                         size_t size)
{
    restore();
    for (size_t i = 0; i < image_count; i++)
        older[i] = copy_of(&host_memory.records[i]);
    assert_int_equal(reopen(false), 0);
    assert_int_equal(put_in(in, key, value, size), 0);
    close_store();
    host_memory_drop(image);
    image = host_memory_keep();
    return image_count;
}

/* One that was put back is told from the newest; both of a pair that were put back do not pass for anything. */
static void test_put_back(void **state)
{
    struct host_record older[32];
    uint64_t mended;
    size_t changed = 0, count = older_ones(older, ns, "large", large, sizeof large);
    for (size_t i = 0; i < count; i++) {
        restore();
        const struct host_record *now = host_memory_find(older[i].key, older[i].key_size);
        bool differs = now->value_size != older[i].value_size || memcmp(now->value, older[i].value, now->value_size);
        host_memory_put(older[i].key, older[i].key_size, older[i].value, older[i].value_size);
        bool lost = expect_all_but_large(&mended);
        assert_int_equal(mended > 0, differs && !lost);
        changed += differs;
    }
    assert_int_equal(changed, 2 + 2); /* record, twin, root and its copy */
    restore();
    for (size_t i = 0; i < count; i++) /* all but the root: what a rollback of the records would be */
        if (older[i].key_size >= 32)
            host_memory_put(older[i].key, older[i].key_size, older[i].value, older[i].value_size);
    expect_refused("older than acknowledged");
    restore();
    for (size_t i = 0; i < count; i++) /* nor is the older root one under which the newer records open */
        if (older[i].key_size < 32)
            host_memory_put(older[i].key, older[i].key_size, older[i].value, older[i].value_size);
    expect_refused("do not match the sealed root");
    for (size_t i = 0; i < count; i++) {
        free(older[i].key);
        free(older[i].value);
    }
}

static bool note_how(void *user, const struct store_lost *lost)
{
    *(enum record_damage *)user = lost->how;
    return true;
}

/* What is lost says how, and is there again once it is written anew, or gone once it is deleted. */
static void test_lost_and_written_anew(void **state)
{
    struct host_record older[32];
    size_t at = find_large(), count = older_ones(older, ns, "large", large, sizeof large);
    enum record_damage how = DAMAGE_NONE;
    for (int round = 0; round < 3; round++) {
        restore();
        struct host_record *r = host_memory_find(older[at].key, 32);
        if (round == 0)
            r->value[r->value_size - 20] ^= 1;
        else if (round == 1)
            host_memory_delete(older[at].key, 32);
        else
            host_memory_put(older[at].key, 32, older[at].value, older[at].value_size);
        assert_int_equal(reopen(false), 0);
        store_each_lost(store, note_how, &how);
        assert_int_equal(how, round == 0 ? DAMAGE_CHANGED : round == 1 ? DAMAGE_MISSING : DAMAGE_OLDER);
        assert_int_equal(get_error("large"), -EBADMSG);
        assert_int_equal(round ? put("large", "new", 3) : delete_key("large"), 0);
        assert_int_equal(get_error("large"), round ? 0 : -ENOENT);
        assert_int_equal(*store_lost_of(store, ns), 0);
        close_store();
        assert_int_equal(reopen(false), 0);
        assert_int_equal(store_damaged_count(store), 0);
        close_store();
    }
    for (size_t i = 0; i < count; i++) {
        free(older[i].key);
        free(older[i].value);
    }
}

/* ---- what is none of it ----------------------------------------------------------------------------------------- */

static void test_strays(void **state)
{
    uint8_t key[TWIN_KEY_SIZE] = {5, 6}, value[200] = {1};
    uint64_t mended;
    host_memory_put(key, 32, value, sizeof value);
    key[31] = 7;
    host_memory_put(key, 32, value, 3);
    key[32] = 1;
    host_memory_put(key, 33, value, sizeof value);
    assert_false(expect_all_but_large(&mended));
    assert_int_equal(mended, 3);
    assert_int_equal(host_memory.count, image_count);
    host_memory_put("someone's", 9, "own", 3);
    assert_false(expect_all_but_large(&mended));
    assert_int_equal(host_memory.count, image_count + 1);
}

/* What is beyond every bound of a record is not walked over, and the log says where it is. */
static void test_strays_too_large(void **state)
{
    static const uint8_t key[SCAN_KEY_MAX + 36] = {0xfe, 0xdc};
    size_t size = SCAN_PAGE_MAX + 1;
    uint8_t *value = calloc(1, size);
    assert_non_null(value);
    host_memory_put(key, sizeof key, "x", 1);
    expect_refused("cannot be read");
    assert_non_null(strstr(host_memory.last_log, "longer than any, which begins with fedc00"));
    host_memory_delete(key, sizeof key);
    host_memory_put("\xff\xfe", 2, "x", 1);
    host_memory_put("\xff\xff", 2, value, size);
    expect_refused("cannot be read");
    assert_non_null(strstr(host_memory.last_log, "larger than any, with the key after fffe "));
    host_memory_delete("\xff\xff", 2);
    host_memory_delete("\xff\xfe", 2);
    free(value);
}

/* A record that was deleted, whole as it was, brings the store down: nothing says that it was ever deleted. */
static void test_deleted_comes_back(void **state)
{
    struct host_record older[32];
    size_t count = older_ones(older, ns, "small", "2", 1);
    assert_int_equal(reopen(false), 0);
    assert_int_equal(delete_key("small"), 0);
    close_store();
    for (size_t i = 0; i < count; i++)
        if (!host_memory_find(older[i].key, older[i].key_size)) {
            host_memory_put(older[i].key, older[i].key_size, older[i].value, older[i].value_size);
            expect_refused("do not match the sealed root");
        }
    for (size_t i = 0; i < count; i++) {
        free(older[i].key);
        free(older[i].value);
    }
}

/* As stores were before records had twins. */
static void test_older_store(void **state)
{
    uint64_t mended;
    for (size_t i = 0; i < host_memory.count;)
        if (host_memory.records[i].key_size == TWIN_KEY_SIZE)
            remove_at(i);
        else
            i++;
    host_memory_delete(STORE_ROOT_COPY_KEY, strlen(STORE_ROOT_COPY_KEY));
    assert_false(expect_all_but_large(&mended));
    assert_int_equal(mended, 0); /* nothing was damaged */
    assert_non_null(strstr(host_memory.last_log, "from before records were kept twice"));
    assert_int_equal(host_memory.count, image_count);
    remove_at(0);
    (void)expect_mended(); /* and from now on it is as any other */
}

/* A host that takes no more writes at the start: what is in twins is read from there. */
static enum host_fate no_commits(uint32_t method)
{
    return method == RPC_KV_COMMIT ? FATE_FAILS : FATE_HONEST;
}

static void test_nothing_can_be_written(void **state)
{
    size_t of_large = find_large();
    host_memory.fate = no_commits;
    for (size_t i = 0; i < image_count; i++) {
        uint64_t mended;
        struct host_image *whole = host_memory_keep();
        host_memory.records[i].value[host_memory.records[i].value_size - 1] ^= 1;
        assert_int_equal(expect_all_but_large(&mended), i == of_large);
        assert_int_equal(mended, 0);
        host_memory_restore(whole);
        host_memory.fate = no_commits;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_flips),
                                       TEST(test_cuts),
                                       TEST(test_removals),
                                       TEST(test_swaps),
                                       TEST(test_both_gone),
                                       TEST(test_put_back),
                                       TEST(test_lost_and_written_anew),
                                       TEST(test_strays),
                                       TEST(test_strays_too_large),
                                       TEST(test_deleted_comes_back),
                                       TEST(test_older_store),
                                       TEST(test_nothing_can_be_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
