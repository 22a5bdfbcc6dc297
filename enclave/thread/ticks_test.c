/*
 * enclave/thread/ticks: while a worker is awake the host is asked for one tick after the other; when all have slept for
 * a while, for none, until one of them wants to run a guest, or it is the end. The host is the test's, and what workers
 * do meanwhile happens inside its call.
 */
#include "enclave/thread/ticks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "enclave_os_t.h"
#include "sgx/trusted/bridge.h"

#define TICK_NS 20000000u
#define TCS 5u

static struct worker workers[2];
static unsigned waits, wakes, ticked;
static void (*meanwhile)(unsigned wait, uint64_t timeout_ns);

uint32_t sgx_tcs_index(void)
{
    return TCS;
}

int ocall_notify(int32_t *result, uint32_t op, uint64_t arg, uint64_t timeout_ns)
{
    *result = 0;
    assert_int_equal(arg, TCS);
    if (op == NOTIFY_THREAD_WAKE) {
        wakes++;
        return 0;
    }
    assert_int_equal(op, NOTIFY_THREAD_WAIT);
    assert_true(waits < 1000);
    unsigned before = wakes;
    meanwhile(waits++, timeout_ns);
    if (timeout_ns == UINT64_MAX)
        assert_true(wakes > before); /* or it would sleep for ever */
    else
        assert_int_equal(timeout_ns, TICK_NS);
    return 0;
}

static uint64_t tick(void)
{
    ticked++;
    return TICK_NS;
}

static void park(bool parked)
{
    atomic_store(&workers[0].parked, parked);
    atomic_store(&workers[1].parked, parked);
}

static unsigned rests;

static void walk(unsigned wait, uint64_t timeout_ns)
{
    if (wait < 100) { /* one is awake */
        assert_true(timeout_ns == TICK_NS);
        ticks_wanted();
        assert_int_equal(wakes, 0);
        return;
    }
    if (wait == 100)
        park(true);
    if (timeout_ns != UINT64_MAX) {
        assert_true(wait % 100 < 10 || !atomic_load(&workers[1].parked)); /* it rests soon */
        if (wait == 200)
            park(true);
        return;
    }
    rests++;
    atomic_store(&workers[1].parked, false);
    if (rests == 1) {
        ticks_wanted();
        ticks_wanted(); /* who comes second need not leave */
        assert_int_equal(wakes, 1);
    } else {
        park(true);
        ticks_stop();
    }
}

static void test_rests_and_goes_on(void **state)
{
    meanwhile = walk;
    atomic_store(&workers[0].parked, true);
    ticks_run(workers, 2, tick);
    assert_int_equal(rests, 2);
    assert_int_equal(wakes, 2);
    assert_int_equal(ticked, waits + 1); /* the first at once; also the one for which it was woken */
    ticks_wanted();                      /* the end: nobody rests */
    assert_int_equal(wakes, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rests_and_goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
