/* Inside: each emulated system call is done, or refused with the right error; none says yes and does nothing. */
#include "tests/probe/calls.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "sgx/trusted/bridge.h"
#include "tests/probe/probe.h"

extern struct report report;

void expect(bool ok, const char *format, ...)
{
    report.checks++;
    if (ok)
        return;
    report.failures++;
    size_t used = strlen(report.text);
    va_list args;
    va_start(args, format);
    vsnprintf(report.text + used, sizeof report.text - used, format, args);
    va_end(args);
    used = strlen(report.text);
    snprintf(report.text + used, sizeof report.text - used, "; ");
}

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define OUTSIDE 0x7ff000000000 /* a user address that is not the enclave's */
#define TRY(number, a, b, c, d, e, f, wanted_)                                                               \
    do {                                                                                                     \
        long got_ = call(__NR_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f));   \
        expect(got_ == (wanted_), #number "(" #a ", " #b ", " #c ", " #d ") gave %ld, not " #wanted_, got_); \
    } while (0)

static void try_memory(void)
{
    const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
    char *heap = aligned_alloc(4096, 16384);
    char *code = mmap(NULL, 16384, rw, anonymous, -1, 0);
    expect(code != MAP_FAILED, "no code memory");
    TRY(mmap, 0, 4096, PROT_NONE, anonymous, -1, 0, -EACCES);
    TRY(mmap, 0, 4096, PROT_READ, anonymous, -1, 0, -EACCES);
    TRY(mmap, 0, 4096, rw | PROT_EXEC, anonymous, -1, 0, -EACCES);
    TRY(mmap, 0, 4096, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0, -EINVAL);
    TRY(mmap, 0, 4096, rw, anonymous | MAP_STACK, -1, 0, -EINVAL);
    TRY(mmap, code, 4096, rw, anonymous | MAP_FIXED, -1, 0, -EINVAL);
    TRY(mmap, 0, 4096, rw, MAP_PRIVATE, 3, 0, -EINVAL);
    TRY(mmap, 0, 0, rw, anonymous, -1, 0, -EINVAL);
    TRY(mmap, 0, 1l << 40, rw, anonymous, -1, 0, -ENOMEM);
    TRY(mprotect, heap, 4096, PROT_NONE, 0, 0, 0, -EACCES);
    TRY(mprotect, heap, 4096, PROT_READ, 0, 0, 0, -EACCES);
    TRY(mprotect, heap, 4096, PROT_READ | PROT_EXEC, 0, 0, 0, -EACCES);
    TRY(mprotect, code, 4096, PROT_NONE, 0, 0, 0, -EACCES);
    TRY(mprotect, code, 4096, rw | PROT_EXEC, 0, 0, 0, -EACCES);
    TRY(mprotect, code + 1, 4096, PROT_READ, 0, 0, 0, -EACCES);
    TRY(mprotect, code - 4096, 4096, PROT_READ, 0, 0, 0, -EACCES);
    TRY(mprotect, try_calls, 4096, rw, 0, 0, 0, -EACCES);
    TRY(mprotect, code, 4096, rw, 0, 0, 0, 0);
    /* the probe is told that there is no EDMM: nobody can take away that they are written */
    TRY(mprotect, code, 4096, PROT_READ, 0, 0, 0, -EACCES);
    TRY(mprotect, code, 4096, PROT_READ | PROT_EXEC, 0, 0, 0, -EACCES);
    code[0] = 1;
    TRY(munmap, heap, 4096, 0, 0, 0, 0, -EINVAL);
    TRY(munmap, code, 1l << 40, 0, 0, 0, 0, -EINVAL);
    TRY(munmap, code, 0, 0, 0, 0, 0, -EINVAL);
    TRY(munmap, code, 16384, 0, 0, 0, 0, 0);
    TRY(munmap, code, 16384, 0, 0, 0, 0, -EINVAL);
    TRY(mremap, code, 4096, 8192, 0, 0, 0, -ENOSYS);
    TRY(madvise, heap, 4096, MADV_WILLNEED, 0, 0, 0, -EINVAL);
    TRY(madvise, heap, 4096, MADV_HUGEPAGE, 0, 0, 0, -EINVAL);
    TRY(madvise, heap, 4096, MADV_DONTDUMP, 0, 0, 0, -EINVAL);
    TRY(madvise, OUTSIDE, 4096, MADV_DONTNEED, 0, 0, 0, -EINVAL);
    TRY(madvise, heap, 1l << 40, MADV_DONTNEED, 0, 0, 0, -EINVAL);
    memset(heap, 1, 8192);
    TRY(madvise, heap, 4096, MADV_DONTNEED, 0, 0, 0, 0);
    expect(heap[0] == 0 && heap[4095] == 0 && heap[4096] == 1, "MADV_DONTNEED does not do what it says");
    long at = call(__NR_brk, 0, 0, 0, 0, 0, 0);
    TRY(brk, 1, 0, 0, 0, 0, 0, at);
    TRY(brk, OUTSIDE, 0, 0, 0, 0, 0, at);
    TRY(brk, -1l, 0, 0, 0, 0, 0, at);
    TRY(mlock, heap, 4096, 0, 0, 0, 0, -ENOSYS);
    TRY(msync, heap, 4096, 0, 0, 0, 0, -ENOSYS);
    free(heap);
}

