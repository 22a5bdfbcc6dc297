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

#include "common/link.h"

#define SLOT_RING_CAPACITY 32768u /* each way: holds a full TLS record and the start of the next */

/* In this order only, the middle ones left out where there is nothing to do. */
enum channel_state {
    CHANNEL_FREE,
    CHANNEL_OPEN,      /* the enclave may touch the rings */
    CHANNEL_SENDING,   /* it has let go (CHANNEL_ENDED), and the rest of what it wrote is sent (closing.h) */
    CHANNEL_LINGERING, /* all of it is; the rings are gone, the socket waits for the peer to close */
};

struct channel {
    enum channel_state state;
    int fd;                  /* -1: the socket is gone */
    bool readable, writable; /* since the last EAGAIN */
    bool awaits_room;        /* there was one when it was written to: from then on the kernel tells of room */
    bool hangup;             /* the peer has ended its side: read until the end shows */
    bool eof;                /* and it has shown */
    uint64_t owes;           /* news were given to the enclave in this rest of its (io's), and none have come back */
    struct link link;        /* `to` is empty once the enclave has let go, `from` once the memory is given back */
    /* While it closes: */
    uint64_t quiet_by_ns, close_by_ns; /* over if nothing moves until then; in any case */
    uint64_t discarded;                /* bytes of the peer's */
    uint32_t next, previous;           /* in the list of those that close, or (next) of free ones; UINT32_MAX ends it */
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
/* The rings are not needed any more, and the enclave has let go of them. */
void slots_release_memory(struct slots *s, struct channel *ch);
/* The socket is gone too. */
void slots_give(struct slots *s, struct channel *ch);

/* The slot of a name, or NULL if the name is stale or not ours. */
struct channel *slots_find(struct slots *s, channel_name name);
uint32_t slots_index(const struct slots *s, const struct channel *ch);
/* How many are not free. */
uint32_t slots_used(const struct slots *s);
/* Asserts that every slot which was ever used is either free, and then in the list of free ones exactly once, or has
 * what its state needs. Goes through all of them. */
void slots_check(const struct slots *s);

/* What the enclave is told. Everything but the peer's address. */
void slots_describe(const struct slots *s, const struct channel *ch, enum channel_kind kind, uint32_t worker,
                    struct channel_desc *desc);

#endif
