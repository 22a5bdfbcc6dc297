/*
 * Forced into everything that runs before libc has relocated the image: the compiler's own calls to memcpy and the
 * like must not reach libc's, which are bound only at start-up.
 */
#ifndef ENCLAVE_OS_SGX_TRUSTED_FREESTANDING_H
#define ENCLAVE_OS_SGX_TRUSTED_FREESTANDING_H

#include <stddef.h>

void *memcpy(void *, const void *, size_t) __asm__("rt_memcpy");
void *memmove(void *, const void *, size_t) __asm__("rt_memmove");
void *memset(void *, int, size_t) __asm__("rt_memset");
int memcmp(const void *, const void *, size_t) __asm__("rt_memcmp");

#endif