static void try_signals(void)
{
    sigset_t set, old;
    memset(&old, 0xff, sizeof old);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    uint64_t words[4] = {0, 0, 0, 0};
    stack_t wanted = {.ss_sp = &report, .ss_size = 100}, got = {0};
    TRY(rt_sigaction, SIGUSR1, words, 0, 8, 0, 0, -ENOSYS);
    TRY(rt_sigprocmask, SIG_BLOCK, &set, &old, 8, 0, 0, 0);
    expect(!sigismember(&old, SIGUSR1), "a mask that was not set");
    TRY(rt_sigprocmask, 0, 0, &old, 8, 0, 0, 0);
    expect(sigismember(&old, SIGUSR1), "a mask that is not kept");
    TRY(rt_sigprocmask, SIG_UNBLOCK, &set, 0, 8, 0, 0, 0);
    TRY(rt_sigprocmask, 17, &set, 0, 8, 0, 0, -EINVAL);
    TRY(rt_sigprocmask, SIG_BLOCK, &set, 0, 16, 0, 0, -EINVAL);
    TRY(rt_sigprocmask, SIG_BLOCK, OUTSIDE, 0, 8, 0, 0, -EFAULT);
    TRY(rt_sigprocmask, SIG_BLOCK, 0, OUTSIDE, 8, 0, 0, -EFAULT);
    TRY(sigaltstack, &wanted, 0, 0, 0, 0, 0, -ENOMEM);
    wanted.ss_flags = 1 << 30;
    TRY(sigaltstack, &wanted, 0, 0, 0, 0, 0, -EINVAL);
    TRY(sigaltstack, OUTSIDE, 0, 0, 0, 0, 0, -EFAULT);
    wanted = (stack_t){.ss_sp = (void *)OUTSIDE, .ss_size = 8192};
    TRY(sigaltstack, &wanted, 0, 0, 0, 0, 0, -EFAULT);
    wanted.ss_sp = malloc(8192);
    TRY(sigaltstack, &wanted, 0, 0, 0, 0, 0, 0);
    TRY(sigaltstack, 0, &got, 0, 0, 0, 0, 0);
    expect(got.ss_sp == wanted.ss_sp && got.ss_size == 8192, "a signal stack that is not kept");
    wanted.ss_flags = SS_DISABLE;
    TRY(sigaltstack, &wanted, 0, 0, 0, 0, 0, 0);
    TRY(sigaltstack, 0, &got, 0, 0, 0, 0, 0);
    expect(got.ss_flags == SS_DISABLE, "a signal stack that is not taken away");
    free(wanted.ss_sp);
    TRY(rt_sigtimedwait, &set, 0, 0, 8, 0, 0, -ENOSYS);
    TRY(kill, 77, SIGABRT, 0, 0, 0, 0, -ESRCH);
    TRY(kill, 1, 0, 0, 0, 0, 0, 0);
    TRY(tgkill, 77, 1, SIGABRT, 0, 0, 0, -ESRCH);
    TRY(tgkill, 1, 77, SIGABRT, 0, 0, 0, -ESRCH);
    TRY(kill, 1, 1000, 0, 0, 0, 0, -EINVAL);
}

static void *nothing(void *argument)
{
    return argument;
}

