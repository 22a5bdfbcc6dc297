/*
 * Without memory: every allocation of the store, the file systems and the RPC client fails once, in turn, and whatever
 * was asked for either is refused, and then never answered, or is answered exactly once, later, from the loop. What
 * comes after with memory finds everything in order (common/callbacks.h).
 *
 * Linked with malloc, calloc and realloc wrapped; the host in memory, and OpenSSL, keep the real ones.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/fs/internal.h"
#include "enclave/kvstore/store.h"
#include "common/ensure.h"
#include "tests/native/host_memory.h"
#include "tests/native/spare_openssl.h"

#define TURNS_MAX 10000
#define ALLOCATIONS_MAX 20000 /* of one scene: far above what any takes */

/* ---- allocations that fail ------------------------------------------------------------------------------------- */

static long left = -1; /* allocations until one fails; below 0: none does */
static bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool fails(void)
{
    if (left < 0 || left-- > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails() ? NULL : __real_realloc(p, size);
}

/* ---- what is asked for, and its answers ------------------------------------------------------------------------ */

static const uint8_t master[32] = {6};
static struct worker worker;
static struct store *store;
static struct fs_home *home, *homes[1000]; /* file systems live for ever, and what they are charged to with them */
static struct kv_namespace *ns;

struct asked {
    bool inside; /* the call that takes the callback has not returned */
    int result;  /* of that call */
    int answers, status;
};

static void answered(struct asked *a, int status)
{
    assert_false(a->inside);
    a->answers++;
    a->status = status;
}

static void on_done(void *user, int status)
{
    answered(user, status);
}

static void on_get(void *user, int status, const uint8_t *value, size_t size)
{
    answered(user, status);
}

static void on_names(void *user, int status, const struct kv_name *names, size_t count, uint64_t cursor)
{
    answered(user, status);
}

static int twice(void *user, const uint8_t *value, size_t size, uint8_t **out, size_t *out_size)
{
    *out = malloc(16);
    *out_size = 16;
    return *out ? (memset(*out, 7, 16), 0) : -ENOMEM;
}

static void settle(const struct asked *a)
{
    for (int turns = 0; a->result == 0 && a->answers == 0; turns++) {
        assert_true(turns < TURNS_MAX);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    }
    for (int turns = 0; turns < 20; turns++) /* for what comes too often, or though it was refused */
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    assert_int_equal(a->answers, a->result == 0);
}

#define ASK(a, call)          \
    do {                      \
        (a)->inside = true;   \
        (a)->result = (call); \
        (a)->inside = false;  \
        settle(a);            \
    } while (0)

static int outcome(const struct asked *a)
{
    return a->result < 0 ? a->result : a->status;
}

/* ---- the store -------------------------------------------------------------------------------------------------- */

static void fresh_store(void)
{
    char error[256];
    if (worker.loop.timers) {
        kv_namespace_close(ns);
        store_close(store);
        if (!home)
            store_free(store);
        loop_deinit(&worker.loop);
    }
    host_memory_reset();
    host_memory_worker(&worker);
    store = store_new(&worker);
    ns = kv_namespace_open(store, "app:a");
    assert_int_equal(store_begin(store, master, (const uint8_t *)"sealed", 6), 0);
    assert_int_equal(store_create(store, NULL, 0, error, sizeof error), 0);
}

static int put(const char *key, const char *value)
{
    struct asked a = {0};
    struct kv_op ops[] = {{KV_PUT, ns, key, strlen(key), value, strlen(value)}, {KV_PUT, ns, "same", 4, value, 1}};
    ASK(&a, kv_commit(&worker, ops, 2, on_done, &a));
    return outcome(&a);
}

static int get(const char *key)
{
    struct asked a = {0};
    ASK(&a, kv_get(&worker, ns, key, strlen(key), on_get, &a));
    return outcome(&a);
}

static void use_store(void)
{
    static const int allowed[] = {0, -ENOMEM, -ENOSPC, -ENOENT};
    struct asked list = {0}, update = {0}, exists = {0};
    int outcomes[] = {put("a", "one"), put("a", "two"), put("b", "three"), get("a"), 0, 0, 0};
    ASK(&list, kv_list(&worker, ns, 0, on_names, &list));
    ASK(&update, kv_update(&worker, ns, "a", 1, twice, on_done, &update));
    ASK(&exists, kv_exists(&worker, ns, "b", 1, on_done, &exists));
    outcomes[4] = outcome(&list);
    outcomes[5] = outcome(&update);
    outcomes[6] = outcome(&exists);
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        bool ok = false;
        for (size_t k = 0; k < sizeof allowed / sizeof *allowed; k++)
            ok |= outcomes[i] == allowed[k];
        if (!ok)
            fail_msg("step %zu: %d", i, outcomes[i]);
    }
}

