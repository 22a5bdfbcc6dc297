/*
 * A doorbell: a ring of channel names from one producer thread to one consumer thread, with a sleeping flag, so
 * that the cost of waiting does not grow with the number of idle channels.
 *
 * Each channel's name stands in it at most once for news and once for its end (common/link.h), so an honest pair never
 * fills it. Names are claims: the consumer looks id and generation up in its own table.
 *
 * Waiting:
 *   consumer: pop until empty; doorbell_sleep; if true, wait (futex, eventfd); doorbell_awake.
 *   producer: doorbell_push any number of times, then doorbell_wake once; if true, wake the consumer.
 *
 * A consumer that looks for names before it sleeps may say so (doorbell_idle): a producer that waits for what comes of
 * its names then knows that nothing does. Taking a name says that it has something to do again. This is a hint by which
 * no wake-up can be lost: it may be late, or a lie.
 */
#ifndef ENCLAVE_OS_COMMON_DOORBELL_H
#define ENCLAVE_OS_COMMON_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"

struct doorbell_producer {
    struct doorbell_shared *shared;
    uint64_t tail;
    uint64_t head; /* as last believed */
    int error;     /* 0 or -EPROTO, sticky */
};

struct doorbell_consumer {
    struct doorbell_shared *shared;
    uint64_t head;
    uint64_t tail; /* as last believed */
    bool idle;     /* as last said */
    int error;
};

/* Over zeroed shared memory, 64-byte aligned: 0 or -EINVAL. */
int doorbell_producer_init(struct doorbell_producer *p, struct doorbell_shared *shared);
int doorbell_consumer_init(struct doorbell_consumer *c, struct doorbell_shared *shared);

/* 0; -ENOSPC if it is full (only a consumer that has stopped reading can bring that about); -EPROTO. */
int doorbell_push(struct doorbell_producer *p, channel_name name);
/* True if the consumer slept: the caller must wake it. It is then marked awake. */
bool doorbell_wake(struct doorbell_producer *p);

/* 1 and a name, 0 if empty, -EPROTO. */
int doorbell_pop(struct doorbell_consumer *c, channel_name *name);
/* A look, without taking anything: whether pop would give a name. */
bool doorbell_has_news(struct doorbell_consumer *c);
/* From any thread, by the shared words alone: whether there are names that the consumer has not taken, and whether it
 * has announced its sleep. Both are claims of the other side's, and old as soon as they are made. */
bool doorbell_is_unread(struct doorbell_shared *shared);
bool doorbell_is_asleep(struct doorbell_shared *shared);
/* Likewise: the consumer has taken all names and done what there was to do; it sleeps, or has said that it is idle. */
bool doorbell_is_at_rest(struct doorbell_shared *shared);
/* Host only: the half of the sleeping word that the kernel's futexes look at. */
static inline uint32_t *doorbell_futex(struct doorbell_shared *shared)
{
    return (uint32_t *)&shared->sleeping; /* little-endian */
}

/* Announce sleep, then look once more: true if still empty, so sleep now (also on a broken ring). */
bool doorbell_sleep(struct doorbell_consumer *c);
void doorbell_awake(struct doorbell_consumer *c);
/* Say that there is nothing to do; or that there is, for another cause than a name. Costs nothing where it was said. */
void doorbell_idle(struct doorbell_consumer *c, bool idle);

#endif
