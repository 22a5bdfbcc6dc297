/* See world.h. */
#include "enclave/history/testing/world.h"

#include "verifier/note.h"

/* A crash forgets memory; that is what is tested, not a leak. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static const uint8_t master[32] = {4, 5};
uint8_t root_of_manifest[32] = {7};
static struct history_config config = {.instance = {0xab, 1}, .key = {9, 9}};
struct worker worker;
struct store *store;
struct history *history;
struct kv_namespace *ns; /* the log's own, to do it harm */
char why[256];

int open_log(bool first)
{
    loop_deinit(&worker.loop);
    host_memory_worker(&worker);
    store = store_new(&worker);
    if (first)
        assert_int_equal(store_begin(store, master, (const uint8_t *)"sealed", 6), 0);
    int error = first ? store_create(store, NULL, 0, why, sizeof why) : store_open(store, master, why, sizeof why);
    if (error < 0)
        return error;
    config.owner = &worker;
    config.store = store;
    history = history_new(&config);
    assert_non_null(history);
    ns = kv_namespace_open(store, HISTORY_NAMESPACE);
    return history_open(history, why, sizeof why);
}

int setup(void **state)
{
    (void)state;
    host_memory_reset();
    return open_log(true);
}

/* ---- appending, waited for -------------------------------------------------------------------------------------- */

void on_appended(void *user, int error, const struct history_head *head)
{
    struct appended *a = user;
    assert_false(a->done);
    assert_true((error == 0) == (head != NULL));
    *a = (struct appended){.done = true, .error = error};
    if (head)
        a->head = *head;
}

void turn_until(const bool *done)
{
    for (int turns = 0; !*done; turns++) {
        assert_true(turns < 100000);
        worker_turn(&worker);
    }
}

struct history_entry make(const char *what)
{
    return (struct history_entry){.kind = "generation", .what = what, .generation = 3, .root = root_of_manifest};
}

int append(const char *what)
{
    struct history_entry entry = make(what);
    struct appended a = {0};
    struct history_head before = history_head(history);
    assert_int_equal(history_append(history, &entry, on_appended, &a), 0);
    turn_until(&a.done);
    struct history_head head = history_head(history);
    assert_int_equal(head.size, before.size + (a.error == 0));
    if (a.error == 0)
        assert_memory_equal(&head, &a.head, sizeof head);
    else
        assert_memory_equal(&head, &before, sizeof head);
    return a.error;
}

/* ---- reading, waited for ---------------------------------------------------------------------------------------- */

void on_read(void *user, int error, uint8_t *data, size_t size)
{
    assert_true((error == 0) == (data != NULL));
    *(struct got *)user = (struct got){true, error, data, size};
}

struct got get(enum history_part_kind kind, unsigned level, uint64_t index, unsigned width)
{
    struct got g = {0};
    const struct history_part part = {kind, level, index, width};
    assert_int_equal(history_read(&worker, history, &part, on_read, &g), 0);
    assert_false(g.done);
    turn_until(&g.done);
    return g;
}

void expect_read_fails(enum history_part_kind kind, unsigned level, uint64_t index, unsigned width, int error)
{
    assert_int_equal(get(kind, level, index, width).error, error);
}

/* The whole log, entry by entry, into the tree of merkle.h; visit sees each. */
struct merkle read_all(void (*visit)(uint64_t index, const uint8_t *entry, size_t size))
{
    struct merkle m = {0};
    uint64_t size = history_head(history).size;
    for (uint64_t bundle = 0; bundle * 256 < size; bundle++) {
        unsigned width = (unsigned)(size - bundle * 256 < 256 ? size - bundle * 256 : 256);
        struct got g = get(HISTORY_ENTRIES, 0, bundle, width);
        assert_int_equal(g.error, 0);
        size_t at = 0;
        for (unsigned i = 0; i < width; i++) {
            size_t entry = (size_t)g.data[at] << 8 | g.data[at + 1];
            merkle_add(&m, g.data + at + 2, entry);
            if (visit)
                visit(bundle * 256 + i, g.data + at + 2, entry);
            at += 2 + entry;
        }
        assert_int_equal(at, g.size);
        free(g.data);
    }
    return m;
}

/* The checkpoint says what the head says, which is what the entries make, and the key has signed it. */
void expect_sound(void)
{
    char text[HISTORY_CHECKPOINT_MAX];
    uint8_t root[32];
    struct note note;
    struct note_key key;
    struct note_checkpoint checkpoint;
    struct history_head head, of;
    struct merkle m = read_all(NULL);
    merkle_root(&m, root);
    head = history_head(history);
    assert_int_equal(m.count, head.size);
    assert_memory_equal(root, head.root, 32);
    merkle_free(&m);
    size_t size = history_checkpoint(history, text, &of);
    assert_memory_equal(&of, &head, sizeof head);
    if (head.size == 0) {
        assert_int_equal(size, 0);
        return;
    }
    assert_int_equal(strlen(text), size);
    assert_int_equal(note_parse(text, size, &note), 0);
    assert_int_equal(note_key_make(history_origin(history), NOTE_ED25519, history_public_key(history), &key), 0);
    assert_int_equal(note_verify(&note, &key, NULL), 0);
    assert_int_equal(note_checkpoint_parse(&note, &checkpoint), 0);
    assert_string_equal(checkpoint.origin, history_origin(history));
    assert_int_equal(checkpoint.size, head.size);
    assert_memory_equal(checkpoint.root, head.root, 32);
}

/* ---- proofs, waited for ----------------------------------------------------------------------------------------- */

void on_proof(void *user, int error, const uint8_t (*proof)[32], size_t count)
{
    struct proved *p = user;
    *p = (struct proved){.done = true, .error = error, .count = count};
    if (count)
        memcpy(p->proof, proof, count * 32);
}

void on_known(void *user, int error)
{
    *(struct appended *)user = (struct appended){.done = true, .error = error};
}

int knows(uint64_t size, const uint8_t root[32])
{
    struct appended a = {0};
    struct history_head head = {.size = size};
    memcpy(head.root, root, 32);
    assert_int_equal(history_knows(history, &head, on_known, &a), 0);
    assert_false(a.done);
    turn_until(&a.done);
    return a.error;
}

/* RFC 9162, section 2.1.4.2. */
bool consistent(uint64_t first, const uint8_t first_root[32], uint64_t second, const uint8_t second_root[32],
                const struct proved *p)
{
    uint8_t fr[32], sr[32];
    size_t at = 0;
    uint64_t fn = first - 1, sn = second - 1;
    if (first == second)
        return p->count == 0 && memcmp(first_root, second_root, 32) == 0;
    while (fn & 1)
        fn >>= 1, sn >>= 1;
    if ((first & (first - 1)) == 0)
        memcpy(fr, first_root, 32);
    else if (p->count == 0)
        return false;
    else
        memcpy(fr, p->proof[at++], 32);
    memcpy(sr, fr, 32);
    for (; at < p->count; at++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            merkle_node_hash(p->proof[at], fr, fr);
            merkle_node_hash(p->proof[at], sr, sr);
            while (!(fn & 1) && fn != 0)
                fn >>= 1, sn >>= 1;
        } else {
            merkle_node_hash(sr, p->proof[at], sr);
        }
        fn >>= 1, sn >>= 1;
    }
    return sn == 0 && memcmp(fr, first_root, 32) == 0 && memcmp(sr, second_root, 32) == 0;
}
