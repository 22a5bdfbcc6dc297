/*
 * The file system over the sealed store, with a host in memory: what POSIX says of each operation, what survives a
 * crash at any commit, what a full disk and a hostile host do, and random operations against a plain model.
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
#include "tests/native/host_memory.h"

/* A crash forgets memory; that is what is tested, not a leak. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static const uint8_t master[32] = {4, 5};
static struct worker worker;
static struct store *store;
static struct fs_home *home;
static struct fs *fs;
static char app[32];

/* A crash: memory is forgotten, the host's records stay. The app's tree is read anew. */
static void boot(bool first)
{
    static int boots;
    char error[256];
    loop_deinit(&worker.loop);
    host_memory_worker(&worker);
    store = store_new(&worker);
    assert_int_equal(
        store_open(store, master, first ? (const uint8_t *)"sealed" : NULL, first ? 6 : 0, error, sizeof error), 0);
    home = fs_home_new(&worker, store);
    if (first)
        snprintf(app, sizeof app, "app%d", boots++);
    fs = fs_of_app(home, app);
    assert_non_null(fs);
}

static int setup(void **state)
{
    boot(true);
    return 0;
}

static int teardown(void **state)
{
    host_memory_reset();
    return 0;
}

/* ---- operations, waited for ------------------------------------------------------------------------------------- */

static void on_done(struct fs_op *op)
{
    *(bool *)op->user = true;
}

static struct fs_op *go(struct fs_op *op)
{
    bool done = false;
    op->done = on_done;
    op->user = &done;
    fs_submit(op);
    for (int turns = 0; !done; turns++) {
        assert_true(turns < 10000);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    }
    if (fs->node_count < 200) /* it walks all of them */
        fs_check(fs);
    return op;
}

static struct fs_op *make(enum fs_call call, struct fs_node *node, const char *path, size_t bytes)
{
    return fs_op_new(&worker, fs, call, node, path, path ? strlen(path) : 0, NULL, 0, bytes);
}

static int status_of(struct fs_op *op)
{
    int status = op->status;
    fs_op_free(op);
    return status;
}

static int call(enum fs_call c, const char *path)
{
    return status_of(go(make(c, NULL, path, 0)));
}

static int to_path(enum fs_call c, const char *path, const char *to)
{
    return status_of(go(fs_op_new(&worker, fs, c, NULL, path, strlen(path), to, strlen(to), 0)));
}

static int rename_path(const char *from, const char *to)
{
    return to_path(FS_RENAME, from, to);
}

static int open_path(const char *path, uint32_t flags, struct fs_node **node)
{
    struct fs_op *op = make(FS_OPEN, NULL, path, 0);
    op->flags = flags;
    go(op);
    *node = op->opened;
    return status_of(op);
}

static void release(struct fs_node *node)
{
    assert_int_equal(status_of(go(make(FS_RELEASE, node, NULL, 0))), 0);
}

static int write_at(struct fs_node *node, uint64_t offset, const void *data, size_t size)
{
    struct fs_op *op = make(FS_WRITE, node, NULL, size);
    op->offset = offset;
    op->size = size;
    memcpy(op->buffer, data, size);
    go(op);
    int result = op->status ? op->status : (int)op->transferred;
    fs_op_free(op);
    return result;
}

static int read_at(struct fs_node *node, uint64_t offset, void *data, size_t size)
{
    struct fs_op *op = make(FS_READ, node, NULL, size);
    op->offset = offset;
    op->size = size;
    go(op);
    int result = op->status ? op->status : (int)op->transferred;
    memcpy(data, op->buffer, op->transferred);
    fs_op_free(op);
    return result;
}

static int resize_to(struct fs_node *node, uint64_t size)
{
    struct fs_op *op = make(FS_RESIZE, node, NULL, 0);
    op->size = size;
    return status_of(go(op));
}

static int sync_all(void)
{
    return status_of(go(make(FS_SYNC, NULL, NULL, 0)));
}

static uint64_t size_of(const char *path)
{
    struct fs_op *op = go(make(FS_STAT, NULL, path, 0));
    uint64_t size = op->stat.size;
    assert_int_equal(status_of(op), 0);
    return size;
}

static void put_file(const char *path, const char *text)
{
    struct fs_node *node;
    assert_int_equal(open_path(path, FS_OPEN_CREATE | FS_OPEN_TRUNCATE | FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, 0, text, strlen(text)), strlen(text));
    release(node);
}

static void assert_file(const char *path, const char *text)
{
    struct fs_node *node;
    char buffer[256];
    assert_int_equal(open_path(path, 0, &node), 0);
    int size = read_at(node, 0, buffer, sizeof buffer);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(buffer, text, (size_t)size);
    release(node);
}

