/*
 * What the hardware backend asks of the machine below it: the kernel's SGX driver (uapi asm/sgx.h), memory mappings,
 * the vDSO's way in, and the CPU's own description of itself. One small set of functions, so that a test can stand in
 * for the kernel and judge every argument; sgx_device.c is the only caller.
 */
#ifndef ENCLAVE_OS_SGX_LOADER_SGX_KERNEL_H
#define ENCLAVE_OS_SGX_LOADER_SGX_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "sgx/loader/backend.h"

/* Results are those of the system calls: -1 (or MAP_FAILED) with errno. user is passed through. */
struct sgx_kernel {
    void *user;
    int (*open)(void *user, const char *path, int flags);
    int (*close)(void *user, int fd);
    int (*ioctl)(void *user, int fd, unsigned long request, void *argument);
    void *(*mmap)(void *user, void *at, size_t length, int protection, int flags, int fd);
    int (*munmap)(void *user, void *at, size_t length);
    /* __vdso_sgx_enter_enclave; NULL: this kernel has none. */
    enclave_enter_function (*enter)(void *user);
    void (*cpuid)(void *user, uint32_t leaf, uint32_t subleaf, uint32_t out[4]); /* EAX, EBX, ECX, EDX */
    uint64_t (*xcr0)(void *user);                                                /* what XGETBV says */
};

/* The running kernel. */
extern const struct sgx_kernel sgx_kernel_real;

/* __vdso_sgx_enter_enclave in this process, or NULL. Also for `doctor`. */
enclave_enter_function sgx_kernel_vdso_enter(void);

#endif
