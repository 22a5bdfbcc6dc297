/* See link.h. */
#include "common/link.h"

#include "common/ensure.h"

int link_init_enclave(struct link *l, const struct channel_desc *d)
{
    int result = queue_consumer_init(&l->from, (struct ring_shared *)d->to_enclave, (const void *)d->to_enclave_data,
                                     d->to_enclave_capacity);
    if (result == 0)
        result =
            queue_producer_init(&l->to, (struct ring_shared *)d->to_host, (void *)d->to_host_data, d->to_host_capacity);
    l->name = d->name;
    return result;
}

int link_init_host(struct link *l, const struct channel_desc *d)
{
    int result = queue_consumer_init(&l->from, (struct ring_shared *)d->to_host, (const void *)d->to_host_data,
                                     d->to_host_capacity);
    if (result == 0)
        result = queue_producer_init(&l->to, (struct ring_shared *)d->to_enclave, (void *)d->to_enclave_data,
                                     d->to_enclave_capacity);
    l->name = d->name;
    return result;
}

/* The word is taken and cleared with a full barrier: what was made before is visible to whoever clears it after, and
 * who finds it set knows that the other side has still to look. */
bool link_name_due(struct link *l)
{
    ENSURE(link_is_open(l));
    return atomic_exchange_explicit(&l->to.shared->named, 1, memory_order_seq_cst) == 0;
}

void link_on_name(struct link *l)
{
    ENSURE(link_is_open(l));
    atomic_exchange_explicit(&l->from.shared->named, 0, memory_order_seq_cst);
}

bool link_publish(struct link *l)
{
    bool news = queue_producer_publish(&l->to);
    news |= queue_consumer_release(&l->from);
    return news && link_name_due(l);
}

bool link_release(struct link *l)
{
    return queue_consumer_release(&l->from) && link_name_due(l);
}

channel_name link_end(struct link *l, uint32_t how)
{
    ENSURE(link_is_open(l));
    ENSURE(how == RING_FIN || how == RING_RST);
    if (how == RING_FIN)
        queue_producer_fin(&l->to);
    else
        queue_producer_rst(&l->to);
    channel_name ended = l->name | CHANNEL_ENDED;
    queue_producer_drop(&l->to);
    queue_consumer_drop(&l->from);
    return ended;
}

bool link_is_open(const struct link *l)
{
    return l->to.shared && l->from.shared;
}
