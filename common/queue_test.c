/*
 * Tests of the byte ring: order and content across the wrap with every alignment, two threads, hostile indices.
 * Random tests print their seed; set QUEUE_SEED to repeat one.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "common/queue.h"

#define CAPACITY PROTO_RING_MIN

struct ring {
    struct ring_shared shared;
    _Alignas(64) uint8_t data[CAPACITY];
    struct queue_producer p;
    struct queue_consumer c;
};

static struct ring *make_ring(void)
{
    struct ring *r = aligned_alloc(64, sizeof(struct ring));
    memset(r, 0, sizeof *r);
    assert_int_equal(queue_producer_init(&r->p, &r->shared, r->data, CAPACITY), 0);
    assert_int_equal(queue_consumer_init(&r->c, &r->shared, r->data, CAPACITY), 0);
    return r;
}

static uint64_t next_random(uint64_t *state) /* xorshift64 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static uint64_t seed_from_environment(void)
{
    const char *text = getenv("QUEUE_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    print_message("QUEUE_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* The byte that stands at a position of the stream: any shift or repetition shows. */
static uint8_t stream_byte(uint64_t position)
{
    return (uint8_t)((position * 0x9E3779B97F4A7C15u) >> 56);
}

static void test_init_refuses(void **state)
{
    struct ring *r = make_ring();
    assert_int_equal(queue_producer_init(&r->p, NULL, r->data, CAPACITY), -EINVAL);
    assert_int_equal(queue_producer_init(&r->p, &r->shared, r->data + 8, CAPACITY), -EINVAL);
    assert_int_equal(queue_producer_init(&r->p, &r->shared, r->data, CAPACITY - 8), -EINVAL);
    assert_int_equal(queue_producer_init(&r->p, &r->shared, r->data, PROTO_RING_MIN / 2), -EINVAL);
    assert_int_equal(queue_consumer_init(&r->c, &r->shared, r->data, PROTO_RING_MAX * 2ull), -EINVAL);
    free(r);
}

static void test_full_and_empty(void **state)
{
    struct ring *r = make_ring();
    uint8_t buffer[CAPACITY + 1] = {0};
    assert_int_equal(queue_consumer_read(&r->c, buffer, 1), 0);
    assert_int_equal(queue_producer_write(&r->p, buffer, sizeof buffer), CAPACITY);
    assert_int_equal(queue_producer_write(&r->p, buffer, 1), 0);
    assert_int_equal(queue_consumer_available(&r->c), 0); /* not published */
    assert_true(queue_producer_publish(&r->p));
    assert_false(queue_producer_publish(&r->p));
    assert_int_equal(queue_consumer_available(&r->c), CAPACITY);
    assert_int_equal(queue_consumer_read(&r->c, buffer, 3), 3);
    queue_consumer_release(&r->c);
    assert_int_equal(queue_producer_space(&r->p), 0); /* the word still holds unread bytes */
    assert_int_equal(queue_consumer_read(&r->c, buffer, 5), 5);
    queue_consumer_release(&r->c);
    assert_int_equal(queue_producer_space(&r->p), 8);
    free(r);
}

/* Unread neighbours of a partial word survive: every combination of head and tail within a word, ring full. */
static void test_partial_words_at_the_wrap(void **state)
{
    for (unsigned head = 0; head < 8; head++) {
        for (unsigned piece = 1; piece <= 17; piece++) {
            struct ring *r = make_ring();
            uint8_t buffer[CAPACITY], b;
            uint64_t written = 0, read = 0;
            for (size_t i = 0; i < CAPACITY; i++)
                buffer[i] = stream_byte(i);
            written += (uint64_t)queue_producer_write(&r->p, buffer, CAPACITY);
            queue_producer_publish(&r->p);
            for (unsigned i = 0; i < 64 + head; i++) {
                queue_consumer_read(&r->c, &b, 1);
                assert_int_equal(b, stream_byte(read++));
            }
            queue_consumer_release(&r->c);
            for (;;) {
                for (unsigned i = 0; i < piece; i++)
                    buffer[i] = stream_byte(written + i);
                int64_t n = queue_producer_write(&r->p, buffer, piece);
                if (n == 0)
                    break;
                written += (uint64_t)n;
                queue_producer_publish(&r->p);
            }
            while (queue_consumer_read(&r->c, &b, 1) == 1)
                assert_int_equal(b, stream_byte(read++));
            assert_int_equal(read, written);
            assert_int_equal(written, CAPACITY + 64);
            free(r);
        }
    }
}

