/*
 * Whether the enclave is dead, and who is told when it dies. Below everything else in here: each loop and each way in
 * and out looks at the flag (common/alive.h).
 */
#include "sgx/trusted/internal.h"

unsigned char sgx_dead_flag; /* written once */
static void (*_Atomic death_hook)(void);

bool rt_is_dead(void)
{
    return __atomic_load_n(&sgx_dead_flag, __ATOMIC_RELAXED) != 0;
}

void sgx_at_death(void (*hook)(void))
{
    atomic_store(&death_hook, hook);
}

void rt_set_dead(void)
{
    __atomic_store_n(&sgx_dead_flag, 1, __ATOMIC_SEQ_CST); /* before the hook: who is told by it sees the flag */
    void (*hook)(void) = atomic_exchange(&death_hook, 0);
    if (hook)
        hook();
}
