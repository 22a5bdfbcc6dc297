/*
 * The ticker of the time page. See clock.h.
 */
#include "host/thread/clock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ensure.h"
#include "host/thread/threads.h"

#define TICK_NS 1000000
#define REST_AFTER_TICKS 2 /* in which nobody was at work, nor came */

static struct {
    struct time_page *page;
    pthread_t thread;
    _Atomic uint32_t working;
    _Atomic uint32_t came;    /* how often somebody has begun to work */
    _Atomic uint32_t resting; /* 1: the ticker sleeps on this word */
    atomic_bool stopping;
    bool started;
} ticker;

static void store_time(void)
{
    atomic_store_explicit(&ticker.page->monotonic_ns, clock_monotonic_ns(), memory_order_relaxed);
    atomic_store_explicit(&ticker.page->realtime_ns, clock_realtime_ns(), memory_order_relaxed);
}

static void rest(void)
{
    atomic_store(&ticker.resting, 1);
    if (atomic_load(&ticker.working) == 0 && !atomic_load(&ticker.stopping))
        syscall(SYS_futex, &ticker.resting, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
    atomic_store(&ticker.resting, 0);
}

static void *tick(void *unused)
{
    pthread_setname_np(pthread_self(), "clock");
    int idle = 0;
    uint32_t came = 0;
    while (!atomic_load(&ticker.stopping)) {
        store_time();
        nanosleep(&(struct timespec){0, TICK_NS}, NULL);
        uint32_t before = came;
        came = atomic_load_explicit(&ticker.came, memory_order_relaxed);
        idle = came == before && atomic_load_explicit(&ticker.working, memory_order_relaxed) == 0 ? idle + 1 : 0;
        if (idle >= REST_AFTER_TICKS)
            rest();
    }
    return NULL;
}

static void wake_ticker(void)
{
    if (atomic_load(&ticker.resting) && atomic_exchange(&ticker.resting, 0))
        syscall(SYS_futex, &ticker.resting, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int clock_start(struct time_page *page)
{
    ENSURE(page && !ticker.started);
    ticker.page = page;
    atomic_store(&ticker.stopping, false);
    store_time();
    int result = thread_start(&ticker.thread, tick, NULL);
    ticker.started = result == 0;
    return result;
}

void clock_stop(void)
{
    if (!ticker.started)
        return;
    atomic_store(&ticker.stopping, true);
    wake_ticker();
    pthread_join(ticker.thread, NULL);
    ticker.started = false;
}

void clock_thread_rests(void)
{
    ENSURE(atomic_fetch_sub(&ticker.working, 1) > 0);
}

void clock_thread_works(void)
{
    store_time();
    atomic_fetch_add(&ticker.working, 1);
    atomic_fetch_add_explicit(&ticker.came, 1, memory_order_relaxed);
    wake_ticker();
}
