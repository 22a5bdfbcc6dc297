/* See own_clock.h. */
#include "tests/native/own_clock.h"

#include <time.h>

#define SECOND UINT64_C(1000000000)

_Atomic uint64_t own_clock_ns = SECOND;
_Thread_local uint64_t own_clock_step_ns;

int clock_gettime(clockid_t clock, struct timespec *out)
{
    uint64_t step_ns = own_clock_step_ns, now_ns = atomic_fetch_add(&own_clock_ns, step_ns) + step_ns;
    out->tv_sec = (time_t)(now_ns / SECOND);
    out->tv_nsec = (long)(now_ns % SECOND);
    return 0;
}
