/* Where the enclave lies, and checks and copies at its boundary. */
#include "sgx/trusted/internal.h"

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

#define USER_SPACE_END (1ull << 47)

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
