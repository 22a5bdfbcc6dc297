/*
 * The enclave's whole code and the whole host in one ordinary process: this is what lies between them, in the place of
 * the runtime (sgx/trusted) and of the loader (sgx/loader). Threads are libc's, memory is malloc's, keys and reports
 * are the emulator's, and everything counts as outside. For sanitizers, which no enclave's image can be built with; it
 * keeps no secrets.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "edl/enclave_os_u.h"
#include "enclave/crypto/processor.h"
#include "enclave/ratls/tls_memory.h"
#include "host/thread/clock.h"
#include "sgx/emulator/internal.h"
#include "sgx/loader/enclave.h"
#include "sgx/trusted/bridge.h"

#define HEAP_PAGES (UINT64_C(1) << 19)
#define GAP 65536u
#define STACK_SIZE (8u << 20)
#define GUEST_STACKS 128u
#define TCS_COUNT 12u

int enclave_main(void); /* enclave/main.c's */

/* ---- in the loader's place ------------------------------------------------------------------------------------ */

struct enclave {
    struct enclave_memory memory;
};

int enclave_create(const struct enclave_create_options *options, struct enclave **out, char *error, size_t error_size)
{
    memset(emu.fuse_key, 1, sizeof emu.fuse_key);
    memset(emu.secs.mrenclave, 2, sizeof emu.secs.mrenclave);
    memset(emu.secs.mrsigner, 3, sizeof emu.secs.mrsigner);
    emu.secs.attributes = (struct sgx_attributes){SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT | SGX_FLAGS_DEBUG, 0xE7};
    *out = calloc(1, sizeof **out);
    return *out ? 0 : -ENOMEM;
}

const uint8_t *enclave_mrenclave(const struct enclave *e)
{
    return emu.secs.mrenclave;
}

enum enclave_backend enclave_backend_of(const struct enclave *e)
{
    return ENCLAVE_BACKEND_EMULATOR;
}

const struct enclave_memory *enclave_memory(const struct enclave *e)
{
    return &e->memory;
}

bool enclave_is_dead(const struct enclave *e)
{
    return false;
}

int enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length)
{
    return -ENODEV;
}

uint32_t enclave_tcs_count(const struct enclave *e)
{
    return TCS_COUNT;
}

int enclave_ecall(struct enclave *e, uint32_t index, void *ms)
{
    return (int)enclave_bridge_dispatch(index, ms);
}

void enclave_destroy(struct enclave *e)
{
    free(e);
}

/* ---- in the runtime's place: before libc is up ------------------------------------------------------------------ */

bool sgx_is_outside_enclave(const void *p, size_t size)
{
    return p && (uintptr_t)p + size >= (uintptr_t)p;
}

bool sgx_is_inside_enclave(const void *p, size_t size)
{
    return false;
}

void sgx_copy_in(void *dst, const void *untrusted_src, size_t size)
{
    memcpy(dst, untrusted_src, size);
}

void sgx_copy_out(void *untrusted_dst, const void *src, size_t size)
{
    memcpy(untrusted_dst, src, size);
}

static _Thread_local uint64_t ocall_space[32];

void *sgx_ocalloc(size_t size)
{
    return size <= sizeof ocall_space ? ocall_space : NULL;
}

void sgx_ocfree(void)
{
}

static _Thread_local bool entered; /* by an ECALL, whose thread the host counts as one that works */

int64_t sgx_ocall(uint32_t index, void *ms)
{
    if (!entered) { /* made inside: no ECALL brought it */
        entered = true;
        clock_thread_works();
    }
    return enclave_ocall_dispatch(index, ms);
}

int32_t sgx_run_thread(const struct cpuid_entry *cpuid, uint32_t cpuid_count, const struct time_page *time_page,
                       bool edmm)
{
    static atomic_flag booted = ATOMIC_FLAG_INIT;
    entered = true;
    return atomic_flag_test_and_set(&booted) ? -EAGAIN : enclave_main();
}

/* ---- and once it is --------------------------------------------------------------------------------------------- */

uint32_t sgx_tcs_index(void)
{
    static _Atomic uint32_t count;
    static _Thread_local uint32_t index; /* + 1 */
    if (index == 0)
        index = atomic_fetch_add(&count, 1) + 1;
    return index - 1;
}

bool sgx_is_debug(void)
{
    return true;
}

void sgx_syscall_counts(uint64_t *total, uint64_t *refused)
{
    *total = *refused = 0;
}

/* The size lies below the stack, in the last word of the gap's only page that is there. */
void *sgx_stack_take(enum enclave_stack_kind kind, size_t *size)
{
    *size = *size > STACK_SIZE ? (*size + 4095) & ~(size_t)4095 : STACK_SIZE;
    uint8_t *p = mmap(NULL, GAP + *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    *(size_t *)p = GAP + *size;
    if (mprotect(p + 4096, GAP - 4096, PROT_NONE) == 0)
        return p + GAP;
    munmap(p, GAP + *size);
    return NULL;
}

void sgx_stack_give(void *stack)
{
    uint8_t *p = (uint8_t *)stack - GAP;
    munmap(p, *(size_t *)p);
}

size_t sgx_stack_count(enum enclave_stack_kind kind)
{
    return GUEST_STACKS;
}

bool sgx_pages_can_change(void)
{
    return true;
}

void sgx_heap_counts(uint64_t *used_pages, uint64_t *total_pages)
{
    *used_pages = 0;
    *total_pages = HEAP_PAGES;
}

void sgx_at_death(void (*hook)(void))
{
}

void sgx_panic(const char *text)
{
    fprintf(stderr, "%s\n", text);
    abort();
}

/* libcrypto as a shared library does not show what it has found. */
const char *processor_lacks_for_openssl(void)
{
    return NULL;
}

/* OpenSSL is the host's, too, here: its memory is metered from the start, and not only when the enclave boots. */
__attribute__((constructor)) static void meter_from_the_start(void)
{
    tls_memory_init();
}

void native_tls_memory_init(void);
void native_tls_memory_init(void)
{
}