static void try_threads(void)
{
    uint32_t word = 5;
    struct timespec soon = {0, 1000000}, never = {0, 2000000000}, before = {-1, 0};
    uint64_t mask[2];
    TRY(clone, 0, 0, 0, 0, 0, 0, -EINVAL);
    TRY(clone, SIGCHLD, 0, 0, 0, 0, 0, -EINVAL);
    TRY(clone, CLONE_VM | CLONE_THREAD | CLONE_SETTLS | CLONE_SIGHAND, &mask[1], &word, &word, mask, 0, -EINVAL);
    TRY(clone, 0x3d0f00, OUTSIDE, &word, &word, mask, 0, -EFAULT);
    TRY(clone, 0x3d0f00, &mask[1], OUTSIDE, &word, mask, 0, -EFAULT);
    TRY(clone, 0x3d0f00, &mask[1], &word, OUTSIDE, mask, 0, -EFAULT);
    TRY(clone3, mask, 88, 0, 0, 0, 0, -ENOSYS);
    TRY(fork, 0, 0, 0, 0, 0, 0, -ENOSYS);
    TRY(vfork, 0, 0, 0, 0, 0, 0, -ENOSYS);
    TRY(execve, "x", 0, 0, 0, 0, 0, -ENOSYS);
    TRY(set_robust_list, mask, 24, 0, 0, 0, 0, -ENOSYS);
    TRY(rseq, mask, 32, 0, 0, 0, 0, -ENOSYS);
    TRY(prctl, 15, "name", 0, 0, 0, 0, -ENOSYS);
    TRY(set_tid_address, OUTSIDE, 0, 0, 0, 0, 0, -EFAULT);
    TRY(arch_prctl, ARCH_SET_FS, OUTSIDE, 0, 0, 0, 0, -EPERM);
    TRY(arch_prctl, ARCH_SET_GS, mask, 0, 0, 0, 0, -EINVAL);
    TRY(arch_prctl, ARCH_GET_FS, mask, 0, 0, 0, 0, -EINVAL);
    TRY(futex, &word, FUTEX_WAIT, 4, 0, 0, 0, -EAGAIN);
    TRY(futex, &word, FUTEX_WAIT, 5, &soon, 0, 0, -ETIMEDOUT);
    TRY(futex, &word, FUTEX_WAIT, 5, &never, 0, 0, -EINVAL);
    TRY(futex, &word, FUTEX_WAIT, 5, &before, 0, 0, -EINVAL);
    TRY(futex, &word, FUTEX_WAIT, 5, OUTSIDE, 0, 0, -EFAULT);
    TRY(futex, &word, FUTEX_WAIT_BITSET, 5, &soon, 0, 0, -EINVAL);
    TRY(futex, OUTSIDE, FUTEX_WAIT, 5, 0, 0, 0, -EFAULT);
    TRY(futex, (char *)&word + 1, FUTEX_WAKE, 1, 0, 0, 0, -EINVAL);
    TRY(futex, &word, FUTEX_WAKE, 1, 0, 0, 0, 0);
    TRY(futex, &word, FUTEX_REQUEUE, 1, 0, &word, 0, -ENOSYS);
    TRY(futex, &word, FUTEX_LOCK_PI, 1, 0, 0, 0, -ENOSYS);
    TRY(futex, &word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 5, &soon, 0, 0, -ENOSYS);
    TRY(sched_getaffinity, 0, 8, mask, 0, 0, 0, 8);
    TRY(sched_getaffinity, 0, 12, mask, 0, 0, 0, -EINVAL);
    TRY(sched_getaffinity, 77, 8, mask, 0, 0, 0, -ESRCH);
    TRY(sched_getaffinity, 0, 8, OUTSIDE, 0, 0, 0, -EFAULT);
    TRY(sched_setaffinity, 0, 8, mask, 0, 0, 0, -ENOSYS);
    TRY(sched_setscheduler, 0, 0, mask, 0, 0, 0, -ENOSYS);
    pthread_t thread;
    expect(pthread_create(&thread, NULL, nothing, NULL) != 0, "pthread_create with a stack that has no guard");
}

