/*
 * Time is the host's word, read from a page it keeps up to date. Monotonic time never goes back; wall time may not go
 * back either, and neither proves anything to anyone. libc's clock functions are defined here so that no call of
 * theirs becomes a trapped system call.
 */
#include <errno.h>
#include <sys/time.h>
#include <time.h>

#include "sgx/trusted/internal.h"

#include "common/protocol.h"

static const struct time_page *page;
static _Atomic uint64_t last_monotonic, last_realtime;

void rt_time_set_page(const struct time_page *p)
{
    page = p;
}

static uint64_t forward(_Atomic uint64_t *last, uint64_t now)
{
    uint64_t before = atomic_load_explicit(last, memory_order_relaxed);
    while (now > before)
        if (atomic_compare_exchange_weak_explicit(last, &before, now, memory_order_relaxed, memory_order_relaxed))
            return now;
    return before;
}

uint64_t rt_monotonic_ns(void)
{
    return page ? forward(&last_monotonic, atomic_load_explicit(&page->monotonic_ns, memory_order_relaxed)) : 0;
}

uint64_t rt_realtime_ns(void)
{
    return page ? forward(&last_realtime, atomic_load_explicit(&page->realtime_ns, memory_order_relaxed)) : 0;
}

int *__errno_location(void); /* libc is up where these are called */

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *out)
{
    uint64_t ns;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        ns = rt_realtime_ns();
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        ns = rt_monotonic_ns();
        break;
    default: /* nobody in here measures processor time */
        *__errno_location() = EINVAL;
        return -1;
    }
    out->tv_sec = (time_t)(ns / 1000000000u);
    out->tv_nsec = (long)(ns % 1000000000u);
    return 0;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    uint64_t ns = rt_realtime_ns();
    out->tv_sec = (time_t)(ns / 1000000000u);
    out->tv_usec = (suseconds_t)(ns % 1000000000u / 1000);
    return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *out)
{
    time_t now = (time_t)(rt_realtime_ns() / 1000000000u);
    if (out)
        *out = now;
    return now;
}
