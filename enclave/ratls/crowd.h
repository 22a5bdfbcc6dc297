/*
 * Many connections, and who of them is cut when they have used up what all of them may hold.
 *
 * All workers' connections together have a budget of memory, and a number that they may be. A little before either is
 * used up (CROWD_MEMORY_MARK, CROWD_COUNT_MARK) each worker cuts, of its connections that wait for their peer, those
 * that made no progress for the longest time: so new ones, the administrator's among them, always find room, and
 * whoever is served at good speed is never cut. One that waits for its answer is not cut either: that is not its
 * peer's doing, and apps have deadlines and budgets of their own.
 *
 * What is between the marks and the limits is for what happens within one turn of the loops.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_CROWD_H
#define ENCLAVE_OS_ENCLAVE_RATLS_CROWD_H

#include "enclave/budget/budget.h"
#include "enclave/ratls/limits.h"
#include "enclave/thread/loop.h"

/* Shared by all workers. */
struct crowd_limits {
    struct budget memory; /* of all connections */
    struct budget count;  /* connections, not bytes */
    _Atomic uint64_t cut; /* connections that were, since boot */
};

struct crowd_member {
    struct crowd_member *older, *newer;
    struct charge counted;
    struct budget memory; /* of the connection; charged to all of them, too */
    bool leaving;         /* it was cut, and its memory will come back */
};

struct crowd {
    struct crowd_limits *limits;
    struct loop *loop;
    struct crowd_member *oldest, *newest; /* by their last progress */
    uint32_t leaving;
    struct crowd *next;              /* the other workers', in a ring: to be asked when there is nothing to cut here */
    struct loop_task relieve, asked; /* by ourselves; by another worker */
    uint64_t not_before_ns;          /* there was nothing to cut: not tried again before */
    bool (*waits)(struct crowd_member *m); /* for its peer */
    void (*cut)(struct crowd_member *m);   /* it leaves soon, from the loop */
};

void crowd_limits_init(struct crowd_limits *limits, uint64_t memory, uint64_t count);
/* others: a crowd on the same limits, or NULL; before any of them has members. */
void crowd_init(struct crowd *c, struct crowd_limits *limits, struct loop *loop, struct crowd *others);

/* On the loop's thread, as all that follows. False: there are too many. limit: bytes that the member may hold. */
bool crowd_join(struct crowd *c, struct crowd_member *m, uint64_t limit);
/* It holds nothing any more. */
void crowd_leave(struct crowd *c, struct crowd_member *m);
/* Bytes went to or came from its peer. */
void crowd_progress(struct crowd *c, struct crowd_member *m);
/* Stops unless the members' list, and the count of those that leave, are in order. For tests: it walks the list. */
void crowd_check(const struct crowd *c);
/* After anything that may have taken memory: cuts if it is time. Costs two reads when it is not. */
void crowd_look(struct crowd *c);

#endif