static void try_time_and_limits(void)
{
    struct timespec soon = {0, 1000000}, wrong = {0, -1}, past = {0, 0}, t;
    struct rlimit limit = {1, 1};
    TRY(nanosleep, &soon, 0, 0, 0, 0, 0, 0);
    TRY(nanosleep, &wrong, 0, 0, 0, 0, 0, -EINVAL);
    TRY(nanosleep, 0, 0, 0, 0, 0, 0, -EFAULT);
    TRY(nanosleep, OUTSIDE, 0, 0, 0, 0, 0, -EFAULT);
    TRY(clock_nanosleep, CLOCK_MONOTONIC, 0, &soon, 0, 0, 0, 0);
    TRY(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &past, 0, 0, 0, 0);
    TRY(clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &past, 0, 0, 0, 0);
    TRY(clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &soon, 0, 0, 0, -EINVAL);
    TRY(clock_nanosleep, CLOCK_MONOTONIC, 4, &soon, 0, 0, 0, -EINVAL);
    TRY(clock_settime, CLOCK_REALTIME, &soon, 0, 0, 0, 0, -ENOSYS);
    expect(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == -1 && errno == EINVAL, "a clock of processor time");
    expect(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == -1, "a clock of the thread's time");
    expect(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "no monotonic clock");
    TRY(prlimit64, 0, RLIMIT_STACK, 0, &limit, 0, 0, 0);
    expect(limit.rlim_cur == 1u << 20, "the stack's limit");
    TRY(prlimit64, 0, RLIMIT_STACK, &limit, 0, 0, 0, -EPERM);
    TRY(prlimit64, 0, RLIMIT_NOFILE, 0, &limit, 0, 0, -EINVAL);
    TRY(prlimit64, 77, RLIMIT_STACK, 0, &limit, 0, 0, -ESRCH);
    TRY(prlimit64, 0, RLIMIT_STACK, 0, OUTSIDE, 0, 0, -EFAULT);
    TRY(getrandom, &t, sizeof t, 0, 0, 0, 0, sizeof t);
    TRY(getrandom, &t, sizeof t, 64, 0, 0, 0, -EINVAL);
    TRY(getrandom, OUTSIDE, 16, 0, 0, 0, 0, -EFAULT);
}

static void try_files(void)
{
    struct {
        const void *base;
        size_t size;
    } v[1] = {{(void *)OUTSIDE, 8}};
    char buffer[256];
    TRY(openat, -100, "/etc/passwd", 0, 0, 0, 0, -ENOENT);
    TRY(open, "/", 0, 0, 0, 0, 0, -ENOENT);
    TRY(readlink, "/proc/self/exe", buffer, 8, 0, 0, 0, -ENOENT);
    TRY(access, "/", 0, 0, 0, 0, 0, -ENOENT);
    TRY(read, 0, buffer, 8, 0, 0, 0, -EBADF);
    TRY(close, 3, 0, 0, 0, 0, 0, -EBADF);
    TRY(fstat, 1, buffer, 0, 0, 0, 0, -EBADF);
    TRY(lseek, 1, 0, 0, 0, 0, 0, -ESPIPE);
    TRY(lseek, 5, 0, 0, 0, 0, 0, -EBADF);
    TRY(ioctl, 1, 0x5401, buffer, 0, 0, 0, -ENOTTY);
    TRY(ioctl, 7, 0x5401, buffer, 0, 0, 0, -EBADF);
    TRY(write, 3, buffer, 1, 0, 0, 0, -EBADF);
    TRY(write, 1, OUTSIDE, 1, 0, 0, 0, -EFAULT);
    TRY(write, 2, "x", 1, 0, 0, 0, 1);
    TRY(writev, 2, v, 1, 0, 0, 0, -EFAULT);
    TRY(writev, 2, v, 65, 0, 0, 0, -EINVAL);
    TRY(writev, 2, OUTSIDE, 1, 0, 0, 0, -EFAULT);
    TRY(socket, 2, 1, 0, 0, 0, 0, -ENOSYS);
    TRY(fsync, 1, 0, 0, 0, 0, 0, -ENOSYS);
    TRY(fcntl, 1, 4, 0, 0, 0, 0, -ENOSYS);
    TRY(getuid, 0, 0, 0, 0, 0, 0, -ENOSYS);
}

void try_calls(void)
{
    try_memory();
    try_signals();
    try_threads();
    try_time_and_limits();
    try_files();
}
