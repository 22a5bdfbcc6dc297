/*
 * How long a thread that has run out of work looks for more before it sleeps.
 *
 * Sleeping costs the sleeper and whoever wakes it, an exit of the enclave or two among that; looking costs the
 * processor for as long as it lasts. Looking pays where work comes again sooner than a sleep would have cost, and
 * whether it will is judged by whether it lately did:
 *
 *     struct patience p;
 *     patience_init(&p, WORTH_NS);
 *     look for patience_ns(&p); if nothing has come, sleep
 *     patience_learn(&p, waited_ns);           work has come: after how long, asleep or not
 *
 * A wait that looking for WORTH_NS would have covered doubles the patience, up to WORTH_NS; a longer one halves it, and
 * below an eighth it is none. So a thread whose work comes seldom does not look at all and loses no more than twice
 * WORTH_NS until it knows, and one whose work comes often does not sleep, from the fourth short wait on. Both sides of
 * the boundary wait by this rule (host/net/turn.c, enclave/thread/worker.c).
 *
 * Times are nanoseconds, by any clock: a wrong one costs processor time and nothing else, so the host's word will do.
 * One thread's; no state but the struct.
 */
#ifndef ENCLAVE_OS_COMMON_PATIENCE_H
#define ENCLAVE_OS_COMMON_PATIENCE_H

#include <stdint.h>

#define PATIENCE_STEPS 8u /* from WORTH_NS down to the least patience that is one */

struct patience {
    uint64_t worth_ns; /* as long as this looking is worth what a sleep costs */
    uint64_t ns;       /* 0, or worth_ns / PATIENCE_STEPS .. worth_ns */
};

/* Without any patience: it is to be earned. */
static inline void patience_init(struct patience *p, uint64_t worth_ns)
{
    *p = (struct patience){.worth_ns = worth_ns};
}

static inline uint64_t patience_ns(const struct patience *p)
{
    return p->ns;
}

static inline void patience_learn(struct patience *p, uint64_t waited_ns)
{
    uint64_t least = p->worth_ns / PATIENCE_STEPS;
    if (waited_ns <= p->worth_ns)
        p->ns = p->ns < least ? least : p->ns < p->worth_ns / 2 ? p->ns * 2 : p->worth_ns;
    else
        p->ns = p->ns / 2 < least ? 0 : p->ns / 2;
}

#endif
