/* common/patience: what a run of waits makes of a thread's patience, and what looking in vain costs it at most. */
#include "common/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define WORTH 200000u

/* One wait as its user has it: looks as long as it has patience. Returns what that cost; *slept: whether it went on. */
static uint64_t wait_once(struct patience *p, uint64_t gap_ns, bool *slept)
{
    uint64_t looked = patience_ns(p);
    *slept = gap_ns > looked;
    patience_learn(p, gap_ns);
    return *slept ? looked : gap_ns;
}

static void test_begins_without(void **state)
{
    struct patience p;
    patience_init(&p, WORTH);
    assert_int_equal(patience_ns(&p), 0);
}

static void test_often_does_not_sleep(void **state)
{
    struct patience p;
    unsigned sleeps = 0;
    bool slept;
    patience_init(&p, WORTH);
    for (int i = 0; i < 1000; i++) {
        wait_once(&p, WORTH, &slept);
        sleeps += slept;
        assert_true(patience_ns(&p) <= WORTH);
    }
    assert_in_range(sleeps, 1, 4);
    assert_int_equal(patience_ns(&p), WORTH);
}

static void test_seldom_does_not_look(void **state)
{
    struct patience p;
    uint64_t vain = 0;
    bool slept;
    patience_init(&p, WORTH);
    for (int i = 0; i < 8; i++)
        wait_once(&p, 1, &slept);
    assert_int_equal(patience_ns(&p), WORTH);
    for (int i = 0; i < 1000; i++)
        vain += wait_once(&p, WORTH + 1, &slept);
    assert_in_range(vain, WORTH, 2 * WORTH);
    assert_int_equal(patience_ns(&p), 0);
}

/* However waits follow each other: each short one gives patience that is lost within two of what it is
 * worth, and without short ones nothing is looked for. */
static void test_vain_is_paid_for(void **state)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct patience p;
        uint64_t vain = 0, shorts = 0, longs = 0;
        unsigned random = seed;
        bool slept;
        patience_init(&p, WORTH);
        for (int i = 0; i < 2000; i++) {
            bool is_short = rand_r(&random) % 100 < (int)seed / 2;
            uint64_t cost = wait_once(&p, is_short ? WORTH / 2 : 50 * WORTH, &slept);
            shorts += is_short;
            longs += !is_short;
            vain += is_short ? 0 : cost;
            assert_true(patience_ns(&p) == 0 || patience_ns(&p) >= WORTH / PATIENCE_STEPS);
        }
        assert_true(vain <= 2 * WORTH * shorts);
        assert_true(vain <= WORTH * longs);
        if (shorts == 0)
            assert_int_equal(vain, 0);
    }
}

static void test_one_long_wait_is_forgiven(void **state)
{
    struct patience p;
    bool slept;
    patience_init(&p, WORTH);
    for (int i = 0; i < 8; i++)
        wait_once(&p, 1, &slept);
    wait_once(&p, UINT64_MAX, &slept);
    assert_true(slept);
    assert_int_equal(patience_ns(&p), WORTH / 2);
    wait_once(&p, WORTH / 2, &slept);
    assert_false(slept);
    assert_int_equal(patience_ns(&p), WORTH);
}

static void test_nothing_is_worth_it(void **state)
{
    struct patience p;
    patience_init(&p, 0); /* whoever must not look */
    patience_learn(&p, 0);
    patience_learn(&p, 1);
    assert_int_equal(patience_ns(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_begins_without),
                                       cmocka_unit_test(test_often_does_not_sleep),
                                       cmocka_unit_test(test_seldom_does_not_look),
                                       cmocka_unit_test(test_vain_is_paid_for),
                                       cmocka_unit_test(test_one_long_wait_is_forgiven),
                                       cmocka_unit_test(test_nothing_is_worth_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
