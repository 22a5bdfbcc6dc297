/* What an app's limits let through, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/wasm/admission.h"

#define SECOND UINT64_C(1000000000)

static void test_without_limits(void **state)
{
    struct admission a = {0};
    struct app_limits none = {0};
    for (uint64_t i = 1; i < 1000; i++)
        assert_int_equal(admission_take(&a, &none, i, 5), ADMITTED);
    assert_int_equal(a.next_ns, 0);
}

static void test_at_once(void **state)
{
    struct admission a = {0};
    struct app_limits two = {.requests = 2, .requests_per_second = 1000};
    assert_int_equal(admission_take(&a, &two, 1, 5), ADMITTED);
    assert_int_equal(admission_take(&a, &two, 2, 5), ADMITTED);
    uint64_t due_ns = a.next_ns;
    assert_int_equal(admission_take(&a, &two, 3, 5), ADMISSION_BUSY);
    assert_int_equal(a.next_ns, due_ns); /* it counts for nothing else */
    assert_int_equal(a.busy, 1);
    assert_int_equal(a.fast, 0);
}

/* As many as a second has, then one each time that so much of it is over; whoever was away has no more than that. */
static void test_rate(void **state)
{
    struct admission a = {0};
    struct app_limits four = {.requests_per_second = 4};
    uint64_t now = 100 * SECOND;
    for (unsigned again = 0; again < 2; again++, now += 50 * SECOND) {
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(admission_take(&a, &four, 1, now), ADMITTED);
        assert_int_equal(admission_take(&a, &four, 1, now), ADMISSION_FAST);
        assert_int_equal(admission_take(&a, &four, 1, now + SECOND / 4 - 1), ADMISSION_FAST);
        assert_int_equal(admission_take(&a, &four, 1, now + SECOND / 4), ADMITTED);
        assert_int_equal(admission_take(&a, &four, 1, now + SECOND / 4), ADMISSION_FAST);
    }
    assert_int_equal(a.fast, 6);
    struct admission b = {0};
    struct app_limits one = {.requests_per_second = 1};
    unsigned admitted = 0;
    for (uint64_t ms = 0; ms < 10000; ms++)
        admitted += admission_take(&b, &one, 1, SECOND + ms * 1000000) == ADMITTED;
    assert_int_equal(admitted, 10);
}

static void takes_nobody(void)
{
    struct admission a = {0};
    admission_take(&a, &(struct app_limits){0}, 0, 1);
}

static void test_rules(void **state)
{
    assert_true(stops(takes_nobody, "running"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_limits),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
