/* See read.h. */
#include "enclave/history/read.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/history/internal.h"
#include "enclave/thread/errand.h"
#include "enclave/thread/worker.h"

struct read {
    struct errand errand; /* first */
    struct history *h;
    struct history_part part;
    struct read *next; /* of those that wait */
    int error;
    uint8_t *data;
    size_t size;
    history_read_done done;
    void *user;
};

static_assert(sizeof(struct read) <= HISTORY_READ_COST, "that is what it is charged");

static void deliver(struct loop_task *task)
{
    struct read *r = CONTAINER_OF(task, struct read, errand.task);
    errand_end(&r->errand);
    r->done(r->user, r->error, r->data, r->size);
    free(r);
}

/* The part's bytes, out of all that there are of it. */
static void copy_part(struct read *r, const uint8_t *from, size_t size)
{
    size_t wanted = r->part.kind == HISTORY_ENTRIES ? bundle_prefix(from, size, r->part.width)
                                                    : (size_t)r->part.width * MERKLE_HASH_SIZE;
    ENSURE(!r->data && r->error == 0);
    ENSURE(r->part.width <= MERKLE_TILE_WIDTH);
    if (wanted == 0 || wanted > size) {
        r->error = -EBADMSG;
        return;
    }
    r->data = malloc(wanted);
    if (r->data) {
        memcpy(r->data, from, wanted);
        r->size = wanted;
    } else {
        r->error = -ENOMEM;
    }
}

static void finish(struct read *r)
{
    struct history *h = r->h;
    ENSURE((r->error == 0) == (r->data != NULL));
    ENSURE(h->reading > 0);
    h->reading--;
    errand_return(&r->errand, &h->owner->loop, deliver);
    if (h->reads)
        loop_post(&h->owner->loop, &h->reads_turn);
}

static void on_value(void *user, int error, const uint8_t *value, size_t size)
{
    struct read *r = user;
    r->error = error == -ENOENT ? -EBADMSG : error;
    if (error == 0)
        copy_part(r, value, size);
    finish(r);
}

static void from_memory(struct read *r)
{
    const struct log_end *end = r->h->end;
    if (r->part.kind == HISTORY_ENTRIES)
        copy_part(r, end->bundle, end->bundle_size);
    else
        copy_part(r, (const uint8_t *)end->tiles[r->part.level],
                  (size_t)end_width(end, r->part.level) * MERKLE_HASH_SIZE);
}

static void from_store(struct read *r, struct merkle_tile tile)
{
    char key[RECORD_KEY_MAX];
    size_t size = r->part.kind == HISTORY_ENTRIES ? bundle_record_key(key, r->part.index) : tile_record_key(key, tile);
    int error = kv_get(r->h->owner, r->h->ns, key, size, on_value, r);
    if (error < 0) {
        r->error = error;
        finish(r);
    }
}

static void start(struct read *r)
{
    struct merkle_tile tile = {r->part.kind == HISTORY_TILE ? r->part.level : 0, r->part.index};
    unsigned width = merkle_tile_width(tile, r->h->end->edge.size);
    ENSURE(r->errand.state == ERRAND_SENT);
    ENSURE(r->h->reading < HISTORY_READS_AT_ONCE);
    r->h->reading++;
    if (r->part.width <= width && width == MERKLE_TILE_WIDTH) {
        from_store(r, tile);
        return;
    }
    if (r->part.width <= width)
        from_memory(r);
    else
        r->error = -ENOENT;
    finish(r);
}

/* A few of those that wait: what copies from memory is over at once, and must not keep the loop for all of them. */
void reads_go_on(struct loop_task *task)
{
    struct history *h = CONTAINER_OF(task, struct history, reads_turn);
    for (unsigned i = 0; i < HISTORY_READS_AT_ONCE && h->reads && h->reading < HISTORY_READS_AT_ONCE; i++) {
        struct read *r = h->reads;
        h->reads = r->next;
        if (!h->reads)
            h->reads_end = &h->reads;
        start(r);
    }
    if (h->reads && h->reading < HISTORY_READS_AT_ONCE)
        loop_post(&h->owner->loop, task);
}

static void arrive(struct loop_task *task)
{
    struct read *r = CONTAINER_OF(task, struct read, errand.task);
    struct history *h = r->h;
    loop_check(&h->owner->loop);
    r->next = NULL;
    *h->reads_end = r;
    h->reads_end = &r->next;
    loop_post(&h->owner->loop, &h->reads_turn);
}

int history_read(struct worker *w, struct history *h, const struct history_part *part, history_read_done done,
                 void *user)
{
    loop_check(&w->loop);
    ENSURE(part->width > 0 && part->width <= MERKLE_TILE_WIDTH);
    ENSURE(part->kind == HISTORY_ENTRIES || part->level < MERKLE_TILE_LEVELS);
    ENSURE(done && h->open);
    struct read *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->h = h;
    r->part = *part;
    r->done = done;
    r->user = user;
    errand_send(&r->errand, &w->loop, &h->owner->loop, arrive);
    return 0;
}
