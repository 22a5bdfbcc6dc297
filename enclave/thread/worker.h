/*
 * A worker: one thread inside, with its event loop, its doorbells, its control channel and its connections. The loop
 * knows the thread; what is called from another, and is not marked so, stops the enclave.
 */
#ifndef ENCLAVE_OS_ENCLAVE_THREAD_WORKER_H
#define ENCLAVE_OS_ENCLAVE_THREAD_WORKER_H

#include <openssl/ssl.h>

#include "common/doorbell.h"
#include "common/link.h"
#include "enclave/ratls/crowd.h"
#include "enclave/thread/loop.h"

struct rpc_client;
struct connection;
struct http_server;

struct worker;

/* What those above do with a channel's news, and at the end. On the worker's thread; given to worker_init. */
struct worker_handlers {
    void (*control)(struct worker *w);                     /* news of the control channel */
    void (*posted)(struct worker *w, channel_name name);   /* of a channel that has no connection here */
    void (*news)(struct connection *c, channel_name name); /* of one that has */
    void (*drain)(struct worker *w);                       /* shutdown: let go of what is idle, begin nothing */
    void (*abort)(struct worker *w);                       /* and of all the rest, at once */
};

struct worker {
    struct loop loop; /* first: loop callbacks find the worker by it */
    uint32_t index;   /* 0 .. workers-1 */
    const struct worker_handlers *handlers;
    struct rpc_client *rpc; /* this worker's control channel; enclave/thread/rpc_client.h */
    struct doorbell_consumer bell_in;
    struct doorbell_producer bell_out;
    bool rang;                       /* names were pushed since the host was last woken */
    uint32_t quiet_turns;            /* turns since there was last something to do */
    uint32_t quiet_turns_max;        /* how many of them before it parks */
    atomic_bool parked;              /* asleep in the host; loop_post_remote must wake it */
    SSL_CTX *tls;                    /* for new connections; replaced when the configuration changes */
    struct http_server *http;        /* NULL until boot is done */
    struct connection **connections; /* by channel id, PROTO_MAX_CHANNELS of them */
    uint32_t connection_count;
    struct crowd crowd;     /* of them, those of clients */
    _Atomic uint64_t exits; /* ocall_notify calls made by this worker, who alone writes it */
};

/* Claim the control channel that the host posted for this worker: its doorbells are the worker's, its rings are for
 * w->rpc, which the caller makes. 0; -ENODEV if the host posted none; -ENOMEM. */
int worker_init(struct worker *w, uint32_t index, const struct worker_handlers *handlers, struct channel_desc *control);

/* One turn: what the doorbell says, timers, tasks; then park if there is nothing to do. */
void worker_turn(struct worker *w);
/* Turns until shutdown is asked for and connections have drained. */
void worker_run(struct worker *w);

/* Tell the host that a channel has news. */
void worker_ring_host(struct worker *w, channel_name name);
/* Give a channel that was taken back to the host. how: RING_FIN or RING_RST. link is empty afterwards. */
void worker_give_back(struct worker *w, struct link *link, uint32_t how);

/* From any thread: connections accepted from now on use tls (a reference is taken). */
void worker_set_tls(struct worker *w, SSL_CTX *tls);

#endif
