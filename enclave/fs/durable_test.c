/* What is on disk, and what a crash at any commit, a full disk and a hostile host do. */
#include "enclave/fs/testing/world.h"

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

/* Whatever a durable operation did is there after a crash right behind it. */
static void test_durable_operations(void **state)
{
    struct fs_node *node;
    struct fs_op *op = make(FS_OPEN, NULL, "a", 0);
    op->flags = FS_OPEN_CREATE | FS_OPEN_WRITE | FS_DURABLE;
    node = go(op)->opened;
    assert_int_equal(error_of(op), 0);
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
        assert_int_equal(error_of(go(op)), 0);
        boot(false);
        assert_file("a", steps[i].after);
    }
    static const enum fs_call tree[] = {FS_MKDIR, FS_RMDIR};
    for (size_t i = 0; i < 2; i++) {
        op = make(tree[i], NULL, "d", 0);
        op->flags = FS_DURABLE;
        assert_int_equal(error_of(go(op)), 0);
        boot(false);
        assert_int_equal(call(FS_STAT, "d"), i ? -ENOENT : 0);
    }
    /* reading what another wrote: what was read is on disk */
    assert_int_equal(open_path("a", FS_OPEN_WRITE, &node), 0);
    assert_int_equal(write_at(node, 0, "TEXT", 4), 4);
    op = make(FS_READ, node, NULL, 4);
    op->size = 4;
    op->flags = FS_DURABLE;
    assert_int_equal(error_of(go(op)), 0);
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
    assert_int_equal(error_of(go(op)), -ENOSPC);
    uint32_t refs = node->refs;
    op = make(FS_OPEN, NULL, "a", 0);
    op->flags = FS_DURABLE;
    go(op);
    assert_null(op->opened);
    assert_int_equal(node->refs, refs);
    assert_int_equal(error_of(op), -ENOSPC);
    host_memory.commit_status = 0;
    release(node);
}

static void test_full_disk(void **state)
{
    struct fs_node *node;
    put_file("a", "safe");
    assert_int_equal(sync_all(), 0);
    host_memory.commit_status = -ENOSPC;
    put_file("b", "waits");
    assert_int_equal(sync_all(), -ENOSPC);
    assert_int_equal(sync_all(), -ENOSPC);
    int error = open_path("c", FS_OPEN_CREATE, &node);
    assert_int_equal(error, -ENOSPC); /* told to the next change, too */
    assert_file("b", "waits");        /* and nothing is lost as long as the enclave lives */
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
    if (sync_all() != 0) /* one that did not fit was still on its way */
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
        if (host_memory.records[i].key_size >= 32) /* and their twins */
            host_memory.records[i].value[host_memory.records[i].value_size - 1] ^= 1;
    int error = open_path("a", 0, &node);
    if (error == 0) {
        error = read_at(node, 0, buffer, 8);
        release(node);
    }
    assert_int_equal(error, -EBADMSG);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_synced_stays),   TEST(test_durable_operations),    TEST(test_durable_on_a_full_disk),
        TEST(test_full_disk),      TEST(test_disk_stays_full),       TEST(test_removal_makes_room),
        TEST(test_tampered_chunk), TEST(test_crash_at_every_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
