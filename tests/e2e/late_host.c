/*
 * A host whose threads are late, as on a busy machine: before the enclave is entered or told to stop, and after each
 * look at the sockets. How late is decided by SEED. Linked in place of the host's own (--wrap); all else is the real
 * host.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "edl/enclave_os_u.h"

#define LATE_MAX_US 4000u

static void be_late(void)
{
    static _Atomic unsigned count;
    const char *seed = getenv("SEED");
    unsigned n = (seed ? (unsigned)strtoul(seed, NULL, 0) : 0) * 2654435761u + atomic_fetch_add(&count, 1);
    usleep(rand_r(&n) % LATE_MAX_US);
}

int __real_ecall_run_u(struct enclave *e, int32_t *result, const struct run_args *args);
int __wrap_ecall_run_u(struct enclave *e, int32_t *result, const struct run_args *args);
int __wrap_ecall_run_u(struct enclave *e, int32_t *result, const struct run_args *args)
{
    be_late();
    return __real_ecall_run_u(e, result, args);
}

int __real_ecall_shutdown_u(struct enclave *e, int32_t *result, uint32_t grace_ms);
int __wrap_ecall_shutdown_u(struct enclave *e, int32_t *result, uint32_t grace_ms);
int __wrap_ecall_shutdown_u(struct enclave *e, int32_t *result, uint32_t grace_ms)
{
    be_late();
    return __real_ecall_shutdown_u(e, result, grace_ms);
}

int __real_epoll_pwait2(int epoll, struct epoll_event *events, int max, const struct timespec *timeout,
                        const sigset_t *signals);
int __wrap_epoll_pwait2(int epoll, struct epoll_event *events, int max, const struct timespec *timeout,
                        const sigset_t *signals);
int __wrap_epoll_pwait2(int epoll, struct epoll_event *events, int max, const struct timespec *timeout,
                        const sigset_t *signals)
{
    int count = __real_epoll_pwait2(epoll, events, max, timeout, signals);
    be_late();
    return count;
}
