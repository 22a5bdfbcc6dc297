/* The log over a store that is damaged, hosts that fail, and kills at every commit. */
#include "enclave/history/testing/world.h"

/* ---- what is in the store is not what was written --------------------------------------------------------------- */

static void overwrite(const char *key, const void *value, size_t size)
{
    const struct kv_op op = {value ? KV_PUT : KV_DELETE, ns, key, strlen(key), value, size};
    assert_int_equal(kv_commit_wait(&worker, &op, 1), 0);
}

static void test_damage(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const void *value;
        size_t size;
    } harm[] = {{"entry/256", "other", 5},
                {"entry/257", NULL, 0},
                {"entry/256", why, 0},
                {"tile/1/0", "short", 5},
                {"tile/1/0", why, 32},
                {"tile/1/0", NULL, 0},
                {"head", "short", 5},
                {"head", why, 0},
                {"head", why, HEAD_SIZE},
                {"entry/256", why, 200},
                {"entry/256", root_of_manifest, 16}};
    for (unsigned i = 0; i < 258; i++)
        assert_int_equal(append("x"), 0);
    struct host_image *image = host_memory_keep();
    for (size_t i = 0; i < sizeof harm / sizeof *harm; i++) {
        memset(why, 0xff, sizeof why);
        overwrite(harm[i].key, harm[i].value, harm[i].size);
        *why = 0;
        assert_int_equal(open_log(false), -EBADMSG);
        assert_int_equal(strncmp(why, "history: ", 9), 0);
        host_memory_restore(image);
        assert_int_equal(open_log(false), 0);
        image = host_memory_keep();
    }
    overwrite("tile/0/0", "short", 5);
    overwrite("bundle/0", "\xff\xffshort", 7);
    expect_read_fails(HISTORY_TILE, 0, 0, 256, -EBADMSG);
    expect_read_fails(HISTORY_ENTRIES, 0, 0, 256, -EBADMSG);
    assert_int_equal(knows(10, root_of_manifest), -EBADMSG);
    overwrite("tile/0/0", NULL, 0);
    expect_read_fails(HISTORY_TILE, 0, 0, 256, -EBADMSG);
    struct proved p = {0};
    assert_int_equal(history_consistency(history, 10, 258, on_proof, &p), 0);
    turn_until(&p.done);
    assert_int_equal(p.error, -EBADMSG);
    host_memory_drop(image);
}

/* ---- hosts that fail, and kills --------------------------------------------------------------------------------- */

static enum host_fate next_fate;

static enum host_fate fate_of(uint32_t method)
{
    enum host_fate fate = method == RPC_KV_COMMIT ? next_fate : FATE_HONEST;
    if (method == RPC_KV_COMMIT)
        next_fate = FATE_HONEST;
    return fate;
}

static void test_failures(void **state)
{
    (void)state;
    host_memory.fate = fate_of;
    for (unsigned i = 0; i < 250; i++)
        assert_int_equal(append("x"), 0);
    for (unsigned i = 0; i < 12; i++) {
        next_fate = FATE_FAILS;
        assert_int_equal(append("refused"), -EIO);
        next_fate = FATE_NOT_TAKEN;
        assert_true(append("refused") < 0);
        next_fate = FATE_DONE_BUT_FAILS; /* the root shows that it was made */
        assert_int_equal(append("made"), 0);
        expect_sound();
    }
    assert_int_equal(history_head(history).size, 262);
    assert_int_equal(open_log(false), 0);
    assert_int_equal(history_head(history).size, 262);
    expect_sound();
}

enum { KILLS = 4000 };
static struct {
    struct host_image *image;
    struct history_head promised; /* what clients may have seen */
} kills[KILLS];
static size_t kill_count;

static void on_seen(uint32_t method)
{
    if (method != RPC_KV_COMMIT)
        return;
    assert_true(kill_count < KILLS);
    kills[kill_count].image = host_memory_keep();
    kills[kill_count++].promised = history_head(history);
}

/* Before and behind each commit: what clients saw is in the log of the next start, which is whole, and goes on. */
static void test_kills(void **state)
{
    (void)state;
    size_t grown = 0;
    for (unsigned i = 0; i < 252; i++)
        assert_int_equal(append("x"), 0);
    kill_count = 0;
    host_memory.seen = on_seen;
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(append("watched"), 0);
    host_memory.seen = NULL;
    assert_int_equal(kill_count, 16);
    for (size_t i = 0; i < kill_count; i++) {
        host_memory_restore(kills[i].image);
        assert_int_equal(open_log(false), 0);
        uint64_t size = history_head(history).size;
        assert_in_range(size, kills[i].promised.size, kills[i].promised.size + 1);
        grown += size > kills[i].promised.size;
        assert_int_equal(knows(kills[i].promised.size, kills[i].promised.root), 0);
        expect_sound();
        assert_int_equal(append("after the kill"), 0);
        assert_int_equal(knows(kills[i].promised.size, kills[i].promised.root), 0);
        expect_sound();
    }
    assert_int_equal(grown, 8);
}

/* An outcome that cannot be learned: the log does not grow any more, and the next start has it with or without. */
static bool no_root;

static bool lie(uint32_t method, int *status, uint8_t **answer, size_t *size)
{
    if (method != RPC_KV_GET || !no_root)
        return false;
    *status = -EIO;
    *answer = NULL;
    *size = 0;
    return true;
}

static void test_unknown(void **state)
{
    (void)state;
    host_memory.fate = fate_of;
    host_memory.answer = lie;
    assert_int_equal(append("one"), 0);
    no_root = true;
    next_fate = FATE_DONE_BUT_FAILS;
    assert_int_equal(append("unknown"), -ENOTRECOVERABLE);
    assert_int_equal(append("more"), -ENOTRECOVERABLE);
    struct history_head before = history_head(history);
    assert_int_equal(before.size, 1);
    no_root = false;
    assert_int_equal(open_log(false), 0);
    assert_int_equal(history_head(history).size, 2);
    assert_int_equal(knows(1, before.root), 0);
    expect_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_damage), TEST(test_failures), TEST(test_kills), TEST(test_unknown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