/* The names in a directory, sorted as they come, each followed by a space. */
static void assert_names(const char *path, const char *expected)
{
    struct fs_node *node = NULL;
    char all[4096] = "";
    if (path)
        assert_int_equal(open_path(path, FS_OPEN_DIRECTORY, &node), 0);
    struct fs_op *op = make(FS_LIST, node, NULL, 600);
    for (bool end = false; !end;) {
        go(op);
        assert_int_equal(op->status, 0);
        for (size_t at = 0; at < op->transferred; at += 2u + op->buffer[at + 1]) {
            strncat(all, (char *)op->buffer + at + 2, op->buffer[at + 1]);
            strcat(all, " ");
        }
        end = op->end;
    }
    fs_op_free(op);
    if (node)
        release(node);
    assert_string_equal(all, expected);
}

/* ---- what POSIX says -------------------------------------------------------------------------------------------- */

static void test_files(void **state)
{
    struct fs_node *node;
    char buffer[64];
    assert_int_equal(open_path("a", 0, &node), -ENOENT);
    put_file("a", "hello");
    assert_file("a", "hello");
    assert_int_equal(open_path("a", FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE, &node), -EEXIST);
    assert_int_equal(open_path("a", FS_OPEN_DIRECTORY, &node), -ENOTDIR);
    assert_int_equal(open_path("a/b", FS_OPEN_CREATE, &node), -ENOTDIR);
    assert_int_equal(open_path("a/", 0, &node), -ENOTDIR);
    assert_int_equal(open_path("none/b", FS_OPEN_CREATE, &node), -ENOENT);
    assert_int_equal(open_path("a", FS_OPEN_WRITE, &node), 0);
    struct fs_op *op = make(FS_WRITE, node, NULL, 6);
    op->flags = FS_APPEND;
    op->size = 6;
    memcpy(op->buffer, " world", 6);
    assert_int_equal(go(op)->offset, 11);
    fs_op_free(op);
    assert_int_equal(resize_to(node, 7), 0);
    assert_int_equal(resize_to(node, 9), 0);
    assert_int_equal(read_at(node, 0, buffer, sizeof buffer), 9);
    assert_memory_equal(buffer, "hello w\0\0", 9);
    assert_int_equal(read_at(node, 9, buffer, 1), 0);
    assert_int_equal(read_at(node, 1u << 30, buffer, 1), 0);
    release(node);
    assert_int_equal(call(FS_UNLINK, "a"), 0);
    assert_int_equal(call(FS_UNLINK, "a"), -ENOENT);
}

static void test_directories(void **state)
{
    struct fs_node *node;
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    assert_int_equal(call(FS_MKDIR, "d"), -EEXIST);
    assert_int_equal(call(FS_MKDIR, "d/e/"), 0);
    assert_int_equal(call(FS_MKDIR, "none/e"), -ENOENT);
    put_file("d/e/f", "x");
    put_file("top", "y");
    assert_names(NULL, "d top ");
    assert_names("d", "e ");
    assert_int_equal(call(FS_RMDIR, "d"), -ENOTEMPTY);
    assert_int_equal(call(FS_RMDIR, "top"), -ENOTDIR);
    assert_int_equal(call(FS_UNLINK, "d"), -EISDIR);
    assert_int_equal(open_path("d", FS_OPEN_WRITE, &node), -EISDIR);
    assert_int_equal(call(FS_UNLINK, "d/e/f"), 0);
    assert_int_equal(call(FS_RMDIR, "d/e"), 0);
    assert_int_equal(call(FS_RMDIR, "d/."), -EINVAL);
    assert_int_equal(call(FS_MKDIR, "d/e//"), 0);
    assert_int_equal(call(FS_RMDIR, "d/e/.."), -ENOTEMPTY);
    assert_int_equal(call(FS_MKDIR, "d/e/"), -EEXIST);
    assert_int_equal(call(FS_MKDIR, "top/"), -EEXIST);
    assert_int_equal(open_path("d/e", FS_OPEN_CREATE, &node), -EISDIR);
    assert_int_equal(open_path("d/f/", FS_OPEN_CREATE, &node), -EISDIR);
    assert_int_equal(open_path("d/e", FS_OPEN_CREATE | FS_OPEN_DIRECTORY, &node), -EINVAL);
    assert_int_equal(call(FS_RMDIR, "d/e"), 0);
    assert_int_equal(call(FS_RMDIR, "d"), 0);
    assert_names(NULL, "top ");
}

