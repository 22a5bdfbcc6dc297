/*
 * probe_host PROBE.signed SCENARIO: loads the probe into the emulator and is as hostile to it as the scenario says. It
 * drives the backend by itself, since the loader is honest. Exit status 0: the enclave did what it should.
 *
 * Being in the same process as the emulator it may look into ELRANGE, which is how it sees that nothing was touched.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/protocol.h"
#include "host/cpuid_table.h"
#include "sgx/emulator/emulator.h"
#include "sgx/loader/abi.h"
#include "sgx/sign/image.h"
#include "tests/probe/probe.h"

#define DIED (-1000)
#define HANG_SECONDS 120 /* a hang is told from a slow machine */

static struct backend *backend;
static struct image image;
static uint64_t base;
static struct run_args args;
static struct time_page time_page;
static struct order order;
static struct report report;

static bool garbage;        /* pages that are not measured are full of it */
static bool resume_anyway;  /* go on with an enclave that says that it is dead */
static uint64_t map_before; /* map a page of ours there once the enclave has died of touching it */
static char last_words[1024];
static atomic_uint slots_used[ENCLAVE_TCS_MAX], threads_inside;

static void fail(const char *what)
{
    fprintf(stderr, "FAILED: %s\n", what);
    _exit(1);
}

static void check(bool ok, const char *what)
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

static void load(const char *path, uint64_t hole)
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

/* What another thread does with a TCS while this one is outside. */
static struct in_ocall {
    uint32_t slot;
    bool done;
    long result;
} * in_ocall;
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

static long run_on(uint32_t slot, long index, void *ms)
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

static long ecall_run(uint32_t slot)
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

static void set_args(void)
{
    args.version = PROTO_VERSION;
    args.workers = 1;
    args.time_page = (uint64_t)&time_page;
    if (args.cpuid_count == 0)
        args.cpuid_count = cpuid_table_fill(args.cpuid);
    args.admin_key_size = sizeof order;
    memcpy(args.admin_key, &order, sizeof order);
}

static long go(uint64_t kind, uint64_t argument)
{
    order = (struct order){kind, argument, (uint64_t)&report};
    set_args();
    check(backend->ops->prepare_thread(backend) == 0, "prepare");
    return ecall_run(0);
}

/* ---- judging --------------------------------------------------------------------------------------------------- */

