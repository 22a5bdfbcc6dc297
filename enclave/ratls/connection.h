/*
 * A connection: TLS ended inside the enclave, over a channel's two rings, under HTTP's struct transport. A client's,
 * with the worker's certificate, or one of our own to a server elsewhere.
 *
 * Ciphertext goes straight between OpenSSL's record layer and the rings: one copy in, one copy out. A full response
 * ring stops SSL_write, an unread request ring stops the host's reading of the socket.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_CONNECTION_H
#define ENCLAVE_OS_ENCLAVE_RATLS_CONNECTION_H

#include <openssl/ssl.h>

#include "common/protocol.h"
#include "enclave/https/client.h"
#include "enclave/https/limits.h"
#include "enclave/ratls/limits.h"

struct worker;
struct connection;
struct connections;
struct crowd;

/* What one client's connection may hold is CONNECTION_MEMORY_MAX of limits.h. What would go beyond is refused, with 503
 * where something can be answered; what it takes in one pass of the loop is bounded, too. */

/* How the crowd that connections are members of asks and cuts them. */
void connection_crowd_init(struct crowd *crowd);

/* A CHANNEL_CONNECTION was claimed: serve the client on it. */
void connection_accept(struct connections *cs, const struct channel_desc *desc);

/* A CHANNEL_EGRESS was claimed: be the client on it, with what ssl (which is taken) wants of the server; ssl NULL: TLS
 * is not spoken, and anybody may be there and listen. opened comes later, from the worker's loop. NULL: no memory, and
 * opened never comes. Frees the channel in any case. */
struct connection *connection_connect(struct worker *w, const struct channel_desc *desc, SSL *ssl, http_dialled opened,
                                      void *user);
void connection_cancel(struct connection *c); /* before opened: it never comes */
/* Give a channel back that nobody wants any more. */
void connection_refuse(struct worker *w, const struct channel_desc *desc);

/* The doorbell named this connection's id; news of another generation are ignored. */
void connection_on_news(struct connection *c, channel_name name);

/* Whether it is a client's, and not one of our own to elsewhere. */
bool connection_is_clients(const struct connection *c);

/* Stops unless it is in order, as every connection is between its callbacks. */
void connection_check(const struct connection *c);

/* Its site is retired, perhaps, and it is now_ns: cut, where its time is over, unless it is spared (transport.h); else
 * it closes when it has been idle, or its request ends (site.h). One of our own that waits for a request of a retired
 * site is closed (kept.h). */
void connection_retire(struct connection *c, uint64_t now_ns);
/* When connection_retire would cut it; UINT64_MAX: never, as things are. */
uint64_t connection_cut_ns(const struct connection *c);
struct http_site *connection_site(const struct connection *c); /* a client's; NULL: it is our own */

/* Shutdown: it closes if it is between requests or in a handshake, or else when its request ends. */
void connection_drain(struct connection *c);
/* The host, or we, end it at once: HTTP hears of it and lets go. */
void connection_cut(struct connection *c);

#endif
