/*
 * What the history's entries, commits and readers take at most, each by what it is for. Bytes unless said otherwise.
 * How wide and high tiles are is enclave/merkle/log.h's to say, what a record takes beside its value the store's
 * (enclave/kvstore/limits.h).
 */
#ifndef ENCLAVE_OS_ENCLAVE_HISTORY_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_HISTORY_LIMITS_H

#include <assert.h>

#include "enclave/kvstore/limits.h"
#include "enclave/merkle/log.h"

/* An entry -------------------------------------------------------------------------------------------------------- */

#define HISTORY_ENTRY_MAX 4096u /* of its JSON */
#define HISTORY_WHAT_MAX 256u   /* of its line for people */
#define HISTORY_BY_MAX 32u      /* keys that asked for it together */
#define HISTORY_BY_SIZE 67u     /* of one in the JSON: 64 digits, two quotes, a comma */
static_assert(HISTORY_WHAT_MAX + HISTORY_BY_MAX * HISTORY_BY_SIZE < HISTORY_ENTRY_MAX - 1024u,
              "an entry with all of them, and its other members, fits");

/* A commit -------------------------------------------------------------------------------------------------------- */

#define HISTORY_APPEND_MAX 2u /* entries in one append */
/* Its operations: the deletions of a bundle's entries; each new entry, and what says where the log ends; of each level
 * the tile that is full now, and the next one. */
#define HISTORY_OPS_MAX (MERKLE_TILE_WIDTH + 2u * HISTORY_APPEND_MAX + 2u * MERKLE_TILE_LEVELS)
/* A tile, or a bundle: its entries, each behind its size. */
#define HISTORY_PART_MAX (MERKLE_TILE_WIDTH * (2u + HISTORY_ENTRY_MAX))
static_assert(HISTORY_ENTRY_MAX <= UINT16_MAX, "an entry's size is two bytes");
/* All that goes to the host with one append, if every record of it has a twin. */
#define HISTORY_RECORD_AROUND (RECORD_OVERHEAD + COMMIT_OP_SIZE)
#define HISTORY_COMMIT_NEEDED                                                                                      \
    (2u * (HISTORY_PART_MAX + HISTORY_RECORD_AROUND +                                                              \
           HISTORY_APPEND_MAX * (HISTORY_ENTRY_MAX + HISTORY_RECORD_AROUND) + MERKLE_TILE_WIDTH * COMMIT_OP_SIZE + \
           MERKLE_TILE_LEVELS * (MERKLE_TILE_WIDTH * MERKLE_HASH_SIZE + HISTORY_RECORD_AROUND) +                   \
           MERKLE_TILE_LEVELS * (HISTORY_APPEND_MAX * MERKLE_HASH_SIZE + HISTORY_RECORD_AROUND)))
#define HISTORY_COMMIT_MAX (9u << 18) /* 2.25 MiB */
static_assert(HISTORY_COMMIT_NEEDED <= HISTORY_COMMIT_MAX, "a bundle of the longest entries, tiles of all levels");
static_assert(HISTORY_COMMIT_MAX < COMMIT_PAYLOAD_MAX, "what is appended with it has room beside it");

/* A checkpoint ---------------------------------------------------------------------------------------------------- */

#define HISTORY_NOTE_MAX 1024u         /* the text and the log's own signature */
#define HISTORY_COSIGNATURES_MAX 8192u /* the lines of witnesses */
#define HISTORY_CHECKPOINT_MAX (HISTORY_NOTE_MAX + HISTORY_COSIGNATURES_MAX)

/* Readers --------------------------------------------------------------------------------------------------------- */

#define HISTORY_READS_AT_ONCE 4u
#define HISTORY_READ_COST 256u /* of one that waits: what it takes */

#endif
