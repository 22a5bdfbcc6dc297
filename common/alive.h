/*
 * Dead means dead: once the enclave has ended itself (sgx_panic), no thread that is still inside does anything that
 * can be seen outside. sgx_stop_if_dead stands in every loop that may be long, and before everything that is written
 * to memory of the host's. It is one load of a word that is written once.
 *
 * Outside the enclave there is nothing to stop.
 */
#ifndef ENCLAVE_OS_COMMON_ALIVE_H
#define ENCLAVE_OS_COMMON_ALIVE_H

#ifdef ENCLAVE_TRUSTED
extern unsigned char sgx_dead_flag __attribute__((visibility("hidden"))); /* sgx/trusted/dead.c */
_Noreturn void rt_leave_dead(void) __attribute__((visibility("hidden"))); /* sgx/trusted/exit.S */

/* Does not return once the enclave is dead: the thread leaves it for good, from whatever stack it is on. */
static inline void sgx_stop_if_dead(void)
{
    if (__builtin_expect(__atomic_load_n(&sgx_dead_flag, __ATOMIC_RELAXED), 0))
        rt_leave_dead();
}
#else
static inline void sgx_stop_if_dead(void)
{
}
#endif

#endif
