/* ECALLs as they arrive behind entry.S, and OCALLs with the memory that their arguments go through. */
#include "sgx/trusted/internal.h"

void *sgx_ocalloc(size_t size)
{
    struct thread_data *td = rt_td();
    if (td->scratch_used || !td->scratch || size > td->scratch_size)
        return 0;
    td->scratch_used = 1;
    return td->scratch;
}

void sgx_ocfree(void)
{
    rt_td()->scratch_used = 0;
}

int64_t sgx_ocall(uint32_t index, void *ms)
{
    return rt_ocall_asm(index, ms);
}

uint32_t sgx_tcs_index(void)
{
    return (uint32_t)rt_td()->tcs_index;
}

/* The canary changes in here and in the caller, so neither can have one of its own. */
__attribute__((no_stack_protector)) static void thread_data_init(struct thread_data *td)
{
    td->self = td;
    td->canary = rt_random64() & ~0xffull; /* a zero byte stops string functions */
    td->initialised = 1;
    /* Not measured, so the host's choice. Elsewhere address 0 would be the host's memory. */
    if (sgx_base() != 0)
        sgx_panic("boot: ELRANGE does not start at address 0");
}

/* Every ECALL arrives here, on the TCS's own stack. */
__attribute__((used, no_stack_protector)) int64_t rt_ecall(uint64_t index, void *ms, void *scratch,
                                                           uint64_t scratch_size)
{
    struct thread_data *td = rt_td();
    if (!td->initialised)
        thread_data_init(td);
    if (rt_is_dead())
        return -108; /* ESHUTDOWN */
    if (index > 0xffffffffull || !sgx_is_outside_enclave(scratch, scratch_size) || (uint64_t)scratch & 7)
        return -22; /* EINVAL */
    td->scratch = scratch;
    td->scratch_size = scratch_size;
    td->scratch_used = 0;
    return enclave_bridge_dispatch((uint32_t)index, ms);
}
