/*
 * A log of a million entries: how much each append writes and reads, what is kept, and that tiles, entries and proofs
 * come out of it at any size. Over a store that only counts and keeps, and signatures that cost nothing.
 * ENTRIES= so many.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/history/internal.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/worker.h"

#define TILES 65536u /* of a level; bundles; and entries at a time */

static struct record {
    void *value; /* NULL: there is none */
    size_t size;
} records[2 + MERKLE_TILE_LEVELS][TILES];

static struct {
    size_t puts, deletes, bytes, gets, live;
} count;

static struct worker worker;
static struct loop_task later;
static kv_done committed;
static void *committed_user;

/* A place for each key that there can be at a time: entries are in a bundle before their places are needed again. */
static struct record *find(const void *key, size_t size)
{
    static struct record head;
    char text[RECORD_KEY_MAX];
    unsigned level;
    unsigned long index;
    memcpy(text, key, size);
    text[size] = 0;
    if (strcmp(text, HEAD_RECORD) == 0)
        return &head;
    if (sscanf(text, "entry/%lu", &index) == 1)
        return &records[0][index % 1024];
    if (sscanf(text, "bundle/%lu", &index) == 1 && index < TILES)
        return &records[1][index];
    assert_int_equal(sscanf(text, "tile/%u/%lu", &level, &index), 2);
    assert_true(level < MERKLE_TILE_LEVELS && index < TILES);
    return &records[2 + level][index];
}

/* ---- the store -------------------------------------------------------------------------------------------------- */

static void apply(const struct kv_op *op)
{
    struct record *r = find(op->key, op->key_size);
    count.live += op->kind == KV_PUT && !r->value;
    count.live -= op->kind == KV_DELETE && r->value;
    free(r->value);
    r->value = NULL;
    if (op->kind == KV_DELETE) {
        count.deletes++;
        return;
    }
    r->size = op->value_size;
    r->value = malloc(r->size);
    memcpy(r->value, op->value, r->size);
    count.puts++;
    count.bytes += r->size;
}

static void on_later(struct loop_task *task)
{
    (void)task;
    committed(committed_user, 0);
}

int kv_commit(struct worker *w, const struct kv_op *ops, size_t op_count, kv_done done, void *user)
{
    for (size_t i = 0; i < op_count; i++)
        apply(&ops[i]);
    committed = done;
    committed_user = user;
    later.fn = on_later;
    loop_post(&w->loop, &later);
    return 0;
}

int kv_commit_wait(struct worker *w, const struct kv_op *ops, size_t op_count)
{
    (void)w, (void)ops, (void)op_count;
    abort();
}

int kv_get_wait(struct worker *w, struct kv_namespace *ns, const char *key, uint8_t **value, size_t *size)
{
    (void)w, (void)ns;
    const struct record *r = find(key, strlen(key));
    count.gets++;
    if (!r->value)
        return -ENOENT;
    *value = malloc(r->size);
    memcpy(*value, r->value, r->size);
    *size = r->size;
    return 0;
}

static struct get {
    struct loop_task task;
    const struct record *record;
    kv_get_done done;
    void *user;
} getting;

static void on_get(struct loop_task *task)
{
    (void)task;
    struct get g = getting;
    g.done(g.user, g.record->value ? 0 : -ENOENT, g.record->value, g.record->size);
}

int kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t size, kv_get_done done, void *user)
{
    (void)ns;
    count.gets++;
    getting = (struct get){.task.fn = on_get, .record = find(key, size), .done = done, .user = user};
    loop_post(&w->loop, &getting.task);
    return 0;
}

struct kv_namespace *kv_namespace_open(struct store *store, const char *name)
{
    (void)store, (void)name;
    return (struct kv_namespace *)records;
}

void kv_namespace_close(struct kv_namespace *ns)
{
    (void)ns;
}

uint64_t store_epoch(const struct store *s)
{
    (void)s;
    return count.puts;
}

int history_key_public(const uint8_t key[HISTORY_KEY_SIZE], uint8_t public_key[32])
{
    memcpy(public_key, key, 32);
    return 0;
}

int history_key_sign(const uint8_t key[HISTORY_KEY_SIZE], const void *text, size_t size, uint8_t signature[64])
{
    (void)key, (void)text, (void)size;
    memset(signature, 1, 64);
    return 0;
}

void worker_turn(struct worker *w)
{
    loop_run_once(&w->loop, 1);
}

/* ---- the log ---------------------------------------------------------------------------------------------------- */

