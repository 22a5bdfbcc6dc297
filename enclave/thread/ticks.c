/* See ticks.h. */
#include "enclave/thread/ticks.h"

#include "common/ensure.h"
#include "enclave_os_t.h"
#include "sgx/trusted/bridge.h"

#define QUIET_TICKS 3u /* all workers have slept at each of so many: then it rests */

static struct {
    _Alignas(64) atomic_bool rests; /* read for each guest that runs, written seldom */
    atomic_bool stops;
    atomic_uint tcs;
} ticks;

static bool all_sleep(const struct worker *workers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!atomic_load(&workers[i].parked))
            return false;
    return true;
}

static void wake(void)
{
    int32_t ignored;
    ocall_notify(&ignored, NOTIFY_THREAD_WAKE, atomic_load(&ticks.tcs), 0); /* counted: never too early */
}

void ticks_run(const struct worker *workers, uint32_t count, uint64_t (*tick)(void))
{
    ENSURE(workers && count > 0 && tick);
    uint32_t quiet = 0;
    int32_t ignored;
    uint64_t tick_ns = tick();
    atomic_store(&ticks.tcs, sgx_tcs_index());
    while (!atomic_load(&ticks.stops)) {
        bool rests = quiet >= QUIET_TICKS;
        if (rests)
            atomic_store(&ticks.rests, true);
        rests = rests && all_sleep(workers, count) && !atomic_load(&ticks.stops);
        ocall_notify(&ignored, NOTIFY_THREAD_WAIT, sgx_tcs_index(), rests ? UINT64_MAX : tick_ns);
        atomic_store(&ticks.rests, false);
        quiet = all_sleep(workers, count) ? quiet + 1 : 0;
        tick_ns = tick();
    }
}

void ticks_wanted(void)
{
    if (atomic_load(&ticks.rests) && atomic_exchange(&ticks.rests, false))
        wake();
}

void ticks_stop(void)
{
    atomic_store(&ticks.stops, true);
    if (atomic_exchange(&ticks.rests, false))
        wake();
}
