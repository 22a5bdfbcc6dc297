/*
 * The system calls that libc, OpenSSL and wasmtime make inside the enclave, all of them answered in here: this list
 * is the whole kernel. There are no files, no signals and no processes. A call is done, or refused with the error that
 * Linux has for it: none says yes and does nothing. docs/boundary.md has the table, sgx/trusted/probe/ the test.
 */
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/resource.h>
#include <linux/time.h>
#include <signal.h>
#include <stddef.h>

#include "sgx/trusted/internal.h"

#define GRND_KNOWN 7u /* GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE: RDRAND never blocks */

static _Atomic uint64_t total, refused;

void sgx_syscall_counts(uint64_t *out_total, uint64_t *out_refused)
{
    *out_total = atomic_load(&total);
    *out_refused = atomic_load(&refused);
}

static bool inside(uint64_t address, uint64_t size)
{
    return sgx_is_inside_enclave((const void *)address, size);
}

static int64_t sys_write(const struct sgx_gprsgx *r)
{
    if (r->rdi != 1 && r->rdi != 2)
        return -EBADF;
    if (!inside(r->rsi, r->rdx))
        return -EFAULT;
    rt_console_write((const char *)r->rsi, r->rdx);
    return (int64_t)r->rdx;
}

struct iovec64 {
    const char *base;
    uint64_t size;
};

static int64_t sys_writev(const struct sgx_gprsgx *r)
{
    const struct iovec64 *v = (const struct iovec64 *)r->rsi;
    if (r->rdi != 1 && r->rdi != 2)
        return -EBADF;
    if (r->rdx > 64)
        return -EINVAL;
    if (!inside(r->rsi, r->rdx * sizeof *v))
        return -EFAULT;
    int64_t written = 0;
    for (uint64_t i = 0; i < r->rdx; i++) {
        if (!inside((uint64_t)v[i].base, v[i].size))
            return written ? written : -EFAULT;
        rt_console_write(v[i].base, v[i].size);
        written += (int64_t)v[i].size;
    }
    return written;
}

static bool is_me(uint64_t pid)
{
    return pid == 0 || pid == 1 || pid == rt_td()->tid;
}

/* The one limit that means something: what libc takes for the size of the first thread's stack. */
static int64_t sys_prlimit(const struct sgx_gprsgx *r)
{
    uint64_t *out = (uint64_t *)r->r10;
    if (!is_me(r->rdi))
        return -ESRCH;
    if (r->rdx)
        return -EPERM; /* to set one */
    if (r->rsi != RLIMIT_STACK)
        return -EINVAL;
    if (!inside((uint64_t)out, 16))
        return -EFAULT;
    out[0] = out[1] = 1u << 20;
    return 0;
}

/* One: nobody inside knows how many there are, and no library is to start threads of its own. */
static int64_t sys_sched_getaffinity(const struct sgx_gprsgx *r)
{
    if (!is_me(r->rdi))
        return -ESRCH;
    if (r->rsi < 8 || r->rsi % 8)
        return -EINVAL;
    if (!inside(r->rdx, 8))
        return -EFAULT;
    *(uint64_t *)r->rdx = 1;
    return 8;
}

/* No signal is ever delivered, so a mask that is kept is a mask that works. */
static int64_t sys_rt_sigprocmask(const struct sgx_gprsgx *r)
{
    uint64_t *mask = &rt_td()->signal_mask, before = *mask;
    if (r->r10 != sizeof *mask)
        return -EINVAL;
    if ((r->rsi && !inside(r->rsi, 8)) || (r->rdx && !inside(r->rdx, 8)))
        return -EFAULT;
    if (r->rsi) {
        uint64_t set = *(const uint64_t *)r->rsi;
        switch (r->rdi) {
        case SIG_BLOCK:
            *mask |= set;
            break;
        case SIG_UNBLOCK:
            *mask &= ~set;
            break;
        case SIG_SETMASK:
            *mask = set;
            break;
        default:
            return -EINVAL;
        }
    }
    if (r->rdx)
        *(uint64_t *)r->rdx = before;
    return 0;
}

static int64_t sys_sigaltstack(const struct sgx_gprsgx *r)
{
    struct rt_signal_stack *mine = &rt_td()->signal_stack, before = *mine;
    const struct rt_signal_stack *wanted = (const struct rt_signal_stack *)r->rdi;
    if ((r->rdi && !inside(r->rdi, sizeof *wanted)) || (r->rsi && !inside(r->rsi, sizeof *wanted)))
        return -EFAULT;
    if (wanted && wanted->flags == SS_DISABLE)
        *mine = (struct rt_signal_stack){.flags = SS_DISABLE};
    else if (wanted && wanted->flags)
        return -EINVAL;
    else if (wanted && wanted->size < 2048)
        return -ENOMEM;
    else if (wanted && !inside(wanted->base, wanted->size))
        return -EFAULT;
    else if (wanted)
        *mine = *wanted;
    if (r->rsi)
        *(struct rt_signal_stack *)r->rsi = before.size ? before : (struct rt_signal_stack){.flags = SS_DISABLE};
    return 0;
}

static int64_t sys_sleep(uint64_t clock, uint64_t flags, uint64_t request)
{
    uint32_t never = 0;
    if ((clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) || flags & ~(uint64_t)TIMER_ABSTIME)
        return -EINVAL;
    if (request == 0)
        return -EFAULT;
    /* FUTEX_WAIT takes a relative time, FUTEX_WAIT_BITSET an absolute one */
    int op = flags & TIMER_ABSTIME ? FUTEX_WAIT_BITSET : FUTEX_WAIT;
    if (op == FUTEX_WAIT_BITSET && clock == CLOCK_REALTIME)
        op |= FUTEX_CLOCK_REALTIME;
    int64_t result = rt_futex(&never, op, 0, (const void *)request, 1);
    return result == -ETIMEDOUT ? 0 : result;
}

