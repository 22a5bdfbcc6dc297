/*
 * enclave/thread/worker: the end. Shutdown is asked for at each moment of a worker's turns, also between its last look
 * and its sleep, when the wake comes too early to wake anybody: the worker sleeps no more than until the deadline, and
 * leaves. Host and clock are the test's: time passes only while the worker sleeps, so nothing here takes any.
 */
#include "enclave/thread/worker.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "enclave/early/channel.h"
#include "enclave/early/ecall.h"
#include "enclave_os_t.h"

#define GRACE_NS 5000000000u
#define MOMENTS 60 /* several sleeps' worth */

static struct doorbell_shared bell_in, bell_out;
static uint64_t now_ns, deadline_ns;
static unsigned moment, asked_at, sleeps;
static bool asked, drains, aborted;

/* As ecall_shutdown and the host do: first the word, then the wake. */
static void ask(void)
{
    asked = true;
    deadline_ns = now_ns + GRACE_NS;
    atomic_exchange(&bell_in.sleeping, 0);
}

static void pass_moment(void)
{
    if (++moment == asked_at)
        ask();
}

/* ---- what is around a worker ------------------------------------------------------------------------------------ */

bool ecall_shutdown_requested(uint64_t *out_ns)
{
    bool before = asked;
    if (before)
        *out_ns = deadline_ns;
    pass_moment();
    return before;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    (void)clock;
    *out = (struct timespec){(time_t)(now_ns / 1000000000u), (long)(now_ns % 1000000000u)};
    pass_moment();
    return 0;
}

int ocall_notify(int32_t *result, uint32_t op, uint64_t worker, uint64_t timeout_ns)
{
    (void)worker;
    *result = 0;
    if (op != NOTIFY_WAIT)
        return 0;
    assert_true(++sleeps < 100);
    if (!asked)
        ask(); /* while it sleeps */
    if (!atomic_load(&bell_in.sleeping))
        return 0;
    if (timeout_ns == UINT64_MAX)
        fail_msg("the worker sleeps for ever: shutdown was asked for at its moment %u", asked_at);
    now_ns += timeout_ns;
    *result = -ETIMEDOUT;
    return 0;
}

bool channel_control(uint32_t worker, struct channel_desc *out)
{
    *out = (struct channel_desc){.kind = CHANNEL_CONTROL,
                                 .worker = worker,
                                 .doorbell_in = (uintptr_t)&bell_in,
                                 .doorbell_out = (uintptr_t)&bell_out};
    return true;
}

void channel_free(uint32_t id)
{
    (void)id;
}

static void nothing(struct worker *w)
{
    (void)w;
}

static bool is_drained(struct worker *w)
{
    (void)w;
    return drains;
}

static void end(struct worker *w)
{
    (void)w;
    aborted = true;
}

static void run_worker(unsigned when)
{
    static const struct worker_handlers handlers = {
        .worked = nothing, .drain = nothing, .drained = is_drained, .abort = end};
    struct worker w = {0};
    struct channel_desc control;
    bell_in = bell_out = (struct doorbell_shared){0};
    now_ns = 1000;
    moment = sleeps = 0;
    asked = aborted = false;
    asked_at = when;
    assert_int_equal(worker_init(&w, 0, &handlers, NULL, &control), 0);
    worker_run(&w);
    assert_true(asked && aborted);
    loop_deinit(&w.loop);
}

/* ---- the tests -------------------------------------------------------------------------------------------------- */

static void test_leaves_at_once(void **state)
{
    drains = true;
    for (unsigned when = 1; when < MOMENTS; when++) {
        run_worker(when);
        assert_true(now_ns < deadline_ns); /* nothing was left to wait for */
    }
}

static void test_leaves_at_the_deadline(void **state)
{
    drains = false;
    for (unsigned when = 1; when < MOMENTS; when++) {
        run_worker(when);
        assert_true(now_ns >= deadline_ns && now_ns < deadline_ns + 1000000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_leaves_at_once),
                                       cmocka_unit_test(test_leaves_at_the_deadline)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
