/*
 * Threads and futexes. The enclave cannot make a thread: pthread_create's `clone` leaves the new thread's registers
 * parked here, and a later ecall_run on a free TCS resumes them. A thread that must wait parks its host thread by
 * ocall_notify; whether it was really woken is decided in here, so a lying host can only delay.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>

#include "enclave_os_t.h"
#include "sgx/trusted/internal.h"

#include "common/protocol.h"

#define PARKED_MAX ENCLAVE_TCS_MAX
#define SPINS_BEFORE_PARKING 2000

struct parked {
    struct sgx_gprsgx registers;
    uint32_t *clear_child_tid;
    uint64_t signal_mask;
    uint32_t tid;
    bool taken;
};

static struct rt_lock lock;
static struct parked parked[PARKED_MAX];
static uint32_t next_tid = 2;
int rt_exit_status;

/* What pthread_create asks for, and nothing else: a thread of this process with everything shared. */
#define CLONE_AS_PTHREADS_DO                                                                           \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

int64_t rt_clone(const struct sgx_gprsgx *r)
{
    if (r->rdi != CLONE_AS_PTHREADS_DO)
        return -EINVAL;
    uint32_t *parent_tid = (uint32_t *)r->rdx, *child_tid = (uint32_t *)r->r10;
    if (!rt_is_word(parent_tid) || !rt_is_word(child_tid) || !sgx_is_inside_enclave((void *)r->r8, 64) ||
        !sgx_is_inside_enclave((void *)(r->rsi - 1), 1))
        return -EFAULT;
    rt_lock(&lock);
    uint32_t slot = 0;
    while (slot < PARKED_MAX && parked[slot].taken)
        slot++;
    if (slot == PARKED_MAX) {
        rt_unlock(&lock);
        return -EAGAIN;
    }
    struct parked *p = &parked[slot];
    *p = (struct parked){.registers = *r,
                         .taken = true,
                         .tid = next_tid++,
                         .clear_child_tid = child_tid,
                         .signal_mask = rt_td()->signal_mask};
    p->registers.rsp = r->rsi;
    p->registers.rax = 0;
    p->registers.fsbase = r->r8;
    uint32_t tid = p->tid;
    *parent_tid = tid;
    rt_unlock(&lock);
    int32_t ignored;
    ocall_notify(&ignored, NOTIFY_THREADS_READY, 1, 0);
    return tid;
}

/* The thread that ran here has left its stack for the ECALL's: only now may a joiner free it. */
static void end_of_thread(struct thread_data *td)
{
    uint32_t *word = td->clear_child_tid;
    td->clear_child_tid = 0;
    if (!word)
        return;
    __atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
    rt_futex(word, FUTEX_WAKE, 1, 0, 0);
}

int64_t rt_run_here(const struct sgx_gprsgx *registers)
{
    int64_t result = rt_thread_enter(registers);
    end_of_thread(rt_td());
    return result;
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
    td->signal_mask = parked[slot].signal_mask;
    td->signal_stack = (struct rt_signal_stack){0};
    td->tid = parked[slot].tid;
    __builtin_memset(&parked[slot], 0, sizeof parked[slot]);
    rt_unlock(&lock);
    return rt_run_here(&registers);
}

void rt_exit_group(int status)
{
    rt_exit_status = status;
    rt_td()->clear_child_tid = 0; /* nobody is to be told: it is the end */
    rt_set_dead();                /* threads that are still inside leave, and never come back in */
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
        sgx_stop_if_dead();
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
        ocall_notify(&ignored, NOTIFY_THREAD_WAIT, w->tcs, timeout); /* does not come back once the enclave is dead */
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

/* The monotonic time at which a wait ends. -EFAULT, -EINVAL: the request is none. */
static int64_t deadline_of(int op, const struct timespec64 *t, uint64_t *deadline)
{
    *deadline = UINT64_MAX;
    if (!t)
        return 0;
    if (!sgx_is_inside_enclave(t, sizeof *t))
        return -EFAULT;
    if (t->seconds < 0 || t->nanoseconds < 0 || t->nanoseconds >= 1000000000)
        return -EINVAL;
    if (t->seconds > 1ll << 32)
        return 0;
    uint64_t ns = (uint64_t)t->seconds * 1000000000u + (uint64_t)t->nanoseconds, monotonic = rt_monotonic_ns();
    if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT) {
        *deadline = monotonic + ns; /* relative */
    } else if (op & FUTEX_CLOCK_REALTIME) {
        uint64_t now = rt_realtime_ns();
        *deadline = monotonic + (ns > now ? ns - now : 0);
    } else {
        *deadline = ns;
    }
    return 0;
}

int64_t rt_futex(uint32_t *word, int op, uint32_t value, const void *timeout, uint32_t bits)
{
    int command = op & FUTEX_CMD_MASK;
    uint64_t deadline;
    if (op & FUTEX_CLOCK_REALTIME && command != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    if (command == FUTEX_WAIT || command == FUTEX_WAKE)
        bits = ~0u;
    else if (command != FUTEX_WAIT_BITSET && command != FUTEX_WAKE_BITSET)
        return -ENOSYS;
    if (!rt_is_word(word))
        return (uint64_t)word % sizeof *word ? -EINVAL : -EFAULT;
    if (bits == 0)
        return -EINVAL;
    if (command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET)
        return futex_wake(word, value, bits);
    int64_t result = deadline_of(op, timeout, &deadline);
    return result < 0 ? result : futex_wait(word, value, deadline, bits);
}
