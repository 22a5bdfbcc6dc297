/* What a connection without TLS reads from its rings, and writes to them: one of our own, to a server whose answers
 * prove themselves. */
#include <errno.h>

#include "common/ensure.h"
#include "enclave/ratls/connections.h"
#include "enclave/ratls/internal.h"

int plain_attach(struct connection *c, const struct channel_desc *d)
{
    ENSURE(!c->ssl && !c->site);
    ENSURE(link_init_enclave(&c->link, d) == 0); /* checked when it was posted */
    return 0;
}

ssize_t plain_read(struct transport *t, void *buf, size_t size)
{
    struct connection *c = connection_of(t);
    if (c->phase != SERVING)
        return -ECONNRESET;
    int64_t count = queue_consumer_read(&c->link.from, buf, size);
    if (link_release(&c->link))
        worker_ring_host(c->worker, c->link.name);
    if (count > 0)
        return (ssize_t)count;
    if (count < 0)
        return -ECONNRESET;
    return queue_consumer_ended(&c->link.from) ? 0 : -EAGAIN;
}

ssize_t plain_write(struct transport *t, const void *buf, size_t size)
{
    struct connection *c = connection_of(t);
    if (c->phase != SERVING || c->link.to.error)
        return -ECONNRESET;
    if (size == 0)
        return 0;
    int64_t count = queue_producer_write(&c->link.to, buf, size);
    if (count < 0)
        return -ECONNRESET;
    return count > 0 ? (ssize_t)count
                     : tls_wait_for_space(c, size < c->link.to.capacity / 4 ? size : c->link.to.capacity / 4);
}