/* Copying and span functions mixed in any order carry one and the same stream. */
static void test_random_mix(void **state)
{
    uint64_t seed = seed_from_environment(), written = 0, read = 0;
    struct ring *r = make_ring();
    uint8_t buffer[700];
    for (int round = 0; round < 200000; round++) {
        uint64_t random = next_random(&seed);
        size_t size = (random >> 8) % sizeof buffer;
        struct queue_span spans[2];
        switch (random % 5) {
        case 0:
        case 1:
            for (size_t i = 0; i < size; i++)
                buffer[i] = stream_byte(written + i);
            written += (uint64_t)queue_producer_write(&r->p, buffer, size);
            if (random & 64)
                queue_producer_publish(&r->p);
            break;
        case 2: {
            int count = queue_producer_reserve(&r->p, spans);
            size_t done = 0;
            for (int s = 0; s < count; s++)
                for (size_t i = 0; i < spans[s].size && done < size; i++, done++)
                    spans[s].data[i] = stream_byte(written + done);
            queue_producer_commit(&r->p, done);
            written += done;
            break;
        }
        case 3: {
            int64_t n = queue_consumer_read(&r->c, buffer, size);
            assert_true(n >= 0);
            for (int64_t i = 0; i < n; i++)
                assert_int_equal(buffer[i], stream_byte(read++));
            queue_consumer_release(&r->c);
            break;
        }
        case 4: {
            int count = queue_consumer_peek(&r->c, spans);
            size_t done = 0;
            for (int s = 0; s < count; s++)
                for (size_t i = 0; i < spans[s].size && done < size; i++, done++)
                    assert_int_equal(spans[s].data[i], stream_byte(read++));
            assert_int_equal(queue_consumer_skip(&r->c, done), (int64_t)done);
            queue_consumer_release(&r->c);
            break;
        }
        }
        assert_true(written - read <= CAPACITY);
    }
    assert_true(written > 1000000);
    free(r);
}

static void test_ends(void **state)
{
    struct ring *r = make_ring();
    uint8_t b[4];
    queue_producer_write(&r->p, "abc", 3);
    queue_producer_fin(&r->p);
    assert_int_equal(queue_producer_write(&r->p, "d", 1), -EPIPE);
    assert_int_equal(queue_consumer_ended(&r->c), 0);
    assert_int_equal(queue_consumer_read(&r->c, b, 4), 3);
    assert_int_equal(queue_consumer_ended(&r->c), RING_FIN);
    queue_producer_rst(&r->p);
    assert_int_equal(queue_consumer_ended(&r->c), RING_RST);
    free(r);
}

static void test_want_space(void **state)
{
    struct ring *r = make_ring();
    uint8_t buffer[CAPACITY] = {0};
    assert_false(queue_producer_wait_space(&r->p, CAPACITY));
    queue_producer_write(&r->p, buffer, CAPACITY);
    queue_producer_publish(&r->p);
    assert_true(queue_producer_wait_space(&r->p, 1));
    queue_consumer_read(&r->c, buffer, 100);
    assert_true(queue_consumer_release(&r->c));
    assert_false(queue_consumer_release(&r->c)); /* told once */
    free(r);
}

static void test_hostile_head(void **state)
{
    const uint64_t bad[] = {101, UINT64_MAX, 1ull << 63, CAPACITY + 1};
    uint8_t buffer[100] = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ring *r = make_ring();
        queue_producer_write(&r->p, buffer, 100);
        queue_producer_publish(&r->p);
        atomic_store(&r->shared.head, bad[i]);
        assert_int_equal(queue_producer_space(&r->p), -EPROTO);
        atomic_store(&r->shared.head, 0);
        assert_int_equal(queue_producer_space(&r->p), -EPROTO); /* for good */
        assert_int_equal(queue_producer_write(&r->p, buffer, 1), -EPROTO);
        free(r);
    }
    struct ring *r = make_ring(); /* backwards, after it was believed */
    queue_producer_write(&r->p, buffer, 100);
    queue_producer_publish(&r->p);
    atomic_store(&r->shared.head, 60);
    assert_int_equal(queue_producer_space(&r->p), CAPACITY - 100 + 56);
    atomic_store(&r->shared.head, 59);
    assert_int_equal(queue_producer_space(&r->p), -EPROTO);
    free(r);
}

