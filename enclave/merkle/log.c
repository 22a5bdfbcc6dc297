/* See log.h. */
#include "enclave/merkle/log.h"

#include <errno.h>
#include <string.h>

#include "common/ensure.h"

static unsigned bits(uint64_t n)
{
    return (unsigned)__builtin_popcountll(n);
}

/* ---- the right edge --------------------------------------------------------------------------------------------- */

/* As in counting: two subtrees of one size become one, like the carry of a binary number. */
void merkle_edge_push(struct merkle_edge *e, const uint8_t leaf[MERKLE_HASH_SIZE])
{
    uint8_t hash[MERKLE_HASH_SIZE];
    unsigned count = bits(e->size);
    ENSURE(e->size + 1 < MERKLE_LOG_MAX);
    memcpy(hash, leaf, sizeof hash);
    for (uint64_t left = e->size; left & 1; left >>= 1)
        merkle_node_hash(e->hashes[--count], hash, hash);
    memcpy(e->hashes[count], hash, sizeof hash);
    e->size++;
}

/* Subtrees side by side, the largest first, under one root: the smaller ones first. count is not 0. */
static void fold(const uint8_t (*hashes)[MERKLE_HASH_SIZE], size_t count, uint8_t root[MERKLE_HASH_SIZE])
{
    ENSURE(count > 0);
    memcpy(root, hashes[count - 1], MERKLE_HASH_SIZE);
    for (size_t i = count - 1; i-- > 0;)
        merkle_node_hash(hashes[i], root, root);
}

void merkle_edge_root(const struct merkle_edge *e, uint8_t root[MERKLE_HASH_SIZE])
{
    if (e->size == 0)
        merkle_empty_hash(root);
    else
        fold(e->hashes, bits(e->size), root);
}

void merkle_edge_push_tile(struct merkle_edge *e, unsigned level, const uint8_t (*hashes)[MERKLE_HASH_SIZE],
                           unsigned width)
{
    ENSURE(level < MERKLE_TILE_LEVELS);
    ENSURE(width < MERKLE_TILE_WIDTH);
    ENSURE(e->size % (UINT64_C(1) << (MERKLE_TILE_HEIGHT * level)) == 0);
    ENSURE(merkle_level_size(e->size, level) % MERKLE_TILE_WIDTH == 0);
    for (unsigned part = MERKLE_TILE_WIDTH / 2; part > 0; part /= 2)
        if (width & part) {
            merkle_tile_root(hashes, part, e->hashes[bits(e->size)]);
            e->size += (uint64_t)part << (MERKLE_TILE_HEIGHT * level);
            hashes += part;
        }
}

/* ---- nodes and tiles -------------------------------------------------------------------------------------------- */

unsigned merkle_tile_width(struct merkle_tile tile, uint64_t size)
{
    ENSURE(tile.level < MERKLE_TILE_LEVELS);
    uint64_t hashes = merkle_level_size(size, tile.level), tiles = hashes / MERKLE_TILE_WIDTH;
    if (tile.index != tiles)
        return tile.index < tiles ? MERKLE_TILE_WIDTH : 0;
    return (unsigned)(hashes % MERKLE_TILE_WIDTH);
}

void merkle_tile_root(const uint8_t (*hashes)[MERKLE_HASH_SIZE], size_t width, uint8_t root[MERKLE_HASH_SIZE])
{
    struct merkle_edge edge = {0};
    ENSURE(width <= MERKLE_TILE_WIDTH);
    ENSURE(bits(width) == 1);
    for (size_t i = 0; i < width; i++)
        merkle_edge_push(&edge, hashes[i]);
    merkle_edge_root(&edge, root);
}

struct merkle_tile merkle_node_tile(struct merkle_node node)
{
    unsigned level = node.height / MERKLE_TILE_HEIGHT, within = node.height % MERKLE_TILE_HEIGHT;
    ENSURE(level < MERKLE_TILE_LEVELS);
    return (struct merkle_tile){level, node.index >> (MERKLE_TILE_HEIGHT - within)};
}

