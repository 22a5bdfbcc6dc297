/* See admission.h. */
#include "enclave/wasm/admission.h"

#include "common/ensure.h"

#define SECOND UINT64_C(1000000000)

static enum admitted refused(_Atomic uint64_t *counter, enum admitted how)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    return how;
}

enum admitted admission_take(struct admission *a, const struct app_limits *limits, uint64_t running, uint64_t now_ns)
{
    ENSURE(running > 0); /* this one */
    ENSURE(limits->requests_per_second <= SECOND);
    if (limits->requests && running > limits->requests)
        return refused(&a->busy, ADMISSION_BUSY);
    if (!limits->requests_per_second)
        return ADMITTED;
    uint64_t interval_ns = SECOND / limits->requests_per_second;
    uint64_t due_ns = atomic_load_explicit(&a->next_ns, memory_order_relaxed), from_ns;
    do {
        from_ns = due_ns > now_ns ? due_ns : now_ns;
        if (from_ns - now_ns > SECOND - interval_ns)
            return refused(&a->fast, ADMISSION_FAST);
    } while (!atomic_compare_exchange_weak(&a->next_ns, &due_ns, from_ns + interval_ns));
    return ADMITTED;
}