static void test_hostile_tail(void **state)
{
    uint8_t buffer[100];
    const uint64_t bad[] = {CAPACITY + 1, UINT64_MAX, 1ull << 63};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ring *r = make_ring();
        atomic_store(&r->shared.tail, bad[i]);
        assert_int_equal(queue_consumer_read(&r->c, buffer, 1), -EPROTO);
        atomic_store(&r->shared.tail, 8);
        assert_int_equal(queue_consumer_read(&r->c, buffer, 1), -EPROTO);
        free(r);
    }
    struct ring *r = make_ring();
    atomic_store(&r->shared.tail, 90);
    assert_int_equal(queue_consumer_available(&r->c), 90);
    atomic_store(&r->shared.tail, 89);
    assert_int_equal(queue_consumer_available(&r->c), -EPROTO);
    free(r);
}

/* Our own indices are private: what the other side writes over them changes nothing. */
static void test_own_indices_are_not_read_back(void **state)
{
    struct ring *r = make_ring();
    uint8_t buffer[200] = {0};
    queue_producer_write(&r->p, "12345678abc", 11);
    queue_producer_publish(&r->p);
    atomic_store(&r->shared.tail, 1 << 20);
    memset(r->data + 8, 0xee, 8); /* also the partial word */
    queue_producer_write(&r->p, "def", 3);
    queue_producer_publish(&r->p);
    assert_int_equal(atomic_load(&r->shared.tail), 14);
    assert_int_equal(queue_consumer_read(&r->c, buffer, sizeof buffer), 14);
    assert_memory_equal(buffer, "12345678abcdef", 14);
    free(r);
}

/* ---- two threads ------------------------------------------------------------------------------------------- */

#define MESSAGES 2000000u

static void *produce(void *argument)
{
    struct ring *r = argument;
    uint64_t seed = 88172645463325252u, position = 0;
    for (unsigned m = 0; m < MESSAGES; m++) {
        uint8_t message[40];
        size_t size = 1 + next_random(&seed) % sizeof message, done = 0;
        for (size_t i = 0; i < size; i++)
            message[i] = stream_byte(position + i);
        while (done < size) {
            int64_t n = queue_producer_write(&r->p, message + done, size - done);
            if (n == 0)
                sched_yield();
            done += (size_t)n;
            queue_producer_publish(&r->p);
        }
        position += size;
    }
    queue_producer_fin(&r->p);
    return NULL;
}

static void test_two_threads(void **state)
{
    struct ring *r = make_ring();
    pthread_t thread;
    uint64_t position = 0, wrong = 0, seed = 362436069;
    pthread_create(&thread, NULL, produce, r);
    while (queue_consumer_ended(&r->c) == 0) {
        uint8_t buffer[600];
        int64_t n = queue_consumer_read(&r->c, buffer, 1 + next_random(&seed) % sizeof buffer);
        assert_true(n >= 0);
        if (n == 0)
            sched_yield();
        for (int64_t i = 0; i < n; i++)
            wrong += buffer[i] != stream_byte(position++);
        queue_consumer_release(&r->c);
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(position, r->p.tail);
    assert_true(position > MESSAGES * 10ull);
    free(r);
}

/* A host that writes anything into the shared header: no access outside the ring (asan), no false success. */
static void *scribble(void *argument)
{
    struct ring *r = argument;
    uint64_t seed = 2463534242;
    for (int i = 0; i < 300000; i++) {
        uint64_t v = next_random(&seed);
        atomic_store_explicit(v & 1 ? &r->shared.head : &r->shared.tail, v & 2 ? v : v % 8192, memory_order_relaxed);
    }
    return NULL;
}

static void test_scribbling_peer(void **state)
{
    for (int round = 0; round < 20; round++) {
        struct ring *r = make_ring();
        pthread_t thread;
        uint8_t buffer[512] = {0};
        pthread_create(&thread, NULL, scribble, r);
        for (int i = 0; i < 20000; i++) {
            int64_t n = queue_producer_write(&r->p, buffer, (size_t)i % sizeof buffer);
            assert_true(n == -EPROTO || (n >= 0 && n <= (int64_t)sizeof buffer));
            assert_true(r->p.tail - r->p.head <= CAPACITY);
            n = queue_consumer_read(&r->c, buffer, (size_t)i % sizeof buffer);
            assert_true(n == -EPROTO || (n >= 0 && n <= (int64_t)sizeof buffer));
            assert_true(r->c.tail - r->c.head <= CAPACITY);
        }
        pthread_join(thread, NULL);
        free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_full_and_empty),
        cmocka_unit_test(test_partial_words_at_the_wrap),
        cmocka_unit_test(test_random_mix),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_want_space),
        cmocka_unit_test(test_hostile_head),
        cmocka_unit_test(test_hostile_tail),
        cmocka_unit_test(test_own_indices_are_not_read_back),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_scribbling_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
