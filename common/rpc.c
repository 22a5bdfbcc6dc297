/*
 * RPC frames. See rpc.h.
 */
#include "common/rpc.h"

#include <errno.h>

#include "common/bytes.h"

#define LENGTH_SIZE 4u

/* ---- writing ----------------------------------------------------------------------------------------------- */

static int frame_begin(struct queue_producer *p, const uint8_t *start, uint32_t start_size, uint32_t payload_size)
{
    if (p->flags)
        return -EPIPE;
    uint64_t needed = (uint64_t)start_size + payload_size;
    if (payload_size > PROTO_RPC_MAX || needed > p->capacity - 8)
        return -EMSGSIZE;
    int64_t space = queue_producer_space(p);
    if (space < 0)
        return (int)space;
    if ((uint64_t)space < needed)
        return -EAGAIN;
    queue_producer_write(p, start, start_size);
    return 0;
}

int rpc_request_begin(struct queue_producer *p, const struct rpc_request *request)
{
    uint8_t start[LENGTH_SIZE + RPC_REQUEST_HEADER_SIZE];
    if (request->payload_size > PROTO_RPC_MAX)
        return -EMSGSIZE;
    bytes_put_u32(start, RPC_REQUEST_HEADER_SIZE + request->payload_size);
    bytes_put_u64(start + 4, request->req_id);
    bytes_put_u16(start + 12, request->method);
    bytes_put_u32(start + 14, request->payload_size);
    return frame_begin(p, start, sizeof start, request->payload_size);
}

int rpc_response_begin(struct queue_producer *p, const struct rpc_response *response)
{
    uint8_t start[LENGTH_SIZE + RPC_RESPONSE_HEADER_SIZE];
    if (response->payload_size > PROTO_RPC_MAX)
        return -EMSGSIZE;
    bytes_put_u32(start, RPC_RESPONSE_HEADER_SIZE + response->payload_size);
    bytes_put_u64(start + 4, response->req_id);
    bytes_put_u32(start + 12, (uint32_t)response->error);
    bytes_put_u32(start + 16, response->payload_size);
    return frame_begin(p, start, sizeof start, response->payload_size);
}

void rpc_write(struct queue_producer *p, const void *data, size_t size)
{
    queue_producer_write(p, data, size); /* it fits: begin made sure */
}

void rpc_end(struct queue_producer *p)
{
    queue_producer_publish(p);
}

int rpc_request_send(struct queue_producer *p, const struct rpc_request *request, const void *payload)
{
    int result = rpc_request_begin(p, request);
    if (result == 0) {
        rpc_write(p, payload, request->payload_size);
        rpc_end(p);
    }
    return result;
}

int rpc_response_send(struct queue_producer *p, const struct rpc_response *response, const void *payload)
{
    int result = rpc_response_begin(p, response);
    if (result == 0) {
        rpc_write(p, payload, response->payload_size);
        rpc_end(p);
    }
    return result;
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

void rpc_reader_init(struct rpc_reader *r, struct queue_consumer *ring)
{
    *r = (struct rpc_reader){.ring = ring};
}

/* Bring the header of the next whole frame into header: 1, 0 or -EPROTO. */
static int frame_next(struct rpc_reader *r, uint8_t *header, uint32_t header_size)
{
    if (r->error)
        return r->error;
    if (r->payload_left != 0) {
        queue_consumer_skip(r->ring, r->payload_left); /* there: the whole frame was */
        r->payload_left = 0;
    }
    int64_t available = queue_consumer_available(r->ring);
    if (available < 0)
        return r->error = (int)available;
    if (r->length == 0) {
        if (available < LENGTH_SIZE)
            return 0;
        uint8_t length[LENGTH_SIZE];
        queue_consumer_read(r->ring, length, sizeof length);
        available -= LENGTH_SIZE;
        r->length = bytes_u32(length);
        if (r->length < header_size || r->length > header_size + PROTO_RPC_MAX || r->length > r->ring->capacity)
            return r->error = -EPROTO;
    }
    if (available < r->length)
        return 0;
    queue_consumer_read(r->ring, header, header_size);
    r->payload_left = r->length - header_size;
    r->length = 0;
    return 1;
}

int rpc_request_next(struct rpc_reader *r, struct rpc_request *out)
{
    uint8_t header[RPC_REQUEST_HEADER_SIZE];
    int result = frame_next(r, header, sizeof header);
    if (result != 1)
        return result;
    out->req_id = bytes_u64(header);
    out->method = bytes_u16(header + 8);
    out->payload_size = bytes_u32(header + 10);
    if (out->payload_size != r->payload_left)
        return r->error = -EPROTO;
    return 1;
}

int rpc_response_next(struct rpc_reader *r, struct rpc_response *out)
{
    uint8_t header[RPC_RESPONSE_HEADER_SIZE];
    int result = frame_next(r, header, sizeof header);
    if (result != 1)
        return result;
    out->req_id = bytes_u64(header);
    out->error = (int32_t)bytes_u32(header + 8);
    out->payload_size = bytes_u32(header + 12);
    if (out->payload_size != r->payload_left)
        return r->error = -EPROTO;
    return 1;
}

int rpc_read(struct rpc_reader *r, void *data, size_t size)
{
    if (r->error)
        return r->error;
    if (size > r->payload_left)
        return -EINVAL;
    int64_t n = queue_consumer_read(r->ring, data, size);
    if (n != (int64_t)size)
        return r->error = -EPROTO;
    r->payload_left -= (uint32_t)size;
    return 0;
}