static uint64_t number_after(const char *name)
{
    const char *at = strstr(last_words, name);
    return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

static void in_the_gap_below(uint64_t stack)
{
    printf("%s\n", last_words);
    check(number_after("exception ") == VEC_PF, "it did not die of a page fault");
    uint64_t address = number_after("address ");
    check(address < stack && address >= stack - ENCLAVE_GUARD_SIZE, "the fault is not in the gap below the stack");
}

static void neighbour_is_whole(void)
{
    const uint8_t *p = (const uint8_t *)report.neighbour;
    for (uint64_t i = 0; i < report.neighbour_size; i++)
        check(p[i] == PATTERN, "the neighbour's stack was touched");
}

static void overflow(uint64_t kind, uint64_t where)
{
    long result = go(kind, where);
    while (atomic_load(&threads_inside) && last_words[0] == 0)
        usleep(1000);
    (void)result;
    check(last_words[0], "it went on");
    uint64_t stack = where == ON_BOOT ? base + image.tcs_offsets[0] - image.config.main_stack_size : report.stack;
    if (where == ON_EXCEPTION) { /* no handler is left to tell */
        check(strcmp(last_words, "without a word") == 0, "it died of something else");
        const uint8_t *td = (const uint8_t *)(stack - ENCLAVE_GUARD_SIZE - SGX_PAGE_SIZE);
        for (unsigned i = 1024; i < SGX_PAGE_SIZE; i++)
            check(td[i] == 0, "the thread's data was touched");
    } else {
        in_the_gap_below(stack);
    }
    neighbour_is_whole();
}

/* A short ECALL overflows its stack, or a buffer on it, without libc, while the boot thread is out on an OCALL. */
static void early(uint64_t kind)
{
    uint32_t slot = image.layout.tcs_count - 1;
    in_ocall = &(struct in_ocall){.slot = slot};
    go(kind, ON_ECALL);
    check(in_ocall->result == DIED, "a short ECALL went on");
    if (kind == ORDER_SMASH)
        check(strstr(last_words, "overrun") != NULL, last_words);
    else
        in_the_gap_below(base + image.tcs_offsets[slot] - image.config.thread_stack_size);
}

/* -EPERM: from the TCS whose ECALL has never ended. DIED: from one that was interrupted and is not resumed, since what
 * is entered there is the exception handler. */
static bool is_refusal(long result)
{
    return result == -ESHUTDOWN || result == -EPERM || result == DIED;
}

static void dead_means_dead(uint64_t fault)
{
    resume_anyway = fault != 0;
    map_before = fault;
    long result = go(ORDER_DEATH, fault);
    check(result == (fault ? -ESHUTDOWN : DIED), "the thread that died went on");
    for (time_t start = time(NULL); atomic_load(&threads_inside); usleep(1000))
        check(time(NULL) - start < HANG_SECONDS, "a thread is still inside");
    uint64_t seen = report.progress;
    check(report.failures == 0, report.text[0] ? report.text : "it went on behind the fault");
    for (uint32_t slot = 0; slot < image.layout.tcs_count; slot++)
        check(is_refusal(ecall_run(slot)), "a dead enclave was entered");
    check(report.progress == seen, "something was written by the dead");
    printf("%s\n", last_words);
}

static void well(uint64_t kind)
{
    long result = go(kind, 0);
    if (result != 0)
        fprintf(stderr, "it ended with %ld: %s\n", result, last_words);
    check(result == 0, "it did not end well");
    if (report.failures)
        fail(report.text);
    printf("%lu checks\n", report.checks);
}

static void refused_table(const char *why)
{
    check(go(ORDER_NOTHING, 0) == DIED, why);
    printf("%s: %s\n", why, last_words);
}

static struct cpuid_entry *entry(uint32_t leaf)
{
    for (uint32_t i = 0; i < args.cpuid_count; i++)
        if (args.cpuid[i].leaf == leaf)
            return &args.cpuid[i];
    fail("no such leaf");
    return NULL;
}

/* Each number that the host gives at the start, with what is right for it, as common/protocol.h has it; beside these,
 * 0 is for the default. */
static const struct number {
    const char *name;
    size_t offset, size;
    uint64_t least, most, also;
} numbers[] = {
#define NUMBER(field, least, most, also)                                               \
    {                                                                                  \
#field, offsetof(struct run_args, field), sizeof args.field, least, most, also \
    }
    NUMBER(version, PROTO_VERSION, PROTO_VERSION, PROTO_VERSION),
    NUMBER(workers, 1, PROTO_MAX_WORKERS, 1),
    NUMBER(cpuid_count, 0, PROTO_CPUID_MAX, 0),
    NUMBER(admin_key_size, 0, PROTO_ADMIN_KEY_MAX, 0),
    NUMBER(http_max_header_bytes, 256, 1 << 20, 0),
    NUMBER(http_max_headers, 1, 4096, 0),
    NUMBER(http_max_body_bytes, 1, 1ull << 62, 0),
    NUMBER(http_header_timeout_ms, 1, 86400000, 0),
    NUMBER(http_idle_timeout_ms, 1, 86400000, 0),
    NUMBER(http_request_timeout_ms, 1, 86400000, 0),
    NUMBER(http_min_rate, 1, 1 << 30, UINT32_MAX),
    NUMBER(http_rate_grace_ms, 1, 86400000, 0),
    NUMBER(app_memory_max_mib, 1, 4096, 0),
    NUMBER(app_disk_max_mib, 1, PROTO_APP_DISK_MIB_MAX, 0),
    NUMBER(request_client_certificates, 0, 1, 0),
};

static uint64_t random_state;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> (random_state & 63);
}

static void try_number(const struct number *n, uint64_t value)
{
    char text[160];
    const struct run_args kept = args;
    if (n->size == 4)
        value = (uint32_t)value;
    memcpy((char *)&args + n->offset, &value, n->size);
    bool strict = n->least == n->most || !strcmp(n->name, "workers");
    bool right = (value >= n->least && value <= n->most) || value == n->also || (value == 0 && !strict);
    snprintf(text, sizeof text, "%s = %lu is accepted", n->name, (unsigned long)value);
    if (!right)
        check(ecall_run(3) == -EINVAL, text);
    args = kept;
}

/* What is out of bounds is refused before anything starts, and the enclave is there for whoever asks rightly. What is
 * in bounds boots it, once: e2e/numbers tries the edges. */
static void lying_numbers(void)
{
    uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) : (uint64_t)time(NULL);
    printf("SEED=%lu\n", (unsigned long)seed);
    random_state = seed * 2654435761u + 1;
    set_args();
    check(backend->ops->prepare_thread(backend) == 0, "prepare");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct number *n = &numbers[i];
        const uint64_t edges[] = {0,           1,          n->least,         n->least - 1, n->most,
                                  n->most + 1, 1ull << 31, (1ull << 31) - 1, UINT32_MAX,   UINT32_MAX - 1ull,
                                  1ull << 32,  1ull << 63, INT64_MAX,        UINT64_MAX};
        for (size_t j = 0; j < sizeof edges / sizeof *edges; j++)
            try_number(n, edges[j]);
        for (int j = 0; j < 200; j++)
            try_number(n, random_number());
    }
    memset(args.san, 'a', sizeof args.san);
    check(ecall_run(3) == -EINVAL, "names without an end are accepted");
    memset(args.san, 0, sizeof args.san);
    const uint64_t pages[] = {base + image.layout.heap_offset, (uint64_t)&time_page + 4, UINT64_MAX - 7, 8,
                              base + image.layout.heap_offset - 8};
    for (size_t j = 0; j < sizeof pages / sizeof *pages; j++) {
        args.time_page = pages[j];
        check(ecall_run(3) == -EINVAL, "a time page that is inside or out of line is accepted");
    }
    check(go(ORDER_NOTHING, 0) != -EINVAL, "what is right is refused");
}

