/* Inside: the probe. See probe.h. Linked with the runtime and libc; its channel_post stands in for the real one, so
 * that a short ECALL can do what is asked for, and its sgx_is_inside_enclave runs in the exception handler. */
#include "tests/probe/probe.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/protocol.h"
#include "enclave/early/ecall.h"
#include "enclave/thread/threads.h"
#include "enclave_os_t.h"
#include "sgx/trusted/bridge.h"
#include "tests/probe/calls.h"

struct order order;
struct report report;

void report_out(void)
{
    sgx_copy_out((void *)order.report, &report, sizeof report);
}

static void progress(void)
{
    uint64_t count = ++report.progress;
    sgx_copy_out(&((struct report *)order.report)->progress, &count, sizeof count);
}

/* ---- overflows ------------------------------------------------------------------------------------------------- */

__attribute__((noinline)) static unsigned recurse(unsigned depth)
{
    volatile uint8_t frame[400];
    for (unsigned i = 0; i < sizeof frame; i += 8)
        frame[i] = (uint8_t)depth;
    return frame[8] + recurse(depth + 1) + frame[16];
}

__attribute__((noinline)) static unsigned big_frame(void)
{
    volatile uint8_t frame[3u << 20]; /* a thread's stack and two gaps have less */
    frame[0] = 1;
    return frame[0];
}

static void *overflow(void *stack)
{
    if (stack) {
        report.stack = (uint64_t)stack;
        report_out();
    }
    return (void *)(uintptr_t)(order.kind == ORDER_BIG_FRAME ? big_frame() : recurse(0));
}

static void overflow_thread(enum enclave_stack_kind kind)
{
    pthread_t thread;
    size_t size = 1;
    uint8_t *below = kind == ENCLAVE_STACK_THREAD ? sgx_stack_take(kind, &size) : NULL; /* slots are taken upwards */
    uint8_t *next = sgx_stack_take(kind, &size);
    sgx_stack_give(next);
    if (below) {
        memset(below, PATTERN, size);
        report.neighbour = (uint64_t)below;
        report.neighbour_size = size;
    }
    if (thread_start(&thread, kind, overflow, next) == 0)
        pthread_join(thread, NULL);
}

static void overflow_guest(void)
{
    size_t size = 1;
    uint8_t *below = sgx_stack_take(ENCLAVE_STACK_GUEST, &size), *stack = sgx_stack_take(ENCLAVE_STACK_GUEST, &size);
    memset(below, PATTERN, size);
    report.neighbour = (uint64_t)below;
    report.neighbour_size = size;
    __asm__ volatile("mov %0, %%rdi\n\tmov %1, %%rsp\n\tcall *%2"
                     :
                     : "r"(stack), "r"(stack + size), "r"((uint64_t)overflow)
                     : "rdi", "memory");
}

/* The exception handler asks this of the instruction that faulted. */
static volatile bool in_handler;
bool __real_sgx_is_inside_enclave(const void *p, size_t size);
bool __wrap_sgx_is_inside_enclave(const void *p, size_t size);
bool __wrap_sgx_is_inside_enclave(const void *p, size_t size)
{
    if (in_handler)
        overflow(NULL);
    return __real_sgx_is_inside_enclave(p, size);
}

static uint64_t gs_word(uint64_t offset)
{
    uint64_t word;
    __asm__("mov %%gs:(%1), %0" : "=r"(word) : "r"(offset));
    return word;
}

static void overflow_exception(void)
{
    report.stack = gs_word(48) - ENCLAVE_EXCEPTION_STACK_SIZE; /* thread_data_initial */
    report_out();
    in_handler = true;
    __asm__ volatile("ud2");
}

int32_t channel_post(const struct channel_desc *desc);
int32_t channel_post(const struct channel_desc *desc)
{
    (void)desc;
    volatile uint8_t frame[64];
    if (order.kind == ORDER_SMASH) {
        volatile uint8_t *p = frame;
        for (unsigned i = 0; i < 200; i++)
            p[i] = 0x41;
        return 0;
    }
    overflow(NULL);
    return 0;
}

void channel_stop_accepting(void);
void channel_stop_accepting(void)
{
}

/* The host uses the time for a short ECALL. */
static void meanwhile(void)
{
    int32_t ignored;
    ocall_notify(&ignored, NOTIFY_HOST, 0, 0);
}

static void do_overflow(void)
{
    switch (order.argument) {
    case ON_BOOT:
        recurse(0);
        break;
    case ON_THREAD:
        overflow_thread(ENCLAVE_STACK_THREAD);
        break;
    case ON_COMPILER:
        overflow_thread(ENCLAVE_STACK_COMPILER);
        break;
    case ON_GUEST:
        overflow_guest();
        break;
    case ON_EXCEPTION:
        overflow_exception();
        break;
    default:
        meanwhile();
    }
}

/* ---- the rest -------------------------------------------------------------------------------------------------- */