void merkle_node_from_tile(struct merkle_node node, const uint8_t (*tile)[MERKLE_HASH_SIZE], size_t width,
                           uint8_t hash[MERKLE_HASH_SIZE])
{
    unsigned within = node.height % MERKLE_TILE_HEIGHT;
    size_t count = (size_t)1 << within, first = (node.index << within) % MERKLE_TILE_WIDTH;
    ENSURE(width <= MERKLE_TILE_WIDTH);
    ENSURE(first + count <= width);
    merkle_tile_root(tile + first, count, hash);
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

/* Leaves first to end, not including end: a hash of the proof. Begins at a multiple of the largest complete subtree
 * that fits, as all ranges of a tree do. */
static void take(struct merkle_plan *p, uint64_t first, uint64_t end)
{
    ENSURE(p->hashes < MERKLE_PROOF_MAX);
    ENSURE(first < end);
    size_t before = p->count;
    while (first < end) {
        unsigned height = 63u - (unsigned)__builtin_clzll(end - first);
        ENSURE(p->count < MERKLE_PLAN_MAX);
        ENSURE(first % (UINT64_C(1) << height) == 0);
        p->nodes[p->count++] = (struct merkle_node){height, first >> height};
        first += UINT64_C(1) << height;
    }
    p->takes[p->hashes++] = (uint8_t)(p->count - before);
}

/* Ranges from the root down; a proof has them from the leaf up. */
struct ranges {
    size_t count;
    uint64_t first[MERKLE_PROOF_MAX], end[MERKLE_PROOF_MAX];
};

static void note(struct ranges *r, uint64_t first, uint64_t end)
{
    ENSURE(r->count < MERKLE_PROOF_MAX);
    r->first[r->count] = first;
    r->end[r->count++] = end;
}

static void take_upwards(struct merkle_plan *p, const struct ranges *r)
{
    for (size_t i = r->count; i-- > 0;)
        take(p, r->first[i], r->end[i]);
}

/* Where a tree of size leaves, more than one, is split: the largest power of two below size. */
static uint64_t split(uint64_t size)
{
    return UINT64_C(1) << (63u - (unsigned)__builtin_clzll(size - 1));
}

int merkle_plan_root(struct merkle_plan *p, uint64_t size)
{
    p->count = p->hashes = 0;
    if (size == 0 || size >= MERKLE_LOG_MAX)
        return -EINVAL;
    take(p, 0, size);
    return 0;
}

int merkle_plan_inclusion(struct merkle_plan *p, uint64_t index, uint64_t size)
{
    struct ranges ranges = {0};
    p->count = p->hashes = 0;
    if (index >= size || size >= MERKLE_LOG_MAX)
        return -EINVAL;
    for (uint64_t first = 0, end = size; end - first > 1;) {
        uint64_t middle = first + split(end - first);
        if (index < middle) {
            note(&ranges, middle, end);
            end = middle;
        } else {
            note(&ranges, first, middle);
            first = middle;
        }
    }
    take_upwards(p, &ranges);
    return 0;
}

int merkle_plan_consistency(struct merkle_plan *p, uint64_t from, uint64_t to)
{
    struct ranges ranges = {0};
    p->count = p->hashes = 0;
    if (from == 0 || from > to || to >= MERKLE_LOG_MAX)
        return -EINVAL;
    uint64_t first = 0, end = to;
    while (from != end) {
        uint64_t middle = first + split(end - first);
        if (from <= middle) {
            note(&ranges, middle, end);
            end = middle;
        } else {
            note(&ranges, first, middle);
            first = middle;
        }
    }
    if (first > 0) /* else it is the old tree's own root, which who asks has */
        note(&ranges, first, end);
    take_upwards(p, &ranges);
    return 0;
}

size_t merkle_plan_end(const struct merkle_plan *p, const uint8_t (*hashes)[MERKLE_HASH_SIZE],
                       uint8_t proof[MERKLE_PROOF_MAX][MERKLE_HASH_SIZE])
{
    size_t at = 0;
    for (size_t i = 0; i < p->hashes; at += p->takes[i++])
        fold(hashes + at, p->takes[i], proof[i]);
    ENSURE(at == p->count);
    return p->hashes;
}