static void cpuid_lie(const char *lie)
{
    args.cpuid_count = cpuid_table_fill(args.cpuid);
    if (!strcmp(lie, "twice")) {
        args.cpuid[args.cpuid_count - 1] = *entry(1);
        args.cpuid[args.cpuid_count - 1].subleaf = 0x12345;
    } else if (!strcmp(lie, "same-twice")) {
        args.cpuid[args.cpuid_count - 1] = *entry(7);
    } else if (!strcmp(lie, "subleaf")) {
        entry(1)->subleaf = 1; /* once, but for a subleaf that it has not */
    } else if (!strcmp(lie, "no-aes")) {
        entry(1)->ecx &= ~(1u << 25);
    } else if (!strcmp(lie, "no-ssse3")) {
        entry(1)->ecx &= ~(1u << 9);
    } else if (!strcmp(lie, "no-fxsr")) {
        entry(1)->edx &= ~(1u << 24);
    } else {
        args.cpuid[0].leaf = 0x40000000;
    }
    refused_table(lie);
}

static void entries_out_of_turn(void)
{
    check(run_on(3, ENTER_ORET, NULL) == -EPERM, "a return from an OCALL that nobody made");
    check(run_on(3, 0x1234, NULL) == -ENOSYS, "an ECALL that there is not");
    uint64_t inside = base + image.layout.heap_offset;
    check(run_on(3, 0, (void *)inside) == -EPERM, "arguments inside the enclave");
    check(run_on(3, 0, (void *)8) == -EPERM, "arguments at address 8");
    check(run_on(3, 0, (void *)-8ll) == -EPERM, "arguments that wrap");
    check(run_on(3, 0, (char *)&report + 4) == -EPERM, "arguments out of line");
}

int main(int argc, char **argv)
{
    check(argc == 3, "usage: probe_host PROBE.signed SCENARIO");
    const char *s = argv[2];
    alarm(5 * HANG_SECONDS);
    garbage = !strcmp(s, "zeroed");
    load(argv[1], strcmp(s, "base") ? ENCLAVE_LOW_GAP : 0);
    static const char *const wheres[] = {"boot", "thread", "compiler", "guest", "exception"};
    for (uint64_t i = 0; i < sizeof wheres / sizeof *wheres; i++)
        if (!strcmp(s, wheres[i])) {
            overflow(ORDER_OVERFLOW, i);
            return 0;
        }
    if (!strcmp(s, "big-frame"))
        overflow(ORDER_BIG_FRAME, ON_THREAD);
    else if (!strcmp(s, "syscalls"))
        well(ORDER_SYSCALLS);
    else if (!strcmp(s, "numbers"))
        lying_numbers();
    else if (!strcmp(s, "zeroed"))
        well(ORDER_ZEROED);
    else if (!strcmp(s, "join"))
        well(ORDER_JOIN);
    else if (!strcmp(s, "dead"))
        dead_means_dead(0);
    else if (!strcmp(s, "resumed"))
        dead_means_dead(ENCLAVE_LOW_GAP - SGX_PAGE_SIZE);
    else if (!strncmp(s, "cpuid-", 6))
        cpuid_lie(s + 6);
    else if (!strcmp(s, "entries")) {
        check(backend->ops->prepare_thread(backend) == 0, "prepare");
        entries_out_of_turn();
    } else if (!strcmp(s, "base")) {
        check(go(ORDER_NOTHING, 0) == DIED, "it runs where address 0 is the host's");
        check(strstr(last_words, "address 0") || !strcmp(last_words, "without a word"), last_words);
    } else if (!strcmp(s, "smash")) {
        check(go(ORDER_SMASH, 0) == DIED && strstr(last_words, "overrun"), "a smashed stack went unnoticed");
    } else if (!strcmp(s, "smash-early")) {
        early(ORDER_SMASH);
    } else if (!strcmp(s, "ecall")) {
        early(ORDER_OVERFLOW);
    } else if (!strcmp(s, "null")) {
        check(go(ORDER_NULL, 8) == DIED && number_after("exception ") == VEC_PF && number_after("address ") == 8,
              "address 8 could be read");
    } else
        fail("no such scenario");
    return 0;
}
