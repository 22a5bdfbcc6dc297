/* Tests of the doorbell: no name is lost, no sleeper is left asleep, hostile indices are refused. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/doorbell.h"

static struct doorbell_shared *make_shared(void)
{
    struct doorbell_shared *shared = aligned_alloc(64, sizeof *shared);
    memset(shared, 0, sizeof *shared);
    return shared;
}

static void test_order_and_full(void **state)
{
    struct doorbell_shared *shared = make_shared();
    struct doorbell_producer p;
    struct doorbell_consumer c;
    assert_int_equal(doorbell_producer_init(&p, (struct doorbell_shared *)((char *)shared + 8)), -EINVAL);
    assert_int_equal(doorbell_producer_init(&p, shared), 0);
    assert_int_equal(doorbell_consumer_init(&c, shared), 0);
    channel_name name;
    assert_int_equal(doorbell_pop(&c, &name), 0);
    for (uint32_t i = 0; i < PROTO_DOORBELL_SLOTS; i++)
        assert_int_equal(doorbell_push(&p, channel_name_make(i, 7)), 0);
    assert_int_equal(doorbell_push(&p, 1), -ENOSPC);
    assert_int_equal(doorbell_pop(&c, &name), 1);
    assert_true(name == channel_name_make(0, 7));
    assert_int_equal(doorbell_push(&p, 1), 0);
    assert_int_equal(doorbell_push(&p, 1), -ENOSPC);
    free(shared);
}

static void test_sleep_protocol(void **state)
{
    struct doorbell_shared *shared = make_shared();
    struct doorbell_producer p;
    struct doorbell_consumer c;
    doorbell_producer_init(&p, shared);
    doorbell_consumer_init(&c, shared);
    assert_false(doorbell_wake(&p));
    assert_true(doorbell_sleep(&c));
    doorbell_push(&p, 5);
    assert_true(doorbell_wake(&p));
    assert_false(doorbell_wake(&p));  /* only a sleeper is woken */
    assert_false(doorbell_sleep(&c)); /* there is news */
    assert_false(doorbell_wake(&p));
    free(shared);
}

static void test_rest(void **state)
{
    struct doorbell_shared *shared = make_shared();
    struct doorbell_producer p;
    struct doorbell_consumer c;
    channel_name name;
    doorbell_producer_init(&p, shared);
    doorbell_consumer_init(&c, shared);
    assert_false(doorbell_is_at_rest(shared));
    doorbell_idle(&c, true);
    assert_true(doorbell_is_at_rest(shared));
    doorbell_push(&p, 5);
    assert_false(doorbell_is_at_rest(shared)); /* it has not seen that yet */
    assert_int_equal(doorbell_pop(&c, &name), 1);
    assert_false(doorbell_is_at_rest(shared)); /* and now it works */
    doorbell_idle(&c, true);
    doorbell_idle(&c, false);
    assert_false(doorbell_is_at_rest(shared));
    assert_true(doorbell_sleep(&c));
    assert_true(doorbell_is_at_rest(shared));
    doorbell_push(&p, 5);
    assert_true(doorbell_wake(&p));
    assert_false(doorbell_is_at_rest(shared));
    free(shared);
}

static void test_hostile(void **state)
{
    struct doorbell_shared *shared = make_shared();
    struct doorbell_producer p;
    struct doorbell_consumer c;
    channel_name name;
    doorbell_producer_init(&p, shared);
    doorbell_consumer_init(&c, shared);
    atomic_store(&shared->tail, PROTO_DOORBELL_SLOTS + 1);
    assert_int_equal(doorbell_pop(&c, &name), -EPROTO);
    atomic_store(&shared->tail, 1);
    assert_int_equal(doorbell_pop(&c, &name), -EPROTO);
    for (uint32_t i = 0; i < PROTO_DOORBELL_SLOTS; i++)
        doorbell_push(&p, i);
    atomic_store(&shared->head, PROTO_DOORBELL_SLOTS + 5ull);
    assert_int_equal(doorbell_push(&p, 1), -EPROTO);
    free(shared);
}

/* ---- two threads, sleeping on a futex: the test hangs if a wake is lost --------------------------------------- */

#define NAMES 300000u

static void *push_all(void *argument)
{
    struct doorbell_shared *shared = argument;
    struct doorbell_producer p;
    doorbell_producer_init(&p, shared);
    for (uint32_t i = 0; i < NAMES; i++) {
        while (doorbell_push(&p, i) == -ENOSPC)
            sched_yield();
        if (doorbell_wake(&p))
            syscall(SYS_futex, doorbell_futex(shared), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        if (i % 64 == 0)
            sched_yield(); /* let the consumer fall asleep now and then */
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    struct doorbell_shared *shared = make_shared();
    struct doorbell_consumer c;
    pthread_t thread;
    doorbell_consumer_init(&c, shared);
    pthread_create(&thread, NULL, push_all, shared);
    uint32_t expected = 0;
    while (expected < NAMES) {
        channel_name name;
        int result = doorbell_pop(&c, &name);
        assert_true(result >= 0);
        if (result == 1)
            assert_true(name == expected++);
        else if (doorbell_sleep(&c))
            while (atomic_load(&shared->sleeping) == 1)
                syscall(SYS_futex, doorbell_futex(shared), FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
    }
    pthread_join(thread, NULL);
    free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_full), cmocka_unit_test(test_sleep_protocol), cmocka_unit_test(test_rest),
        cmocka_unit_test(test_hostile),        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