static void test_nothing_leads_out(void **state)
{
    struct fs_node *node, *inner;
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    assert_int_equal(call(FS_MKDIR, "d/e"), 0);
    put_file("secret", "s");
    static const char *const out[] = {"..", "../secret", "d/../../secret", "/secret",
                                      "/",  "d/../..",   "./../secret",    "d/e/../../../secret"};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_int_equal(open_path(out[i], 0, &node), -EPERM);
    assert_int_equal(open_path("d/../secret", 0, &node), 0);
    release(node);
    assert_int_equal(open_path("d/e", FS_OPEN_DIRECTORY, &inner), 0);
    static const char *const up[] = {"..", "../../secret", "../e"};
    for (size_t i = 0; i < 3; i++) {
        struct fs_op *op = go(make(FS_OPEN, inner, up[i], 0));
        assert_int_equal(status_of(op), -EPERM); /* not out of the directory that was opened, either */
    }
    assert_int_equal(status_of(go(fs_op_new(&worker, fs, FS_RENAME, inner, "x", 1, "../y", 4, 0))), -EPERM);
    release(inner);
    assert_int_equal(open_path("", 0, &node), -ENOENT);
    char nul[] = "a\0b";
    struct fs_op *op = fs_op_new(&worker, fs, FS_OPEN, NULL, nul, 3, NULL, 0, 0);
    op->flags = FS_OPEN_CREATE;
    assert_int_equal(status_of(go(op)), -EINVAL);
    char longname[300];
    memset(longname, 'n', 299);
    longname[299] = 0;
    assert_int_equal(open_path(longname, FS_OPEN_CREATE, &node), -ENAMETOOLONG);
}

static void test_rename(void **state)
{
    put_file("a", "A");
    put_file("b", "B");
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    assert_int_equal(call(FS_MKDIR, "d/sub"), 0);
    assert_int_equal(rename_path("a", "b"), 0);
    assert_file("b", "A");
    assert_int_equal(call(FS_STAT, "a"), -ENOENT);
    assert_int_equal(rename_path("b", "b"), 0);
    assert_int_equal(rename_path("b", "d"), -EISDIR);
    assert_int_equal(rename_path("d", "b"), -ENOTDIR);
    assert_int_equal(rename_path("d", "d/sub/d"), -EINVAL);
    assert_int_equal(rename_path("d", "d"), 0);
    assert_int_equal(rename_path("none", "x"), -ENOENT);
    assert_int_equal(rename_path("b", "d/c"), 0);
    assert_int_equal(call(FS_MKDIR, "e"), 0);
    assert_int_equal(rename_path("e", "d"), -ENOTEMPTY);
    assert_int_equal(rename_path("d", "e"), 0);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_names(NULL, "e ");
    assert_names("e", "c sub "); /* in the order in which they were made */
}

static void test_synced_stays(void **state)
{
    put_file("a", "A");
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    put_file("d/b", "B");
    assert_int_equal(rename_path("a", "d/a"), 0);
    assert_int_equal(sync_all(), 0);
    put_file("lost", "?");
    boot(false);
    assert_file("d/a", "A");
    assert_file("d/b", "B");
    assert_names("d", "a b ");
}

/* Unlinked while open: readable to the end, gone afterwards, also when the enclave ended meanwhile. */
static void test_unlinked_while_open(void **state)
{
    struct fs_node *node;
    char buffer[8];
    put_file("a", "data");
    assert_int_equal(sync_all(), 0);
    size_t records = host_memory.count;
    assert_int_equal(open_path("a", FS_OPEN_WRITE, &node), 0);
    assert_int_equal(call(FS_UNLINK, "a"), 0);
    put_file("a", "other");
    assert_int_equal(read_at(node, 0, buffer, 8), 4);
    assert_memory_equal(buffer, "data", 4);
    assert_int_equal(write_at(node, 4, "more", 4), 4);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_file("a", "other");
    assert_int_equal(sync_all(), 0);
    assert_int_equal(host_memory.count, records); /* what the unlinked file left was removed */
}

