/* Checks and copies at the boundary, and the way out by OCALL. */
#include "sgx/trusted/rt.h"

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

#define USER_SPACE_END (1ull << 47)

void *rt_memcpy(void *restrict dst, const void *restrict src, size_t size)
{
    void *result = dst;
    __asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(size) : : "memory");
    return result;
}

void *rt_memset(void *dst, int value, size_t size)
{
    void *result = dst;
    __asm__ volatile("rep stosb" : "+D"(dst), "+c"(size) : "a"(value) : "memory");
    return result;
}

void *rt_memmove(void *dst, const void *src, size_t size)
{
    uint8_t *d = dst;
    const uint8_t *s = src;
    if (d <= s || d >= s + size)
        return rt_memcpy(dst, src, size);
    while (size--)
        ((volatile uint8_t *)d)[size] = s[size];
    return dst;
}

int rt_memcmp(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

uint64_t sgx_base(void)
{
    return (uint64_t)__ehdr_start - ENCLAVE_LOW_GAP;
}

const struct enclave_layout *sgx_layout(void)
{
    uint64_t end = ((uint64_t)_end + SGX_PAGE_SIZE - 1) & ~(uint64_t)(SGX_PAGE_SIZE - 1);
    return (const struct enclave_layout *)end;
}

bool sgx_is_inside_enclave(const void *p, size_t size)
{
    uint64_t offset = (uint64_t)p - sgx_base(), range = sgx_layout()->elrange_size;
    return offset < range && (size ? size : 1) <= range - offset;
}

bool sgx_is_outside_enclave(const void *p, size_t size)
{
    uint64_t start = (uint64_t)p, base = sgx_base(), range = sgx_layout()->elrange_size;
    if (size == 0)
        size = 1;
    if (start >= USER_SPACE_END || size > USER_SPACE_END - start)
        return false;
    return start + size <= base || start >= base + range;
}

void sgx_copy_in(void *dst, const void *untrusted_src, size_t size)
{
    uint8_t *d = dst;
    uint64_t at = (uint64_t)untrusted_src;
    /* Whole aligned words only: the first and the last may be partly outside the range, never outside its page. */
    while (size > 0) {
        uint64_t word = *(const volatile uint64_t *)(at & ~7ull);
        uint64_t skip = at & 7, count = 8 - skip < size ? 8 - skip : size;
        word >>= skip * 8;
        if (count == 8)
            __builtin_memcpy(d, &word, 8);
        else
            for (uint64_t i = 0; i < count; i++)
                d[i] = (uint8_t)(word >> (8 * i));
        d += count;
        at += count;
        size -= count;
    }
    __asm__ volatile("lfence" : : : "memory"); /* what follows may branch on the copy */
}

void sgx_copy_out(void *untrusted_dst, const void *src, size_t size)
{
    const uint8_t *s = src;
    uint64_t at = (uint64_t)untrusted_dst;
    while (size > 0 && (at & 7 || size < 8)) {
        /* a partial word: read it, change it, write it whole */
        volatile uint64_t *p = (volatile uint64_t *)(at & ~7ull);
        uint64_t skip = at & 7, count = 8 - skip < size ? 8 - skip : size, word = *p;
        for (uint64_t i = 0; i < count; i++) {
            word &= ~(0xffull << (8 * (skip + i)));
            word |= (uint64_t)s[i] << (8 * (skip + i));
        }
        *p = word;
        s += count;
        at += count;
        size -= count;
    }
    for (; size >= 8; size -= 8, s += 8, at += 8) {
        uint64_t word;
        __builtin_memcpy(&word, s, 8);
        *(volatile uint64_t *)at = word;
    }
    if (size > 0)
        sgx_copy_out((void *)at, s, size);
}

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

/* GCC's -fstack-protector calls this when a function's canary has changed: in place of libc's, which would print a
 * line and raise a signal on the very stack that is broken. */
_Noreturn void __stack_chk_fail(void);
__attribute__((visibility("default"))) void __stack_chk_fail(void)
{
    sgx_panic("a stack buffer was overrun");
}
