/*
 * A control channel whose other side is hostile: the input is a script of what it does to the shared memory between
 * our calls. Nothing may touch memory beyond the ring, and no more may be read than the ring holds.
 */
#include <errno.h>
#include <stdalign.h>

#include "common/rpc.h"
#include "tests/fuzz/fuzz.h"

#define CAPACITY PROTO_RING_MIN
#define STEPS_MAX 2000

struct channel {
    struct ring_shared *shared;
    uint8_t *data;
    struct queue_consumer consumer;
    struct queue_producer producer;
    struct rpc_reader reader;
    uint32_t payload_left;
};

static void hostile(struct channel *c, struct input *in)
{
    switch (input_byte(in) % 6) {
    case 0: /* a plausible tail: some bytes more */
        atomic_fetch_add(&c->shared->tail, input_byte(in) * 8u);
        break;
    case 1:
        atomic_store(&c->shared->tail, input_word(in));
        break;
    case 2:
        atomic_store(&c->shared->head, input_word(in));
        break;
    case 3:
        atomic_store(&c->shared->flags, input_word(in));
        break;
    case 4: { /* bytes anywhere in the data */
        size_t at = input_word(in) % CAPACITY, size = input_byte(in);
        const uint8_t *bytes = input_bytes(in, &size);
        for (size_t i = 0; i < size; i++)
            c->data[(at + i) % CAPACITY] = bytes[i];
        break;
    }
    default: { /* a frame where we read next, with a length that is likely */
        uint32_t length = input_byte(in);
        for (size_t i = 0; i < 4; i++)
            c->data[(c->consumer.head + i) % CAPACITY] = (uint8_t)(length >> 8 * i);
    }
    }
}

static void read_some(struct channel *c, struct input *in)
{
    uint8_t buffer[300];
    struct rpc_request request;
    struct rpc_response response;
    struct queue_span spans[2];
    int result;
    switch (input_byte(in) % 6) {
    case 0:
        result = rpc_request_next(&c->reader, &request);
        MUST(result == 0 || result == 1 || result == -EPROTO);
        MUST(result != 1 || request.payload_size <= PROTO_RPC_MAX);
        break;
    case 1:
        result = rpc_response_next(&c->reader, &response);
        MUST(result == 0 || result == 1 || result == -EPROTO);
        MUST(result != 1 || response.payload_size <= PROTO_RPC_MAX);
        break;
    case 2: {
        size_t size = input_byte(in);
        result = rpc_read(&c->reader, buffer, size);
        MUST(result == 0 || result == -EINVAL || result == -EPROTO);
        break;
    }
    case 3:
        queue_consumer_release(&c->consumer);
        break;
    case 4:
        MUST(queue_consumer_available(&c->consumer) <= (int64_t)CAPACITY);
        break;
    default:
        result = queue_consumer_peek(&c->consumer, spans);
        MUST(result <= 2);
        for (int i = 0; i < result; i++)
            MUST(spans[i].data >= c->data && spans[i].data + spans[i].size <= c->data + CAPACITY);
    }
}

static void write_some(struct channel *c, struct input *in)
{
    static const uint8_t payload[256];
    struct queue_span spans[2];
    struct rpc_response response = {.req_id = 1, .payload_size = input_byte(in)};
    int result;
    switch (input_byte(in) % 4) {
    case 0:
        result = rpc_response_send(&c->producer, &response, payload);
        MUST(result == 0 || result == -EAGAIN || result == -EPROTO || result == -EPIPE);
        break;
    case 1:
        MUST(queue_producer_write(&c->producer, payload, input_byte(in)) <= 255);
        break;
    case 2:
        queue_producer_publish(&c->producer);
        break;
    default:
        MUST(queue_producer_space(&c->producer) <= (int64_t)CAPACITY);
        result = queue_producer_reserve(&c->producer, spans);
        for (int i = 0; i < result; i++)
            MUST(spans[i].data >= c->data && spans[i].data + spans[i].size <= c->data + CAPACITY);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    struct channel c = {.shared = aligned_alloc(64, sizeof *c.shared), .data = aligned_alloc(64, CAPACITY)};
    memset(c.shared, 0, sizeof *c.shared);
    memset(c.data, 0, CAPACITY);
    bool writing = input_byte(&in) & 1; /* we are the producer of this ring, or its consumer */
    MUST(queue_consumer_init(&c.consumer, c.shared, c.data, CAPACITY) == 0);
    MUST(queue_producer_init(&c.producer, c.shared, c.data, CAPACITY) == 0);
    rpc_reader_init(&c.reader, &c.consumer);
    for (int step = 0; step < STEPS_MAX && in.at < in.end; step++) {
        hostile(&c, &in);
        if (writing)
            write_some(&c, &in);
        else
            read_some(&c, &in);
    }
    free(c.shared);
    free(c.data);
    return 0;
}