static void on_appended(void *user, int error, const struct history_head *head)
{
    assert_int_equal(error, 0);
    *(struct history_head *)user = *head;
}

static void append(struct history *h, uint64_t index)
{
    static const uint8_t root[32];
    const struct history_entry entry = {.kind = "state", .what = "state", .generation = 1, .root = root};
    struct history_head head = {0};
    assert_int_equal(history_append(h, &entry, on_appended, &head), 0);
    while (head.size == 0)
        worker_turn(&worker);
    assert_int_equal(head.size, index + 1);
}

static struct history *open_log(void)
{
    char why[256];
    const struct history_config config = {.owner = &worker, .store = (struct store *)records};
    struct history *h = history_new(&config);
    assert_non_null(h);
    assert_int_equal(history_open(h, why, sizeof why), 0);
    return h;
}

static struct {
    bool done;
    int error;
} answer;

static void on_known(void *user, int error)
{
    (void)user;
    answer.done = true;
    answer.error = error;
}

static void on_proof(void *user, int error, const uint8_t (*proof)[32], size_t hashes)
{
    (void)user, (void)proof;
    assert_true(hashes <= 2 * 21);
    on_known(NULL, error);
}

/* How many tiles are read for it. */
static size_t reads_of_proofs(struct history *h, const struct history_head *head, uint64_t to)
{
    size_t before = count.gets;
    answer.done = false;
    assert_int_equal(history_knows(h, head, on_known, NULL), 0);
    while (!answer.done)
        worker_turn(&worker);
    assert_int_equal(answer.error, 0);
    answer.done = false;
    assert_int_equal(history_consistency(h, head->size, to, on_proof, NULL), 0);
    while (!answer.done)
        worker_turn(&worker);
    assert_int_equal(answer.error, 0);
    return count.gets - before;
}

static void test_growth(void **state)
{
    (void)state;
    static struct history_head heads[64];
    const char *given = getenv("ENTRIES");
    uint64_t entries = given ? strtoull(given, NULL, 0) : 1000000;
    size_t kept = 0, most_puts = 0, most_deletes = 0, most_reads = 0;
    assert_int_equal(loop_init(&worker.loop, NULL), 0);
    struct history *h = open_log();
    memset(&count, 0, sizeof count);
    for (uint64_t i = 0; i < entries; i++) {
        size_t puts = count.puts, deletes = count.deletes;
        append(h, i);
        most_puts = count.puts - puts > most_puts ? count.puts - puts : most_puts;
        most_deletes = count.deletes - deletes > most_deletes ? count.deletes - deletes : most_deletes;
        if ((i + 1) % (entries / 60 + 1) == 0)
            heads[kept++] = history_head(h);
    }
    assert_int_equal(count.gets, 0); /* nothing is read for an append */
    assert_true(most_puts <= 2 + MERKLE_TILE_LEVELS);
    assert_true(most_deletes <= MERKLE_TILE_WIDTH);
    assert_true(count.puts <= 2 * entries + 3 * (entries / 256 + 1));
    assert_true(count.live <= 2 * (entries / 256 + 1) + 256 + entries / 65536 + 8);
    for (size_t i = 0; i < kept; i++) {
        size_t reads = reads_of_proofs(h, &heads[i], entries);
        most_reads = reads > most_reads ? reads : most_reads;
    }
    assert_true(most_reads <= 3 * 2 * 3); /* three proofs' worth of two tiles of each of three levels */
    struct history_head head = history_head(h);
    size_t before = count.gets;
    struct history *again = open_log();
    struct history_head read = history_head(again);
    assert_memory_equal(&read, &head, sizeof head);
    assert_true(count.gets - before <= 1 + 255 + MERKLE_TILE_LEVELS);
    print_message(
        "%lu entries: %zu puts of %zu bytes, %zu deletions, at most %zu and %zu of an append; %zu records; at most "
        "%zu reads of two proofs; %zu reads at a start\n",
        (unsigned long)entries, count.puts, count.bytes / count.puts, count.deletes, most_puts, most_deletes,
        count.live, most_reads, count.gets - before);
    history_free(h);
    history_free(again);
    free(find(HEAD_RECORD, sizeof HEAD_RECORD - 1)->value);
    for (size_t i = 0; i < 2 + MERKLE_TILE_LEVELS; i++)
        for (size_t j = 0; j < TILES; j++)
            free(records[i][j].value);
    loop_deinit(&worker.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_growth)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
