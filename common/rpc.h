/*
 * Framing of requests and responses over a control channel's rings.
 *
 * A frame is u32 length, header, payload (protocol.h). A writer waits until the whole frame fits, then publishes
 * it at once; a reader takes a frame only when all of it is there. So nobody ever stands in the middle of a frame,
 * whatever pieces the ring delivers. Frames whose length cannot be right are refused with -EPROTO for good.
 *
 * Freestanding, no allocation: the caller gives the buffer for a payload once its size is known.
 */
#ifndef ENCLAVE_OS_COMMON_RPC_H
#define ENCLAVE_OS_COMMON_RPC_H

#include "common/queue.h"

struct rpc_request {
    uint64_t req_id;
    uint16_t method; /* enum rpc_method */
    uint32_t payload_size;
};

struct rpc_response {
    uint64_t req_id;
    int32_t error; /* 0 or a negative errno */
    uint32_t payload_size;
};

/* The largest whole frame, hence the least space that always suffices. */
#define RPC_FRAME_MAX (4u + RPC_RESPONSE_HEADER_SIZE + PROTO_RPC_MAX)
_Static_assert(2ull * PROTO_RPC_MAX <= PROTO_RING_MAX && RPC_FRAME_MAX <= PROTO_RING_MAX - 8, "a frame fits a ring");

/* ---- writing ----------------------------------------------------------------------------------------------- */

/* Begin a frame; then write exactly payload_size bytes with rpc_write, then call rpc_end. 0; -EAGAIN if the frame
 * does not fit now; -EMSGSIZE if it never will; -EPROTO, -EPIPE as the ring's. On an error nothing was written. */
int rpc_request_begin(struct queue_producer *p, const struct rpc_request *request);
int rpc_response_begin(struct queue_producer *p, const struct rpc_response *response);
void rpc_write(struct queue_producer *p, const void *data, size_t size);
void rpc_end(struct queue_producer *p);

/* A whole frame whose payload lies in one piece. */
int rpc_request_send(struct queue_producer *p, const struct rpc_request *request, const void *payload);
int rpc_response_send(struct queue_producer *p, const struct rpc_response *response, const void *payload);

/* ---- reading ----------------------------------------------------------------------------------------------- */

struct rpc_reader {
    struct queue_consumer *ring;
    uint32_t length;       /* of the frame whose length was read already; 0: none */
    uint32_t payload_left; /* of the frame that was returned last */
    int error;             /* 0 or -EPROTO, sticky */
};

void rpc_reader_init(struct rpc_reader *r, struct queue_consumer *ring);

/* 1: a whole frame is here; its header is in *out and its payload is read next. 0: not yet. -EPROTO. What was not
 * read of the frame before is skipped. The caller releases the ring (queue_consumer_release) when it likes. */
int rpc_request_next(struct rpc_reader *r, struct rpc_request *out);
int rpc_response_next(struct rpc_reader *r, struct rpc_response *out);
/* The next size bytes of the payload: 0, or -EINVAL if it is shorter, -EPROTO. */
int rpc_read(struct rpc_reader *r, void *data, size_t size);

#endif
