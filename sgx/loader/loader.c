/* Creating an enclave through a backend and carrying ECALLs and OCALLs; see enclave.h and abi.h. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ensure.h"
#include "edl/enclave_os_u.h"
#include "sgx/emulator/emulator.h"
#include "sgx/loader/abi.h"
#include "sgx/loader/enclave.h"
#include "sgx/loader/sgx_device.h"
#include "sgx/sign/image.h"

#define SCRATCH_SIZE 4096u
#define UNSEEN_FAULTS_MAX 8u

struct slot {
    uint64_t tcs;
    atomic_bool used;
};

struct enclave {
    struct backend *backend;
    enclave_ocall ocall;
    enum enclave_backend kind;
    uint8_t mrenclave[32];
    uint64_t base;
    uint32_t tcs_count;
    struct enclave_memory memory;
    atomic_bool dead;
    struct slot slots[ENCLAVE_TCS_MAX];
};

/* What the last EEXIT of this thread carried. */
struct exit_words {
    long rdi, rsi;
};

/* Also called after exceptions, whose words are not the enclave's. */
static int note_exit(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct enclave_run *run)
{
    (void)rdx, (void)rsp, (void)r8, (void)r9;
    struct exit_words *words = (struct exit_words *)run->user_data;
    if (run->function == ENCLU_EEXIT)
        *words = (struct exit_words){rdi, rsi};
    return 0;
}

struct build {
    struct backend *backend;
    char *error;
    size_t error_size;
};

static int add_pages(void *user, const struct image_pages *p)
{
    struct build *b = user;
    return b->backend->ops->add_pages(b->backend, p->offset, p->length, p->content, &p->secinfo, p->measured, b->error,
                                      b->error_size);
}

static int open_backend(const struct enclave_create_options *o, struct enclave *e, char *error, size_t error_size)
{
    e->kind = o->backend;
    if (e->kind == ENCLAVE_BACKEND_AUTO) {
        bool usable = access(SGX_ENCLAVE_DEVICE, R_OK | W_OK) == 0;
        if (!usable && access(SGX_ENCLAVE_DEVICE, F_OK) == 0)
            fprintf(stderr, "enclave-os: " SGX_ENCLAVE_DEVICE " is there, not for this user; taking the emulator "
                            "(enclave-os doctor tells more)\n");
        e->kind = usable ? ENCLAVE_BACKEND_SGX : ENCLAVE_BACKEND_EMULATOR;
    }
    if (e->kind == ENCLAVE_BACKEND_SGX)
        return sgx_device_open(o->kernel ? o->kernel : &sgx_kernel_real, &e->backend, error, error_size);
    return emulator_open(o->machine_dir, &e->backend, error, error_size);
}

/* Pages that may come while the enclave runs: those between HeapInitSize and HeapMaxSize. */
static int allow_growth(struct enclave *e, const struct enclave_layout *l, char *error, size_t error_size)
{
    if (l->heap_max_size == l->heap_size)
        return 0;
    return e->backend->ops->allow_growth(e->backend, l->heap_offset + l->heap_size, l->heap_max_size - l->heap_size,
                                         error, error_size);
}

static int build_enclave(struct enclave *e, const struct image *image, bool debug, char *error, size_t error_size)
{
    struct sgx_secs secs = {.size = image->layout.elrange_size, .ssa_frame_size = ENCLAVE_SSA_FRAME_PAGES};
    secs.attributes.flags = SGX_FLAGS_MODE64BIT | (debug ? SGX_FLAGS_DEBUG : 0);
    secs.attributes.xfrm = e->backend->xfrm;
    secs.miscselect = image->config.misc_select | (e->backend->miscselect & ~image->config.misc_mask);
    int result = e->backend->ops->create(e->backend, &secs, ENCLAVE_LOW_GAP, error, error_size);
    if (result < 0)
        return result;
    struct build b = {e->backend, error, error_size};
    result = image_walk(image, add_pages, &b);
    if (result == 0)
        result = allow_growth(e, &image->layout, error, error_size);
    if (result < 0)
        return result;
    e->base = secs.base;
    e->tcs_count = image->layout.tcs_count;
    for (uint32_t i = 0; i < e->tcs_count; i++)
        e->slots[i].tcs = e->base + image->tcs_offsets[i];
    /* Production enclaves run under the SIGSTRUCT that forbids DEBUG; debug ones, and the emulator's, cannot. */
    bool development = debug || e->kind == ENCLAVE_BACKEND_EMULATOR;
    const struct sgx_sigstruct *sigstruct = development ? &image->development : &image->production;
    memcpy(e->mrenclave, sigstruct->enclavehash, 32);
    return e->backend->ops->init(e->backend, sigstruct, error, error_size);
}

int enclave_create(const struct enclave_create_options *o, struct enclave **out, char *error, size_t error_size)
{
    struct image image;
    struct enclave *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    ENSURE(o->image_path && o->ocall);
    e->ocall = o->ocall;
    int result = image_open(o->image_path, NULL, &image, error, error_size);
    if (result == 0) {
        result = open_backend(o, e, error, error_size);
        if (result == 0)
            result = build_enclave(e, &image, o->debug, error, error_size);
        e->memory = (struct enclave_memory){.edmm = result == 0 && e->backend->edmm && !o->no_edmm,
                                            .heap_size = image.layout.heap_size,
                                            .heap_max_size = image.layout.heap_max_size};
        image_close(&image);
    }
    if (result < 0) {
        enclave_destroy(e);
        return result;
    }
    *out = e;
    return 0;
}

