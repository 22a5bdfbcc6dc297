/* Proofs out of tiles: those that are complete from the store, one after the other, the others from memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/history/internal.h"
#include "enclave/thread/worker.h"

/* What is asked for, and how far it has come. */
struct gather {
    struct loop_task task; /* first */
    struct history *h;
    struct merkle_plan plan;
    size_t at; /* of the plan's nodes: whose hashes are there */
    int error;
    struct history_head head; /* that is asked about */
    history_proof_done proof_done;
    history_known_done known_done;
    void *user;
    uint8_t hashes[MERKLE_PLAN_MAX][MERKLE_HASH_SIZE];
};

static void answer(struct loop_task *task)
{
    struct gather *g = CONTAINER_OF(task, struct gather, task);
    uint8_t proof[MERKLE_PROOF_MAX][MERKLE_HASH_SIZE];
    size_t count = g->error == 0 ? merkle_plan_end(&g->plan, (const uint8_t(*)[MERKLE_HASH_SIZE])g->hashes, proof) : 0;
    if (g->proof_done)
        g->proof_done(g->user, g->error, g->error == 0 ? (const uint8_t(*)[MERKLE_HASH_SIZE])proof : NULL, count);
    else if (g->error < 0 || count == 0) /* without hashes: what a log of no entries has, or no log */
        g->known_done(g->user, g->error);
    else
        g->known_done(g->user, memcmp(proof[0], g->head.root, MERKLE_HASH_SIZE) == 0 ? 0 : -EINVAL);
    free(g);
}

/* From the loop, so that done never runs inside the call that took it. */
static void end(struct gather *g, int error)
{
    g->error = error;
    g->task.fn = answer;
    loop_post(&g->h->owner->loop, &g->task);
}

/* All nodes that come next and lie in this tile. */
static void take_from(struct gather *g, struct merkle_tile tile, const uint8_t *hashes, size_t width)
{
    for (; g->at < g->plan.count; g->at++) {
        struct merkle_node node = g->plan.nodes[g->at];
        struct merkle_tile of = merkle_node_tile(node);
        if (of.level != tile.level || of.index != tile.index)
            return;
        merkle_node_from_tile(node, (const uint8_t(*)[MERKLE_HASH_SIZE])hashes, width, g->hashes[g->at]);
    }
}

static void go_on(struct gather *g);

static void on_tile(void *user, int error, const uint8_t *value, size_t size)
{
    struct gather *g = user;
    if (error == 0 && size != MERKLE_TILE_WIDTH * MERKLE_HASH_SIZE)
        error = -EBADMSG;
    if (error < 0) {
        end(g, error == -ENOENT ? -EBADMSG : error);
        return;
    }
    take_from(g, merkle_node_tile(g->plan.nodes[g->at]), value, MERKLE_TILE_WIDTH);
    go_on(g);
}

static void go_on(struct gather *g)
{
    struct history *h = g->h;
    loop_check(&h->owner->loop);
    ENSURE(g->at <= g->plan.count);
    while (g->at < g->plan.count) {
        struct merkle_tile tile = merkle_node_tile(g->plan.nodes[g->at]);
        unsigned width = merkle_tile_width(tile, h->end->edge.size);
        if (width == MERKLE_TILE_WIDTH) {
            char key[RECORD_KEY_MAX];
            int error = kv_get(h->owner, h->ns, key, tile_record_key(key, tile), on_tile, g);
            if (error < 0)
                end(g, error);
            return;
        }
        take_from(g, tile, (const uint8_t *)h->end->tiles[tile.level], width);
    }
    end(g, 0);
}

static struct gather *gather_new(struct history *h, void *user)
{
    loop_check(&h->owner->loop);
    ENSURE(h->open);
    struct gather *g = calloc(1, sizeof *g);
    if (g) {
        g->h = h;
        g->user = user;
    }
    return g;
}

int history_consistency(struct history *h, uint64_t from, uint64_t to, history_proof_done done, void *user)
{
    ENSURE(done);
    struct gather *g = gather_new(h, user);
    if (!g)
        return -ENOMEM;
    g->proof_done = done;
    if (to > h->end->edge.size || merkle_plan_consistency(&g->plan, from, to) < 0) {
        free(g);
        return -EINVAL;
    }
    go_on(g);
    return 0;
}

int history_knows(struct history *h, const struct history_head *head, history_known_done done, void *user)
{
    uint8_t root[MERKLE_HASH_SIZE];
    ENSURE(done);
    struct gather *g = gather_new(h, user);
    if (!g)
        return -ENOMEM;
    g->known_done = done;
    g->head = *head;
    merkle_empty_hash(root);
    if (head->size == 0)
        end(g, memcmp(root, head->root, sizeof root) == 0 ? 0 : -EINVAL);
    else if (head->size > h->end->edge.size || merkle_plan_root(&g->plan, head->size) < 0)
        end(g, -EINVAL);
    else
        go_on(g);
    return 0;
}
