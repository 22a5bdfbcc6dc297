/*
 * Threads for the enclave. See dispatcher.h.
 *
 * The boot thread runs ecall_run first; inside, it makes threads as it needs them and asks for as many host threads
 * (NOTIFY_THREADS_READY), each of which comes in by an ecall_run of its own. Threads that wait inside sleep here, on
 * a futex for each TCS that counts its wakes.
 */
#include "host/dispatcher.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ensure.h"
#include "edl/enclave_os_u.h"
#include "host/thread/clock.h"
#include "host/thread/threads.h"

#define TCS_MAX 256u
#define WAKES_MAX 1000u /* enough; a count that runs away is an enclave's mistake */

static struct {
    struct dispatcher_options options;
    _Atomic uint32_t threads; /* inside, or on their way */
    _Atomic int boot_result;
    atomic_bool computing; /* the boot thread has left one behind */
    _Atomic uint32_t wakes[TCS_MAX];
} dispatcher;

static void end_thread(void)
{
    uint32_t before = atomic_fetch_sub(&dispatcher.threads, 1);
    ENSURE(before > 0);
    if (before == 1)
        dispatcher.options.on_end(atomic_load(&dispatcher.boot_result));
}

static void *run(void *is_boot)
{
    int32_t result = 0;
    pthread_setname_np(pthread_self(), is_boot ? "enclave boot" : "enclave");
    clock_thread_works();
    int error = ecall_run_u(dispatcher.options.enclave, &result, dispatcher.options.args);
    clock_thread_rests();
    if (error != 0)
        result = error;
    bool computing = is_boot && result == PROTO_RUN_COMPUTING;
    if (computing)
        atomic_store(&dispatcher.computing, true);
    else if (is_boot)
        atomic_store(&dispatcher.boot_result, result);
    else if (result != 0 && result != -EAGAIN && result != -ESHUTDOWN)
        fprintf(stderr, "enclave-os: a thread left the enclave: %d\n", result);
    if (enclave_is_dead(dispatcher.options.enclave))
        dispatcher.options.on_end(-ESHUTDOWN); /* not waiting for threads that sleep, which nobody will wake */
    else if (computing)
        dispatcher.options.on_end(0);
    end_thread();
    return NULL;
}

static int start_thread(void *is_boot)
{
    pthread_t thread;
    atomic_fetch_add(&dispatcher.threads, 1);
    int result = thread_start(&thread, run, is_boot);
    if (result != 0) {
        atomic_fetch_sub(&dispatcher.threads, 1);
        return result;
    }
    pthread_detach(thread);
    return 0;
}

int dispatcher_start(const struct dispatcher_options *options)
{
    ENSURE(options->enclave && options->args && options->ios && options->on_end);
    ENSURE(!dispatcher.options.enclave); /* once */
    dispatcher.options = *options;
    return start_thread((void *)1);
}

bool dispatcher_is_left_computing(void)
{
    return atomic_load(&dispatcher.computing);
}

/* ---- the OCALL --------------------------------------------------------------------------------------------- */

static int32_t threads_ready(uint64_t count)
{
    /* Each has a TCS, or finds none and leaves: never more than there are. */
    for (uint64_t i = 0; i < count && atomic_load(&dispatcher.threads) < enclave_tcs_count(dispatcher.options.enclave);
         i++) {
        int result = start_thread(NULL);
        if (result != 0)
            return result;
    }
    return 0;
}

static bool take_wake(_Atomic uint32_t *word)
{
    uint32_t count = atomic_load(word);
    while (count > 0)
        if (atomic_compare_exchange_weak(word, &count, count - 1))
            return true;
    return false;
}

static int32_t thread_wait(uint64_t tcs, uint64_t timeout_ns)
{
    if (tcs >= TCS_MAX)
        return -EINVAL;
    _Atomic uint32_t *word = &dispatcher.wakes[tcs];
    if (take_wake(word))
        return 0;
    uint64_t now = clock_monotonic_ns();
    bool forever = timeout_ns > UINT64_MAX - now;
    uint64_t until = now + timeout_ns;
    struct timespec deadline = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
    int32_t result = -ETIMEDOUT;
    clock_thread_rests();
    for (;;) {
        long r = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, 0, forever ? NULL : &deadline, NULL,
                         FUTEX_BITSET_MATCH_ANY);
        int why = r == 0 ? 0 : errno;
        if (take_wake(word)) {
            result = 0;
            break;
        }
        if (why == ETIMEDOUT)
            break;
    }
    clock_thread_works();
    return result;
}

static int32_t thread_wake(uint64_t tcs)
{
    if (tcs >= TCS_MAX)
        return -EINVAL;
    if (atomic_load(&dispatcher.wakes[tcs]) < WAKES_MAX)
        atomic_fetch_add(&dispatcher.wakes[tcs], 1);
    syscall(SYS_futex, &dispatcher.wakes[tcs], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return 0;
}

static int32_t worker_wait(struct io *io, uint64_t timeout_ns)
{
    clock_thread_rests();
    uint64_t slept_us = io_wait_for_news(io, timeout_ns) / 1000;
    clock_thread_works();
    return slept_us < INT32_MAX ? (int32_t)slept_us : INT32_MAX;
}

int32_t ocall_notify(uint32_t op, uint64_t arg, uint64_t timeout_ns)
{
    bool for_worker = op == NOTIFY_WAIT || op == NOTIFY_HOST || op == NOTIFY_WAKE_WORKER;
    if (for_worker && arg >= dispatcher.options.args->workers)
        return -EINVAL;
    switch (op) {
    case NOTIFY_WAIT:
        return worker_wait(dispatcher.options.ios[arg], timeout_ns);
    case NOTIFY_HOST:
        io_kick(dispatcher.options.ios[arg]);
        return 0;
    case NOTIFY_WAKE_WORKER:
        io_wake_worker(dispatcher.options.ios[arg]);
        return 0;
    case NOTIFY_THREAD_WAIT:
        return thread_wait(arg, timeout_ns);
    case NOTIFY_THREAD_WAKE:
        return thread_wake(arg);
    case NOTIFY_THREADS_READY:
        return threads_ready(arg);
    case NOTIFY_RESTRICT_PAGES:
        return enclave_restrict_pages(dispatcher.options.enclave, arg, timeout_ns);
    default:
        return -ENOSYS;
    }
}
