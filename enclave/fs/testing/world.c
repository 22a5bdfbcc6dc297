/* See world.h. */
#include "enclave/fs/testing/world.h"

/* A crash forgets memory; that is what is tested, not a leak. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static const uint8_t master[32] = {4, 5};
struct worker worker;
struct store *store;
static struct fs_home *home;
struct fs *fs;
static char app[32];

void boot(bool first)
{
    static int boots;
    char error[256];
    loop_deinit(&worker.loop);
    host_memory_worker(&worker);
    store = store_new(&worker);
    if (first)
        assert_int_equal(store_begin(store, master, (const uint8_t *)"sealed", 6), 0);
    assert_int_equal(
        first ? store_create(store, NULL, 0, error, sizeof error) : store_open(store, master, error, sizeof error), 0);
    home = fs_home_new(&worker, store);
    if (first)
        snprintf(app, sizeof app, "app%d", boots++);
    fs = fs_of_app(home, app);
    assert_non_null(fs);
}

int setup(void **state)
{
    boot(true);
    return 0;
}

int teardown(void **state)
{
    host_memory_reset();
    return 0;
}

/* ---- operations, waited for ------------------------------------------------------------------------------------- */

void on_done(struct fs_op *op)
{
    *(bool *)op->user = true;
}

struct fs_op *go(struct fs_op *op)
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

struct fs_op *make(enum fs_call call, struct fs_node *node, const char *path, size_t bytes)
{
    return fs_op_new(&worker, fs, call, node, path, path ? strlen(path) : 0, NULL, 0, bytes);
}

int error_of(struct fs_op *op)
{
    int error = op->error;
    fs_op_free(op);
    return error;
}

int call(enum fs_call c, const char *path)
{
    return error_of(go(make(c, NULL, path, 0)));
}

int to_path(enum fs_call c, const char *path, const char *to)
{
    return error_of(go(fs_op_new(&worker, fs, c, NULL, path, strlen(path), to, strlen(to), 0)));
}

int rename_path(const char *from, const char *to)
{
    return to_path(FS_RENAME, from, to);
}

int open_path(const char *path, uint32_t flags, struct fs_node **node)
{
    struct fs_op *op = make(FS_OPEN, NULL, path, 0);
    op->flags = flags;
    go(op);
    *node = op->opened;
    return error_of(op);
}

void release(struct fs_node *node)
{
    assert_int_equal(error_of(go(make(FS_RELEASE, node, NULL, 0))), 0);
}

int write_at(struct fs_node *node, uint64_t offset, const void *data, size_t size)
{
    struct fs_op *op = make(FS_WRITE, node, NULL, size);
    op->offset = offset;
    op->size = size;
    memcpy(op->buffer, data, size);
    go(op);
    int result = op->error ? op->error : (int)op->transferred;
    fs_op_free(op);
    return result;
}

int read_at(struct fs_node *node, uint64_t offset, void *data, size_t size)
{
    struct fs_op *op = make(FS_READ, node, NULL, size);
    op->offset = offset;
    op->size = size;
    go(op);
    int result = op->error ? op->error : (int)op->transferred;
    memcpy(data, op->buffer, op->transferred);
    fs_op_free(op);
    return result;
}

int resize_to(struct fs_node *node, uint64_t size)
{
    struct fs_op *op = make(FS_RESIZE, node, NULL, 0);
    op->size = size;
    return error_of(go(op));
}

int sync_all(void)
{
    return error_of(go(make(FS_SYNC, NULL, NULL, 0)));
}

uint64_t size_of(const char *path)
{
    struct fs_op *op = go(make(FS_STAT, NULL, path, 0));
    uint64_t size = op->stat.size;
    assert_int_equal(error_of(op), 0);
    return size;
}

void put_file(const char *path, const char *text)
{
    struct fs_node *node;
    assert_int_equal(open_path(path, FS_OPEN_CREATE | FS_OPEN_TRUNCATE | FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, 0, text, strlen(text)), strlen(text));
    release(node);
}

void assert_file(const char *path, const char *text)
{
    struct fs_node *node;
    char buffer[256];
    assert_int_equal(open_path(path, 0, &node), 0);
    int size = read_at(node, 0, buffer, sizeof buffer);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(buffer, text, (size_t)size);
    release(node);
}

void assert_names(const char *path, const char *expected)
{
    struct fs_node *node = NULL;
    char all[4096] = "";
    if (path)
        assert_int_equal(open_path(path, FS_OPEN_DIRECTORY, &node), 0);
    struct fs_op *op = make(FS_LIST, node, NULL, 600);
    for (bool end = false; !end;) {
        go(op);
        assert_int_equal(op->error, 0);
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

struct fs_stat stat_of(const char *path, uint32_t flags)
{
    struct fs_op *op = make(FS_STAT, NULL, path, 0);
    op->flags = flags;
    struct fs_stat stat = go(op)->stat;
    assert_int_equal(error_of(op), 0);
    return stat;
}
