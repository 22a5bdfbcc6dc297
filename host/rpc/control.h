/*
 * The host's end of a worker's control channel: answers the enclave's RPCs. See common/protocol.h for the methods.
 *
 * Quick requests are answered on the I/O thread. What may block (commits, scans, quotes, connects) goes to a service
 * thread, and its answer comes back to the I/O thread, the ring's only producer. Everything here is untrusted code
 * that serves the enclave; a malformed request can only come from a broken enclave and is answered with -EINVAL.
 *
 *     c->backends = ...; c->wake = ...; c->ring = ...; c->open = ...; c->user = ...;
 *     link_init_host(&c->link, desc);
 *     control_init(c);
 *     control_on_news(c);      whenever the channel's name stood in the doorbell
 *     control_turn(c);         in each turn of the I/O thread
 *     control_deinit(c);
 *
 * Threads: all functions but the last are the I/O thread's. A job belongs to the service thread that works on it until
 * it is pushed to `completed`. At the end the I/O thread goes first, since it submits jobs, then the services, since
 * jobs point to the struct, and then that. A job is as large as its request, which the ring bounds (PROTO_RPC_MAX),
 * and holds its answer until there is room for that in the ring.
 *
 * Errors in answers are negative errno, as the enclave gets them. What has no answer (RPC_LOG, RPC_READY) gets none.
 */
#ifndef ENCLAVE_OS_HOST_RPC_CONTROL_H
#define ENCLAVE_OS_HOST_RPC_CONTROL_H

#include <stdbool.h>

#include "common/link.h"
#include "common/rpc.h"
#include "host/kvstore/kvstore.h"
#include "host/rpc/local.h"
#include "host/thread/service.h"
#include "sgx/quote/quote.h"

/* What all workers' control channels share. The last two are called on an I/O thread. */
struct control_backends {
    struct kvstore *kv;
    struct quote_backend *quote;
    struct service *storage, *quoting, *egress;
    /* The collateral of a quote, as RPC_QUOTE_COLLATERAL answers it; *out is malloc'ed. 0 or a negative errno. On any
     * of egress's threads, which it may keep waiting for a server. */
    int (*collateral)(const void *quote, size_t size, uint8_t **out, size_t *out_size);
    /* RPC_HAND_OVER. On storage's thread: 0 or a negative errno. */
    int (*on_hand_over)(enum hand_over_news news, const void *data, size_t size);
    struct local_way local;               /* to a server that is another process's on this machine */
    void (*on_ready)(const char *phases); /* text: one line for each phase */
    void (*on_shutdown)(void);            /* an I/O thread cannot go on */
};

struct control_job;

struct control {
    const struct control_backends *backends;
    struct link link; /* made by the caller */
    struct rpc_reader reader;
    _Atomic(struct control_job *) completed; /* pushed by service threads, taken whole by the I/O thread */
    struct control_job *unsent_first, **unsent_last;
    void (*wake)(void *user); /* the I/O thread should call control_turn soon; from any thread */
    void (*ring)(void *user); /* put the control channel's name into the worker's doorbell */
    int (*open)(void *user, int fd, channel_name *name); /* make a channel of a connected socket, which it owns then */
    void *user;
};

/* Over rings that the caller made; the function pointers and user are set by the caller before. */
void control_init(struct control *c);

/* The channel's name stood in the doorbell. */
void control_on_news(struct control *c);
/* Send the answers that have become ready. */
void control_turn(struct control *c);
bool control_has_work(struct control *c);
/* When neither the I/O thread nor a service runs any more: frees what nobody will hear of. */
void control_deinit(struct control *c);

#endif
