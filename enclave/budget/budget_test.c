/* Budgets and charges: bounds, shares, what cannot be done wrongly, and threads that take and give at once. */
#include "common/testing/stops.h"
#include "enclave/budget/budget.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_limit(void **state)
{
    struct budget b;
    struct charge one = {0}, two = {0};
    budget_init(&b, "test", NULL, 100);
    assert_true(charge_take(&one, &b, 60));
    assert_false(charge_take(&two, &b, 41));
    assert_int_equal(budget_used(&b), 60);
    assert_int_equal(b.refused, 1);
    assert_true(charge_take(&two, &b, 40));
    assert_true(charge_resize(&one, 10));
    assert_false(charge_resize(&two, 91));
    assert_int_equal(two.bytes, 40);
    assert_true(charge_resize(&two, 90));
    charge_give(&one);
    charge_give(&one); /* once more changes nothing */
    charge_give(&two);
    assert_int_equal(budget_used(&b), 0);
    assert_false(charge_take(&one, &b, SIZE_MAX));
    assert_int_equal(budget_used(&b), 0);
    budget_deinit(&b);
}

/* What a child takes its parent has lent; either may say no, and then neither is charged. */
static void test_parents(void **state)
{
    struct budget all, a, b;
    struct charge ca = {0}, cb = {0};
    budget_init(&all, "all", NULL, 100);
    budget_init(&a, "a", &all, 80);
    budget_init(&b, "b", &all, 80);
    assert_true(charge_take(&ca, &a, 80));
    assert_false(charge_take(&cb, &b, 21));
    assert_int_equal(budget_used(&b), 0);
    assert_int_equal(budget_used(&all), 80);
    assert_true(charge_take(&cb, &b, 20));
    charge_must(&cb, 50); /* there in any case */
    assert_int_equal(budget_used(&all), 130);
    assert_false(charge_resize(&cb, 51));
    struct charge none = {0};
    assert_false(charge_take(&none, &b, 0)); /* it is over its limit */
    charge_open(&none, &b);
    charge_must(&none, 5);
    charge_give(&none);
    assert_true(charge_resize(&cb, 49));
    charge_give(&ca);
    charge_give(&cb);
    budget_deinit(&a);
    budget_deinit(&b);
    budget_deinit(&all);
}

static uint64_t take_all(struct charge *c, struct budget *b)
{
    assert_true(charge_take(c, b, 0));
    while (charge_resize(c, c->bytes + 1))
        ;
    return c->bytes;
}

/* One gets a half, and after it another gets half of the rest: something is always left. */
static void test_shares(void **state)
{
    struct budget all, a, b, c;
    struct charge ca = {0}, cb = {0}, cc = {0};
    budget_init(&all, "all", NULL, 1200);
    budget_init_shared(&a, "a", &all);
    budget_init_shared(&b, "b", &all);
    budget_init_shared(&c, "c", &all);
    assert_int_equal(take_all(&ca, &a), 600);
    assert_int_equal(take_all(&cb, &b), 300);
    assert_true(budget_left(&c, 150));
    assert_false(budget_left(&c, 151));
    assert_int_equal(take_all(&cc, &c), 150);
    charge_give(&ca);
    charge_give(&cb);
    charge_give(&cc);
    assert_int_equal(budget_used(&all), 0);
}

static void test_move(void **state)
{
    struct budget b;
    struct charge one = {0}, two = {0};
    budget_init(&b, "test", NULL, 100);
    assert_true(charge_take(&one, &b, 60));
    charge_move(&two, &one);
    charge_give(&one);
    assert_int_equal(budget_used(&b), 60);
    charge_give(&two);
    budget_deinit(&b);
}

static void test_blocks(void **state)
{
    struct budget b;
    budget_init(&b, "test", NULL, 1000);
    char *text = charged_text(&b, "hello", 5);
    assert_string_equal(text, "hello");
    assert_int_equal(budget_used(&b), 6 + CHARGED_OVERHEAD);
    char *grown = charged_realloc(&b, text, 100);
    assert_non_null(grown);
    assert_string_equal(grown, "hello");
    assert_int_equal(budget_used(&b), 100 + CHARGED_OVERHEAD);
    assert_null(charged_realloc(&b, grown, 1000)); /* and the old one is still there */
    assert_null(charged_alloc(&b, SIZE_MAX));
    assert_null(charged_alloc(&b, 900));
    assert_string_equal(grown, "hello");
    uint8_t *zeros = charged_calloc(&b, 64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(zeros[i], 0);
    assert_int_equal((uintptr_t)zeros % _Alignof(max_align_t), 0);
    charged_free(zeros);
    charged_free(grown);
    charged_free(NULL);
    charged_free(charged_realloc(NULL, NULL, 5)); /* nobody is charged */
    budget_deinit(&b);
}

/* ---- what stops the program -------------------------------------------------------------------------------------- */

static void end_while_charged(void)
{
    struct budget b;
    struct charge c = {0};
    budget_init(&b, "test", NULL, 100);
    charge_take(&c, &b, 1);
    budget_deinit(&b);
}

static void take_twice(void)
{
    struct budget b;
    struct charge c = {0};
    budget_init(&b, "test", NULL, 100);
    charge_take(&c, &b, 1);
    charge_take(&c, &b, 1);
}

static void resize_nothing(void)
{
    struct charge c = {0};
    charge_resize(&c, 1);
}

/* A charge that was copied by assignment: the budget notices that more comes back than was taken. */
static void give_a_copy(void)
{
    struct budget b;
    struct charge c = {0}, copy;
    budget_init(&b, "test", NULL, 100);
    charge_take(&c, &b, 10);
    copy = c;
    charge_give(&c);
    charge_give(&copy);
}

static void shrink_too_far(void)
{
    struct budget b;
    struct charge c = {0};
    budget_init(&b, "test", NULL, 100);
    charge_take(&c, &b, 10);
    charge_grow(&c, 5);
    charge_shrink(&c, 16);
}

static void test_wrong_use_stops(void **state)
{
    assert_true(stops(end_while_charged, BROKEN));
    assert_true(stops(take_twice, BROKEN));
    assert_true(stops(resize_nothing, BROKEN));
    assert_true(stops(give_a_copy, BROKEN));
    assert_true(stops(shrink_too_far, BROKEN));
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

#define THREADS 4
static struct budget shared_budget;
static atomic_bool passed_limit;

static void *take_and_give(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    struct budget own;
    struct charge charges[16] = {0};
    budget_init(&own, "own", &shared_budget, 5000);
    own.local = true;
    for (int i = 0; i < 200000; i++) {
        struct charge *c = &charges[rand_r(&seed) % 16];
        size_t bytes = (size_t)rand_r(&seed) % 1000;
        if (!c->from)
            charge_take(c, &own, bytes);
        else if (rand_r(&seed) % 2)
            charge_resize(c, bytes);
        else
            charge_give(c);
        if (budget_used(&own) > own.limit)
            atomic_store(&passed_limit, true);
    }
    for (int i = 0; i < 16; i++)
        charge_give(&charges[i]);
    budget_deinit(&own);
    return NULL;
}

static void test_threads(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)getpid();
    print_message("SEED=%u\n", seed);
    pthread_t threads[THREADS];
    budget_init(&shared_budget, "all", NULL, 12000);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(seed + i)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_false(passed_limit);
    budget_deinit(&shared_budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),   cmocka_unit_test(test_parents), cmocka_unit_test(test_shares),
        cmocka_unit_test(test_move),    cmocka_unit_test(test_blocks),  cmocka_unit_test(test_wrong_use_stops),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