const uint8_t *enclave_mrenclave(const struct enclave *e)
{
    return e->mrenclave;
}

enum enclave_backend enclave_backend_of(const struct enclave *e)
{
    return e->kind;
}

uint32_t enclave_tcs_count(const struct enclave *e)
{
    return e->tcs_count;
}

const struct enclave_memory *enclave_memory(const struct enclave *e)
{
    return &e->memory;
}

int enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length)
{
    uint64_t offset = offset_and_permissions & ~(uint64_t)(SGX_PAGE_SIZE - 1), sgx_result = 0;
    if (!e->memory.edmm)
        return -ENODEV;
    int result = e->backend->ops->restrict_permissions(
        e->backend, offset, length, (uint32_t)(offset_and_permissions & (SGX_PAGE_SIZE - 1)), &sgx_result);
    if (result < 0)
        fprintf(stderr, "enclave-os: the code pages at %#lx keep their permissions: %s, SGX error %lu\n", offset,
                strerror(-result), sgx_result);
    return result;
}

bool enclave_is_dead(const struct enclave *e)
{
    return atomic_load(&e->dead);
}

/* Threads that stay take the low TCSs (the boot thread must have the first, whose stack is large); short calls take
 * the high ones. */
static int take_slot(struct enclave *e, bool stays)
{
    for (uint32_t i = 0; i < e->tcs_count; i++) {
        uint32_t index = stays ? i : e->tcs_count - 1 - i;
        if (!atomic_exchange(&e->slots[index].used, true))
            return (int)index;
    }
    return -EBUSY;
}

static void die(struct enclave *e, const char *why)
{
    if (!atomic_exchange(&e->dead, true))
        fprintf(stderr, "enclave-os: the enclave has died: %s\n", why);
}

/* An exception inside: let the enclave look at it, then resume. false: it is dead. */
static bool handle_exception(struct enclave *e, struct enclave_run *run, struct exit_words *words)
{
    int result = e->backend->ops->enter(0, 0, 0, ENCLU_EENTER, 0, 0, run);
    bool came_out = result == 0 && run->function == ENCLU_EEXIT;
    if (came_out && words->rdi == EXIT_HANDLED)
        return true;
    if (came_out && words->rdi == EXIT_FATAL)
        die(e, words->rsi > 1 ? (const char *)words->rsi : "an exception inside");
    else
        die(e, "its exception handler failed");
    return false;
}

/* Enter and stay with it until an EEXIT that is not part of exception handling. */
static bool enter_until_exit(struct enclave *e, struct enclave_run *run, struct exit_words *words, long rdi, void *rsi,
                             void *scratch)
{
    unsigned int function = ENCLU_EENTER;
    unsigned long a = (unsigned long)rdi, b = (unsigned long)rsi, c = (unsigned long)scratch;
    unsigned int unseen_faults = 0;
    for (;;) {
        int result = e->backend->ops->enter(a, b, c, function, SCRATCH_SIZE, 0, run);
        if (result == 0 && run->function == ENCLU_EEXIT)
            break;
        if (result != 0 || run->function == ENCLU_EENTER) {
            /* nothing ran inside: on hardware, pages are gone after the machine has slept */
            die(e, "it cannot be entered (has the machine been suspended?)");
            return false;
        }
        /* Without EXINFO the enclave is not told of #PF and #GP: it would resume into the same fault for ever. */
        unseen_faults = run->exception_vector == VEC_PF || run->exception_vector == VEC_GP ? unseen_faults + 1 : 0;
        if (unseen_faults > UNSEEN_FAULTS_MAX) {
            die(e, "a page fault or protection fault inside");
            return false;
        }
        if (!handle_exception(e, run, words))
            return false;
        function = ENCLU_ERESUME;
    }
    if (words->rdi == EXIT_FATAL) {
        die(e, words->rsi > 1 ? (const char *)words->rsi : "no reason given");
        return false;
    }
    return true;
}

int enclave_ecall(struct enclave *e, uint32_t index, void *ms)
{
    if (atomic_load(&e->dead))
        return -ESHUTDOWN;
    int result = e->backend->ops->prepare_thread(e->backend);
    if (result < 0)
        return result;
    int slot = take_slot(e, index == ENCLAVE_ECALL_RUN_INDEX);
    if (slot < 0)
        return slot;
    _Alignas(64) uint8_t scratch[SCRATCH_SIZE];
    struct exit_words words = {0};
    struct enclave_run run = {
        .tcs = e->slots[slot].tcs, .user_handler = (uint64_t)note_exit, .user_data = (uint64_t)&words};
    bool alive = enter_until_exit(e, &run, &words, index, ms, scratch);
    while (alive && words.rdi >= 0) {
        int64_t answer = e->ocall((uint32_t)words.rdi, (void *)words.rsi);
        alive = enter_until_exit(e, &run, &words, ENTER_ORET, (void *)answer, scratch);
    }
    ENSURE(atomic_load(&e->slots[slot].used)); /* nobody else has given it back */
    if (alive)
        atomic_store(&e->slots[slot].used, false); /* a dead thread's TCS is never entered again */
    if (!alive)
        return -ESHUTDOWN;
    return words.rdi == EXIT_ERET ? (int)words.rsi : -EPERM;
}

void enclave_destroy(struct enclave *e)
{
    if (e && e->backend)
        e->backend->ops->destroy(e->backend);
    free(e);
}