/* A guest that ends while its read waits gives its file back before the answer is there; the file was unlinked, too. */
static void test_released_while_it_waits(void **state)
{
    struct fs_node *node;
    put_file("a", "data");
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_int_equal(open_path("a", 0, &node), 0);
    assert_int_equal(call(FS_UNLINK, "a"), 0);
    struct fs_op *read = make(FS_READ, node, NULL, 8), *last = make(FS_RELEASE, node, NULL, 0);
    bool done = false;
    read->size = 8;
    read->done = on_done;
    read->user = &done;
    fs_submit(read);
    fs_submit(last); /* freed when it is done */
    for (int turns = 0; !done && turns < 100; turns++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    assert_true(done);
    assert_int_equal(read->status, 0);
    assert_int_equal(read->transferred, 4);
    assert_memory_equal(read->buffer, "data", 4);
    fs_op_free(read);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_names(NULL, "");
}

static void test_sparse_and_large(void **state)
{
    struct fs_node *node;
    static uint8_t piece[FS_IO_MAX], back[FS_IO_MAX];
    memset(piece, 7, sizeof piece);
    assert_int_equal(open_path("big", FS_OPEN_CREATE | FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, UINT64_C(1) << 39, "end", 3), 3);
    assert_int_equal(sync_all(), 0);
    assert_true(host_memory.count < 12); /* holes cost nothing */
    assert_int_equal(read_at(node, 12345, back, 100), 100);
    assert_int_equal(back[50], 0);
    for (uint64_t at = 0; at < 16u << 20; at += sizeof piece - 1000) /* over chunk borders */
        assert_true(write_at(node, at, piece, sizeof piece) == sizeof piece);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_int_equal(open_path("big", FS_OPEN_WRITE, &node), 0);
    for (uint64_t at = 0; at < 16u << 20;) {
        int got = read_at(node, at, back, sizeof back);
        assert_true(got > 0);
        assert_memory_equal(back, piece, (size_t)got);
        at += (uint64_t)got;
    }
    assert_int_equal(size_of("big"), (UINT64_C(1) << 39) + 3);
    assert_int_equal(resize_to(node, 100), 0);
    assert_int_equal(resize_to(node, 200000), 0);
    assert_int_equal(read_at(node, 99, back, 3), 3);
    assert_memory_equal(back, "\7\0\0", 3);
    assert_int_equal(resize_to(node, FS_SIZE_MAX + 1), -EFBIG);
    /* No file has these sizes and offsets, which a C program calls negative. */
    for (uint64_t none = UINT64_C(1) << 63; none; none = none == UINT64_MAX ? 0 : UINT64_MAX) {
        assert_int_equal(resize_to(node, none), -EINVAL);
        assert_int_equal(read_at(node, none, back, 3), -EINVAL);
        assert_int_equal(write_at(node, none, piece, 3), -EINVAL);
    }
    release(node);
    assert_int_equal(call(FS_UNLINK, "big"), 0);
    assert_int_equal(sync_all(), 0);
    assert_true(host_memory.count < 6);
}

static void test_many_files(void **state)
{
    char name[32];
    struct fs_node *node;
    enum { MANY = 6000 };
    assert_int_equal(call(FS_MKDIR, "many"), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "many/file%d", i);
        assert_int_equal(open_path(name, FS_OPEN_CREATE | FS_OPEN_WRITE, &node), 0);
        release(node);
    }
    assert_int_equal(sync_all(), 0);
    boot(false);
    for (int i = 0; i < MANY; i += 7) {
        snprintf(name, sizeof name, "many/file%d", i);
        assert_int_equal(call(FS_STAT, name), 0);
        assert_int_equal(call(FS_UNLINK, name), 0);
    }
}

/* ---- links ------------------------------------------------------------------------------------------------------ */

static struct fs_stat stat_of(const char *path, uint32_t flags)
{
    struct fs_op *op = make(FS_STAT, NULL, path, 0);
    op->flags = flags;
    struct fs_stat stat = go(op)->stat;
    assert_int_equal(status_of(op), 0);
    return stat;
}

static void assert_leads(const char *link, const char *expected)
{
    struct fs_op *op = go(make(FS_READLINK, NULL, link, FS_PATH_MAX));
    assert_int_equal(op->status, 0);
    assert_int_equal(op->transferred, strlen(expected));
    assert_memory_equal(op->buffer, expected, op->transferred);
    fs_op_free(op);
}

/* What opening says, with and without following what the path ends in. */
static void assert_opens(const char *path, int followed, int not_followed)
{
    struct fs_node *node;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(open_path(path, i ? 0 : FS_FOLLOW, &node), i ? not_followed : followed);
        if (node)
            release(node);
    }
}

