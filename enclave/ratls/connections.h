/*
 * The room's manual. Attested TLS over the rings, under HTTP:
 *
 *     connections.h   those of one worker: on which channels they are, what they are served with
 *     connection.h    one of them, a client's or our own to a server elsewhere
 *     crowd.h         who is cut when there are too many
 *     certificate.h   the CA that lives in here, and the leaf that carries the quote
 *     tls_context.h   what TLS is spoken with
 *     peer.h          who a client proved to be
 *     ring_bio.h, tls_memory.h    OpenSSL's way to the rings, and what it may allocate
 *
 *     worker_init(&w, i, &connections_handlers, &connections[i], &control);
 *     connections_init(&connections[i], &w, &connections[0]);
 *     connections_set_tls(&connections[i], tls);     as often as the certificate changes
 *     connections[i].http = &server;                 from here on clients are let in
 *
 * Who owns what. The worker's connections are found by their channel's id; each owns its TLS state and lives until HTTP
 * and the host have let go of it. The SSL_CTX is counted: connections keep the one that they began with.
 *
 * Threads. All of it belongs to the worker's thread; connections_set_tls may be called from any.
 *
 * Errors. What a client or the host does wrong ends that connection, with an alert where one can arrive (docs/http.md,
 * "How a connection ends"); nothing of it is an error of these functions, which are negative errno.
 *
 * Limits. One connection holds no more than CONNECTION_MEMORY_MAX, all of them what crowd_limits_init was given, of
 * PROTO_MAX_CHANNELS in number (docs/memory.md).
 *
 * Known weakness: a connection that was begun before a change is served with what is in force after it
 * (docs/apps.md, "Changes").
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
