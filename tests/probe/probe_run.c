/* See probe_run.h. */
#include "tests/probe/probe_run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "host/cpuid_table.h"
#include "sgx/emulator/emulator.h"

struct backend *backend;
struct image image;
uint64_t base;
struct run_args args;
struct time_page time_page;
static struct order order;
struct report report;

bool garbage;
bool resume_anyway;
uint64_t map_before;
char last_words[1024];
atomic_uint threads_inside;
static atomic_uint slots_used[ENCLAVE_TCS_MAX];

void fail(const char *what)
{
    fprintf(stderr, "FAILED: %s\n", what);
    _exit(1);
}

void check(bool ok, const char *what)
{
    if (!ok)
        fail(what);
}

/* ---- loading --------------------------------------------------------------------------------------------------- */

static int add(void *unused, const struct image_pages *p)
{
    (void)unused;
    static uint8_t filth[1u << 20];
    char error[256];
    for (uint64_t at = 0, size; at < p->length; at += size) {
        size = p->length - at < sizeof filth ? p->length - at : sizeof filth;
        const uint8_t *content = p->content ? p->content + at : NULL;
        if (!content && garbage)
            content = memset(filth, 0xcc, sizeof filth);
        if (backend->ops->add_pages(backend, p->offset + at, size, content, &p->secinfo, p->measured, error,
                                    sizeof error) < 0)
            fail(error);
    }
    return 0;
}

void load(const char *path, uint64_t hole)
{
    char error[256], folder[] = "/tmp/probe-XXXXXX";
    check(image_open(path, NULL, &image, error, sizeof error) == 0, error);
    check(mkdtemp(folder) && emulator_open(folder, &backend, error, sizeof error) == 0, "no emulator");
    struct sgx_secs secs = {.size = image.layout.elrange_size, .ssa_frame_size = ENCLAVE_SSA_FRAME_PAGES};
    secs.attributes.flags = SGX_FLAGS_MODE64BIT;
    secs.attributes.xfrm = backend->xfrm;
    secs.miscselect = backend->miscselect;
    check(backend->ops->create(backend, &secs, hole, error, sizeof error) == 0, error);
    base = secs.base;
    image_walk(&image, add, NULL);
    check(backend->ops->init(backend, &image.development, error, sizeof error) == 0, error);
    char key[64];
    snprintf(key, sizeof key, "%s/fuse-key", folder);
    unlink(key);
    rmdir(folder);
}

/* ---- running --------------------------------------------------------------------------------------------------- */

struct words {
    long rdi, rsi;
};

static int note(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct enclave_run *run)
{
    (void)rdx, (void)rsp, (void)r8, (void)r9;
    if (run->function == ENCLU_EEXIT)
        *(struct words *)run->user_data = (struct words){rdi, rsi};
    return 0;
}

static void *run_thread(void *unused);

static void start_thread(void)
{
    pthread_t thread;
    atomic_fetch_add(&threads_inside, 1);
    check(pthread_create(&thread, NULL, run_thread, NULL) == 0 && pthread_detach(thread) == 0, "no thread");
}

struct in_ocall *in_ocall;
static long short_ecall(uint32_t slot);

static void *do_in_ocall(void *unused)
{
    check(backend->ops->prepare_thread(backend) == 0, "prepare");
    in_ocall->result = short_ecall(in_ocall->slot);
    return unused;
}

static void meanwhile(void)
{
    pthread_t thread;
    in_ocall->done = true;
    check(pthread_create(&thread, NULL, do_in_ocall, NULL) == 0 && pthread_join(thread, NULL) == 0, "no thread");
}

static int64_t ocall(const uint64_t *ms)
{
    const struct timespec moment = {.tv_nsec = 200000};
    uint64_t op = ms[1];
    *(uint64_t *)(uintptr_t)ms = 0;
    if (in_ocall && !in_ocall->done)
        meanwhile();
    if (op == NOTIFY_THREADS_READY)
        start_thread();
    else if (op == NOTIFY_THREAD_WAIT)
        nanosleep(&moment, NULL);
    return 0;
}