__attribute__((noinline)) static int smash(void)
{
    volatile uint8_t frame[64];
    volatile uint8_t *p = frame;
    for (unsigned i = 0; i < 200; i++)
        p[i] = 0x41;
    return p[3];
}

static bool is_zero(const uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i])
            return false;
    return true;
}

/* What is free of the code region, as it is mapped: all of it but a page or two, which libc has mapped at its start for
 * the text of its settings, where what is left behind the image's end is too short for that. */
static void code_is_zero(size_t size)
{
    size_t most = size;
    void *code;
    while ((code = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED &&
           most > 0)
        most -= 4096;
    expect(most >= size - 4 * 4096, "%zu bytes of the code region are free", most);
    expect(most > 0 && is_zero(code, most), "the code region is not zero");
    munmap(code, most);
}

static void zeroed(void)
{
    for (int kind = 0; kind < ENCLAVE_STACK_KINDS; kind++) {
        size_t size = 1;
        uint8_t *stack = sgx_stack_take(kind, &size);
        expect(stack && is_zero(stack, size), "a stack of kind %d is not zero", kind);
        if (stack) {
            memset(stack, 0xff, size);
            sgx_stack_give(stack);
            expect(is_zero(stack, size), "a stack given back is not zero");
        }
    }
    uint8_t *heap = calloc(1, 8u << 20);
    expect(heap && is_zero(heap, 8u << 20), "the heap is not zero");
    code_is_zero(sgx_layout()->code_size);
    uint8_t *code = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(code, 0xcc, 1u << 20);
    expect(munmap(code, 1u << 20) == 0 && is_zero(code, 1u << 20), "what was unmapped is not zero");
}

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static volatile int computing = 1, started;

static void hook(void)
{
    computing = 0;
}

static void *loops(void *unused)
{
    for (started++;;) {
        sgx_stop_if_dead();
        progress();
    }
    return unused;
}

static void *waits(void *unused)
{
    static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    for (started++;;)
        pthread_cond_wait(&never, &own);
    return unused;
}

static void *wants_lock(void *unused)
{
    started++;
    pthread_mutex_lock(&held);
    return unused;
}

static void *computes(void *unused)
{
    for (started++; computing;)
        ;
    sgx_stop_if_dead();
    return unused;
}

static void *exits(void *unused)
{
    for (started++;;) {
        int32_t ignored;
        ocall_notify(&ignored, NOTIFY_HOST, 0, 0);
    }
    return unused;
}

static void *traps(void *unused)
{
    for (started++;;)
        syscall(SYS_gettid);
    return unused;
}

static void death(void)
{
    void *(*bodies[])(void *) = {loops, waits, wants_lock, computes, exits, traps};
    pthread_t thread;
    pthread_mutex_lock(&held);
    sgx_at_death(hook);
    for (int i = 0; i < 6; i++) {
        expect(thread_start(&thread, ENCLAVE_STACK_THREAD, bodies[i], NULL) == 0, "no thread");
        while (started != i + 1)
            sched_yield();
    }
    report_out();
    if (order.argument == 0)
        sgx_panic("the probe dies");
    *(volatile int *)order.argument = 1; /* or of a fault */
    report.failures += 100;              /* lives on */
    report_out();
}

static void *ends(void *unused)
{
    return unused;
}

/* The joiner takes the stack and fills it at once, again and again. */
static void join(void)
{
    for (int i = 0; i < 200; i++) {
        pthread_attr_t attributes;
        pthread_t thread;
        size_t size = 1;
        void *stack = sgx_stack_take(ENCLAVE_STACK_THREAD, &size);
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, stack, size);
        expect(pthread_create(&thread, &attributes, ends, NULL) == 0, "no thread");
        expect(pthread_join(thread, NULL) == 0, "not joined");
        memset(stack, 0xa5, size);
        sgx_stack_give(stack);
    }
}

int main(void)
{
    memcpy(&order, ecall_run_args()->admin_key, sizeof order);
    const struct enclave_layout *l = sgx_layout();
    report.code = sgx_base() + l->code_offset;
    report.code_size = l->code_size;
    switch (order.kind) {
    case ORDER_OVERFLOW:
        do_overflow();
        break;
    case ORDER_BIG_FRAME:
        overflow_thread(ENCLAVE_STACK_THREAD);
        break;
    case ORDER_SMASH:
        if (order.argument == 0)
            report.failures += (uint64_t)smash();
        else
            meanwhile();
        break;
    case ORDER_NULL:
        report.failures += *(volatile int *)order.argument == 0;
        break;
    case ORDER_SYSCALLS:
        try_calls();
        break;
    case ORDER_ZEROED:
        zeroed();
        break;
    case ORDER_DEATH:
        death();
        break;
    case ORDER_JOIN:
        join();
        break;
    default:
        break;
    }
    report_out();
    return 0;
}
