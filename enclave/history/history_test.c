/* What the log says is what was appended, by the tree of merkle.h and the verifier's own reader of notes. */
#include "enclave/history/testing/world.h"

static void check_json(uint64_t index, const uint8_t *entry, size_t size)
{
    json_t *o = json_loadb((const char *)entry, size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "format")), "enclave-os-entry/1");
    assert_int_equal(json_integer_value(json_object_get(o, "index")), index);
    assert_true(json_integer_value(json_object_get(o, "epoch")) > 0);
    assert_int_equal(json_integer_value(json_object_get(o, "generation")), 3);
    assert_int_equal(strlen(json_string_value(json_object_get(o, "manifest_root"))), 64);
    assert_true(json_is_array(json_object_get(o, "by")));
    json_decref(o);
}

static struct history_head heads[1200]; /* by size */

/* Past two bundles, with restarts at many sizes: each time what is there is what was. */
static void test_grows(void **state)
{
    (void)state;
    expect_sound();
    for (unsigned i = 0; i < 530; i++) {
        char what[64];
        snprintf(what, sizeof what, "app push %u", i);
        heads[i] = history_head(history);
        assert_int_equal(append(what), 0);
        if (i % 67 == 0 || (i + 3) % 256 < 4) {
            struct history_head head = history_head(history);
            assert_int_equal(open_log(false), 0);
            struct history_head again = history_head(history);
            assert_memory_equal(&again, &head, sizeof head);
        }
        if (i % 13 == 0 || (i + 3) % 256 < 4)
            expect_sound();
    }
    heads[530] = history_head(history);
    struct merkle m = read_all(check_json);
    merkle_free(&m);
}

/* All tiles, complete and partial, are the hashes of the entries. */
static void test_tiles(void **state)
{
    (void)state;
    test_grows(NULL);
    struct merkle m = read_all(NULL);
    for (unsigned tile = 0; tile < 3; tile++)
        for (unsigned width = tile < 2 ? 256 : 18; width > 0; width -= width > 32 ? 32 : 1) {
            struct got g = get(HISTORY_TILE, 0, tile, width);
            assert_int_equal(g.error, 0);
            assert_int_equal(g.size, width * 32);
            assert_memory_equal(g.data, m.hashes[tile * 256], g.size);
            free(g.data);
        }
    struct got g = get(HISTORY_TILE, 1, 0, 2);
    uint8_t above[32];
    assert_int_equal(g.size, 64);
    for (unsigned i = 0; i < 2; i++) {
        merkle_tile_root((const uint8_t(*)[32])m.hashes + i * 256, 256, above);
        assert_memory_equal(g.data + i * 32, above, 32);
    }
    free(g.data);
    merkle_free(&m);
    expect_read_fails(HISTORY_TILE, 0, 2, 19, -ENOENT);
    expect_read_fails(HISTORY_TILE, 0, 3, 1, -ENOENT);
    expect_read_fails(HISTORY_TILE, 1, 0, 3, -ENOENT);
    expect_read_fails(HISTORY_TILE, 7, 0, 1, -ENOENT);
    expect_read_fails(HISTORY_TILE, 0, UINT64_MAX, 256, -ENOENT);
    expect_read_fails(HISTORY_ENTRIES, 0, 2, 19, -ENOENT);
    expect_read_fails(HISTORY_ENTRIES, 0, UINT64_MAX, 1, -ENOENT);
}

static void test_proofs(void **state)
{
    (void)state;
    test_grows(NULL);
    for (uint64_t to = 1; to <= 530; to += to % 256 > 2 && to % 256 < 250 ? 23 : 1)
        for (uint64_t from = 1; from <= to; from += from % 256 > 2 && from % 256 < 250 ? 31 : 1) {
            struct proved p = {0};
            assert_int_equal(history_consistency(history, from, to, on_proof, &p), 0);
            assert_false(p.done);
            turn_until(&p.done);
            assert_int_equal(p.error, 0);
            assert_true(consistent(from, heads[from].root, to, heads[to].root, &p));
            if (p.count) {
                p.proof[p.count / 2][5] ^= 1;
                assert_false(consistent(from, heads[from].root, to, heads[to].root, &p));
            }
        }
    struct proved p = {0};
    assert_int_equal(history_consistency(history, 0, 5, on_proof, &p), -EINVAL);
    assert_int_equal(history_consistency(history, 6, 5, on_proof, &p), -EINVAL);
    assert_int_equal(history_consistency(history, 5, 531, on_proof, &p), -EINVAL);
    for (uint64_t size = 0; size <= 530; size += 1 + size % 7)
        assert_int_equal(knows(size, heads[size].root), 0);
    assert_int_equal(knows(5, heads[6].root), -EINVAL);
    assert_int_equal(knows(0, heads[6].root), -EINVAL);
    assert_int_equal(knows(530, heads[529].root), -EINVAL);
    assert_int_equal(knows(531, heads[530].root), -EINVAL);
    assert_int_equal(knows(UINT64_MAX, heads[530].root), -EINVAL);
}

