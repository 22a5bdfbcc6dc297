/*
 * Requests to the host over a worker's control channel. One owner thread, its worker's.
 *
 *     int error = rpc_call(worker->rpc, RPC_TIME, NULL, 0, on_time, user);      refused: on_time is never called
 *     static void on_time(void *user, int error, const uint8_t *payload, size_t size)     once, from the loop
 *
 * At most 1,024 requests are on their way at once; more wait in here, in order, for room and for answers. A host that
 * never answers keeps what waits for ever: it can do that anyway, and whoever has a deadline keeps it by a timer. A
 * ring that the host broke fails all requests, those to come too.
 *
 * An answer is a claim: done gets the error (anything but the errno values of kvstore.h and net is turned into
 * -EIO) and the payload, copied in, valid only during done. Answers to unknown requests are dropped.
 */
#ifndef ENCLAVE_OS_ENCLAVE_THREAD_RPC_CLIENT_H
#define ENCLAVE_OS_ENCLAVE_THREAD_RPC_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "common/protocol.h"
#include "common/rpc.h"

/* Answers of so many bytes take no memory, so that none of them is lost to a lack of it: that a commit was made, the
 * store's root, the name of a channel, which would stay posted. */
#define RPC_SMALL_ANSWER_MAX 128u

struct worker;
struct rpc_client;

typedef void (*rpc_done)(void *user, int error, const uint8_t *payload, size_t size);

/* Over the control channel that the host posted for worker; NULL when out of memory or the rings are unusable. */
struct rpc_client *rpc_client_create(struct worker *worker, const struct channel_desc *control);

/* Send; payload is copied. 0, and done (which may be NULL: then no answer is expected) runs once, later, from the
 * worker's loop; or -EMSGSIZE, -ENOMEM, or what broke the channel, and done never runs (common/callbacks.h). */
MAY_REFUSE int rpc_call(struct rpc_client *c, enum rpc_method method, const void *payload, size_t size, rpc_done done,
                        void *user);

/* The same, turning the worker's own event loop until the answer is there: only at boot and at shutdown. The payload
 * is malloc'ed into *out (NULL if not wanted). Returns the error. */
int rpc_call_wait(struct rpc_client *c, enum rpc_method method, const void *payload, size_t size, uint8_t **out,
                  size_t *out_size);

/* The control channel has news (its name was in the doorbell). */
void rpc_client_on_news(struct rpc_client *c);

/* Stops unless its table and its queue are in order. For tests: it walks both. */
void rpc_client_check(const struct rpc_client *c);

/* One line to the host's log, or none if the channel is full: a guest that floods it costs no memory. Never put secrets
 * or guests' data into it. */
void rpc_log(struct rpc_client *c, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
