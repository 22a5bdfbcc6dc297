/*
 * A byte ring in shared memory: one producer thread, one consumer thread, no locks, wait-free on both sides.
 *
 * The two sides trust each other with nothing. Each keeps its own cursor in private memory and only publishes
 * copies of it; the other side's index is read once per call and refused if it is impossible (backwards, or further
 * than the capacity allows). A refusal is -EPROTO and sticks. The bytes themselves are whatever the producer says:
 * copy them out, then parse the copy.
 *
 * Words: the functions that copy touch the shared data only in whole, aligned 8-byte words (processor advisories
 * on stale data, INTEL-SA-00615 and -00657), the producer keeping the last partial word in private memory. The
 * span functions (reserve, peek) hand out the shared bytes themselves: only for the host, whose kernel copies.
 *
 * A word that still holds an unread byte is never written, so a ring takes up to 7 bytes less than its capacity
 * while the consumer stands in the middle of a word.
 *
 * Freestanding: needs memcpy only. No allocation.
 */
#ifndef ENCLAVE_OS_COMMON_QUEUE_H
#define ENCLAVE_OS_COMMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol.h"

/* A piece of the ring's data; a wrapped range is two of them. */
struct queue_span {
    uint8_t *data;
    size_t size;
};

struct queue_producer {
    struct ring_shared *shared;
    uint8_t *data;
    uint64_t capacity;
    uint64_t tail;      /* bytes ever written, published or not */
    uint64_t published; /* what the consumer has been told */
    uint64_t head;      /* the consumer's index as last believed; <= published */
    uint64_t partial;   /* the word that tail points into; its first tail % 8 bytes are data, the rest zero */
    uint32_t flags;     /* RING_FIN, RING_RST as set by us */
    int error;          /* 0 or -EPROTO */
};

struct queue_consumer {
    struct ring_shared *shared;
    const uint8_t *data;
    uint64_t capacity;
    uint64_t head;  /* bytes ever read, told to the producer or not */
    uint64_t told;  /* what the producer has been told */
    uint64_t tail;  /* the producer's index as last believed */
    uint32_t ended; /* RING_FIN, RING_RST as seen: neither is ever taken back */
    int error;      /* 0 or -EPROTO */
};

/* Ours to keep, whatever the other side does; a handle that was dropped fails, too. Every function below begins so. */
void queue_producer_check(const struct queue_producer *p);
void queue_consumer_check(const struct queue_consumer *c);

/* Shared memory must be zeroed, or already carry a ring that was never used. Checks alignment (64 bytes) and
 * capacity (power of two in PROTO_RING_MIN .. PROTO_RING_MAX): 0 or -EINVAL. The caller has checked where the
 * memory lies. */
int queue_producer_init(struct queue_producer *p, struct ring_shared *shared, void *data, uint64_t capacity);
int queue_consumer_init(struct queue_consumer *c, struct ring_shared *shared, const void *data, uint64_t capacity);

/* ---- producer ---------------------------------------------------------------------------------------------- */

/* Bytes that can be written now, or -EPROTO. */
int64_t queue_producer_space(struct queue_producer *p);
/* The same, but what was seen before counts if it is enough: without a look at what the consumer writes. */
int64_t queue_producer_space_for(struct queue_producer *p, uint64_t wanted);
/* Write as much of size as fits; returns how much, or -EPROTO, or -EPIPE after fin or rst. Not visible to the
 * consumer until publish. data must be private memory. */
int64_t queue_producer_write(struct queue_producer *p, const void *data, size_t size);
/* Make what was written visible. Returns true if there was anything new. */
bool queue_producer_publish(struct queue_producer *p);
/* The end of the bytes; publishes first. */
void queue_producer_fin(struct queue_producer *p);
/* Drop it all. */
void queue_producer_rst(struct queue_producer *p);
/* This handle touches the ring no more: any later use of it is a broken invariant. */
void queue_producer_drop(struct queue_producer *p);
/* Say that we wait for space, then look once more: true if there is still less than needed, so wait for the
 * consumer's doorbell. false: there is space now, or the ring is broken. */
bool queue_producer_wait_space(struct queue_producer *p, uint64_t needed);

/* Host only: the free bytes in place (up to two spans, returns how many spans or -EPROTO); then say how many were
 * filled, which also publishes them. */
int queue_producer_reserve(struct queue_producer *p, struct queue_span spans[2]);
void queue_producer_commit(struct queue_producer *p, size_t size);

/* ---- consumer ---------------------------------------------------------------------------------------------- */

/* Bytes that can be read now, or -EPROTO. */
int64_t queue_consumer_available(struct queue_consumer *c);
/* Copy up to size bytes out; returns how many (0: the ring is empty), or -EPROTO. The producer learns of the
 * space at release. data must be private memory. */
int64_t queue_consumer_read(struct queue_consumer *c, void *data, size_t size);
/* The same without copying. */
int64_t queue_consumer_skip(struct queue_consumer *c, size_t size);
/* Tell the producer how far we are. Returns true if it waits for space: ring back with its doorbell. */
bool queue_consumer_release(struct queue_consumer *c);
/* As queue_producer_drop. */
void queue_consumer_drop(struct queue_consumer *c);

/* RING_RST if the producer dropped the channel; RING_FIN if it ended and every byte has been read; else 0. Bytes that
 * come after the end are -EPROTO. */
uint32_t queue_consumer_ended(struct queue_consumer *c);

/* Host only: the unread bytes in place (returns the number of spans or -EPROTO); then skip what was used. */
int queue_consumer_peek(struct queue_consumer *c, struct queue_span spans[2]);

#endif