/* With memory again, and after a restart: what was acknowledged is there, and nothing is taken for tampered with. */
static void check_store(void)
{
    char error[256];
    assert_int_equal(put("c", "after"), 0);
    assert_int_equal(get("c"), 0);
    int a = get("a"), b = get("b");
    assert_true((a == 0 || a == -ENOENT) && (b == 0 || b == -ENOENT));
    store_check(store);
    store_close(store);
    loop_deinit(&worker.loop);
    host_memory_worker(&worker);
    if (store_open(store, master, error, sizeof error) != 0)
        fail_msg("%s", error);
    assert_int_equal(get("c"), 0);
    assert_int_equal(get("a"), a);
    assert_int_equal(get("b"), b);
}

/* ---- file systems ------------------------------------------------------------------------------------------------ */

static struct fs *fs;

static void on_op(struct fs_op *op)
{
    answered(op->user, op->error);
}

/* NULL: there was no memory to ask. */
static struct fs_op *run(struct fs_op *op, struct asked *a)
{
    if (!op)
        return NULL;
    *a = (struct asked){.inside = true};
    op->user = a;
    op->done = on_op;
    fs_submit(op);
    a->inside = false;
    settle(a);
    fs_check(fs);
    store_check(store);
    return op;
}

static int simple(enum fs_call call, struct fs_node *node, const char *path, const char *to)
{
    struct asked a;
    struct fs_op *op =
        run(fs_op_new(&worker, fs, call, node, path, path ? strlen(path) : 0, to, to ? strlen(to) : 0, 0), &a);
    int status = op ? op->error : -ENOMEM;
    fs_op_free(op);
    return status;
}

static void use_fs(void)
{
    struct asked a;
    simple(FS_MKDIR, NULL, "d", NULL);
    struct fs_op *op = fs_op_new(&worker, fs, FS_OPEN, NULL, "d/f", 3, NULL, 0, 0);
    if (op)
        op->flags = FS_OPEN_CREATE | FS_OPEN_WRITE;
    op = run(op, &a);
    struct fs_node *node = op ? op->opened : NULL;
    fs_op_free(op);
    for (int i = 0; node && i < 2; i++) {
        op = fs_op_new(&worker, fs, i ? FS_READ : FS_WRITE, node, NULL, 0, NULL, 0, 1000);
        if (op)
            op->size = 1000, op->offset = 65000, memset(op->buffer, 'x', 1000);
        fs_op_free(run(op, &a));
    }
    if (node) {
        simple(FS_SYNC, node, NULL, NULL);
        long before = left;
        left = -1; /* giving up takes no memory of anybody's, but here an operation carries it */
        simple(FS_RELEASE, node, NULL, NULL);
        left = before;
    }
    simple(FS_RENAME, NULL, "d/f", "g");
    simple(FS_UNLINK, NULL, "g", NULL);
    simple(FS_SYNC, NULL, NULL, NULL);
}

static void fresh_fs(void)
{
    static int number;
    char app[32];
    fresh_store();
    snprintf(app, sizeof app, "app%d", number++);
    assert_true((size_t)number < sizeof homes / sizeof *homes);
    home = homes[number] = fs_home_new(&worker, store);
    fs = fs_of_app(home, app);
    assert_non_null(fs);
}

static void check_fs(void)
{
    assert_int_equal(simple(FS_MKDIR, NULL, "later", NULL), 0);
    assert_int_equal(simple(FS_SYNC, NULL, NULL, NULL), 0);
    assert_int_equal(simple(FS_RMDIR, NULL, "later", NULL), 0);
    assert_int_equal(simple(FS_SYNC, NULL, NULL, NULL), 0);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static void fail_each(void (*fresh)(void), void (*use)(void), void (*check)(void))
{
    long n = 0;
    do {
        assert_true(n < ALLOCATIONS_MAX);
        fresh();
        failed = false;
        left = n++;
        use();
        left = -1;
        check();
    } while (failed);
    print_message("%ld allocations, each of which failed once\n", n - 1);
    assert_true(n > 10);
}

static void test_store(void **state)
{
    fail_each(fresh_store, use_store, check_store);
}

static void test_fs(void **state)
{
    fail_each(fresh_fs, use_fs, check_fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_store), cmocka_unit_test(test_fs)};
    spare_openssl(__real_malloc, __real_realloc);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
