/*
 * Ticks: what makes guests that compute yield. A thread of its own asks the host for them, one after the other, while
 * any worker is awake; when all of them have slept for a while it rests, without a time-out, and the next worker to run
 * a guest has it go on. So an enclave that has nothing to do is entered by nobody.
 *
 *     ticks_run(workers, count, tick);              the thread; returns after ticks_stop
 *     ticks_wanted();                               a worker, before each time that it runs a guest
 *     ticks_stop();                                 any thread, once
 *
 * No wish is lost: who rests says so first and looks at the workers then, and a worker is marked awake before it looks
 * whether somebody rests. tests/model/ticks.pml goes through all orders of that.
 *
 * A host that withholds ticks only starves whom it could starve anyhow. There is one such thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_THREAD_TICKS_H
#define ENCLAVE_OS_ENCLAVE_THREAD_TICKS_H

#include "enclave/thread/worker.h"

/* Calls tick, which says in how many nanoseconds the next one is to come, about then. The workers outlive it; one that
 * does not run yet counts as awake. */
void ticks_run(const struct worker *workers, uint32_t count, uint64_t (*tick)(void));
/* On a worker's thread, while it is awake: two reads, but where the ticks rest. */
void ticks_wanted(void);
void ticks_stop(void);

#endif
