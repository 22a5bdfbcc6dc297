/*
 * A Merkle tree that grows, by RFC 9162 section 2.1, with SHA-256: pure arithmetic. Whoever uses it stores hashes and
 * brings them; nothing here reads, writes, or keeps more than O(log n).
 *
 *     struct merkle_edge edge = {0};                     a tree without leaves
 *     merkle_leaf_hash(entry, size, hash);
 *     merkle_edge_push(&edge, hash);                     and so on, 32 hashes of work at most each
 *     merkle_edge_root(&edge, root);
 *
 * Tiles. A log's hashes are kept in tiles, as C2SP's tlog-tiles has them: the tile of level L and index N holds up to
 * 256 hashes, that of the complete subtree with 256^L leaves which begins at leaf (256 N + i) 256^L. A tile that is
 * complete never changes; one that is not grows. When a tile is complete, its root is the next hash of the level above:
 *
 *     merkle_tile_root(hashes, MERKLE_TILE_WIDTH, above);
 *
 * Proofs. A proof is a list of hashes, each of a range of leaves. A range is cut into nodes, complete subtrees, each of
 * which lies in one tile; so whoever wants the proof asks which nodes it takes, brings their hashes, in their order,
 * and has them put together:
 *
 *     struct merkle_plan plan;
 *     if (merkle_plan_consistency(&plan, from, to) < 0) ...
 *     for (size_t i = 0; i < plan.count; i++)
 *         merkle_node_from_tile(plan.nodes[i], tile, width, hashes[i]);      of the tile merkle_node_tile names
 *     count = merkle_plan_end(&plan, hashes, proof);
 *
 * Threads. No state: any thread, on values of its own.
 *
 * Limits. Trees of fewer than 2^63 leaves; a plan takes at most MERKLE_PLAN_MAX nodes, in at most two tiles of each
 * level.
 *
 * Errors. What would be a caller's mistake (a node that its tile does not hold, a tile wider than tiles are) stops the
 * program. What may come from outside, the sizes of a plan, is -EINVAL.
 *
 * Known weakness. Nothing here says whether hashes that are brought are those of the tree: what is read back from a
 * store must be authentic, or be held against a root (merkle_edge_root of what merkle_plan_root takes).
 */
#ifndef ENCLAVE_OS_ENCLAVE_MERKLE_LOG_H
#define ENCLAVE_OS_ENCLAVE_MERKLE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/merkle/merkle.h"

#define MERKLE_LOG_MAX (UINT64_C(1) << 63) /* leaves that no tree reaches */

#define MERKLE_TILE_HEIGHT 8u
#define MERKLE_TILE_WIDTH 256u
#define MERKLE_TILE_LEVELS 8u /* 0 .. 7: of any tree below MERKLE_LOG_MAX */

/* ---- the right edge: the complete subtrees whose leaves are all there, the largest first ------------------------ */

/* A tree of size leaves, as far as it takes to go on. A value: copied at will. Zero: no leaves. */
struct merkle_edge {
    uint64_t size;
    uint8_t hashes[64][MERKLE_HASH_SIZE]; /* as many as size has bits set */
};

/* One leaf more. size must be below MERKLE_LOG_MAX - 1. */
void merkle_edge_push(struct merkle_edge *e, const uint8_t leaf[MERKLE_HASH_SIZE]);
/* The edge from the hashes that each level's last tile has, where it is not complete: level by level, the highest
 * first, onto an edge that was zero. level is below MERKLE_TILE_LEVELS, width below MERKLE_TILE_WIDTH. */
void merkle_edge_push_tile(struct merkle_edge *e, unsigned level, const uint8_t (*hashes)[MERKLE_HASH_SIZE],
                           unsigned width);
/* The tree head; of no leaves: SHA-256 of nothing. */
void merkle_edge_root(const struct merkle_edge *e, uint8_t root[MERKLE_HASH_SIZE]);

/* ---- nodes and tiles -------------------------------------------------------------------------------------------- */

/* The complete subtree of 2^height leaves that begins at leaf index * 2^height. */
struct merkle_node {
    unsigned height;
    uint64_t index;
};

struct merkle_tile {
    unsigned level;
    uint64_t index;
};

/* How many hashes a level has in a tree of size leaves, all its tiles together. */
static inline uint64_t merkle_level_size(uint64_t size, unsigned level)
{
    return size >> (MERKLE_TILE_HEIGHT * level);
}
/* How many hashes a tile has in it: 0 .. MERKLE_TILE_WIDTH. level is below MERKLE_TILE_LEVELS. */
unsigned merkle_tile_width(struct merkle_tile tile, uint64_t size);
/* The root of width hashes, a power of two up to MERKLE_TILE_WIDTH, side by side. */
void merkle_tile_root(const uint8_t (*hashes)[MERKLE_HASH_SIZE], size_t width, uint8_t root[MERKLE_HASH_SIZE]);

/* In which tile a node lies. */
struct merkle_tile merkle_node_tile(struct merkle_node node);
/* Its hash, from that tile, which has width hashes so far, the node's among them. */
void merkle_node_from_tile(struct merkle_node node, const uint8_t (*tile)[MERKLE_HASH_SIZE], size_t width,
                           uint8_t hash[MERKLE_HASH_SIZE]);

/* ---- plans: which nodes something takes -------------------------------------------------------------------------- */

#define MERKLE_PROOF_MAX 64u /* hashes of a proof */
#define MERKLE_PLAN_MAX 128u /* nodes: one for each hash of a proof, but for one that may take many */

struct merkle_plan {
    size_t count, hashes; /* of nodes; of the hashes that they make */
    struct merkle_node nodes[MERKLE_PLAN_MAX];
    uint8_t takes[MERKLE_PROOF_MAX]; /* nodes of each hash */
};

/* The root of the tree's first size leaves. size may be 0, which takes nothing: -EINVAL; so is one from MERKLE_LOG_MAX
 * on. */
int merkle_plan_root(struct merkle_plan *p, uint64_t size);
/* The proof that the leaf of this index is in the tree of size leaves (2.1.3). -EINVAL: it is not. */
int merkle_plan_inclusion(struct merkle_plan *p, uint64_t index, uint64_t size);
/* The proof that the tree of to leaves begins with that of from (2.1.4), which has no hashes where they are the same
 * size. -EINVAL unless 0 < from <= to. */
int merkle_plan_consistency(struct merkle_plan *p, uint64_t from, uint64_t to);
/* hashes: of p->nodes, in their order. Returns how many hashes proof has now: p->hashes. */
size_t merkle_plan_end(const struct merkle_plan *p, const uint8_t (*hashes)[MERKLE_HASH_SIZE],
                       uint8_t proof[MERKLE_PROOF_MAX][MERKLE_HASH_SIZE]);

#endif
