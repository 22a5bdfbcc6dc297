/*
 * The connections of one worker: which of its channels they are on, what they are served with, and who of them is cut
 * when there are too many (crowd.h).
 *
 * Belongs to its worker's thread, as all of its connections do; what may be called from another says so.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_CONNECTIONS_H
#define ENCLAVE_OS_ENCLAVE_RATLS_CONNECTIONS_H

#include <openssl/ssl.h>

#include "common/protocol.h"
#include "enclave/ratls/crowd.h"
#include "enclave/thread/worker.h"

struct connection;
struct http_server;

struct connections {
    struct worker *worker;
    struct http_server *http;       /* NULL: nobody is let in yet */
    SSL_CTX *tls;                   /* for new ones; NULL: there is no certificate yet */
    struct connection **by_channel; /* by the channel's id, PROTO_MAX_CHANNELS of them */
    uint32_t count;                 /* of them that are not NULL: clients' and our own */
    struct crowd crowd;             /* clients' */
};

/* What all clients' connections may hold together: filled by boot before the first worker has any. */
extern struct crowd_limits connection_limits;

/* For a worker with this as its user and connections_handlers. first: the first worker's, or its own. 0, -ENOMEM. */
int connections_init(struct connections *cs, struct worker *w, struct connections *first);
extern const struct worker_handlers connections_handlers;

static inline struct connections *connections_of(const struct worker *w)
{
    return w->user;
}

/* Stops unless the table, its count and each connection are in order. For tests, between turns: it walks them all. */
void connections_check(const struct connections *cs);

/* From any thread: connections accepted from now on use tls (a reference is taken). */
void connections_set_tls(struct connections *cs, SSL_CTX *tls);

#endif
