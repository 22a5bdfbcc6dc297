/* See waited.h. */
#include "enclave/kvstore/testing/waited.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/native/host_memory.h"

static const uint8_t master[32] = {1, 2, 3};
struct worker worker;
struct store *store;
struct kv_namespace *ns;
char why[256];

int reopen(bool first)
{
    loop_deinit(&worker.loop);
    host_memory_worker(&worker);
    if (!first)
        return store_open(store, master, why, sizeof why);
    int error = store_begin(store, master, (const uint8_t *)"sealed", 6);
    return error == 0 ? store_create(store, NULL, 0, why, sizeof why) : error;
}

int waited_setup(void **state)
{
    host_memory_worker(&worker);
    store = store_new(&worker);
    ns = kv_namespace_open(store, "app:a");
    return reopen(true);
}

int waited_teardown(void **state)
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

void on_done(void *user, int error)
{
    *(struct result *)user = (struct result){.done = true, .error = error};
}

void finish(struct result *r)
{
    for (int turns = 0; !r->done; turns++) {
        assert_true(turns < 1000);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    }
    if (store_record_count(store) < 100) /* it walks all of them */
        store_check(store);
}

int put(const char *key, const void *value, size_t size)
{
    struct result r = {0};
    struct kv_op op = {KV_PUT, ns, key, strlen(key), value, size};
    assert_int_equal(kv_commit(&worker, &op, 1, on_done, &r), 0);
    finish(&r);
    return r.error;
}

int delete_key(const char *key)
{
    struct result r = {0};
    struct kv_op op = {.kind = KV_DELETE, .ns = ns, .key = key, .key_size = strlen(key)};
    assert_int_equal(kv_commit(&worker, &op, 1, on_done, &r), 0);
    finish(&r);
    return r.error;
}

struct result get(const char *key)
{
    struct result r = {0};
    assert_int_equal(kv_get(&worker, ns, key, strlen(key), on_get, &r), 0);
    finish(&r);
    return r;
}

int get_error(const char *key)
{
    struct result r = get(key);
    free(r.value);
    return r.error;
}

void assert_value(const char *key, const char *expected)
{
    struct result r = get(key);
    assert_int_equal(r.error, 0);
    assert_int_equal(r.size, strlen(expected));
    assert_memory_equal(r.value, expected, r.size);
    free(r.value);
}

void close_store(void)
{
    store_flush(store);
    store_check(store);
    store_close(store);
}
