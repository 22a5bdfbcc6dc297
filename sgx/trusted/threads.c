/*
 * Threads and futexes. The enclave cannot make a thread: pthread_create's `clone` leaves the new thread's registers
 * parked here, and a later ecall_run on a free TCS takes them up. A thread that must wait parks its host thread by
 * ocall_notify; whether it was really woken is decided in here, so a lying host can only delay.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>

#include "enclave_os_t.h"
#include "sgx/trusted/rt.h"

#include "common/protocol.h"

#define PARKED_MAX ENCLAVE_TCS_MAX
#define SPINS_BEFORE_PARKING 2000

struct parked {
    struct sgx_gprsgx registers;
    uint64_t *clear_child_tid;
    uint32_t tid;
    bool taken;
};

static struct rt_lock lock;
static struct parked parked[PARKED_MAX];
static uint32_t parked_count;
static uint32_t next_tid = 2;

int64_t rt_clone(const struct sgx_gprsgx *r)
{
    uint64_t flags = r->rdi;
    if (!(flags & CLONE_THREAD) || !(flags & CLONE_SETTLS) || !(flags & CLONE_VM))
        return -ENOSYS; /* no processes here */
    rt_lock(&lock);
    uint32_t slot = 0;
    while (slot < PARKED_MAX && parked[slot].taken)
        slot++;
    if (slot == PARKED_MAX) {
        rt_unlock(&lock);
        return -EAGAIN;
    }
    struct parked *p = &parked[slot];
    *p = (struct parked){.registers = *r, .taken = true, .tid = next_tid++};
    p->registers.rsp = r->rsi;
    p->registers.rax = 0;
    p->registers.fsbase = r->r8;
    if (flags & CLONE_CHILD_CLEARTID)
        p->clear_child_tid = (uint64_t *)r->r10;
    uint32_t tid = p->tid;
    if (flags & CLONE_PARENT_SETTID)
        *(uint32_t *)r->rdx = tid;
    parked_count++;
    rt_unlock(&lock);
    int32_t ignored;
    ocall_notify(&ignored, NOTIFY_THREADS_READY, 1, 0);
    return tid;
}

int64_t rt_adopt_thread(void)
{
    struct thread_data *td = rt_td();
    struct sgx_gprsgx registers;
    rt_lock(&lock);
    uint32_t slot = 0;
    while (slot < PARKED_MAX && !parked[slot].taken)
        slot++;
    if (slot == PARKED_MAX) {
        rt_unlock(&lock);
        return -EAGAIN;
    }
    registers = parked[slot].registers;
    td->clear_child_tid = parked[slot].clear_child_tid;
    td->tid = parked[slot].tid;
    __builtin_memset(&parked[slot], 0, sizeof parked[slot]);
    rt_unlock(&lock);
    return rt_thread_enter(&registers);
}

void rt_thread_exit(int status)
{
    struct thread_data *td = rt_td();
    uint32_t *tid_word = (uint32_t *)td->clear_child_tid;
    td->clear_child_tid = 0;
    if (tid_word) {
        __atomic_store_n(tid_word, 0, __ATOMIC_SEQ_CST);
        rt_futex(tid_word, FUTEX_WAKE, 1, 0, 0);
    }
    rt_thread_leave(status);
}

void rt_exit_group(int status)
{
    rt_exit_status = status;
    rt_set_dead(); /* threads that are still inside leave at their next system call or never come back in */
    rt_thread_leave(status);
}

/* ---- futexes ------------------------------------------------------------------------------------------------ */

struct waiter {
    struct waiter *next;
    uint32_t *word;
    uint32_t bits;
    uint32_t tcs;
    atomic_uint state;
};
enum { SPINNING, PARKED, WOKEN };

static struct rt_lock futex_lock;
static struct waiter *waiters;

static void unlink_waiter(struct waiter *w)
{
    for (struct waiter **at = &waiters; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            return;
        }
    }
}

