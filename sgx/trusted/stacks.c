/*
 * The stacks that the measured layout has for threads and guests: slots, each behind a gap that has no pages. On SGX1
 * permissions are fixed when a page is added, so no page of the heap could be made a guard; here what is below a
 * stack is nothing, and what is measured says so.
 */
#include "sgx/trusted/internal.h"

#include "common/ensure.h"

static struct rt_lock lock;
static uint64_t taken[ENCLAVE_STACK_KINDS][ENCLAVE_STACK_SLOTS_MAX / 64];

static uint64_t slot_size(const struct enclave_stacks *s)
{
    return ENCLAVE_GUARD_SIZE + s->size;
}

static int64_t free_slot(enum enclave_stack_kind kind, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (!(taken[kind][i / 64] >> (i % 64) & 1))
            return (int64_t)i;
    return -1;
}

void *sgx_stack_take(enum enclave_stack_kind kind, size_t *size)
{
    const struct enclave_stacks *s = &sgx_layout()->stacks[kind];
    if (*size > s->size)
        return 0;
    rt_lock(&lock);
    int64_t slot = free_slot(kind, s->count);
    if (slot >= 0)
        taken[kind][slot / 64] |= 1ull << (slot % 64);
    rt_unlock(&lock);
    if (slot < 0)
        return 0;
    *size = s->size;
    void *stack = (void *)(sgx_base() + s->offset + (uint64_t)slot * slot_size(s) + ENCLAVE_GUARD_SIZE);
    __builtin_memset(stack, 0, s->size); /* the first time it holds what the host has chosen */
    return stack;
}

void sgx_stack_give(void *stack)
{
    uint64_t offset = (uint64_t)stack - sgx_base();
    for (uint32_t kind = 0; kind < ENCLAVE_STACK_KINDS; kind++) {
        const struct enclave_stacks *s = &sgx_layout()->stacks[kind];
        uint64_t at = offset - s->offset - ENCLAVE_GUARD_SIZE;
        if (at % slot_size(s) || at / slot_size(s) >= s->count)
            continue;
        uint64_t slot = at / slot_size(s), bit = 1ull << (slot % 64);
        __builtin_memset(stack, 0, s->size);
        rt_lock(&lock);
        bool was_taken = taken[kind][slot / 64] & bit;
        taken[kind][slot / 64] &= ~bit;
        rt_unlock(&lock);
        ENSURE(was_taken);
        return;
    }
    sgx_panic("a stack was given back that is none");
}

size_t sgx_stack_count(enum enclave_stack_kind kind)
{
    return sgx_layout()->stacks[kind].count;
}
