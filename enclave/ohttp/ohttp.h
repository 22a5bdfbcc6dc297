/*
 * The room's manual. Requests that are encrypted to the enclave itself, whoever terminates TLS in between: Oblivious
 * HTTP (RFC 9458), of which the enclave is gateway and target at once.
 *
 *     ohttp.h        its paths: the key, what shows whose it is, and the requests
 *     keys.h         a key for each generation
 *     published.h    the key with what shows whose it is
 *     inner.h        the request that was encrypted, answered as any other
 *     seen.h         none that may change something is answered twice
 *     common/ohttp.h the encapsulation; common/bhttp.h: the messages in it
 *
 *     if (ohttp_open(&owner->loop, ...) < 0) ...          at boot
 *     server.more_routes = ... ohttp_answer(&server, x) ...
 *
 * Threads. A request is its connection's worker's; keys and what was seen are for all of them, under a lock each.
 *
 * Memory. What comes, and its answer, are held whole, in a budget for all such requests, of which each gets no more
 * than it leaves free (limits.h, docs/memory.md).
 *
 * What whoever carries it can do: withhold, delay, and count; see how long messages are; send a request again that
 * changes nothing. Known weakness: no chunked form, so that nothing is answered before all of it is there.
 */
#ifndef ENCLAVE_OS_ENCLAVE_OHTTP_OHTTP_H
#define ENCLAVE_OS_ENCLAVE_OHTTP_OHTTP_H

#include <stdbool.h>

struct http_exchange;
struct http_server;
struct loop;

/* Boot, on the owner's thread. 0 or a negative errno. */
int ohttp_open(struct loop *owner);
/* The end, on the owner's thread, when no worker runs any more. */
void ohttp_close(void);

/* For http_server.more_routes: false, it is another path. What is encrypted goes to the server's router. On the
 * exchange's worker. */
bool ohttp_answer(struct http_server *server, struct http_exchange *x);

#endif
