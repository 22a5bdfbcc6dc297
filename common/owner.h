/*
 * Whose thread something belongs to, where it belongs to one: asserted at the doors, in release too, since what a
 * second thread does to a structure without locks shows later, elsewhere, and not in a test. It costs a load and a
 * comparison.
 */
#ifndef ENCLAVE_OS_COMMON_OWNER_H
#define ENCLAVE_OS_COMMON_OWNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common/ensure.h"

/* Zero-initialised it is nobody's, and every check fails. */
struct owner {
    _Atomic uintptr_t thread;
};

/* From here on it is the calling thread's. Whoever had it before has let go, and made that known to this thread
 * (pthread_create, a lock): this is no synchronisation. */
static inline void owner_take(struct owner *owner)
{
    atomic_store_explicit(&owner->thread, (uintptr_t)pthread_self(), memory_order_relaxed);
}

static inline void owner_check(const struct owner *owner)
{
    ENSURE(atomic_load_explicit(&owner->thread, memory_order_relaxed) == (uintptr_t)pthread_self());
}

#endif