static void test_symbolic_links(void **state)
{
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    put_file("d/f", "hello");
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "l", "d/f"), 0);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "dl", "d"), 0);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "d/up", "../l"), 0);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "l", "d/f"), -EEXIST);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "d", "d/f"), -EEXIST);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "new/", "d/f"), -ENOENT);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "new", ""), -ENOENT);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "new", "/d/f"), -EPERM);
    assert_int_equal(sync_all(), 0);
    for (int booted = 0; booted < 2; booted++) {
        assert_opens("l", 0, -ELOOP);
        assert_opens("dl", 0, -ELOOP);
        assert_opens("dl/", 0, 0);
        assert_opens("l/", -ENOTDIR, -ENOTDIR);
        assert_opens("dl/f", 0, 0);
        assert_opens("dl/up", 0, -ELOOP);
        assert_opens("dl/../l", 0, -ELOOP);
        assert_leads("l", "d/f");
        assert_leads("dl/up", "../l");
        assert_int_equal(status_of(go(make(FS_READLINK, NULL, "d/f", 8))), -EINVAL);
        assert_int_equal(stat_of("l", 0).type, FS_SYMLINK);
        assert_int_equal(stat_of("l", 0).size, 3);
        assert_int_equal(stat_of("l", FS_FOLLOW).size, 5);
        assert_names(NULL, "d l dl ");
        boot(false);
    }
    assert_int_equal(call(FS_RMDIR, "dl"), -ENOTDIR);
    assert_int_equal(call(FS_RMDIR, "dl/"), -ENOTDIR);
    assert_int_equal(call(FS_UNLINK, "dl/"), -ENOTDIR);
    assert_int_equal(call(FS_MKDIR, "dl"), -EEXIST);
    assert_int_equal(rename_path("dl", "dl2"), 0);
    assert_int_equal(rename_path("l", "d/f"), 0); /* over the file that it leads to */
    assert_opens("d/f", -ENOENT, -ELOOP);         /* as there is no d/d/f */
    assert_int_equal(call(FS_UNLINK, "dl2"), 0);
    assert_names("d", "up f ");
}

static void test_links_lead_nowhere_else(void **state)
{
    struct fs_node *node, *inner;
    char name[16], next[16];
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    assert_int_equal(call(FS_MKDIR, "d/e"), 0);
    put_file("secret", "s");
    static const char *const out[] = {"../secret", "../../secret", "e/../../secret", "..", "e/../.."};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        snprintf(name, sizeof name, "d/out%zu", i);
        assert_int_equal(to_path(FS_MAKE_SYMLINK, name, out[i]), 0);
    }
    assert_opens("d/out0", 0, -ELOOP); /* from the root it is inside */
    assert_opens("d/out1", -EPERM, -ELOOP);
    assert_int_equal(open_path("d", FS_OPEN_DIRECTORY, &inner), 0);
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        snprintf(name, sizeof name, "out%zu", i);
        struct fs_op *op = make(FS_OPEN, inner, name, 0);
        op->flags = FS_FOLLOW;
        assert_int_equal(status_of(go(op)), -EPERM); /* but not from there */
        snprintf(name, sizeof name, "out%zu/x", i);
        assert_int_equal(status_of(go(make(FS_MKDIR, inner, name, 0))), -EPERM);
    }
    release(inner);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "loop", "loop"), 0);
    assert_opens("loop", -ELOOP, -ELOOP);
    assert_opens("loop/x", -ELOOP, -ELOOP);
    for (int i = 0; i < 50; i++) { /* a chain: 40 are followed */
        snprintf(name, sizeof name, "c%d", i);
        snprintf(next, sizeof next, "c%d", i + 1);
        assert_int_equal(to_path(FS_MAKE_SYMLINK, name, next), 0);
    }
    put_file("c50", "end");
    assert_opens("c10", 0, -ELOOP);
    assert_opens("c9", -ELOOP, -ELOOP);
    assert_opens("c0", -ELOOP, -ELOOP);
    assert_int_equal(to_path(FS_MAKE_SYMLINK, "dangling", "made"), 0);
    assert_opens("dangling", -ENOENT, -ELOOP);
    assert_int_equal(open_path("dangling", FS_OPEN_CREATE | FS_OPEN_EXCLUSIVE | FS_FOLLOW, &node), -EEXIST);
    assert_int_equal(open_path("dangling", FS_OPEN_CREATE | FS_FOLLOW, &node), 0);
    release(node);
    assert_file("made", "");
}

