/*
 * What time it is, in nanoseconds. Inside the enclave both clocks are the host's word (host/thread/clock.h), read
 * without leaving, and the monotonic one never goes back there (sgx/trusted/time.c); a loop's now_ns is the monotonic
 * one of the turn's beginning, and costs nothing. Any thread.
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
