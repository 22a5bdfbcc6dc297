/*
 * A worker's event loop: one per thread that serves connections. Tasks, timers, and messages from other threads.
 *
 *     struct request { struct loop_task task; ... };              embedded in what owns them
 *     request->task.fn = on_turn;
 *     loop_post(&worker->loop, &request->task);                   on the loop's thread
 *     loop_post_remote(&worker->loop, &request->task);            from any other
 *
 * Threads. A worker owns everything that its connections own; nothing in it takes a lock. Another thread reaches it
 * only through loop_post_remote; whatever else it calls stops the enclave (owner.h).
 *
 * Order. Tasks run in the order in which they were posted, each once, and what is posted meanwhile runs in the next
 * pass: nothing that posts itself holds the loop. Timers fire before tasks, never early.
 *
 * Memory. Only the heap of timers is allocated; it grows with the most that were ever started at once. Whoever embeds a
 * task must not free it while it is queued, and stops a timer before freeing it.
 *
 * Weakness: a function that computes long keeps all others of its loop waiting. Guests yield (wasm/runtime.h); nothing
 * else may run for more than a bounded number of steps.
 */
#ifndef ENCLAVE_OS_ENCLAVE_THREAD_LOOP_H
#define ENCLAVE_OS_ENCLAVE_THREAD_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/owner.h"

struct loop;

/* Something to run soon. Zero-initialise, set fn. Must not be freed while queued. */
struct loop_task {
    void (*fn)(struct loop_task *task);
    struct loop_task *next;
    atomic_bool queued; /* posting a queued task does nothing */
};

/* Something to run at a time. Zero-initialise, set fn. Stop it before freeing it. */
struct loop_timer {
    void (*fn)(struct loop_timer *timer);
    uint64_t deadline_ns;
    uint32_t heap_index; /* 0: not started; else index + 1 in the loop's heap */
};

struct loop {
    struct owner owner; /* the thread that runs it; all but loop_post_remote asserts it */
    struct loop_task *ready_first, *ready_last;
    _Atomic(struct loop_task *) remote; /* LIFO stack pushed by other threads, taken whole by the owner */
    struct loop_timer **timers;         /* binary heap by deadline; grows, never shrinks */
    uint32_t timer_count, timer_capacity;
    uint64_t now_ns;
    uint64_t passes;                 /* of loop_run_once: so that what is bounded for one pass can tell them apart */
    void (*wake)(struct loop *loop); /* called by loop_post_remote after a push, from the posting thread; may be NULL */
};

int loop_init(struct loop *loop, void (*wake)(struct loop *loop)); /* 0 or -ENOMEM; the calling thread's */
void loop_deinit(struct loop *loop);

/* Hand it to the calling thread; the one before has let go of it. */
static inline void loop_take(struct loop *loop)
{
    owner_take(&loop->owner);
}

/* For everything that lives on a loop's thread: stops where another one calls. */
static inline void loop_check(const struct loop *loop)
{
    owner_check(&loop->owner);
}

/* Stops unless the heap and the list of ready tasks are in order. For tests, after each step: it walks both. */
void loop_check_all(const struct loop *loop);

/* Owner thread: run the task after the ones that are ready now. */
void loop_post(struct loop *loop, struct loop_task *task);
/* Any thread: the same, and wake the owner. */
void loop_post_remote(struct loop *loop, struct loop_task *task);

/* Start, or move, a timer. Deadlines are monotonic nanoseconds of loop->now_ns's clock. Returns 0 or -ENOMEM. */
int loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);
/* For what need not be punctual: up to a 32nd of the time until then later, and a quarter of a second at most, at a
 * time that it shares with others. Thousands of time-outs then wake a loop a few times a second, and not each. */
int loop_timer_start_about(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer); /* a timer that is not started is left alone */

/* Set now_ns, fire what is due, run what was ready at entry. Returns true if anything ran or is ready. */
bool loop_run_once(struct loop *loop, uint64_t now_ns);
/* Earliest deadline, UINT64_MAX if there is none; 0 if tasks are ready. */
uint64_t loop_next_deadline(struct loop *loop);

#endif
