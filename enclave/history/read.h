/*
 * The log as clients read it: tiles and bundles of entries (C2SP's tlog-tiles), for any worker.
 *
 *     const struct history_part part = {.kind = HISTORY_TILE, .level = 0, .index = 3, .width = 256};
 *     error = history_read(worker, h, &part, done, user);
 *
 * A few parts are read at a time (HISTORY_READS_AT_ONCE), all others wait in the order in which they came; so whoever
 * asks for many delays himself and others who read the log, and nobody else.
 *
 * Memory. What waits takes a few hundred bytes, and is the caller's to bound; what is being read, up to
 * HISTORY_PART_MAX each.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HISTORY_READ_H
#define ENCLAVE_OS_ENCLAVE_HISTORY_READ_H

#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "enclave/history/history.h"

enum history_part_kind { HISTORY_TILE, HISTORY_ENTRIES };

struct history_part {
    enum history_part_kind kind;
    unsigned level; /* of a tile, below MERKLE_TILE_LEVELS */
    uint64_t index;
    unsigned width; /* hashes or entries: 1 .. 256, from the part's first */
};

/* error 0: data (malloc'ed, the callee's to free) is width hashes, or width entries, each behind its size in two bytes,
 * big endian. -ENOENT: the log is not that long; or kvstore.h's. On w's thread; done runs once, later, from its
 * loop. */
typedef void (*history_read_done)(void *user, int error, uint8_t *data, size_t size);
MAY_REFUSE int history_read(struct worker *w, struct history *h, const struct history_part *part,
                            history_read_done done, void *user);

#endif
