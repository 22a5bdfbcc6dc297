/*
 * How long a thread that has run out of work looks for more before it sleeps.
 *
 * Sleeping costs the sleeper and whoever wakes it, an exit of the enclave or two among that; looking costs the
 * processor for as long as it lasts. Looking pays where work comes again sooner than looking is worth, and whether it
 * will is judged by whether it lately did:
 *
 *     struct patience p = {0};
 *     look for patience_ns(&p, worth_ns); if nothing has come, sleep
 *     patience_learn(&p, waited_ns, worth_ns);           work has come: after how long, asleep or not
 *
 * A wait that looking for worth_ns would have covered doubles the patience, up to all of worth_ns; a longer one halves
 * it, and below an eighth it is none. So a thread whose work comes seldom does not look at all and loses no more than
 * twice worth_ns until it knows, and one whose work comes often does not sleep, from the fourth short wait on. Waits
 * that end for different causes are learnt apart, each with a patience of its own; and what was waited must be told
 * without what the waiting itself added to it, as a nap that had to end first.
 *
 * What looking is worth may be fixed, as on the host (host/net/turn.c), or earned, as by a worker inside
 * (enclave/thread/worker.c), where a sleep is an exit:
 *
 *     earnings_add(&e, EACH_NS, MOST_NS);      a piece of work was done
 *     earnings_spend(&e, looked_ns);           looking has cost so much
 *     earnings_slept(&e);                      and was not enough
 *
 * So looking never costs more than EACH_NS for each piece of work that was done, whatever comes when; and what is not
 * spent bridges a long wait among many short ones, but not one after each piece.
 *
 * Times are nanoseconds, by any clock: a wrong one costs processor time and nothing else, so the host's word will do.
 * One thread's; no state but the structs, which begin as zeros: patience is to be earned.
 */
#ifndef ENCLAVE_OS_COMMON_PATIENCE_H
#define ENCLAVE_OS_COMMON_PATIENCE_H

#include <stdint.h>

#define PATIENCE_LEVELS 4u /* all of worth_ns, a half, a quarter, an eighth; 0 is none */

struct patience {
    uint32_t level;
};

static inline uint64_t patience_ns(const struct patience *p, uint64_t worth_ns)
{
    return p->level == 0 ? 0 : worth_ns >> (PATIENCE_LEVELS - p->level);
}

static inline void patience_learn(struct patience *p, uint64_t waited_ns, uint64_t worth_ns)
{
    if (waited_ns > worth_ns)
        p->level -= p->level > 0;
    else
        p->level += p->level < PATIENCE_LEVELS;
}

struct earnings {
    uint64_t ns; /* not spent yet */
};

static inline void earnings_add(struct earnings *e, uint64_t each_ns, uint64_t most_ns)
{
    e->ns = most_ns - e->ns < each_ns ? most_ns : e->ns + each_ns;
}

static inline void earnings_spend(struct earnings *e, uint64_t looked_ns)
{
    e->ns -= looked_ns < e->ns ? looked_ns : e->ns;
}

static inline void earnings_slept(struct earnings *e)
{
    e->ns /= 2;
}

#endif
