/*
 * Forced into everything that runs before libc has relocated the image: the compiler's own calls to memcpy and the
 * like must not reach libc's, which are bound only at start-up.
 */
#ifndef ENCLAVE_OS_SGX_TRUSTED_FREESTANDING_H
#define ENCLAVE_OS_SGX_TRUSTED_FREESTANDING_H

#include <stddef.h>

void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);

/* By the assembler, since the compiler's own calls do not always heed a declaration's asm label. */
__asm__(".set memcpy, rt_memcpy\n.set memmove, rt_memmove\n.set memset, rt_memset\n.set memcmp, rt_memcmp");

#endif
