/* Turns, and what an append writes. See history.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/container.h"
#include "common/ensure.h"
#include "enclave/history/internal.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/worker.h"

/* ---- turns ------------------------------------------------------------------------------------------------------ */

static void on_turn(struct loop_task *task)
{
    struct history_turn *turn = CONTAINER_OF(task, struct history_turn, task);
    ENSURE(turn->history->turn == turn);
    turn->fn(turn);
}

static void turn_begin(struct history *h, struct history_turn *turn)
{
    ENSURE(!h->turn && !h->append);
    h->turn = turn;
    loop_post(&h->owner->loop, &turn->task);
}

void history_turn_take(struct history *h, struct history_turn *turn, void (*fn)(struct history_turn *turn))
{
    loop_check(&h->owner->loop);
    ENSURE(h->open);
    ENSURE(!turn->history && fn);
    *turn = (struct history_turn){.task.fn = on_turn, .history = h, .fn = fn};
    if (!h->turn) {
        turn_begin(h, turn);
    } else {
        *h->turns_end = turn;
        h->turns_end = &turn->next;
    }
}

void history_turn_end(struct history_turn *turn)
{
    struct history *h = turn->history;
    loop_check(&h->owner->loop);
    ENSURE(h->turn == turn && !h->append);
    ENSURE(!atomic_load(&turn->task.queued));
    turn->history = NULL;
    h->turn = NULL;
    struct history_turn *next = h->turns;
    if (!next)
        return;
    h->turns = next->next;
    if (!h->turns)
        h->turns_end = &h->turns;
    next->next = NULL;
    turn_begin(h, next);
}

/* ---- what is written -------------------------------------------------------------------------------------------- */

static void append_free(struct append *a)
{
    for (size_t i = 0; i < a->out.count; i++)
        free((void *)a->ops[i].value);
    end_free(a->end);
    free(a);
}

/* The next operation; its key is to be written to the place that comes back. */
static char *next_key(struct append *a)
{
    ENSURE(a->out.count < HISTORY_OPS_MAX);
    return a->keys[a->out.count];
}

static void add_op(struct history *h, struct append *a, enum kv_op_kind kind, size_t key_size, const void *value,
                   size_t size)
{
    char *key = next_key(a);
    void *copy = kind == KV_PUT ? malloc(size) : NULL;
    if (copy)
        memcpy(copy, value, size);
    else if (kind == KV_PUT)
        a->failed = true;
    a->ops[a->out.count++] = (struct kv_op){kind, h->ns, key, key_size, copy, copy ? size : 0};
}

struct collect {
    struct history *h;
    struct append *a;
};

/* 256 entries into one record, instead of one each. */
static void store_bundle(struct history *h, struct append *a, uint64_t index)
{
    uint64_t first = index * MERKLE_TILE_WIDTH, last = a->end->edge.size - 1;
    add_op(h, a, KV_PUT, bundle_record_key(next_key(a), index), a->end->bundle, a->end->bundle_size);
    for (uint64_t i = first; i < last; i++) /* the last one never had a record */
        add_op(h, a, KV_DELETE, entry_record_key(next_key(a), i), NULL, 0);
}

static void store_tile(void *user, const struct log_end *end, struct merkle_tile tile)
{
    struct collect *c = user;
    size_t width = merkle_tile_width(tile, end->edge.size);
    add_op(c->h, c->a, KV_PUT, tile_record_key(next_key(c->a), tile), end->tiles[tile.level], width * MERKLE_HASH_SIZE);
    if (tile.level == 0)
        store_bundle(c->h, c->a, tile.index);
}

/* Behind the entries before it; its record, unless a bundle has it. */
static void add_entry(struct history *h, struct append *a, const char *json, size_t size)
{
    struct collect collect = {h, a};
    uint64_t index = a->end->edge.size;
    end_push(a->end, (const uint8_t *)json, size, store_tile, &collect);
    if (a->end->bundle_size > 0)
        add_op(h, a, KV_PUT, entry_record_key(next_key(a), index), json, size);
}

static int add_head(struct history *h, struct append *a)
{
    uint8_t record[HEAD_SIZE];
    a->out.head.size = a->end->edge.size;
    merkle_edge_root(&a->end->edge, a->out.head.root);
    int size = note_make(h, &a->out.head, a->note);
    if (size < 0)
        return size;
    a->note_size = (size_t)size;
    bytes_put_be64(record, a->out.head.size);
    memcpy(record + 8, a->out.head.root, MERKLE_HASH_SIZE);
    memcpy(next_key(a), HEAD_RECORD, sizeof HEAD_RECORD);
    add_op(h, a, KV_PUT, sizeof HEAD_RECORD - 1, record, sizeof record);
    return a->failed ? -ENOMEM : 0;
}

static int add_entries(struct history *h, struct append *a, const struct history_entry *entries, size_t count)
{
    uint64_t epoch = store_epoch(h->store);
    ENSURE(h->turn && !h->append);
    ENSURE(a->end->edge.size == h->end->edge.size);
    for (size_t i = 0; i < count; i++) {
        char *json;
        size_t size;
        int error = entry_json(&entries[i], a->end->edge.size, (uint64_t)time(NULL), epoch, &json, &size);
        if (error < 0)
            return error;
        add_entry(h, a, json, size);
        free(json);
    }
    return add_head(h, a);
}

int history_prepare(struct history_turn *turn, const struct history_entry *entries, size_t count,
                    const struct history_append **out)
{
    struct history *h = turn->history;
    loop_check(&h->owner->loop);
    ENSURE(h->turn == turn && !h->append);
    ENSURE(count > 0 && count <= HISTORY_APPEND_MAX);
    *out = NULL;
    struct append *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->end = end_copy(h->end, count, count * HISTORY_ENTRY_MAX);
    int error = a->end ? add_entries(h, a, entries, count) : -ENOMEM;
    if (error < 0) {
        append_free(a);
        return error;
    }
    a->out.ops = a->ops;
    h->append = a;
    *out = &a->out;
    return 0;
}

void history_made(struct history_turn *turn)
{
    struct history *h = turn->history;
    loop_check(&h->owner->loop);
    ENSURE(h->turn == turn && h->append);
    struct append *a = h->append;
    end_free(h->end);
    h->end = a->end;
    a->end = NULL;
    head_publish(h, &a->out.head, a->note, a->note_size);
    h->append = NULL;
    append_free(a);
    loop_post(&h->owner->loop, &h->grown);
}

void history_abandon(struct history_turn *turn)
{
    struct history *h = turn->history;
    loop_check(&h->owner->loop);
    ENSURE(h->turn == turn && h->append);
    append_free(h->append);
    h->append = NULL;
}
