/*
 * Records that are damaged together with their names, both of them: it is known whose they are, and nobody else's lists
 * are errors; they go by being written anew, given up or removed with their app. Without what says whose they are, no
 * list is known to be complete.
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
static uint8_t large[LARGE];
static struct host_image *image; /* as it was written */
static size_t image_count;

#define SPACES 4u
static const char *const spaces[SPACES] = {"app:a", "app:b:kv:default", "app:c:kv:default", "system"};
static struct kv_namespace *space[SPACES];

static int put_in(struct kv_namespace *in, const char *key, const void *value, size_t size)
{
    struct kv_op op = {KV_PUT, in, key, strlen(key), value, size};
    return kv_commit_wait(&worker, &op, 1);
}

/* Of one app's there is nothing but the one record. */
static int setup(void **state)
{
    waited_setup(state);
    memset(large, 'L', sizeof large);
    for (size_t i = 0; i < SPACES; i++)
        space[i] = kv_namespace_open(store, spaces[i]);
    assert_int_equal(put_in(space[0], "small", "1", 1), 0);
    assert_int_equal(put_in(space[0], "large", large, sizeof large), 0);
    assert_int_equal(put_in(space[3], "own", large, sizeof large), 0);
    assert_int_equal(put_in(space[1], "x", "1", 1), 0);
    assert_int_equal(put_in(space[1], "y", large, sizeof large), 0);
    assert_int_equal(put_in(space[2], "only", "1", 1), 0);
    assert_int_equal(put_in(space[3], "another", "1", 1), 0);
    close_store();
    image = host_memory_keep();
    image_count = host_memory.count;
    return 0;
}

static int teardown(void **state)
{
    host_memory_drop(image);
    for (size_t i = 0; i < SPACES; i++)
        kv_namespace_close(space[i]);
    return waited_teardown(state);
}

static void restore(void)
{
    host_memory_restore(image);
    image = host_memory_keep();
}

static bool count_key(void *user, const uint8_t *key, size_t size)
{
    (*(size_t *)user)++;
    return true;
}

/* As whoever has opened it does, of each app that there is. */
static void ask_of_apps(void)
{
    static const char *const apps[] = {"app:a", "app:b", "app:c"};
    for (size_t i = 0; i < sizeof apps / sizeof *apps; i++) {
        struct kv_namespace *app = kv_namespace_open(store, apps[i]);
        assert_non_null(store_lost_of(store, app));
        kv_namespace_close(app);
    }
}

/* Of which lists are errors: a bit for each. */
static unsigned broken_lists(void)
{
    unsigned broken = 0;
    for (size_t i = 0; i < SPACES; i++) {
        size_t count = 0;
        int error = kv_each(space[i], count_key, &count);
        assert_true(error == 0 || error == -EBADMSG);
        broken |= error < 0 ? 1u << i : 0;
    }
    return broken;
}

/* Of the pair whose record is the i-th; false: it is no record. */
static bool damage_names(size_t i, bool and_mark)
{
    uint8_t key[TWIN_KEY_SIZE];
    struct host_record *r = &host_memory.records[i];
    if (r->key_size != STORAGE_KEY_SIZE)
        return false;
    record_twin_key(r->key, key);
    struct host_record *twin = host_memory_find(key, sizeof key);
    assert_non_null(twin);
    r->value[RECORD_HEADER_SIZE + 2] ^= 1;
    twin->value[1 + MARK_SIZE + RECORD_HEADER_SIZE + 2] ^= 0x80;
    twin->value[1 + i % MARK_SIZE] ^= and_mark;
    return true;
}

struct nameless {
    size_t count;
    char owner[32];
    uint8_t id[STORAGE_KEY_SIZE];
};

static bool note_nameless(void *user, const struct store_lost *lost)
{
    struct nameless *n = user;
    n->count++;
    assert_null(lost->key);
    snprintf(n->owner, sizeof n->owner, "%.*s", (int)lost->ns_size, (const char *)lost->ns);
    memcpy(n->id, lost->id, sizeof n->id);
    return true;
}

