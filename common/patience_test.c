/* common/patience: what a run of waits makes of a thread's patience, and what looking costs it at most. */
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
    uint64_t looked = patience_ns(p, WORTH);
    *slept = gap_ns > looked;
    patience_learn(p, gap_ns, WORTH);
    return *slept ? looked : gap_ns;
}

static void test_begins_without(void **state)
{
    struct patience p = {0};
    assert_int_equal(patience_ns(&p, WORTH), 0);
}

static void test_often_does_not_sleep(void **state)
{
    struct patience p = {0};
    unsigned sleeps = 0;
    bool slept;
    for (int i = 0; i < 1000; i++) {
        wait_once(&p, WORTH, &slept);
        sleeps += slept;
        assert_true(patience_ns(&p, WORTH) <= WORTH);
    }
    assert_in_range(sleeps, 1, 4);
    assert_int_equal(patience_ns(&p, WORTH), WORTH);
}

static void test_seldom_does_not_look(void **state)
{
    struct patience p = {0};
    uint64_t vain = 0;
    bool slept;
    for (int i = 0; i < 8; i++)
        wait_once(&p, 1, &slept);
    assert_int_equal(patience_ns(&p, WORTH), WORTH);
    for (int i = 0; i < 1000; i++)
        vain += wait_once(&p, WORTH + 1, &slept);
    assert_in_range(vain, WORTH, 2 * WORTH);
    assert_int_equal(patience_ns(&p, WORTH), 0);
}

/* However waits follow each other: each short one gives patience that is lost within two of what it is
 * worth, and without short ones nothing is looked for. */
static void test_vain_is_paid_for(void **state)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct patience p = {0};
        uint64_t vain = 0, shorts = 0, longs = 0;
        unsigned random = seed;
        bool slept;
        for (int i = 0; i < 2000; i++) {
            bool is_short = rand_r(&random) % 100 < (int)seed / 2;
            uint64_t cost = wait_once(&p, is_short ? WORTH / 2 : 50 * WORTH, &slept);
            shorts += is_short;
            longs += !is_short;
            vain += is_short ? 0 : cost;
            assert_true(patience_ns(&p, WORTH) == 0 || patience_ns(&p, WORTH) >= WORTH >> (PATIENCE_LEVELS - 1));
        }
        assert_true(vain <= 2 * WORTH * shorts);
        assert_true(vain <= WORTH * longs);
        if (shorts == 0)
            assert_int_equal(vain, 0);
    }
}

static void test_one_long_wait_is_forgiven(void **state)
{
    struct patience p = {0};
    bool slept;
    for (int i = 0; i < 8; i++)
        wait_once(&p, 1, &slept);
    wait_once(&p, UINT64_MAX, &slept);
    assert_true(slept);
    assert_int_equal(patience_ns(&p, WORTH), WORTH / 2);
    wait_once(&p, WORTH / 2, &slept);
    assert_false(slept);
    assert_int_equal(patience_ns(&p, WORTH), WORTH);
}

static void test_nothing_is_worth_it(void **state)
{
    struct patience p = {0};
    for (int i = 0; i < 10; i++)
        patience_learn(&p, 0, 0);
    assert_int_equal(patience_ns(&p, 0), 0);
}

#define EACH 1000u
#define MOST 20000u

/* One wait of a worker that has done so many pieces of work since the last. */
static uint64_t earn_once(struct patience *p, struct earnings *e, unsigned pieces, uint64_t gap_ns, bool *slept)
{
    for (unsigned i = 0; i < pieces; i++)
        earnings_add(e, EACH, MOST);
    uint64_t most = patience_ns(p, e->ns), looked = gap_ns < most ? gap_ns : most;
    *slept = gap_ns > most;
    patience_learn(p, gap_ns, e->ns);
    earnings_spend(e, looked);
    if (*slept)
        earnings_slept(e);
    return looked;
}

/* Whatever comes when, looking costs no more than what was earned. */
static void test_no_more_than_earned(void **state)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct patience p = {0};
        struct earnings e = {0};
        uint64_t looked = 0, pieces = 0;
        unsigned random = seed;
        bool slept;
        for (int i = 0; i < 2000; i++) {
            unsigned some = (unsigned)rand_r(&random) % (seed % 7 + 1);
            pieces += some;
            looked += earn_once(&p, &e, some, (uint64_t)rand_r(&random) % (seed * 1000), &slept);
            assert_true(looked <= pieces * EACH);
            assert_true(e.ns <= MOST);
        }
    }
}

/* Many short waits leave enough for a long one. */
static void test_short_waits_save(void **state)
{
    struct patience p = {0};
    struct earnings e = {0};
    bool slept;
    for (int i = 0; i < 100; i++)
        earn_once(&p, &e, 1, EACH / 4, &slept);
    assert_int_equal(e.ns, MOST - EACH / 4);
    earn_once(&p, &e, 1, MOST, &slept);
    assert_false(slept);
    assert_int_equal(e.ns, 0);
}

/* But sleeps do not: what is not looked for now is not looked for later. */
static void test_sleeps_do_not_save(void **state)
{
    struct patience p = {0};
    struct earnings e = {0};
    bool slept;
    for (int i = 0; i < 100; i++) {
        earn_once(&p, &e, 1, 3 * EACH, &slept);
        assert_true(slept);
        assert_true(e.ns < EACH);
    }
    assert_int_equal(patience_ns(&p, e.ns), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_begins_without),
                                       cmocka_unit_test(test_often_does_not_sleep),
                                       cmocka_unit_test(test_seldom_does_not_look),
                                       cmocka_unit_test(test_vain_is_paid_for),
                                       cmocka_unit_test(test_one_long_wait_is_forgiven),
                                       cmocka_unit_test(test_nothing_is_worth_it),
                                       cmocka_unit_test(test_no_more_than_earned),
                                       cmocka_unit_test(test_short_waits_save),
                                       cmocka_unit_test(test_sleeps_do_not_save)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
