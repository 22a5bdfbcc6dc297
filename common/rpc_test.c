/* Tests of RPC framing: whole frames only, in pieces, at their limits, and malformed ones. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/bytes.h"
#include "common/rpc.h"

struct pair {
    struct ring_shared *shared;
    uint8_t *data;
    struct queue_producer p;
    struct queue_consumer c;
    struct rpc_reader r;
};

static void pair_init(struct pair *pair, size_t capacity)
{
    pair->shared = aligned_alloc(64, sizeof *pair->shared);
    memset(pair->shared, 0, sizeof *pair->shared);
    pair->data = aligned_alloc(64, capacity);
    assert_int_equal(queue_producer_init(&pair->p, pair->shared, pair->data, capacity), 0);
    assert_int_equal(queue_consumer_init(&pair->c, pair->shared, pair->data, capacity), 0);
    rpc_reader_init(&pair->r, &pair->c);
}

static void pair_deinit(struct pair *pair)
{
    free(pair->shared);
    free(pair->data);
}

static void test_layout(void **state)
{
    struct pair x;
    pair_init(&x, PROTO_RING_MIN);
    struct rpc_request q = {.req_id = 0x0102030405060708, .method = RPC_KV_GET, .payload_size = 3};
    assert_int_equal(rpc_request_send(&x.p, &q, "abc"), 0);
    const uint8_t expected[] = {17, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0x01, 0x02, 3, 0, 0, 0, 'a', 'b', 'c'};
    uint8_t got[64];
    assert_int_equal(queue_consumer_read(&x.c, got, sizeof got), sizeof expected);
    assert_memory_equal(got, expected, sizeof expected);
    pair_deinit(&x);
}

static void test_round_trip_and_skip(void **state)
{
    struct pair x;
    pair_init(&x, PROTO_RING_MIN);
    struct rpc_response a = {.req_id = 1, .error = -ENOENT, .payload_size = 5};
    struct rpc_response b = {.req_id = 2, .error = 0, .payload_size = 0};
    assert_int_equal(rpc_response_send(&x.p, &a, "hello"), 0);
    assert_int_equal(rpc_response_send(&x.p, &b, NULL), 0);
    struct rpc_response got;
    uint8_t text[8];
    assert_int_equal(rpc_response_next(&x.r, &got), 1);
    assert_int_equal(got.error, -ENOENT);
    assert_int_equal(rpc_read(&x.r, text, 2), 0);
    assert_memory_equal(text, "he", 2);
    assert_int_equal(rpc_read(&x.r, text, 4), -EINVAL); /* only 3 are left */
    assert_int_equal(rpc_response_next(&x.r, &got), 1); /* the rest is skipped */
    assert_int_equal(got.req_id, 2);
    assert_int_equal(rpc_response_next(&x.r, &got), 0);
    pair_deinit(&x);
}

static void test_in_pieces(void **state)
{
    struct pair x;
    pair_init(&x, PROTO_RING_MIN);
    const uint8_t frame[] = {16, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x03, 2, 0, 0, 0, 'x', 'y'};
    struct rpc_request got;
    for (size_t i = 0; i < sizeof frame; i++) {
        assert_int_equal(rpc_request_next(&x.r, &got), 0);
        queue_producer_write(&x.p, frame + i, 1);
        queue_producer_publish(&x.p);
    }
    assert_int_equal(rpc_request_next(&x.r, &got), 1);
    assert_int_equal(got.method, RPC_TIME);
    assert_int_equal(got.payload_size, 2);
    pair_deinit(&x);
}