static void test_names_of_a_file(void **state)
{
    struct fs_node *node;
    char text[8];
    assert_int_equal(call(FS_MKDIR, "d"), 0);
    put_file("a", "text");
    assert_int_equal(to_path(FS_LINK, "a", "b"), 0);
    assert_int_equal(to_path(FS_LINK, "b", "d/c"), 0);
    assert_int_equal(to_path(FS_LINK, "a", "b"), -EEXIST);
    assert_int_equal(to_path(FS_LINK, "a", "a"), -EEXIST);
    assert_int_equal(to_path(FS_LINK, "a", "new/"), -ENOENT);
    assert_int_equal(to_path(FS_LINK, "none", "new"), -ENOENT);
    assert_int_equal(to_path(FS_LINK, "d", "new"), -EPERM);
    assert_int_equal(sync_all(), 0);
    for (int booted = 0; booted < 2; booted++) {
        assert_int_equal(stat_of("a", 0).links, 3);
        assert_int_equal(stat_of("d/c", 0).id, stat_of("b", 0).id);
        boot(false);
    }
    assert_int_equal(rename_path("a", "d/c"), 0); /* two names of one file: nothing happens */
    assert_names(NULL, "d a b ");
    assert_int_equal(open_path("b", FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, 4, "!", 1), 1);
    assert_file("d/c", "text!");
    assert_int_equal(call(FS_UNLINK, "a"), 0);
    assert_names(NULL, "d b ");
    assert_file("b", "text!");
    assert_int_equal(rename_path("d/c", "e"), 0);
    put_file("other", "x");
    assert_int_equal(rename_path("other", "b"), 0); /* over one of the names */
    assert_file("b", "x");
    assert_file("e", "text!");
    assert_int_equal(stat_of("e", 0).links, 1);
    assert_int_equal(call(FS_UNLINK, "e"), 0);
    assert_int_equal(read_at(node, 0, text, 8), 5); /* still open */
    release(node);
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_names(NULL, "d b ");
    assert_file("b", "x");
}

/* Names of the same files made, moved and removed in any order; after each crash the tree is as it was. */
static void test_names_against_a_model(void **state)
{
    enum { NAMES = 12 };
    const char *text = getenv("SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : 11;
    int model[NAMES] = {0}, files = 0; /* 0: none; else which file */
    char name[8], to[8], content[16];
    print_message("seed %u\n", seed);
    srand(seed);
    for (int turn = 0; turn < 3000; turn++) {
        int a = rand() % NAMES, b = rand() % NAMES;
        snprintf(name, sizeof name, "n%d", a);
        snprintf(to, sizeof to, "n%d", b);
        switch (rand() % 4) {
        case 0:
            if (model[a])
                break;
            snprintf(content, sizeof content, "%d", model[a] = ++files);
            put_file(name, content);
            break;
        case 1:
            assert_int_equal(to_path(FS_LINK, name, to), !model[a] ? -ENOENT : model[b] ? -EEXIST : 0);
            model[b] = model[a] && !model[b] ? model[a] : model[b];
            break;
        case 2:
            assert_int_equal(rename_path(name, to), model[a] ? 0 : -ENOENT);
            if (model[a] && model[a] != model[b]) {
                model[b] = model[a];
                model[a] = 0;
            }
            break;
        default:
            assert_int_equal(call(FS_UNLINK, name), model[a] ? 0 : -ENOENT);
            model[a] = 0;
        }
        if (turn % 100 == 99) {
            assert_int_equal(sync_all(), 0);
            boot(false);
        }
        for (int i = 0; i < NAMES; i++) {
            snprintf(name, sizeof name, "n%d", i);
            snprintf(content, sizeof content, "%d", model[i]);
            if (!model[i])
                assert_int_equal(call(FS_STAT, name), -ENOENT);
            else
                assert_file(name, content);
            uint64_t links = 0;
            for (int k = 0; k < NAMES; k++)
                links += model[k] == model[i];
            assert_true(!model[i] || stat_of(name, 0).links == links);
        }
    }
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(call(FS_UNLINK, name), model[i] ? 0 : -ENOENT);
    }
    assert_names(NULL, "");
    assert_int_equal(fs->node_count, 0);
}

/* ---- what is durable -------------------------------------------------------------------------------------------- */

