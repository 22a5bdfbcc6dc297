/* Randomness comes from the CPU alone. */
#include "sgx/trusted/internal.h"

__attribute__((no_stack_protector)) uint64_t rt_random64(void) /* makes the canary itself */
{
    for (int tries = 0; tries < 1000; tries++) {
        uint64_t value;
        bool ok;
        __asm__ volatile("rdrand %0" : "=r"(value), "=@ccc"(ok));
        if (ok)
            return value;
        __builtin_ia32_pause();
    }
    sgx_panic("RDRAND gives nothing");
}

void sgx_random(void *out, size_t size)
{
    for (uint8_t *at = out; size > 0;) {
        uint64_t value = rt_random64();
        size_t count = size < 8 ? size : 8;
        __builtin_memcpy(at, &value, count);
        at += count;
        size -= count;
    }
}
