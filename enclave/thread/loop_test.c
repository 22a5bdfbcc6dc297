/*
 * enclave/loop: order of tasks and timers, posts from another thread, and a model check of the timer heap.
 */
#include "enclave/thread/loop.h"
#include "common/container.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char order[64];
static size_t order_size;

struct item {
    struct loop_task task;
    struct loop_timer timer;
    struct loop *loop;
    char name;
    int again;
};

static void note_task(struct loop_task *task)
{
    struct item *item = CONTAINER_OF(task, struct item, task);
    order[order_size++] = item->name;
    if (item->again-- > 0)
        loop_post(item->loop, task);
}

static void note_timer(struct loop_timer *timer)
{
    struct item *item = CONTAINER_OF(timer, struct item, timer);
    order[order_size++] = item->name;
}

static void expect_order(const char *expected)
{
    order[order_size] = 0;
    assert_string_equal(order, expected);
    order_size = 0;
}

static void tasks_run_in_order_and_once(void **state)
{
    struct loop loop;
    assert_int_equal(loop_init(&loop, NULL), 0);
    struct item a = {.task.fn = note_task, .loop = &loop, .name = 'a', .again = 1};
    struct item b = {.task.fn = note_task, .loop = &loop, .name = 'b'};
    assert_int_equal(loop_next_deadline(&loop), UINT64_MAX);
    loop_post(&loop, &a.task);
    loop_post(&loop, &b.task);
    loop_post(&loop, &a.task);
    loop_check_all(&loop);
    assert_int_equal(loop_next_deadline(&loop), 0);
    assert_true(loop_run_once(&loop, 1));
    expect_order("ab"); /* a posted itself again, for the next round */
    assert_true(loop_run_once(&loop, 1));
    expect_order("a");
    assert_false(loop_run_once(&loop, 1));
    loop_deinit(&loop);
}

static void timers_fire_when_due(void **state)
{
    struct loop loop;
    assert_int_equal(loop_init(&loop, NULL), 0);
    struct item a = {.timer.fn = note_timer, .name = 'a'}, b = {.timer.fn = note_timer, .name = 'b'},
                c = {.timer.fn = note_timer, .name = 'c'};
    loop_timer_start(&loop, &a.timer, 30);
    loop_timer_start(&loop, &b.timer, 10);
    loop_timer_start(&loop, &c.timer, 20);
    assert_int_equal(loop_next_deadline(&loop), 10);
    loop_timer_start(&loop, &a.timer, 5); /* moved */
    loop_timer_stop(&loop, &c.timer);
    loop_timer_stop(&loop, &c.timer);
    assert_true(loop_run_once(&loop, 10));
    expect_order("ab");
    assert_int_equal(loop.timer_count, 0);
    loop_deinit(&loop);
}

/* Random starts, moves and stops against the plain rule "fires in order of deadline". */
static void heap_agrees_with_a_model(void **state)
{
    enum { COUNT = 300 };
    struct loop loop;
    assert_int_equal(loop_init(&loop, NULL), 0);
    static struct item items[COUNT];
    unsigned seed = 12345;
    for (int i = 0; i < COUNT; i++)
        items[i].timer.fn = note_timer;
    for (int round = 0; round < 20000; round++) {
        struct loop_timer *timer = &items[rand_r(&seed) % COUNT].timer;
        if (rand_r(&seed) % 3)
            loop_timer_start(&loop, timer, (uint64_t)rand_r(&seed) % 1000);
        else
            loop_timer_stop(&loop, timer);
        if (round % 100 == 0)
            loop_check_all(&loop);
    }
    uint64_t before = 0;
    while (loop.timer_count) {
        struct loop_timer *timer = loop.timers[0];
        for (uint32_t i = 0; i < loop.timer_count; i++) {
            assert_int_equal(loop.timers[i]->heap_index, i + 1);
            assert_true(loop.timers[i]->deadline_ns >= timer->deadline_ns);
        }
        assert_true(timer->deadline_ns >= before);
        before = timer->deadline_ns;
        loop_timer_stop(&loop, timer);
    }
    loop_deinit(&loop);
}

enum { REMOTE_COUNT = 20000 };
static atomic_int remote_runs;
static void count_run(struct loop_task *task)
{
    atomic_fetch_add(&remote_runs, 1);
}

static void *post_many(void *user)
{
    struct loop *loop = user;
    struct loop_task *tasks = calloc(REMOTE_COUNT, sizeof *tasks);
    for (int i = 0; i < REMOTE_COUNT; i++) {
        tasks[i].fn = count_run;
        loop_post_remote(loop, &tasks[i]);
    }
    return tasks;
}

static void remote_posts_all_arrive(void **state)
{
    struct loop loop;
    assert_int_equal(loop_init(&loop, NULL), 0);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &loop), 0);
    while (atomic_load(&remote_runs) < 2 * REMOTE_COUNT)
        loop_run_once(&loop, 0);
    for (int i = 0; i < 2; i++) {
        void *tasks;
        pthread_join(threads[i], &tasks);
        free(tasks);
    }
    assert_false(loop_run_once(&loop, 0));
    loop_deinit(&loop);
}

static uint64_t about(struct loop *loop, uint64_t deadline_ns)
{
    struct loop_timer timer = {.fn = note_timer};
    assert_int_equal(loop_timer_start_about(loop, &timer, deadline_ns), 0);
    uint64_t made = timer.deadline_ns;
    loop_timer_stop(loop, &timer);
    return made;
}

static void about_is_never_early_and_shared(void **state)
{
    struct loop loop;
    unsigned seed = 3, different = 0;
    uint64_t last = 0, start = 12345678901;
    assert_int_equal(loop_init(&loop, NULL), 0);
    loop_run_once(&loop, start);
    for (int i = 0; i < 10000; i++) {
        uint64_t left = (uint64_t)rand_r(&seed) << (i % 16), at = about(&loop, start + left);
        assert_true(at >= start + left && at - start - left <= left / 32 && at - start - left < 1 << 28);
    }
    assert_int_equal(about(&loop, start), start);
    assert_int_equal(about(&loop, start + 31), start + 31);
    assert_int_equal(about(&loop, 1), 1); /* due already */
    assert_int_equal(about(&loop, UINT64_MAX), UINT64_MAX);
    for (uint64_t i = 0; i < 2000; i++) { /* of a minute each, begun within two seconds */
        loop_run_once(&loop, start + i * 1000000);
        uint64_t at = about(&loop, start + i * 1000000 + 60000000000);
        different += at != last;
        last = at;
    }
    assert_in_range(different, 7, 9);
    loop_deinit(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_run_in_order_and_once),     cmocka_unit_test(timers_fire_when_due),
        cmocka_unit_test(heap_agrees_with_a_model),        cmocka_unit_test(remote_posts_all_arrive),
        cmocka_unit_test(about_is_never_early_and_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
