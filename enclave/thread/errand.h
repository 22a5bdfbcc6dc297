/*
 * An errand: what is asked for on one loop, done on another (or the same one), and answered on the first. The one way
 * for the callbacks that common/callbacks.h speaks of, so that none fires inside the call which takes it: the answer is
 * a task of the asker's loop, and ENSURE stops whoever would give it in the pass in which it was asked for.
 *
 *     struct job { struct errand errand; void (*done)(struct job *job); ... };     the errand first
 *
 *     errand_send(&job->errand, &asker->loop, &doer->loop, arrive);    on the asker's thread
 *     static void arrive(struct loop_task *task)                       on the doer's: does it, at once or in steps
 *     errand_return(&job->errand, &doer->loop, deliver);               on the doer's thread, once
 *     static void deliver(struct loop_task *task)                      on the asker's: errand_end, then the callback
 *
 * The errand lies in what it carries, and belongs to the asker before errand_send and after errand_end, to the doer in
 * between. Nothing is allocated, nothing fails, no lock is taken. Both loops must outlive it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_THREAD_ERRAND_H
#define ENCLAVE_OS_ENCLAVE_THREAD_ERRAND_H

#include "enclave/thread/loop.h"

/* Zero-initialise. */
struct errand {
    struct loop_task task; /* first */
    struct loop *asker;
    uint64_t asked_in; /* which pass of the asker's loop */
    enum { ERRAND_HOME, ERRAND_SENT, ERRAND_RETURNED } state;
};

/* On the thread of from, which loop_post asserts as well. */
static inline void errand_post(struct errand *e, const struct loop *from, struct loop *to,
                               void (*fn)(struct loop_task *task))
{
    ENSURE(!atomic_load_explicit(&e->task.queued, memory_order_relaxed));
    e->task.fn = fn;
    if (from == to) {
        loop_post(to, &e->task);
    } else {
        loop_check(from);
        loop_post_remote(to, &e->task);
    }
}

static inline void errand_send(struct errand *e, struct loop *asker, struct loop *doer,
                               void (*arrive)(struct loop_task *task))
{
    ENSURE(e->state == ERRAND_HOME);
    e->asker = asker;
    e->asked_in = asker->passes;
    e->state = ERRAND_SENT;
    errand_post(e, asker, doer, arrive);
}

static inline void errand_return(struct errand *e, const struct loop *doer, void (*deliver)(struct loop_task *task))
{
    ENSURE(e->state == ERRAND_SENT);
    e->state = ERRAND_RETURNED;
    errand_post(e, doer, e->asker, deliver);
}

/* It is back, in a task of the asker's loop: what was asked may be answered. */
static inline void errand_end(struct errand *e)
{
    ENSURE(e->state == ERRAND_RETURNED);
    ENSURE(e->asker->passes != e->asked_in);
    e->state = ERRAND_HOME;
}

#endif