static int64_t wait_until_woken(struct waiter *w, uint64_t deadline_ns)
{
    for (int spin = 0; spin < SPINS_BEFORE_PARKING; spin++) {
        if (atomic_load_explicit(&w->state, memory_order_acquire) == WOKEN)
            return 0;
        __builtin_ia32_pause();
    }
    unsigned spinning = SPINNING;
    atomic_compare_exchange_strong(&w->state, &spinning, PARKED);
    for (;;) {
        if (atomic_load_explicit(&w->state, memory_order_acquire) == WOKEN)
            return 0;
        uint64_t now = rt_monotonic_ns();
        if (now >= deadline_ns) {
            rt_lock(&futex_lock);
            bool woken = atomic_load(&w->state) == WOKEN;
            if (!woken)
                unlink_waiter(w);
            rt_unlock(&futex_lock);
            return woken ? 0 : -ETIMEDOUT;
        }
        uint64_t timeout = deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - now;
        int32_t ignored;
        ocall_notify(&ignored, NOTIFY_THREAD_WAIT, w->tcs, timeout);
        if (rt_is_dead())
            rt_thread_leave(-ESHUTDOWN);
    }
}

static int64_t futex_wait(uint32_t *word, uint32_t value, uint64_t deadline_ns, uint32_t bits)
{
    struct waiter self = {.word = word, .bits = bits, .tcs = sgx_tcs_index()};
    rt_lock(&futex_lock);
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value) {
        rt_unlock(&futex_lock);
        return -EAGAIN;
    }
    struct waiter **at = &waiters; /* first come, first woken */
    while (*at)
        at = &(*at)->next;
    *at = &self;
    rt_unlock(&futex_lock);
    return wait_until_woken(&self, deadline_ns);
}

static int64_t futex_wake(uint32_t *word, uint32_t count, uint32_t bits)
{
    uint32_t tcs[ENCLAVE_TCS_MAX], woken = 0, parked_waiters = 0;
    rt_lock(&futex_lock);
    for (struct waiter **at = &waiters; *at && woken < count && woken < ENCLAVE_TCS_MAX;) {
        struct waiter *w = *at;
        if (w->word != word || !(w->bits & bits)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        uint32_t index = w->tcs;
        woken++;
        if (atomic_exchange_explicit(&w->state, WOKEN, memory_order_acq_rel) == PARKED) /* w is gone after this */
            tcs[parked_waiters++] = index;
    }
    rt_unlock(&futex_lock);
    for (uint32_t i = 0; i < parked_waiters; i++) {
        int32_t ignored;
        ocall_notify(&ignored, NOTIFY_THREAD_WAKE, tcs[i], 0);
    }
    return woken;
}

struct timespec64 {
    int64_t seconds, nanoseconds;
};

static uint64_t deadline_of(int op, const struct timespec64 *t)
{
    if (!t)
        return UINT64_MAX;
    if (t->seconds < 0 || t->seconds > 1ll << 32)
        return t->seconds < 0 ? 0 : UINT64_MAX;
    uint64_t ns = (uint64_t)t->seconds * 1000000000u + (uint64_t)t->nanoseconds;
    uint64_t monotonic = rt_monotonic_ns();
    if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
        return monotonic + ns; /* relative */
    if (op & FUTEX_CLOCK_REALTIME) {
        uint64_t now = rt_realtime_ns();
        return monotonic + (ns > now ? ns - now : 0);
    }
    return ns;
}

int64_t rt_futex(uint32_t *word, int op, uint32_t value, const void *timeout, uint32_t bits)
{
    if (!sgx_is_inside_enclave(word, 4) || (uint64_t)word % 4)
        return -EFAULT;
    switch (op & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        return futex_wait(word, value, deadline_of(op, timeout), ~0u);
    case FUTEX_WAIT_BITSET:
        return futex_wait(word, value, deadline_of(op, timeout), bits);
    case FUTEX_WAKE:
        return futex_wake(word, value, ~0u);
    case FUTEX_WAKE_BITSET:
        return futex_wake(word, value, bits);
    default:
        return -ENOSYS;
    }
}