/* What an entry says, as docs/history.md has it. */
static void check_whole(uint64_t index, const uint8_t *entry, size_t size)
{
    static const char expected[] = "\"kind\":\"begin\",\"by\":[\"0101"; /* and so on */
    char text[HISTORY_ENTRY_MAX + 1];
    assert_int_equal(index, 0);
    memcpy(text, entry, size);
    text[size] = 0;
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "\"app\":\"counter\",\"sha256\":\"0202"));
    assert_non_null(strstr(text, "\"nonce\":\"0303"));
    assert_non_null(strstr(text, "\"measurement\":\"0404"));
    json_t *o = json_loadb(text, size, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(o, "by")), 2);
    assert_string_equal(json_string_value(json_object_get(o, "what")), "say \"hello\"");
    json_decref(o);
}

static void test_entry(void **state)
{
    (void)state;
    uint8_t by[2][32], hashes[3][32];
    memset(by, 1, sizeof by);
    for (int i = 0; i < 3; i++)
        memset(hashes[i], 2 + i, 32);
    struct history_entry entry = make("say \"hello\"");
    entry.kind = "begin";
    entry.by = (const uint8_t(*)[32])by;
    entry.by_count = 2;
    entry.app = "counter";
    entry.sha256 = hashes[0];
    entry.nonce = hashes[1];
    entry.measurement = hashes[2];
    struct appended a = {0};
    assert_int_equal(history_append(history, &entry, on_appended, &a), 0);
    memset(by, 9, sizeof by); /* it was copied */
    memset(hashes, 9, sizeof hashes);
    turn_until(&a.done);
    assert_int_equal(a.error, 0);
    struct merkle m = read_all(check_whole);
    merkle_free(&m);
}

static void check_cut(uint64_t index, const uint8_t *entry, size_t size)
{
    json_t *o = json_loadb((const char *)entry, size, 0, NULL);
    const char *what = json_string_value(json_object_get(o, "what"));
    assert_int_equal(strlen(what), index == 0 ? HISTORY_WHAT_MAX : HISTORY_WHAT_MAX - 1);
    json_decref(o);
}

static void test_too_long(void **state)
{
    (void)state;
    char what[2 * HISTORY_WHAT_MAX + 2], name[3000];
    memset(what, 'x', sizeof what);
    what[sizeof what - 1] = 0;
    assert_int_equal(append(what), 0); /* cut, and between characters */
    what[0] = 'x';
    for (size_t i = 1; i + 1 < sizeof what; i += 2)
        memcpy(what + i, "\xc3\xa4", 2);
    assert_int_equal(append(what), 0);
    struct merkle m = read_all(check_cut);
    merkle_free(&m);
    uint8_t by[HISTORY_BY_MAX][32] = {{0}};
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = 0;
    struct history_entry entry = make("");
    entry.by = (const uint8_t(*)[32])by;
    entry.by_count = HISTORY_BY_MAX;
    entry.app = name;
    struct appended a = {0};
    assert_int_equal(history_append(history, &entry, on_appended, &a), 0);
    turn_until(&a.done);
    assert_int_equal(a.error, -E2BIG);
    assert_int_equal(append("and goes on"), 0);
    expect_sound();
}

/* ---- several at once -------------------------------------------------------------------------------------------- */

static char order[16];

static void in_turn(struct history_turn *turn)
{
    static const struct history_turn *first;
    if (!order[0])
        first = turn;
    order[strlen(order)] = (char)('a' + (turn - first));
}

