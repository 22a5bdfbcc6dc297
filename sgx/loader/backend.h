/*
 * What a way of running enclaves must offer. Two exist: the kernel driver (hardware) and the in-process emulator.
 * The loader drives either with the same calls in the same order: create, add_pages in ascending order, init, then
 * enter from as many threads as there are TCSs.
 */
#ifndef ENCLAVE_OS_SGX_LOADER_BACKEND_H
#define ENCLAVE_OS_SGX_LOADER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sgx/include/arch.h"

/* The vDSO's struct sgx_enclave_run (uapi asm/sgx.h), 256 bytes. */
struct enclave_run {
    uint64_t tcs;
    uint32_t function;
    uint16_t exception_vector;
    uint16_t exception_error_code;
    uint64_t exception_addr;
    uint64_t user_handler;
    uint64_t user_data;
    uint8_t reserved[216];
};
_Static_assert(sizeof(struct enclave_run) == 256, "uapi");

/* Called by enter on EEXIT, with the registers as the enclave left them. Its result becomes enter's. */
typedef int (*enclave_user_handler)(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct enclave_run *run);

/* __vdso_sgx_enter_enclave's contract: 0 after EEXIT (run->function is EEXIT), -EFAULT after an exception inside
 * (run->function is the leaf that entered, the exception fields are set), -EINVAL for a bad call. */
typedef int (*enclave_enter_function)(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
                                      unsigned long r8, unsigned long r9, struct enclave_run *run);

struct backend;

struct backend_ops {
    const char *name;
    /* secs: size, ssa_frame_size, miscselect, attributes asked for; base is filled in. */
    int (*create)(struct backend *b, struct sgx_secs *secs, char *error, size_t error_size);
    /* length bytes (whole pages) at offset with equal SECINFO. content NULL: zero pages. */
    int (*add_pages)(struct backend *b, uint64_t offset, uint64_t length, const void *content,
                     const struct sgx_secinfo *secinfo, bool measured, char *error, size_t error_size);
    int (*init)(struct backend *b, const struct sgx_sigstruct *sigstruct, char *error, size_t error_size);
    /* Prepare the calling thread for enter; called before its first, does nothing when called again. */
    int (*prepare_thread)(struct backend *b);
    enclave_enter_function enter;
    void (*destroy)(struct backend *b);
};

/* First member of each backend's own structure. */
struct backend {
    const struct backend_ops *ops;
    uint32_t miscselect; /* what the machine offers (EXINFO) */
    uint64_t xfrm;       /* what the machine allows for ATTRIBUTES.XFRM */
};

#endif
