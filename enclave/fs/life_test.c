/*
 * A file system is in memory for as long as somebody uses it: what it took is given back with its last reference, what
 * was not on disk is written before, and whoever comes in between finds it as it was.
 */
#include <pthread.h>

#include "enclave/fs/testing/world.h"

static struct fs_home *home;
static struct budget *memory; /* of the app */

static void turn(int passes)
{
    for (int i = 0; i < passes; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
}

static void until_gone(void)
{
    for (int passes = 0; home->all; passes++) {
        assert_true(passes < 10000);
        turn(1);
    }
    assert_int_equal(home->cache.count, 0);
    assert_int_equal(home->pending_bytes, 0);
}

static int begin(void **state)
{
    int result = setup(state);
    home = fs->home;
    memory = kv_memory(fs->ns);
    return result;
}
#define LIFE(name) cmocka_unit_test_setup_teardown(name, begin, teardown)

/* The same app's, in another start: with its records, which are charged, and without its tree. */
static uint64_t used_without_tree(void)
{
    boot(false);
    home = fs->home;
    memory = kv_memory(fs->ns);
    return budget_used(memory);
}

/* Again, by its name. */
static struct fs *again(void)
{
    char app[sizeof fs->app];
    struct fs_home *of = home;
    strcpy(app, fs->app);
    return fs_of_app(of, app);
}

static void make_some(void)
{
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    put_file("d/a", "in a directory");
    put_file("b", "another");
    assert_int_equal(to_path(FS_LINK, "b", "d/c"), 0);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "link", "d/a"), 0);
}

/* All that the tree, the cache and the journal took of the app's budget, and nothing of it twice. */
static void test_memory_is_given_back(void **state)
{
    (void)state;
    struct fs_node *open, *gone;
    make_some();
    assert_int_equal(sync_all(), 0);
    uint64_t records = used_without_tree();
    assert_file("d/a", "in a directory");
    assert_true(budget_used(memory) > records);
    assert_int_equal(open_path("b", 0, &open), 0); /* which nobody gives up: there was no memory for it */
    assert_int_equal(open_path("d/a", 0, &gone), 0);
    assert_int_equal(call(FS_UNLINK, "d/a"), 0);
    assert_int_equal(sync_all(), 0);
    uint64_t fewer = budget_used(memory);
    assert_true(fewer > records - 2 * KV_RECORD_COST);
    fs_unref(fs);
    until_gone();
    assert_true(budget_used(memory) < fewer);
    uint64_t after = budget_used(memory);
    assert_int_equal(used_without_tree(), after); /* the records, and what of them a start finds */
    assert_int_equal(call(FS_STAT, "d/a"), -ENOENT);
    assert_file("d/c", "another");
}

/* What nobody waited for is on disk before it goes. */
static void test_writes_first(void **state)
{
    (void)state;
    struct fs_node *node;
    make_some();
    assert_int_equal(open_path("b", FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, 0, "ANOTHER", 7), 7);
    assert_true(fs->pending || fs->flight || fs->dirty_count > 0);
    fs_unref(fs);
    until_gone();
    used_without_tree();
    assert_file("b", "ANOTHER");
}

/* An operation holds it, and so does what is on its way from the store. */
static void test_operations_hold_it(void **state)
{
    (void)state;
    bool done = false;
    make_some();
    assert_int_equal(sync_all(), 0);
    used_without_tree();
    struct fs_op *op = make(FS_STAT, NULL, "d/a", 0);
    op->done = on_done;
    op->user = &done;
    fs_submit(op);
    fs_unref(fs);
    for (int passes = 0; !done; passes++) {
        assert_true(passes < 10000);
        assert_non_null(home->all);
        turn(1);
    }
    assert_int_equal(op->stat.size, strlen("in a directory"));
    turn(10);
    assert_ptr_equal(home->all, fs); /* as long as the operation is here */
    assert_int_equal(error_of(op), 0);
    until_gone();
    used_without_tree();
    op = make(FS_STAT, NULL, "d/a", 0); /* and which nobody waits for any more */
    fs_submit(op);
    fs_unref(fs);
    until_gone();
}

/* Who asks for it before it has gone has it as it was. */
static void test_found_again(void **state)
{
    (void)state;
    make_some();
    struct fs *before = fs;
    fs_unref(fs);
    fs = again();
    assert_ptr_equal(fs, before);
    turn(100);
    assert_ptr_equal(home->all, fs);
    assert_file("d/a", "in a directory");
    fs_unref(fs);
    fs = again();
    fs_unref(fs);
    until_gone();
    fs = fs_of_app(home, "another");
    assert_non_null(fs);
    assert_int_equal(call(FS_STAT, "d/a"), -ENOENT);
}

/* What cannot be written does not keep it: the app was removed, or the disk is full. */
static void test_what_cannot_be_written(void **state)
{
    (void)state;
    struct fs_node *node;
    make_some();
    assert_int_equal(sync_all(), 0);
    assert_int_equal(open_path("b", FS_OPEN_WRITE, &node), 0);
    host_memory.commit_status = -ENOSPC;
    write_at(node, 0, "lost", 4);
    fs_unref(fs);
    until_gone();
    host_memory.commit_status = 0;
    used_without_tree();
    assert_file("b", "another");
}

static void on_removed(void *user, int error)
{
    *(int *)user = error;
}

static void test_removed(void **state)
{
    (void)state;
    struct fs_node *node;
    char name[KV_NAMESPACE_MAX + 1];
    int removed = 1;
    make_some();
    assert_int_equal(open_path("b", FS_OPEN_WRITE, &node), 0);
    snprintf(name, sizeof name, "app:%s", fs->app);
    struct kv_namespace *all = kv_namespace_open(store, name);
    assert_int_equal(kv_namespace_remove(&worker, all, on_removed, &removed), 0);
    write_at(node, 0, "too late", 8);
    fs_unref(fs);
    until_gone();
    for (int passes = 0; removed == 1; passes++) {
        assert_true(passes < 10000);
        turn(1);
    }
    assert_int_equal(removed, 0);
    assert_int_equal(budget_used(memory), 0);
    kv_namespace_close(all);
}

/* Other threads come and go while it is here, and while it goes. */
#define VISITS 500u

struct visitor {
    const char *app;
    atomic_uint visits;
};

static void *visit(void *user)
{
    struct visitor *v = user;
    for (; atomic_load(&v->visits) < VISITS; atomic_fetch_add(&v->visits, 1))
        fs_unref(fs_of_app(home, v->app));
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    char app[sizeof fs->app];
    strcpy(app, fs->app);
    struct visitor visitors[2] = {{.app = app}, {.app = app}};
    pthread_t threads[2];
    fs_unref(fs);
    for (size_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, visit, &visitors[i]);
    while (atomic_load(&visitors[0].visits) + atomic_load(&visitors[1].visits) < 2 * VISITS)
        turn(1);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    until_gone();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(test_memory_is_given_back),
        LIFE(test_writes_first),
        LIFE(test_operations_hold_it),
        LIFE(test_found_again),
        LIFE(test_what_cannot_be_written),
        LIFE(test_removed),
        LIFE(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
