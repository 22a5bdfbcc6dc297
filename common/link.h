/*
 * One side's handles on a channel: a ring each way, and the channel's name, by which news of it go through the
 * doorbells (common/doorbell.h).
 *
 * News are bytes, space that was waited for, and ends. Whoever makes news then asks link_name_due, and pushes the name
 * if it is. A name stands at most once in a doorbell, whatever the news: the word `named` in the header of the ring
 * that the maker produces says that it does. The other side pops the name, calls link_on_name, and then looks at both
 * rings.
 *
 * The end: the enclave gives a channel back by link_end, which empties the handles and yields the name that tells the
 * host so. There is no other way of making that name, and nothing left by which the memory could be touched after it.
 * The host then reads what is still in the ring, and frees the memory. tests/model/channel.pml goes through all orders
 * in which the two sides' steps can happen.
 */
#ifndef ENCLAVE_OS_COMMON_LINK_H
#define ENCLAVE_OS_COMMON_LINK_H

#include "common/queue.h"

struct link {
    channel_name name;
    struct queue_consumer from; /* from the other side */
    struct queue_producer to;   /* to it */
};

/* Memory of both rings as the queue functions want it: 0 or -EINVAL. */
int link_init_enclave(struct link *l, const struct channel_desc *desc);
int link_init_host(struct link *l, const struct channel_desc *desc);

/* After news: true if the name must be pushed into the other side's doorbell. */
bool link_name_due(struct link *l);
/* The name was popped: before looking at the rings. */
void link_on_name(struct link *l);

/* Publish what was written and give back the space of what was read; true as link_name_due says. */
bool link_publish(struct link *l);
/* The second half of it only. */
bool link_release(struct link *l);

/* The enclave lets go. how: RING_FIN (what was written is still delivered) or RING_RST. Returns what must be pushed
 * into the host's doorbell, after which the memory is the host's. */
channel_name link_end(struct link *l, uint32_t how);
bool link_is_open(const struct link *l);

#endif
