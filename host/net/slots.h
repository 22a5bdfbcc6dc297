/*
 * A worker's connection slots: the memory that the enclave shares for each, recycled without returning to the
 * kernel more often than needed. One owner thread.
 *
 * A slot is one page with both rings' headers, then the two rings' data. Pages are touched as bytes arrive, so an
 * idle connection costs what its handshake filled. A few free slots stay warm; the pages of the others go back.
 */
#ifndef ENCLAVE_OS_HOST_NET_SLOTS_H
#define ENCLAVE_OS_HOST_NET_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/queue.h"

#define SLOT_RING_CAPACITY 32768u /* each way: holds a full TLS record and the start of the next */

struct channel {
    channel_name name;
    int fd;                  /* -1: the socket is gone */
    bool used;               /* the enclave may still touch the rings, or the socket is not closed yet */
    bool shared;             /* the enclave has the channel */
    bool readable, writable; /* since the last EAGAIN */
    bool hangup;             /* the peer has ended its side: read until the end shows */
    bool out_ended;          /* FIN or RST of the enclave's direction was acted upon */
    struct queue_producer in;
    struct queue_consumer out;
    uint64_t linger_until_ns; /* not 0: the rings are gone, the socket waits for the peer to close */
    uint32_t next;            /* free list, or list of lingering sockets; UINT32_MAX ends it */
};

struct slots {
    struct channel *channels;
    uint8_t *memory;
    uint32_t count, first_id, free_first, never_used, warm;
};

/* count slots with ids from first_id on. 0 or -ENOMEM. */
int slots_init(struct slots *s, uint32_t first_id, uint32_t count);
void slots_deinit(struct slots *s);

/* A slot with fresh rings and a new generation, or NULL if all are in use. */
struct channel *slots_take(struct slots *s);
/* The enclave has let go of the rings. */
void slots_release_memory(struct slots *s, struct channel *ch);
/* The socket is gone too. */
void slots_give(struct slots *s, struct channel *ch);

/* The slot of a name, or NULL if the name is stale or not ours. */
struct channel *slots_find(struct slots *s, channel_name name);
/* What the enclave is told. Everything but the peer's address. */
void slots_describe(const struct slots *s, const struct channel *ch, enum channel_kind kind, uint32_t worker,
                    struct channel_desc *desc);

#endif