static void test_turns(void **state)
{
    (void)state;
    static struct history_turn turns[3];
    struct appended a = {0};
    struct history_entry entry = make("between");
    const struct history_append *more;
    memset(order, 0, sizeof order);
    history_turn_take(history, &turns[0], in_turn);
    assert_int_equal(history_append(history, &entry, on_appended, &a), 0);
    history_turn_take(history, &turns[1], in_turn);
    for (int i = 0; i < 20; i++)
        worker_turn(&worker);
    assert_string_equal(order, "a");
    assert_false(a.done);
    assert_int_equal(history_prepare(&turns[0], &entry, 1, &more), 0);
    assert_int_equal(more->head.size, 1);
    assert_int_equal(history_head(history).size, 0); /* nobody sees what is only prepared */
    history_abandon(&turns[0]);
    history_turn_end(&turns[0]);
    turn_until(&a.done);
    assert_int_equal(a.error, 0);
    for (int i = 0; i < 20; i++)
        worker_turn(&worker);
    assert_string_equal(order, "ab");
    history_turn_end(&turns[1]);
    history_turn_take(history, &turns[2], in_turn);
    worker_turn(&worker);
    assert_string_equal(order, "abc");
    history_turn_end(&turns[2]);
    assert_int_equal(history_head(history).size, 1);
    expect_sound();
}

/* Two entries in one transaction, with what they are about; also where the first or the second completes a bundle. */
static void test_with_others(void **state)
{
    (void)state;
    struct kv_namespace *other = kv_namespace_open(store, "system");
    for (unsigned i = 0; i < 255; i++)
        assert_int_equal(append("fill"), 0);
    for (unsigned from = 255; from > 253; from--) {
        const struct kv_op op = {KV_PUT, other, "k", 1, "v", 1};
        const struct history_entry two[2] = {make("one"), make("two")};
        size_t commits = host_memory.commits;
        assert_int_equal(history_append_wait(history, two, 2, &op, 1), 0);
        assert_int_equal(host_memory.commits, commits + 1);
        expect_sound();
        assert_int_equal(open_log(false), 0);
        expect_sound();
        other = kv_namespace_open(store, "system");
        uint8_t *value;
        size_t size;
        assert_int_equal(kv_get_wait(&worker, other, "k", &value, &size), 0);
        free(value);
        while (from == 255 && history_head(history).size < 510)
            assert_int_equal(append("fill"), 0);
    }
    assert_int_equal(history_head(history).size, 512);
    assert_int_equal(store_record_count(store), 1 + 1 + 2 * 2 + 1); /* head, k, 2 tiles and bundles, one of level 1 */
}

static unsigned told;

static void on_grown(void *user)
{
    assert_ptr_equal(user, &told);
    told++;
}

static void test_watch_and_cosign(void **state)
{
    (void)state;
    char text[HISTORY_CHECKPOINT_MAX], more[HISTORY_CHECKPOINT_MAX];
    static char much[HISTORY_COSIGNATURES_MAX + 1];
    told = 0;
    history_watch(history, on_grown, &told);
    assert_false(history_cosigned(history, 0, "x\n", 2));
    assert_int_equal(append("one"), 0);
    worker_turn(&worker);
    assert_int_equal(told, 1);
    size_t size = history_checkpoint(history, text, NULL);
    assert_false(history_cosigned(history, 2, "x\n", 2));
    memset(much, 'x', sizeof much);
    assert_false(history_cosigned(history, 1, much, sizeof much));
    assert_int_equal(history_checkpoint(history, more, NULL), size);
    assert_true(history_cosigned(history, 1, "\u2014 w AAAA\n", 11));
    assert_int_equal(history_checkpoint(history, more, NULL), size + 11);
    assert_memory_equal(more, text, size);
    assert_string_equal(more + size, "\u2014 w AAAA\n");
    assert_int_equal(append("two"), 0);
    worker_turn(&worker);
    assert_int_equal(told, 2);
    history_checkpoint(history, more, NULL);
    assert_null(strstr(more, "AAAA"));
    expect_sound();
}

/* However many ask at once, a few are read at a time, and each has its own answer. */
static void test_many_readers(void **state)
{
    (void)state;
    enum { READERS = 500 };
    static struct got all[READERS];
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(append("x"), 0);
    memset(all, 0, sizeof all);
    for (unsigned i = 0; i < READERS; i++) {
        const struct history_part part = {i % 3 ? HISTORY_TILE : HISTORY_ENTRIES, 0, i % 2, 1 + i % 44};
        assert_int_equal(history_read(&worker, history, &part, on_read, &all[i]), 0);
    }
    for (unsigned i = 0; i < READERS; i++) {
        while (!all[i].done) {
            assert_in_range(history->reading, 0, HISTORY_READS_AT_ONCE);
            worker_turn(&worker);
        }
        assert_int_equal(all[i].error, 0);
        if (i % 3)
            assert_int_equal(all[i].size, (1 + i % 44) * 32);
        free(all[i].data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_grows),       TEST(test_tiles), TEST(test_proofs),      TEST(test_entry),
        TEST(test_too_long),    TEST(test_turns), TEST(test_with_others), TEST(test_watch_and_cosign),
        TEST(test_many_readers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
