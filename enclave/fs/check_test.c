/* fs_check stops at what it is there for: each invariant broken by hand, in a process of its own. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/testing/stops.h"
#include "enclave/fs/testing/world.h"

static struct fs_node *node; /* of a file with two names, dirty chunks and one on disk, in a directory with another */

static void prepare(void)
{
    put_file("other", "y");
    assert_int_equal(open_path("a", FS_OPEN_CREATE | FS_OPEN_WRITE, &node), 0);
    assert_int_equal(to_path(FS_LINK, "a", "b"), 0);
    assert_int_equal(write_at(node, 0, "zero", 4), 4);
    assert_int_equal(write_at(node, 2 * FS_CHUNK_SIZE, "two", 3), 3);
    assert_int_equal(sync_all(), 0);
    assert_int_equal(write_at(node, 3 * FS_CHUNK_SIZE, "three", 5), 5);
    assert_int_equal(fs->dirty_count, 1);
}

static void nothing(void)
{
}

static void count(void)
{
    fs->node_count--;
}

static void chunks(void)
{
    fs->chunk_total++;
}

static void chunk_order(void)
{
    node->chunks[1] = 0;
}

static void name(void)
{
    do
        node->name[0]++;
    while (tree_find(fs, node->parent, node->name, node->name_size) == node); /* by chance it lies there, too */
}

static void serial(void)
{
    node->serial = fs->root.first->serial;
}

static void links(void)
{
    node->links = 1;
}

static void sibling(void)
{
    fs->root.first->next->before = NULL;
}

static void charge(void)
{
    charge_grow(&node->charge, 1);
}

static void pending(void)
{
    fs->pending_bytes++;
}

static void all_pending(void)
{
    fs->home->pending_bytes++;
}

static void group(void)
{
    assert_true(journal_put(fs, "i12345678", 9, "", 0)); /* and no end */
}

static void durable(void)
{
    assert_true(journal_put(fs, "i12345678", 9, "", 0));
    journal_end_group(fs);
    fs->durable = fs->made;
}

static void cached(void)
{
    node->cached++;
}

static void cache_count(void)
{
    fs->home->cache.count--;
}

static void dirty(void)
{
    fs->dirty_first->dirty = false;
}

static void waiting(void)
{
    static struct fs_op *nowhere;
    fs->waiting_end = &nowhere;
}

static const struct {
    const char *name;
    void (*breaks)(void);
} cases[] = {{"count", count},
             {"chunks", chunks},
             {"chunk order", chunk_order},
             {"name", name},
             {"serial", serial},
             {"links", links},
             {"sibling", sibling},
             {"charge", charge},
             {"pending", pending},
             {"all pending", all_pending},
             {"group", group},
             {"durable", durable},
             {"cached", cached},
             {"cache count", cache_count},
             {"dirty", dirty},
             {"waiting", waiting}};

static void (*breaks)(void);

static void break_and_check(void)
{
    breaks();
    fs_check(fs);
}

static bool is_noticed(void (*how)(void))
{
    breaks = how;
    return stops(break_and_check, BROKEN);
}

static void test_each_is_noticed(void **state)
{
    prepare();
    assert_false(is_noticed(nothing));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!is_noticed(cases[i].breaks))
            fail_msg("%s: goes on", cases[i].name);
    release(node);
}

int main(void)
{
    signal(SIGABRT, SIG_DFL);
    const struct CMUnitTest tests[] = {TEST(test_each_is_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
