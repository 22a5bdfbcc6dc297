/*
 * Which images have held this instance before: their measurements, oldest first, no two the same. Whoever trusts the
 * instance trusts all of them, since each knew all of its secrets. Part of a generation: its leaf, "lineage", is there
 * where there was one.
 *
 *     struct lineage *next = lineage_with(now, mrenclave, &error);     the hand-over's commit
 *     ops[count++] = lineage_op(next);
 *     ...
 *     lineage_unref(next);
 *
 * A lineage is immutable and counted; any thread, but for lineage_boot. NULL is the empty one. Nothing in it is a
 * secret.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_LINEAGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_LINEAGE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/kvstore.h"

#define LINEAGE_MAX 256u      /* different images; then no hand-over is made any more */
#define LINEAGE_KEY "lineage" /* in the enclave's own namespace */

struct lineage {
    atomic_uint references;
    size_t count; /* 1 .. LINEAGE_MAX */
    uint8_t of[LINEAGE_MAX][32];
};

/* Boot, on the owner's thread: the store's, a reference or NULL. 0 or a negative errno with a line in error. */
int lineage_boot(struct lineage **out, char *error, size_t error_size);

/* The same with one more at its end, unless it is in it already: one reference. NULL with *error: -ENOMEM; -ENOSPC:
 * there are LINEAGE_MAX. */
struct lineage *lineage_with(const struct lineage *l, const uint8_t mrenclave[32], int *error);
/* What makes the store say so. Borrows from l, which is not NULL. */
struct kv_op lineage_op(const struct lineage *l);

struct lineage *lineage_ref(struct lineage *l);
void lineage_unref(struct lineage *l);

#endif
