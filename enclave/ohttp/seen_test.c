/* None is taken twice, whatever the clock does; and there is a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "enclave/budget/budget.h"
#include "enclave/ohttp/limits.h"
#include "enclave/ohttp/seen.h"

static struct budget memory;
static int64_t clock_s = 1000000; /* the latest that it has shown */

static enum seen look(uint32_t which, int64_t made_s, int64_t now_s)
{
    uint8_t encapsulated[OHTTP_ENCAPSULATED_SIZE] = {0};
    memcpy(encapsulated, &which, sizeof which);
    int64_t judged_s = now_s;
    enum seen seen = seen_look(encapsulated, made_s, &judged_s, &memory);
    clock_s = now_s > clock_s ? now_s : clock_s;
    assert_int_equal(judged_s, clock_s);
    return seen;
}

static void each_is_taken_once(void **state)
{
    (void)state;
    int64_t now_s = clock_s;
    assert_int_equal(look(1, now_s, now_s), SEEN_NEVER);
    assert_int_equal(look(1, now_s, now_s), SEEN_BEFORE);
    assert_int_equal(look(1, now_s + 5, now_s), SEEN_BEFORE); /* whatever it says of its time */
    assert_int_equal(look(2, now_s, now_s), SEEN_NEVER);
    assert_int_equal(look(3, now_s + OHTTP_DATE_WINDOW_S, now_s), SEEN_NEVER);
    assert_int_equal(look(4, now_s - OHTTP_DATE_WINDOW_S, now_s), SEEN_NEVER);
    assert_int_equal(look(5, now_s - OHTTP_DATE_WINDOW_S - 1, now_s), SEEN_TOO_OLD);
    assert_int_equal(look(5, now_s + OHTTP_DATE_WINDOW_S + 1, now_s), SEEN_TOO_OLD);
    /* as long as it would be taken, it is remembered: to the last second */
    now_s += OHTTP_DATE_WINDOW_S;
    assert_int_equal(look(1, clock_s, now_s), SEEN_BEFORE);
    assert_int_equal(look(3, now_s, now_s + OHTTP_DATE_WINDOW_S), SEEN_BEFORE);
    assert_int_equal(look(3, now_s, now_s + OHTTP_DATE_WINDOW_S + 1), SEEN_TOO_OLD);
}

/* A host that turns the clock on, so that all is forgotten, and back again. */
static void the_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t now_s = clock_s;
    assert_int_equal(look(10, now_s, now_s), SEEN_NEVER);
    int64_t later_s = now_s + 100 * OHTTP_DATE_WINDOW_S;
    assert_int_equal(look(10, now_s, later_s), SEEN_TOO_OLD);
    for (uint32_t i = 0; i < 4 * OHTTP_SEEN_BUCKETS; i++) /* each bucket is looked at, most likely */
        assert_int_equal(look(1000 + i, later_s, later_s), SEEN_NEVER);
    assert_int_equal(look(10, now_s, now_s), SEEN_TOO_OLD);
    assert_int_equal(look(1000, later_s, now_s), SEEN_BEFORE);
}

static void there_is_a_bound(void **state)
{
    (void)state;
    int64_t now_s = clock_s + 10 * OHTTP_DATE_WINDOW_S;
    uint64_t used = 0;
    for (uint32_t i = 0; i < OHTTP_SEEN_MAX; i++)
        assert_int_equal(look(100000 + i, now_s, now_s), SEEN_NEVER);
    assert_int_equal(seen_count(), OHTTP_SEEN_MAX);
    used = budget_used(&memory);
    assert_true(used >= OHTTP_SEEN_MAX * 32u && used <= OHTTP_SEEN_MAX * 64u);
    assert_int_equal(look(1, now_s, now_s), SEEN_FULL);
    assert_int_equal(look(100000, now_s, now_s), SEEN_BEFORE); /* nothing was forgotten for it */
    now_s += OHTTP_DATE_WINDOW_S + 1;
    for (uint32_t i = 0; i < OHTTP_SEEN_BUCKETS / 8; i++) /* and then it goes, a little with each */
        assert_int_equal(look(i, now_s, now_s), SEEN_NEVER);
    assert_int_equal(seen_count(), OHTTP_SEEN_BUCKETS / 8);
    assert_true(budget_used(&memory) <= OHTTP_SEEN_BUCKETS / 8 * 64u);
    memory.limit = budget_used(&memory); /* where memory is used up */
    assert_int_equal(look(100000, now_s, now_s), SEEN_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_taken_once),
        cmocka_unit_test(the_clock_never_goes_back),
        cmocka_unit_test(there_is_a_bound),
    };
    budget_init(&memory, "encrypted requests", NULL, OHTTP_MEMORY);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
