/* What the compiler calls for copies and comparisons (freestanding.h): libc's are bound only at start-up. */
#include "sgx/trusted/internal.h"

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
