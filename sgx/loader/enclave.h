/*
 * Creating an enclave from a signed image and calling into it, whichever backend runs it.
 *
 *     struct enclave_create_options options = {
 *         .image_path = path, .ocall = enclave_ocall_dispatch, .machine_dir = dir};
 *     enclave_create(&options, &e, error, sizeof error);
 *     ecall_run_u(e, &result, &args);          generated from the EDL, over enclave_ecall
 *     enclave_destroy(e);
 *
 * Options are borrowed for the call. The enclave is its creator's; any thread may call into it, and is inside until
 * its ECALL returns, or does not come back when the enclave has died in the meantime: see enclave_is_dead. At most as
 * many threads are inside as the image has TCSs; a few of them are kept for short calls, so that ecall_run cannot take
 * them all.
 *
 * Errors are negative errno; -EBUSY is worth trying again. One enclave per process on the emulator.
 */
#ifndef ENCLAVE_OS_SGX_LOADER_ENCLAVE_H
#define ENCLAVE_OS_SGX_LOADER_ENCLAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum enclave_backend { ENCLAVE_BACKEND_AUTO, ENCLAVE_BACKEND_SGX, ENCLAVE_BACKEND_EMULATOR };

struct enclave;
struct sgx_kernel;

/* Answers the enclave's OCALLs: generated from the EDL, as enclave_ocall_dispatch. Runs on the thread that is inside.
 * */
typedef int64_t (*enclave_ocall)(uint32_t index, void *ms);

struct enclave_create_options {
    const char *image_path;
    enclave_ocall ocall;
    enum enclave_backend backend;    /* AUTO: sgx where /dev/sgx_enclave can be opened, else the emulator */
    bool debug;                      /* hardware: ask for ATTRIBUTES.DEBUG. The emulator always sets it */
    bool no_edmm;                    /* do not change pages of the running enclave, even where the machine can */
    const char *machine_dir;         /* emulator: folder of the per-machine secret; made if missing */
    const struct sgx_kernel *kernel; /* hardware: NULL for the running one; tests stand in for it */
};

/* How the enclave's memory is managed; sizes are bytes. */
struct enclave_memory {
    bool edmm;              /* pages may be added and permissions cut while it runs */
    uint64_t heap_size;     /* there from the start */
    uint64_t heap_max_size; /* the heap may grow to this, with EDMM only */
};

/* Build the enclave page by page and EINIT it. 0, or a negative errno with one clear line in error. */
int enclave_create(const struct enclave_create_options *options, struct enclave **out, char *error, size_t error_size);

const uint8_t *enclave_mrenclave(const struct enclave *e); /* 32 bytes */
enum enclave_backend enclave_backend_of(const struct enclave *e);
uint32_t enclave_tcs_count(const struct enclave *e);

const struct enclave_memory *enclave_memory(const struct enclave *e);

/* NOTIFY_RESTRICT_PAGES: take permissions from pages; the enclave accepts it afterwards. offset_and_permissions is an
 * offset in ELRANGE, whole pages, with the SECINFO R, W, X that stay in its low bits. 0; -ENODEV without EDMM;
 * another negative errno, with a line on standard error. */
int enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length);

/* One ECALL on a free TCS, from any thread; OCALLs made meanwhile are answered on the same thread.
 * 0 (the callee's own result is in *ms); -EBUSY: no TCS is free; -ESHUTDOWN: the enclave has died (its last words
 * were printed to standard error); -EPERM: the enclave refused the call. */
int enclave_ecall(struct enclave *e, uint32_t index, void *ms);

/* Has the enclave died? Then threads that are parked by an OCALL will never come back in: the host must end. */
bool enclave_is_dead(const struct enclave *e);

/* No thread may be inside. */
void enclave_destroy(struct enclave *e);

#endif
