/*
 * The room's manual. A worker is one thread inside, with its event loop, its doorbells and its control channel:
 *
 *     loop.h         tasks, timers, and messages from other threads
 *     rpc_client.h   what it asks the host, and the answers
 *     errand.h       what it asks another worker, and the answer
 *     threads.h      threads inside, and their stacks
 *
 *     struct channel_desc control;
 *     error = worker_init(&w, 0, &handlers, user, &control);      on the boot thread, for each worker
 *     w.rpc = rpc_client_create(&w, &control);
 *     worker_run(&w);                                             on the worker's own thread, until shutdown
 *
 * Who owns what. The worker owns its loop, its bells and its control channel; what goes over the other channels is the
 * handlers', who find their own by w->user. A worker lives as long as the enclave: there is no way to take one down.
 *
 * Threads. A worker belongs to the thread that worker_init or worker_run was last called on. All functions are for that
 * thread, but where one says otherwise; called from another they stop the enclave. Handlers and callbacks run on it,
 * one at a time, from worker_turn: never inside the call that asked for them (common/callbacks.h).
 *
 * The host is believed in nothing: a name in a doorbell is looked up in the enclave's own table (early/channel.h), a
 * bell that it breaks is silent from then on, and a worker that it never wakes only serves nobody.
 *
 * Limits: NAMES_PER_TURN names of a doorbell in one turn, so that a host that rings without end cannot keep timers from
 * firing. Times are monotonic nanoseconds of the host's clock, which never goes back in here.
 *
 * A worker that has nothing to do says so by its doorbell, and looks for work as long as that lately paid and its work
 * has earned (common/patience.h); then it sleeps in the host. Waiting for the host's answers and waiting for clients
 * are learnt apart. One that serves and has no patience sleeps at the end of the turn in which it answered, and the
 * host hears of the answer by that.
 *
 * Known weakness: how long a turn without work takes is a guess (TURN_NS), and how long it slept is the host's word.
 */
#ifndef ENCLAVE_OS_ENCLAVE_THREAD_WORKER_H
#define ENCLAVE_OS_ENCLAVE_THREAD_WORKER_H

#include "common/doorbell.h"
#include "common/link.h"
#include "common/patience.h"
#include "enclave/thread/loop.h"

struct rpc_client;
struct worker;

/* What those above do with a channel's news, and at the end. On the worker's thread; given to worker_init. */
struct worker_handlers {
    void (*control)(struct worker *w);                 /* news of the control channel */
    void (*news)(struct worker *w, channel_name name); /* of another; a claim of the host's, its id is in bounds */
    void (*worked)(struct worker *w);                  /* a turn had something to do, and is over */
    void (*drain)(struct worker *w);                   /* shutdown: let go of what is idle, begin nothing */
    bool (*drained)(struct worker *w);                 /* nothing is left to end */
    void (*abort)(struct worker *w);                   /* what is left ends at once */
};

struct worker {
    _Alignas(64) struct loop loop; /* first: loop callbacks find the worker by it; aligned: no line is two workers' */
    uint32_t index;                /* 0 .. workers-1 */
    const struct worker_handlers *handlers;
    void *user;             /* the handlers' */
    struct rpc_client *rpc; /* this worker's control channel; enclave/thread/rpc_client.h */
    struct doorbell_consumer bell_in;
    struct doorbell_producer bell_out;
    bool rang;            /* names were pushed since the host was last woken */
    uint32_t quiet_turns; /* turns since there was last something to do */
    uint32_t asked;       /* rpc_client's: requests whose answers are to come from the host */
    /* How many of them before it parks: by whether it waits for the host's answers or for clients, and by what its
     * work has earned. */
    struct patience patience[2];
    bool waits_for_host; /* since it last had something to do: which of the two */
    struct earnings earnings;
    atomic_bool parked;     /* asleep in the host; loop_post_remote must wake it */
    _Atomic uint64_t exits; /* ocall_notify calls made by this worker, who alone writes it */
    _Atomic uint64_t quiet; /* turns that had nothing to do, of its whole life; the same */
    bool serving;           /* nobody waits for what a turn does: it may end asleep though it did something */
    bool stopping;          /* worker_run has seen that shutdown was asked for */
    struct loop_timer last; /* and this ends its sleep at the deadline */
};

/* Claim the control channel that the host posted for this worker: its doorbells are the worker's, its rings are for
 * w->rpc, which the caller makes. user: w->user. 0; -ENODEV if the host posted none; -ENOMEM. */
int worker_init(struct worker *w, uint32_t index, const struct worker_handlers *handlers, void *user,
                struct channel_desc *control);

/* One turn: what the doorbell says, timers, tasks; if there was nothing to do, and looking for it does not pay, it
 * parks. So whoever turns until something is done sees that it is. */
void worker_turn(struct worker *w);
/* Turns until shutdown is asked for and connections have drained, or the shutdown's deadline is over. */
void worker_run(struct worker *w);

/* Tell the host that a channel has news. */
void worker_ring_host(struct worker *w, channel_name name);
/* Give a channel that was taken back to the host. how: RING_FIN or RING_RST. link is empty afterwards. */
void worker_give_back(struct worker *w, struct link *link, uint32_t how);

#endif
