/*
 * Commits and witnesses, over a host in memory: no app's commit goes beyond what is allowed, the enclave's own do; what
 * is to be proven first is acknowledged, and read by others, only then; nothing waits any more when the store is
 * flushed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/store.h"
#include "tests/native/host_memory.h"

static const uint8_t master[32] = {5};
static struct worker worker;
static struct store *store;
static struct kv_namespace *app, *bucket, *other, *own;
static unsigned watched, waited_for;

struct result {
    bool done;
    int error;
    char value[16];
};

static void on_done(void *user, int error)
{
    *(struct result *)user = (struct result){.done = true, .error = error};
}

static void on_got(void *user, int error, const uint8_t *value, size_t size)
{
    struct result *r = user;
    on_done(user, error);
    if (size < sizeof r->value && value)
        memcpy(r->value, value, size);
}

static void on_store(void *user, bool waited)
{
    watched++;
    waited_for += waited;
}

static void turn(void)
{
    for (int i = 0; i < 20; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    store_check(store);
}

static void put(struct kv_namespace *ns, const char *value, struct result *r)
{
    struct kv_op op = {KV_PUT, ns, "key", 3, value, strlen(value)};
    *r = (struct result){0};
    assert_int_equal(kv_commit(&worker, &op, 1, on_done, r), 0);
    turn();
}

static void get(struct kv_namespace *ns, struct result *r)
{
    *r = (struct result){0};
    assert_int_equal(kv_get(&worker, ns, "key", 3, on_got, r), 0);
    turn();
}

static int setup(void **state)
{
    char why[256];
    const uint8_t sealed[8] = {1};
    watched = waited_for = 0;
    assert_int_equal(host_memory_worker(&worker), 0);
    host_memory_reset();
    store = store_new(&worker);
    assert_int_equal(store_begin(store, master, sealed, sizeof sealed), 0);
    app = kv_namespace_open(store, "app:one");
    bucket = kv_namespace_open(store, "app:one:kv:a");
    other = kv_namespace_open(store, "app:two:kv:a");
    own = kv_namespace_open(store, "system");
    assert_int_equal(store_create(store, NULL, 0, why, sizeof why), 0);
    store_watch(store, on_store, NULL);
    return 0;
}

static int teardown(void **state)
{
    store_flush(store);
    turn();
    store_close(store);
    kv_namespace_close(app);
    kv_namespace_close(bucket);
    kv_namespace_close(other);
    kv_namespace_close(own);
    store_free(store);
    loop_deinit(&worker.loop);
    host_memory_reset();
    return 0;
}

static void apps_go_no_further_than_is_allowed(void **state)
{
    struct result r[4];
    uint64_t epoch = store_epoch(store);
    store_allow(store, epoch + 1);
    put(bucket, "1", &r[0]);
    assert_true(r[0].done && r[0].error == 0);
    put(bucket, "2", &r[1]);
    put(other, "3", &r[2]);
    assert_false(r[1].done || r[2].done);
    put(own, "4", &r[3]); /* which goes on */
    assert_true(r[3].done && r[3].error == 0);
    assert_int_equal(store_epoch(store), epoch + 2);
    assert_false(r[1].done || r[2].done);
    store_allow(store, epoch + 3);
    turn();
    assert_true(r[1].done && r[2].done); /* both in one transaction */
    assert_int_equal(r[1].error + r[2].error, 0);
    assert_int_equal(store_epoch(store), epoch + 3);
    assert_int_equal(watched, 3);
    assert_int_equal(waited_for, 0);
    store_allow(store, 0);
    put(bucket, "5", &r[0]);
    assert_false(r[0].done);
    store_allow(store, UINT64_MAX);
    turn();
    assert_true(r[0].done);
}

static void what_is_to_be_proven_waits_for_that(void **state)
{
    struct result r[4];
    assert_int_equal(store_acknowledge_proven(store, app, true), 0);
    put(other, "0", &r[3]);
    assert_true(r[3].done); /* another app does not */
    put(bucket, "1", &r[0]);
    uint64_t first = store_epoch(store);
    assert_false(r[0].done);
    assert_int_equal(waited_for, 1);
    get(bucket, &r[1]); /* it could be taken back: nobody sees it yet */
    assert_false(r[1].done);
    store_proven(store, first - 1);
    turn();
    assert_false(r[0].done || r[1].done);
    put(own, "x", &r[3]);
    assert_true(r[3].done);
    store_proven(store, first);
    turn();
    assert_true(r[0].done && r[0].error == 0);
    assert_true(r[1].done);
    assert_string_equal(r[1].value, "1");
    put(bucket, "2", &r[0]);
    put(bucket, "3", &r[2]); /* behind it */
    assert_false(r[0].done || r[2].done);
    store_proven(store, store_epoch(store));
    turn();
    assert_true(r[0].done);
    assert_false(r[2].done);
    store_proven(store, store_epoch(store));
    turn();
    assert_true(r[2].done);
    assert_int_equal(store_acknowledge_proven(store, app, false), 0);
    put(bucket, "4", &r[0]);
    assert_true(r[0].done);
}

static void nothing_waits_when_the_store_is_flushed(void **state)
{
    struct result unproven, held;
    assert_int_equal(store_acknowledge_proven(store, app, true), 0);
    put(bucket, "1", &unproven);
    store_allow(store, 0);
    put(other, "2", &held);
    assert_false(unproven.done || held.done);
    store_flush(store);
    turn();
    assert_true(unproven.done && unproven.error == -ECANCELED); /* nobody is told that it is proven */
    assert_true(held.done && held.error == 0);
}

static void a_commit_that_fails_does_not_wait(void **state)
{
    struct result r;
    assert_int_equal(store_acknowledge_proven(store, app, true), 0);
    host_memory.commit_status = -ENOSPC;
    put(bucket, "1", &r);
    host_memory.commit_status = 0;
    assert_true(r.done && r.error < 0);
}

static void not_an_app(void)
{
    store_acknowledge_proven(store, own, true);
}

static void misuse_stops(void **state)
{
    assert_true(stops(not_an_app, BROKEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(apps_go_no_further_than_is_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_to_be_proven_waits_for_that, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_waits_when_the_store_is_flushed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_commit_that_fails_does_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(misuse_stops, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