static void die(struct words w)
{
    if (w.rsi > 1)
        snprintf(last_words, sizeof last_words, "%s", (const char *)w.rsi);
    else if (!last_words[0])
        snprintf(last_words, sizeof last_words, "without a word");
}

static void clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    atomic_store(&time_page.monotonic_ns, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
    atomic_store(&time_page.realtime_ns, 1000000000000000000u + time_page.monotonic_ns);
}

/* After an exception: the handler, then what it says. False: dead, and we believe it. */
static bool handle(struct enclave_run *run, struct words *w)
{
    do
        backend->ops->enter(0, 0, 0, ENCLU_EENTER, 0, 0, run);
    while (run->function == ENCLU_ERESUME); /* an exception in the handler: once more, above it */
    check(run->function == ENCLU_EEXIT, "the exception handler did not come out");
    if (w->rdi == EXIT_HANDLED)
        return true;
    check(w->rdi == EXIT_FATAL, "an exit of another kind from the exception handler");
    die(*w);
    if (map_before)
        check(mmap((void *)map_before, SGX_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0) == (void *)map_before,
              "no page of ours there");
    return resume_anyway;
}

long run_on(uint32_t slot, long index, void *ms)
{
    static _Thread_local uint64_t scratch[512] __attribute__((aligned(64)));
    struct words w = {0};
    struct enclave_run run = {
        .tcs = base + image.tcs_offsets[slot], .user_handler = (uint64_t)note, .user_data = (uint64_t)&w};
    long rdi = index;
    void *rsi = ms;
    unsigned function = ENCLU_EENTER;
    for (;;) {
        clock_now();
        backend->ops->enter((unsigned long)rdi, (unsigned long)rsi, (unsigned long)scratch, function, sizeof scratch, 0,
                            &run);
        if (run.function == ENCLU_ERESUME) {
            if (!handle(&run, &w))
                return DIED;
            function = ENCLU_ERESUME;
            continue;
        }
        check(run.function == ENCLU_EEXIT, "it cannot be entered");
        if (w.rdi == EXIT_FATAL) {
            die(w);
            return DIED;
        }
        if (w.rdi == EXIT_ERET)
            return w.rsi;
        rsi = (void *)ocall((const uint64_t *)w.rsi);
        rdi = ENTER_ORET;
        function = ENCLU_EENTER;
    }
}

long ecall_run(uint32_t slot)
{
    uint64_t ms[2] = {0, (uint64_t)&args};
    long result = run_on(slot, 1, ms);
    return result == 0 ? (int32_t)ms[0] : result;
}

static void *run_thread(void *unused)
{
    check(backend->ops->prepare_thread(backend) == 0, "prepare");
    uint32_t slot = 1;
    while (atomic_exchange(&slots_used[slot], 1))
        slot = slot % (image.layout.tcs_count - 1) + 1;
    ecall_run(slot);
    atomic_store(&slots_used[slot], 0);
    atomic_fetch_sub(&threads_inside, 1);
    return unused;
}

static long short_ecall(uint32_t slot)
{
    static struct channel_desc desc;
    uint64_t ms[2] = {0, (uint64_t)&desc};
    long result = run_on(slot, 0, ms);
    return result == 0 ? (int32_t)ms[0] : result;
}

void set_args(void)
{
    args.version = PROTO_VERSION;
    args.workers = 1;
    args.time_page = (uint64_t)&time_page;
    if (args.cpuid_count == 0)
        args.cpuid_count = cpuid_table_fill(args.cpuid);
    args.admin_key_size = sizeof order;
    memcpy(args.admin_key, &order, sizeof order);
}

long go(uint64_t kind, uint64_t argument)
{
    order = (struct order){kind, argument, (uint64_t)&report};
    set_args();
    check(backend->ops->prepare_thread(backend) == 0, "prepare");
    return ecall_run(0);
}
