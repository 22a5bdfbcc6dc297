/*
 * What time it is, in nanoseconds, for all that runs outside the enclave. Inside, time is the loop's
 * (enclave/thread/loop.h), read from the page that the host keeps. Any thread.
 */
#ifndef ENCLAVE_OS_COMMON_CLOCK_H
#define ENCLAVE_OS_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t); /* cannot fail: the clocks below are always there */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Since some moment in the past, never backwards: for durations and deadlines. */
static inline uint64_t clock_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Since 1970, as the machine's operator has set it. */
static inline uint64_t clock_realtime_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

#endif
