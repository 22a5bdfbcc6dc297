/*
 * The slow path of libc's low-level lock (malloc's, stdio's, pthread_mutex's), in place of libc's own: inside, its
 * futex system call would be an exception, an exit and a re-entry for what is mostly a wait of some hundred cycles.
 * These take the place of glibc's lowlevellock.o as a whole; a glibc that needs more of it fails to link.
 *
 * The word, as in glibc: 0 free, 1 held, 2 held and somebody may sleep.
 */
#include <linux/futex.h>

#include "sgx/trusted/internal.h"

#define SPINS_BEFORE_SLEEPING 1000

#define LIBC __attribute__((visibility("default")))

LIBC int __pthread_force_elision; /* no TSX in here */

static void lock_wait(int *word)
{
    for (int spin = 0; spin < SPINS_BEFORE_SLEEPING; spin++) {
        int free = 0;
        if (__atomic_load_n(word, __ATOMIC_RELAXED) == 0 &&
            __atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return;
        __builtin_ia32_pause();
    }
    while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0)
        rt_futex((uint32_t *)word, FUTEX_WAIT, 2, 0, 0);
}

static void lock_wake(int *word)
{
    rt_futex((uint32_t *)word, FUTEX_WAKE, 1, 0, 0);
}

LIBC void __lll_lock_wait_private(int *word)
{
    lock_wait(word);
}

/* scope tells private from shared between processes: there are no others. */
LIBC void __lll_lock_wait(int *word, int scope)
{
    (void)scope;
    lock_wait(word);
}

LIBC void __lll_lock_wake_private(int *word)
{
    lock_wake(word);
}

LIBC void __lll_lock_wake(int *word, int scope)
{
    (void)scope;
    lock_wake(word);
}