static int64_t sys_getrandom(const struct sgx_gprsgx *r)
{
    if (r->rdx & ~(uint64_t)GRND_KNOWN)
        return -EINVAL;
    if (!inside(r->rdi, r->rsi))
        return -EFAULT;
    sgx_random((void *)r->rdi, r->rsi);
    return (int64_t)r->rsi;
}

static int64_t sys_set_tid_address(const struct sgx_gprsgx *r)
{
    if (!rt_is_word((uint32_t *)r->rdi))
        return -EFAULT;
    rt_td()->clear_child_tid = (uint32_t *)r->rdi;
    return rt_td()->tid;
}

/* A signal to oneself, which is what abort and raise send, ends the enclave, as it would end a process. */
static int64_t sys_kill(uint64_t pid, uint64_t signal)
{
    if (!is_me(pid))
        return -ESRCH;
    if (signal == 0)
        return 0; /* asks whether there is such a process: there is */
    if (signal >= NSIG)
        return -EINVAL;
    sgx_panic("abort");
}

/* Calls about files, by what Linux says where there are none. Descriptors 1 and 2 can be written to, no more. */
static int64_t no_files(const struct sgx_gprsgx *r)
{
    bool open = r->rdi == 1 || r->rdi == 2;
    switch (r->rax) {
    case __NR_ioctl:
        return open ? -ENOTTY : -EBADF;
    case __NR_lseek:
        return open ? -ESPIPE : -EBADF;
    case __NR_fstat:
    case __NR_read:
    case __NR_close:
        return -EBADF;
    default:
        return -ENOENT;
    }
}

static int64_t dispatch(struct sgx_gprsgx *r)
{
    switch (r->rax) {
    case __NR_brk:
        return rt_brk(r->rdi);
    case __NR_mmap:
        return rt_mmap(r->rsi, (int)r->rdx, (int)r->r10, r->r9);
    case __NR_munmap:
        return rt_munmap(r->rdi, r->rsi);
    case __NR_mprotect:
        return rt_mprotect(r->rdi, r->rsi, (int)r->rdx);
    case __NR_madvise:
        return rt_madvise(r->rdi, r->rsi, (int)r->rdx);
    case __NR_futex:
        return rt_futex((uint32_t *)r->rdi, (int)r->rsi, (uint32_t)r->rdx, (const void *)r->r10, (uint32_t)r->r9);
    case __NR_clone:
        return rt_clone(r);
    case __NR_exit:
        rt_thread_leave((int)r->rdi); /* the rest follows on the ECALL's stack: rt_run_here */
    case __NR_exit_group:
        rt_exit_group((int)r->rdi);
    case __NR_set_tid_address:
        return sys_set_tid_address(r);
    case __NR_gettid:
        return rt_td()->tid;
    case __NR_getpid:
        return 1;
    case __NR_getrandom:
        return sys_getrandom(r);
    case __NR_write:
        return sys_write(r);
    case __NR_writev:
        return sys_writev(r);
    case __NR_prlimit64:
        return sys_prlimit(r);
    case __NR_sched_getaffinity:
        return sys_sched_getaffinity(r);
    case __NR_sched_yield:
        __builtin_ia32_pause();
        return 0;
    case __NR_clock_nanosleep:
        return sys_sleep(r->rdi, r->rsi, r->rdx);
    case __NR_nanosleep:
        return sys_sleep(CLOCK_MONOTONIC, 0, r->rdi);
    case __NR_rt_sigprocmask:
        return sys_rt_sigprocmask(r);
    case __NR_sigaltstack:
        return sys_sigaltstack(r);
    case __NR_tgkill:
        return is_me(r->rdi) ? sys_kill(r->rsi, r->rdx) : -ESRCH;
    case __NR_kill:
    case __NR_tkill:
        return sys_kill(r->rdi, r->rsi);
    case __NR_openat:
    case __NR_open:
    case __NR_readlink:
    case __NR_readlinkat:
    case __NR_newfstatat:
    case __NR_stat:
    case __NR_access:
    case __NR_ioctl:
    case __NR_fstat:
    case __NR_lseek:
    case __NR_read:
    case __NR_close:
        return no_files(r);
    default:
        return -ENOSYS;
    }
}

/* FS base changes in the middle, and with it the place of the canary: this has none. */
__attribute__((noinline, no_stack_protector)) static int64_t set_fs(uint64_t code, uint64_t address)
{
    if (code != ARCH_SET_FS)
        return -EINVAL;
    if (!inside(address, 64))
        return -EPERM; /* Linux's, for an address that is none */
    __asm__ volatile("wrfsbase %0" : : "r"(address));
    return 0;
}

__attribute__((used, no_stack_protector)) void rt_syscall(struct sgx_gprsgx *registers)
{
    atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
    sgx_stop_if_dead();
    int64_t result = registers->rax == __NR_arch_prctl ? set_fs(registers->rdi, registers->rsi) : dispatch(registers);
    if (result == -ENOSYS)
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    registers->rax = (uint64_t)result;
}

/* libc functions whose system calls would be on a hot path: OpenSSL's generator asks for the process id each time. */
__attribute__((visibility("default"))) int getpid(void)
{
    return 1;
}

__attribute__((visibility("default"))) int sched_yield(void)
{
    __builtin_ia32_pause();
    return 0;
}
