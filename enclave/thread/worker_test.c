/*
 * enclave/thread/worker: the end. Shutdown is asked for at each moment of a worker's turns, also between its last look
 * and its sleep, when the wake comes too early to wake anybody: the worker sleeps no more than until the deadline, and
 * leaves. And how it waits: what it costs in exits and in turns without work, by how soon there is work again. Host and
 * clock are the test's: time passes only while the worker sleeps, so nothing here takes any.
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
static unsigned told_host;
static int32_t slept_us; /* what the host says of each sleep; 0: this is about the end */

/* As ecall_shutdown and the host do: first the word, then the wake. */
static void ask(void)
{
    asked = true;
    deadline_ns = now_ns + GRACE_NS;
    atomic_exchange(&bell_in.sleeping, 0);
}

static void pass_moment(void)
{
    if (++moment == asked_at && !asked)
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
    *result = slept_us;
    told_host += op == NOTIFY_HOST;
    if (op != NOTIFY_WAIT)
        return 0;
    sleeps++;
    if (slept_us)
        return 0;
    assert_true(sleeps < 100);
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
    slept_us = 0;
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

/* ---- how it waits ------------------------------------------------------------------------------------------------ */

#define NAME channel_name_make(7, 1)

static struct doorbell_producer to_worker;

static void answer(struct worker *w, channel_name name)
{
    assert_true(name == NAME);
    worker_ring_host(w, name);
}

static void open_worker(struct worker *w)
{
    static const struct worker_handlers handlers = {.worked = nothing, .news = answer};
    struct channel_desc control;
    bell_in = bell_out = (struct doorbell_shared){0};
    asked = false;
    asked_at = 0;
    sleeps = told_host = 0;
    slept_us = 1;
    assert_int_equal(worker_init(w, 0, &handlers, NULL, &control), 0);
    w->serving = true;
    assert_int_equal(doorbell_producer_init(&to_worker, &bell_in), 0);
}

static void take_answers(void)
{
    atomic_store(&bell_out.head, atomic_load(&bell_out.tail)); /* or it is full in the end */
}

/* One request that comes after so many quiet turns, or, if the worker sleeps before, while it does. */
static void serve_one(struct worker *w, unsigned turns)
{
    unsigned before = sleeps;
    for (unsigned i = 0; i < turns && sleeps == before; i++)
        worker_turn(w);
    assert_int_equal(doorbell_push(&to_worker, NAME), 0);
    atomic_store(&bell_out.sleeping, 1);
    worker_turn(w);
    assert_false(atomic_load(&w->parked));
    take_answers();
}

static void test_seldom(void **state)
{
    struct worker w = {0};
    open_worker(&w);
    slept_us = 1000000;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 100000);
    assert_int_equal(told_host, 0); /* each answer went out with the sleep */
    assert_in_range(sleeps, 100, 200);
    assert_in_range(atomic_load(&w.quiet), 1, 200); /* and it looked for nothing in between */
    loop_deinit(&w.loop);
}

static void test_often(void **state)
{
    struct worker w = {0};
    open_worker(&w);
    slept_us = 50;
    for (unsigned i = 0; i < 10000; i++)
        serve_one(&w, 1000);
    assert_in_range(sleeps, 1, 16); /* until it knew */
    loop_deinit(&w.loop);
}

static void test_often_no_more(void **state)
{
    struct worker w = {0};
    open_worker(&w);
    slept_us = 50;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 1000);
    slept_us = 1000000;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 100000);
    uint64_t before = atomic_load(&w.quiet);
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 100000);
    assert_in_range(atomic_load(&w.quiet) - before, 0, 100);
    loop_deinit(&w.loop);
}

