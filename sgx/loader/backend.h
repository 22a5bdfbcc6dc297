/*
 * What a way of running enclaves must offer. Two exist: the kernel driver (hardware) and the in-process emulator.
 * The loader drives either with the same calls in the same order: create, add_pages in ascending order, allow_growth,
 * init, then enter from as many threads as there are TCSs. The conformance suite (sgx/emulator/) drives both
 * through this interface and nothing else.
 *
 * Offsets and lengths are bytes from ELRANGE's base, whole pages. Operations return 0 or a negative errno; those with
 * an error buffer leave one line in it then.
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
    uint8_t reserved[216]; /* zero, or the call is refused */
};
_Static_assert(sizeof(struct enclave_run) == 256, "uapi");

/* Called by enter each time control is outside again, after an exception too: run->function tells which. After
 * EEXIT the arguments are the registers as the enclave left them; after an exception RDI, RSI and RDX are its vector,
 * error code and address. A positive result is the leaf to execute next, any other becomes enter's. */
typedef int (*enclave_user_handler)(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct enclave_run *run);

/*
 * __vdso_sgx_enter_enclave's contract, as the kernel's code has it (its comment speaks of -EFAULT, which never comes):
 *
 *   -EINVAL            function is neither EENTER nor ERESUME, or run->reserved is not zero
 *   0, or the handler's result, with run->function saying what happened:
 *     EEXIT            the enclave left by itself
 *     EENTER           that instruction faulted; nothing ran
 *     ERESUME          an exception inside, of which the CPU has left the SSA frame; or ERESUME itself faulted
 *   After the last two the exception fields are set. #DB and #BP come as signals on hardware.
 */
typedef int (*enclave_enter_function)(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
                                      unsigned long r8, unsigned long r9, struct enclave_run *run);

struct backend;

struct backend_ops {
    const char *name;
    /* secs: size, ssa_frame_size, miscselect, attributes asked for; base is filled in. hole: so many bytes at the
     * start of ELRANGE will never have pages. If not 0, ELRANGE starts at address 0, where a process may not map
     * anything below vm.mmap_min_addr (64 KiB, as a rule); the hole must be at least that. 0: it lies anywhere. */
    int (*create)(struct backend *b, struct sgx_secs *secs, uint64_t hole, char *error, size_t error_size);
    /* length bytes at offset with equal SECINFO. content NULL: zero pages. */
    int (*add_pages)(struct backend *b, uint64_t offset, uint64_t length, const void *content,
                     const struct sgx_secinfo *secinfo, bool measured, char *error, size_t error_size);
    /* Before init: pages of this range, which add_pages left out, may come later, by the enclave's EACCEPT (EAUG). */
    int (*allow_growth)(struct backend *b, uint64_t offset, uint64_t length, char *error, size_t error_size);
    int (*init)(struct backend *b, const struct sgx_sigstruct *sigstruct, char *error, size_t error_size);
    /* Prepare the calling thread for enter; called before its first, does nothing when called again. */
    int (*prepare_thread)(struct backend *b);
    enclave_enter_function enter;

    /* Changing pages of an initialised enclave (EDMM, SGX2); -ENODEV where b->edmm is false. Each waits for the
     * enclave's EACCEPT, except remove_pages, which comes after it. On an error some of the pages may be changed.
     * *sgx_result is the leaf's error code, 0 if it gave none. */
    int (*restrict_permissions)(struct backend *b, uint64_t offset, uint64_t length, uint32_t permissions,
                                uint64_t *sgx_result); /* permissions: SECINFO_R, W, X to keep */
    int (*modify_type)(struct backend *b, uint64_t offset, uint64_t length, enum sgx_page_type type,
                       uint64_t *sgx_result); /* PT_TCS or PT_TRIM */
    int (*remove_pages)(struct backend *b, uint64_t offset, uint64_t length);

    void (*destroy)(struct backend *b);
};

/* First member of each backend's own structure. */
struct backend {
    const struct backend_ops *ops;
    uint32_t miscselect; /* what the machine offers (EXINFO) */
    uint64_t xfrm;       /* what the machine allows for ATTRIBUTES.XFRM */
    bool edmm;           /* valid after init: the machine and its kernel can change pages of a running enclave */
};

#endif