static struct nameless the_nameless(void)
{
    struct nameless n = {0};
    store_each_lost(store, note_nameless, &n);
    assert_int_equal(n.count, 1);
    return n;
}

static size_t space_of(const struct nameless *n)
{
    for (size_t i = 0; i < SPACES; i++)
        if (strncmp(spaces[i], n->owner, strlen(n->owner)) == 0 && n->owner[0])
            return i;
    fail_msg("nobody's: '%s'", n->owner);
    return 0;
}

static int give_up(size_t in, const uint8_t id[STORAGE_KEY_SIZE])
{
    struct kv_op op = {KV_GIVE_UP, space[in], id, STORAGE_KEY_SIZE, NULL, 0};
    return kv_commit_wait(&worker, &op, 1);
}

/* It stays its app's: no other's list is an error, and it goes by what it is called here. */
static void test_names(void **state)
{
    size_t seen[SPACES] = {0};
    for (size_t i = 0; i < image_count; i++) {
        restore();
        if (!damage_names(i, false))
            continue;
        assert_int_equal(reopen(false), 0);
        ask_of_apps();
        store_check(store);
        struct nameless n = the_nameless();
        size_t of = space_of(&n);
        seen[of]++;
        assert_int_equal(broken_lists(), 1u << of);
        assert_int_equal(give_up(of, n.id), 0);
        assert_int_equal(broken_lists(), 0);
        assert_int_equal(store_damaged_count(store), 0);
        store_check(store);
        close_store();
        assert_int_equal(reopen(false), 0);
        assert_int_equal(store_damaged_count(store), 0);
        close_store();
    }
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 2);
    assert_int_equal(seen[2], 1);
    assert_int_equal(seen[3], 2);
}

/* Nothing says any more whose it is: so no list is known to be complete. It is nobody's who could give it up. */
static void test_names_and_marks(void **state)
{
    struct nameless n;
    for (size_t i = 0; i < image_count; i++) {
        restore();
        if (!damage_names(i, true))
            continue;
        assert_int_equal(reopen(false), 0);
        ask_of_apps();
        store_check(store);
        n = the_nameless();
        assert_string_equal(n.owner, "");
        assert_int_equal(broken_lists(), (1u << SPACES) - 1);
        close_store();
    }
}

/* Whoever knows the name reads an error and writes it anew; and an app that is removed leaves nothing. */
static void test_nameless_goes(void **state)
{
    size_t anew = 0;
    for (size_t i = 0; i < image_count; i++) {
        uint8_t *value;
        size_t size;
        restore();
        if (!damage_names(i, false))
            continue;
        assert_int_equal(reopen(false), 0);
        ask_of_apps();
        struct nameless n = the_nameless();
        size_t of = space_of(&n);
        if (of == 2) {
            assert_int_equal(kv_get_wait(&worker, space[2], "only", &value, &size), -EBADMSG);
            assert_int_equal(put_in(space[2], "only", "2", 1), 0);
            assert_int_equal(broken_lists(), 0);
            assert_int_equal(give_up(2, n.id), 0); /* it is not lost any more: it stays */
            assert_int_equal(kv_get_wait(&worker, space[2], "only", &value, &size), 0);
            free(value);
            anew++;
        } else if (of == 1) {
            struct result r = {0};
            struct kv_namespace *app = kv_namespace_open(store, "app:b");
            assert_int_equal(kv_namespace_remove(&worker, app, on_done, &r), 0);
            finish(&r);
            assert_int_equal(r.error, 0);
            assert_int_equal(broken_lists(), 0);
            kv_namespace_close(app);
        }
        store_check(store);
        close_store();
        assert_int_equal(reopen(false), 0);
        close_store();
    }
    assert_int_equal(anew, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_names), TEST(test_names_and_marks), TEST(test_nameless_goes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
