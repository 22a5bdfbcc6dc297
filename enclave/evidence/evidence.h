/*
 * Evidence after the handshake: a quote that is made when a client asks, over a connection that it has, as often as it
 * wants. POST /__privasys/attest, other makers' form, and POST /_enclave/evidence, ours, whose quote binds as well what
 * answers there. request.h has what is asked, docs/protocol.md both formats. They share a thread and all places.
 *
 *     server.more_routes = ... evidence_answer(user, x) ...
 *
 * A challenge is bound to the TLS connection that it comes on, by the connection's exporter: what is answered on
 * another connection, or relayed by another server, is over other bytes. (A nonce alone would not do that: whoever sits
 * in between passes it on.)
 *
 * Threads. The exchange's worker reads and answers; the owner's has the quotes made, on the host's thread for them, so
 * that no other request waits.
 *
 * Memory. While a question comes it is its connection's; only one that is whole takes a place.
 *
 * Limits. So many quotes at once for all and for one address (limits.h): who comes too often is answered 503 with
 * retry-after. An address is the host's claim: a host can let one client's questions crowd out another's, as it can
 * refuse to serve it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_EVIDENCE_EVIDENCE_H
#define ENCLAVE_OS_ENCLAVE_EVIDENCE_EVIDENCE_H

#include <stdbool.h>

struct http_exchange;

/* For http_server.more_routes: false, it is another path. On the exchange's worker. */
bool evidence_answer(void *user, struct http_exchange *x);

#endif