/* Whatever a durable operation did is there after a crash right behind it. */
static void test_durable_operations(void **state)
{
    struct fs_node *node;
    struct fs_op *op = make(FS_OPEN, NULL, "a", 0);
    op->flags = FS_OPEN_CREATE | FS_OPEN_WRITE | FS_DURABLE;
    node = go(op)->opened;
    assert_int_equal(status_of(op), 0);
    boot(false);
    assert_file("a", "");
    static const struct {
        enum fs_call call;
        const char *after;
    } steps[] = {{FS_WRITE, "text"}, {FS_RESIZE, "te"}, {FS_WRITE, "text"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(open_path("a", FS_OPEN_WRITE, &node), 0);
        op = make(steps[i].call, node, NULL, 4);
        op->size = steps[i].call == FS_WRITE ? 4 : 2;
        op->flags = FS_DURABLE;
        memcpy(op->buffer, "text", 4);
        assert_int_equal(status_of(go(op)), 0);
        boot(false);
        assert_file("a", steps[i].after);
    }
    static const enum fs_call tree[] = {FS_MKDIR, FS_RMDIR};
    for (size_t i = 0; i < 2; i++) {
        op = make(tree[i], NULL, "d", 0);
        op->flags = FS_DURABLE;
        assert_int_equal(status_of(go(op)), 0);
        boot(false);
        assert_int_equal(call(FS_STAT, "d"), i ? -ENOENT : 0);
    }
    /* reading what another wrote: what was read is on disk */
    assert_int_equal(open_path("a", FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, 0, "TEXT", 4), 4);
    op = make(FS_READ, node, NULL, 4);
    op->size = 4;
    op->flags = FS_DURABLE;
    assert_int_equal(status_of(go(op)), 0);
    boot(false);
    assert_file("a", "TEXT");
}

/* One that cannot be made durable fails, and leaves nobody's file open. */
static void test_durable_on_a_full_disk(void **state)
{
    struct fs_node *node;
    put_file("a", "safe");
    assert_int_equal(sync_all(), 0);
    assert_int_equal(open_path("a", FS_OPEN_WRITE, &node), 0);
    host_memory.commit_status = -ENOSPC;
    struct fs_op *op = make(FS_WRITE, node, NULL, 1);
    op->size = 1;
    op->buffer[0] = 'x';
    op->flags = FS_DURABLE;
    assert_int_equal(status_of(go(op)), -ENOSPC);
    uint32_t refs = node->refs;
    op = make(FS_OPEN, NULL, "a", 0);
    op->flags = FS_DURABLE;
    go(op);
    assert_null(op->opened);
    assert_int_equal(node->refs, refs);
    assert_int_equal(status_of(op), -ENOSPC);
    host_memory.commit_status = 0;
    release(node);
}

/* ---- what the host does ----------------------------------------------------------------------------------------- */

static void test_full_disk(void **state)
{
    struct fs_node *node;
    put_file("a", "safe");
    assert_int_equal(sync_all(), 0);
    host_memory.commit_status = -ENOSPC;
    put_file("b", "waits");
    assert_int_equal(sync_all(), -ENOSPC);
    assert_int_equal(sync_all(), -ENOSPC);
    int status = open_path("c", FS_OPEN_CREATE, &node);
    assert_int_equal(status, -ENOSPC); /* told to the next change, too */
    assert_file("b", "waits");         /* and nothing is lost as long as the enclave lives */
    host_memory.commit_status = 0;
    assert_int_equal(sync_all(), 0);
    boot(false);
    assert_file("a", "safe");
    assert_file("b", "waits");
}

/* A disk that stays full must not make memory grow without end, nor leave anyone waiting. */
static void test_disk_stays_full(void **state)
{
    struct fs_node *node;
    static uint8_t piece[FS_IO_MAX];
    memset(piece, 1, sizeof piece);
    assert_int_equal(open_path("a", FS_OPEN_CREATE | FS_OPEN_WRITE, &node), 0);
    host_memory.commit_status = -ENOSPC;
    int failed = 0;
    for (uint64_t i = 0; i < 800; i++)
        failed += write_at(node, (i - (uint64_t)failed) * sizeof piece, piece, sizeof piece) < 0;
    assert_true(failed > 300);
    assert_true(fs->pending_bytes < 64u << 20);
    host_memory.commit_status = 0;
    if (sync_all() != 0) /* one that failed may still have been on its way */
        assert_int_equal(sync_all(), 0);
    assert_int_equal(size_of("a") / sizeof piece, 800 - failed);
}

/* A store that is full: what is there may be removed, and then what did not fit goes in by itself. */
static void test_removal_makes_room(void **state)
{
    struct fs_node *node, *old, *open;
    static uint8_t piece[FS_IO_MAX];
    memset(piece, 1, sizeof piece);
    put_file("old", "x");
    put_file("other", "y");
    assert_int_equal(open_path("old", FS_OPEN_WRITE, &old), 0);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(write_at(old, i * sizeof piece, piece, sizeof piece), sizeof piece);
    assert_int_equal(sync_all(), 0);
    host_memory.room = 9 * sizeof piece;
    assert_int_equal(open_path("new", FS_OPEN_CREATE | FS_OPEN_WRITE, &node), 0);
    assert_int_equal(open_path("open", FS_OPEN_CREATE | FS_OPEN_WRITE, &open), 0);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(write_at(node, i * sizeof piece, piece, sizeof piece), sizeof piece);
        assert_int_equal(write_at(open, i * sizeof piece, piece, sizeof piece), sizeof piece);
    }
    assert_int_equal(sync_all(), -ENOSPC);
    assert_int_equal(sync_all(), -ENOSPC);
    assert_int_equal(rename_path("other", "new2"), -ENOSPC);
    assert_int_equal(call(FS_UNLINK, "open"), 0); /* never written, and now never will be */
    release(open);
    assert_int_equal(call(FS_UNLINK, "old"), 0);
    release(old);
    assert_int_equal(sync_all(), 0);
    assert_int_equal(fs->pending_bytes, 0);
    boot(false);
    assert_int_equal(size_of("new"), 4 * sizeof piece);
    assert_int_equal(call(FS_STAT, "old"), -ENOENT);
    assert_int_equal(call(FS_STAT, "open"), -ENOENT);
    assert_file("other", "y");
}

