/*
 * Counting who uses something that several threads share and nobody changes. It begins with one reference, its maker's:
 *
 *     atomic_store(&thing->references, 1);
 *     references_take(&thing->references);                 by who has one already
 *     if (thing && references_give(&thing->references))    the last one frees it, on whatever thread that is
 *
 * One given back too often stops the enclave.
 */
#ifndef ENCLAVE_OS_COMMON_REFERENCES_H
#define ENCLAVE_OS_COMMON_REFERENCES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/ensure.h"

static inline void references_take(atomic_uint *count)
{
    ENSURE(atomic_fetch_add_explicit(count, 1, memory_order_relaxed) > 0);
}

/* True: that was the last. */
static inline bool references_give(atomic_uint *count)
{
    /* acq_rel: the last one sees all that the others did before they let go. */
    unsigned before = atomic_fetch_sub_explicit(count, 1, memory_order_acq_rel);
    ENSURE(before > 0);
    return before == 1;
}

#endif
