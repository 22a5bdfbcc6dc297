/*
 * The room's manual. Attested TLS over the rings, under HTTP:
 *
 *     connections.h   those of one worker: on which channels they are, what they are served with
 *     connection.h    one of them, a client's or our own to a server elsewhere
 *     crowd.h         who is cut when there are too many
 *     certificate.h   the CA that lives in here, and the leaf that carries the quote
 *     tls_context.h   what TLS is spoken with
 *     tls_names.h     which certificate is shown to whom
 *     peer.h          who a client proved to be
 *     proof.h         whether what a server proved to be still holds
 *     ring_bio.h, tls_memory.h    OpenSSL's way to the rings, and what it may allocate
 *
 *     worker_init(&w, i, &connections_handlers, &connections[i], &control);
 *     connections_init(&connections[i], &w, &connections[0]);
 *     connections_switch(&change[i]);                as often as site or certificate change
 *     connections[i].http = &server;                 from here on clients are let in; not of the keeper (protocol.h)
 *
 * Who owns what. The worker's connections are found by their channel's id; each owns its TLS state and lives until HTTP
 * and the host have let go of it. Site and SSL_CTX are counted: a connection keeps those that it began with, and so is
 * answered with what its handshake showed (https/site.h).
 *
 * Threads. All of it belongs to the worker's thread; connections_switch may be called from any.
 *
 * Errors. What a client or the host does wrong ends that connection, with an alert where one can arrive (docs/http.md,
 * "How a connection ends"); nothing of it is an error of these functions, which are negative errno.
 *
 * Limits. One connection holds no more than CONNECTION_MEMORY_MAX, all of them what crowd_limits_init was given, of
 * PROTO_MAX_CHANNELS in number (docs/memory.md).
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
    _Alignas(64) struct worker *worker; /* no line is two workers' */
    struct http_server *http;           /* NULL: nobody is let in yet, or ever: the keeper */
    struct http_site *site;             /* of new ones, which tls speaks for; NULL: there is no certificate yet */
    SSL_CTX *tls;                       /* of new ones */
    struct loop_timer cut;              /* when the first of those whose site is retired is to be cut */
    struct connection **by_channel;     /* by the channel's id, PROTO_MAX_CHANNELS of them */
    uint32_t count;                     /* of them that are not NULL: clients' and our own */
    struct crowd crowd;                 /* clients' */
    _Atomic uint64_t handshakes;        /* that clients have finished; others read it */
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

/* Whether clients' connections of retired sites are left, beside those that are spared. On the worker's thread. */
bool connections_retired_are_left(const struct connections *cs);

/* All clients' end at once. On the worker's thread. */
void connections_cut_clients(struct connections *cs);

/* What the connections of one worker are to begin with from now on. The caller's, with all but task filled in, until
 * done, which runs on the worker's thread once it is so: from the next connection on. */
struct connections_switch {
    struct loop_task task; /* zero */
    struct connections *connections;
    struct http_site *site; /* references are taken */
    SSL_CTX *tls;
    void (*done)(struct connections_switch *s);
};
/* From any thread; it cannot fail. Where the site before is retired (https/site.h), its connections are ended as their
 * work is done, and cut when its time is over; where that is at once, those of all sites before are cut, before done.
 */
void connections_switch(struct connections_switch *s);

#endif