static void test_tampered_chunk(void **state)
{
    struct fs_node *node;
    char buffer[8];
    put_file("a", "data");
    assert_int_equal(sync_all(), 0);
    boot(false);
    for (size_t i = 0; i < host_memory.count; i++)
        if (host_memory.records[i].key_size == 32)
            host_memory.records[i].value[host_memory.records[i].value_size - 1] ^= 1;
    int status = open_path("a", 0, &node);
    if (status == 0) {
        status = read_at(node, 0, buffer, 8);
        release(node);
    }
    assert_int_equal(status, -EBADMSG);
}

/* At every commit the enclave may end: what is there is always a state between two operations. */
static void test_crash_at_every_commit(void **state)
{
    for (int survive = 0; survive < 60; survive++) {
        teardown(NULL);
        boot(true);
        put_file("old", "1");
        assert_int_equal(sync_all(), 0);
        size_t base = host_memory.commits;
        for (int round = 0; round < 8; round++) {
            put_file("new", round % 2 ? "2" : "1");
            struct fs_op *op = fs_op_new(&worker, fs, FS_RENAME, NULL, "new", 3, "old", 3, 0);
            op->done = NULL;
            fs_submit(op);
            while (worker.loop.ready_first && host_memory.commits < base + (size_t)survive)
                loop_run_once(&worker.loop, worker.loop.now_ns + 1);
        }
        boot(false);
        struct fs_node *node;
        char text[2];
        assert_int_equal(open_path("old", 0, &node), 0); /* never missing */
        int size = read_at(node, 0, text, 2);
        assert_true(size == 0 || (size == 1 && (text[0] == '1' || text[0] == '2')));
        release(node);
    }
}

/* ---- against a model -------------------------------------------------------------------------------------------- */

#define MODEL_FILES 6
#define MODEL_SIZE 300000u

static void test_against_a_model(void **state)
{
    static uint8_t model[MODEL_FILES][MODEL_SIZE], piece[FS_IO_MAX], back[FS_IO_MAX];
    static uint64_t sizes[MODEL_FILES];
    char name[8];
    memset(model, 0, sizeof model);
    memset(sizes, 0, sizeof sizes);
    srand(6);
    for (int i = 0; i < MODEL_FILES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        put_file(name, "");
    }
    for (int step = 0; step < 1500; step++) {
        int i = rand() % MODEL_FILES;
        struct fs_node *node;
        uint64_t at = (uint64_t)rand() % (MODEL_SIZE - FS_IO_MAX), size = (uint64_t)rand() % FS_IO_MAX;
        snprintf(name, sizeof name, "f%d", i);
        assert_int_equal(open_path(name, FS_OPEN_WRITE, &node), 0);
        switch (rand() % 5) {
        case 0:
        case 1:
            memset(piece, rand() % 3, size);
            assert_int_equal(write_at(node, at, piece, size), size);
            memcpy(model[i] + at, piece, size);
            if (size && at + size > sizes[i])
                sizes[i] = at + size;
            break;
        case 2:
            assert_int_equal(resize_to(node, at), 0);
            if (at < sizes[i])
                memset(model[i] + at, 0, sizes[i] - at);
            sizes[i] = at;
            break;
        default:
            for (uint64_t from = 0; from < sizes[i];) {
                int got = read_at(node, from, back, sizeof back);
                assert_true(got > 0);
                assert_memory_equal(back, model[i] + from, (size_t)got);
                from += (uint64_t)got;
            }
        }
        release(node);
        assert_int_equal(size_of(name), sizes[i]);
        if (step % 250 == 249) {
            assert_int_equal(sync_all(), 0);
            boot(false);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_directories),
        TEST(test_nothing_leads_out),
        TEST(test_rename),
        TEST(test_synced_stays),
        TEST(test_unlinked_while_open),
        TEST(test_released_while_it_waits),
        TEST(test_sparse_and_large),
        TEST(test_many_files),
        TEST(test_symbolic_links),
        TEST(test_links_lead_nowhere_else),
        TEST(test_names_of_a_file),
        TEST(test_names_against_a_model),
        TEST(test_durable_operations),
        TEST(test_durable_on_a_full_disk),
        TEST(test_full_disk),
        TEST(test_disk_stays_full),
        TEST(test_removal_makes_room),
        TEST(test_tampered_chunk),
        TEST(test_crash_at_every_commit),
        TEST(test_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