/* Clients that are further away than what their requests earn: it sleeps at once, and looks for none of them. */
static void test_too_far(void **state)
{
    struct worker w = {0};
    open_worker(&w);
    slept_us = 500;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 100000);
    uint64_t before = atomic_load(&w.quiet);
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 100000);
    assert_in_range(sleeps, 200, 400);
    assert_in_range(atomic_load(&w.quiet) - before, 0, 100); /* one turn, after which it sleeps */
    assert_int_equal(told_host, 0);
    loop_deinit(&w.loop);
}

/* Many near ones, and then a wait that is as long as many of theirs: what they did not need bridges it. */
static void test_long_wait_among_short_ones(void **state)
{
    struct worker w = {0};
    open_worker(&w);
    slept_us = 50;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 10);
    unsigned before = sleeps;
    serve_one(&w, 10000); /* half a millisecond of turns */
    assert_int_equal(sleeps, before);
    loop_deinit(&w.loop);
}

/* What is learnt while it waits for the host is not believed of clients. */
static void test_two_causes(void **state)
{
    struct worker w = {0};
    open_worker(&w);
    slept_us = 50;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 10);
    unsigned before = sleeps;
    w.asked = 1; /* from here on it waits for the disk */
    slept_us = 20000;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 100000);
    assert_in_range(sleeps - before, 99, 200);
    w.asked = 0;
    slept_us = 50;
    serve_one(&w, 10); /* ends the last of these */
    before = sleeps;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 10);
    assert_int_equal(sleeps, before);
    loop_deinit(&w.loop);
}

/* The host can see whether there is anything to come from it. */
static void test_says_that_it_rests(void **state)
{
    struct worker w = {0};
    open_worker(&w);
    slept_us = 50;
    for (unsigned i = 0; i < 100; i++)
        serve_one(&w, 10);
    assert_false(doorbell_is_at_rest(&bell_in)); /* it may have more to do */
    worker_turn(&w);
    assert_true(doorbell_is_at_rest(&bell_in));
    assert_int_equal(doorbell_push(&to_worker, NAME), 0);
    assert_false(doorbell_is_at_rest(&bell_in));
    worker_turn(&w);
    assert_false(doorbell_is_at_rest(&bell_in));
    loop_deinit(&w.loop);
}

/* Whoever turns a worker until something is done is not put to sleep by the turn that does it. */
static void test_waiting_for_a_turn(void **state)
{
    struct worker w = {0};
    open_worker(&w);
    w.serving = false;
    slept_us = 1000000;
    for (unsigned i = 0; i < 10; i++)
        worker_turn(&w);
    for (unsigned i = 0; i < 10; i++) {
        unsigned before = sleeps;
        assert_int_equal(doorbell_push(&to_worker, NAME), 0);
        atomic_store(&bell_out.sleeping, 1);
        worker_turn(&w);
        assert_int_equal(sleeps, before);
        assert_int_equal(told_host, i + 1); /* it is awake, and waits for nobody to say what it did */
        take_answers();
    }
    loop_deinit(&w.loop);
}

/* A host that lies about how long a sleep was costs no more than patience does. */
static void test_host_lies(void **state)
{
    static const int32_t lies[] = {INT32_MIN, -1, 1, INT32_MAX};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct worker w = {0};
        open_worker(&w);
        slept_us = lies[i];
        for (unsigned k = 0; k < 100; k++)
            serve_one(&w, 100000);
        assert_in_range(sleeps, 100, 200);
        assert_in_range(atomic_load(&w.quiet), 1, 200 * 4001);
        loop_deinit(&w.loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_leaves_at_once),
                                       cmocka_unit_test(test_leaves_at_the_deadline),
                                       cmocka_unit_test(test_seldom),
                                       cmocka_unit_test(test_often),
                                       cmocka_unit_test(test_often_no_more),
                                       cmocka_unit_test(test_too_far),
                                       cmocka_unit_test(test_long_wait_among_short_ones),
                                       cmocka_unit_test(test_two_causes),
                                       cmocka_unit_test(test_says_that_it_rests),
                                       cmocka_unit_test(test_waiting_for_a_turn),
                                       cmocka_unit_test(test_host_lies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