static void test_malformed(void **state)
{
    const struct {
        uint32_t length, payload;
    } bad[] = {{0, 0},
               {13, 0},
               {15, 0},
               {14, 1},
               {14 + PROTO_RPC_MAX + 1, PROTO_RPC_MAX + 1},
               {UINT32_MAX, 0},
               {5000 /* more than the ring */, 4986}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pair x;
        pair_init(&x, PROTO_RING_MIN);
        uint8_t frame[32] = {0};
        bytes_put_u32(frame, bad[i].length);
        bytes_put_u32(frame + 14, bad[i].payload);
        queue_producer_write(&x.p, frame, sizeof frame);
        queue_producer_publish(&x.p);
        struct rpc_request got;
        assert_int_equal(rpc_request_next(&x.r, &got), -EPROTO);
        assert_int_equal(rpc_request_next(&x.r, &got), -EPROTO);
        pair_deinit(&x);
    }
}

static void test_writer_reserves(void **state)
{
    struct pair x;
    pair_init(&x, PROTO_RING_MIN);
    uint8_t payload[3000] = {0};
    struct rpc_request q = {.req_id = 1, .method = RPC_LOG, .payload_size = sizeof payload};
    assert_int_equal(rpc_request_send(&x.p, &q, payload), 0);
    uint64_t tail = x.p.tail;
    assert_int_equal(rpc_request_send(&x.p, &q, payload), -EAGAIN);
    assert_true(x.p.tail == tail); /* nothing torn */
    q.payload_size = PROTO_RING_MIN;
    assert_int_equal(rpc_request_begin(&x.p, &q), -EMSGSIZE);
    q.payload_size = PROTO_RPC_MAX + 1;
    assert_int_equal(rpc_request_begin(&x.p, &q), -EMSGSIZE);
    q.payload_size = UINT32_MAX;
    assert_int_equal(rpc_request_begin(&x.p, &q), -EMSGSIZE);
    pair_deinit(&x);
}

static void test_largest_frame(void **state)
{
    struct pair x;
    pair_init(&x, PROTO_RING_MAX);
    uint8_t *payload = malloc(PROTO_RPC_MAX), *got = malloc(PROTO_RPC_MAX);
    struct rpc_response q = {.req_id = 3, .error = 0, .payload_size = PROTO_RPC_MAX}, header;
    for (int round = 0; round < 5; round++) { /* over the wrap */
        memset(payload, round + 1, PROTO_RPC_MAX);
        assert_int_equal(rpc_response_send(&x.p, &q, payload), 0);
        assert_int_equal(rpc_response_next(&x.r, &header), 1);
        assert_int_equal(rpc_read(&x.r, got, PROTO_RPC_MAX), 0);
        assert_memory_equal(got, payload, PROTO_RPC_MAX);
        queue_consumer_release(&x.c);
    }
    free(payload);
    free(got);
    pair_deinit(&x);
}

#define FRAMES 300000u

static void *send_frames(void *argument)
{
    struct pair *x = argument;
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint8_t payload[300];
        struct rpc_request q = {.req_id = i, .method = RPC_KV_GET, .payload_size = i % sizeof payload};
        memset(payload, (int)(i & 0xff), sizeof payload);
        while (rpc_request_send(&x->p, &q, payload) == -EAGAIN)
            sched_yield();
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    struct pair x;
    pair_init(&x, PROTO_RING_MIN);
    pthread_t thread;
    pthread_create(&thread, NULL, send_frames, &x);
    for (uint32_t i = 0; i < FRAMES;) {
        struct rpc_request q;
        uint8_t payload[300];
        int result = rpc_request_next(&x.r, &q);
        assert_true(result >= 0);
        if (result == 0) {
            sched_yield();
            continue;
        }
        assert_true(q.req_id == i && q.payload_size == i % sizeof payload);
        assert_int_equal(rpc_read(&x.r, payload, q.payload_size), 0);
        for (uint32_t b = 0; b < q.payload_size; b++)
            if (payload[b] != (i & 0xff))
                fail_msg("frame %u is torn", i);
        queue_consumer_release(&x.c);
        i++;
    }
    pthread_join(thread, NULL);
    pair_deinit(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),          cmocka_unit_test(test_round_trip_and_skip),
        cmocka_unit_test(test_in_pieces),       cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_writer_reserves), cmocka_unit_test(test_largest_frame),
        cmocka_unit_test(test_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
