/*
 * Which heads of the log K of n witnesses have cosigned, and who is to be asked next, from which size. Pure: it is told
 * what they answer and what time it is.
 *
 *     witness_quorum_init(&q, count, quorum);
 *     witness_quorum_want(&q, size);                              the log has grown
 *     while (witness_quorum_next(&q, now_ns, &who, &from)) ...    ask who, from from, for the newest head
 *     witness_quorum_heard(&q, who, &answer, now_ns);
 *     if (witness_quorum_reached(&q) >= size) ...                 K of them have cosigned that much, or more
 *
 * A head that a witness has cosigned says for all smaller ones that they are its beginning: so what is reached is the
 * K-th largest of the sizes that they have cosigned.
 *
 * Each witness has one question at a time. One that fails, or talks nonsense, is asked again after a pause, from 1 s to
 * pause_max_ns, twice as long each time. One that has seen another log than this, or more than there is of it, is not
 * asked again: there is nothing that it could say. More than it was asked about may be more of this log, which others
 * ask the same witness about: those of another set, or of a trial.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WITNESS_QUORUM_H
#define ENCLAVE_OS_ENCLAVE_WITNESS_QUORUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/witness/set.h"
#include "enclave/witness/wire.h"

struct witness_progress {
    bool asked;                     /* an answer is to come */
    bool refused;                   /* it has seen another log */
    uint64_t from, size;            /* what it is, or was last, asked with */
    uint64_t seen;                  /* of the log, as far as is known: where the next question begins */
    uint64_t cosigned;              /* the largest size */
    uint64_t cosigned_ns;           /* when that was heard */
    uint64_t again_ns;              /* not to be asked before */
    unsigned corrections, failures; /* in a row */
    uint64_t failures_total;
    struct witness_answer last; /* what it said */
    uint64_t last_size;         /* of the log that it said that of */
};

struct witness_quorum {
    size_t count;
    uint32_t quorum;
    uint64_t wanted; /* the newest head's size */
    uint64_t pause_max_ns;
    struct witness_progress of[WITNESSES_MAX];
};

/* Nothing is known of any of them. count 0, quorum 0: everything is reached. */
void witness_quorum_init(struct witness_quorum *q, size_t count, uint32_t quorum);
/* The log has size entries, at least as many as before. guess: what the witnesses have probably seen, for those of whom
 * nothing is known; at most size. */
void witness_quorum_want(struct witness_quorum *q, uint64_t size, uint64_t guess);
/* Whether somebody is to be asked now: *who, from *from, for a checkpoint of q->wanted entries. Then it is asked. */
bool witness_quorum_next(struct witness_quorum *q, uint64_t now_ns, size_t *who, uint64_t *from);
/* The question could not be sent: as if it had not been asked, after a pause. */
void witness_quorum_unasked(struct witness_quorum *q, size_t who, uint64_t now_ns);
/* Its answer. */
void witness_quorum_heard(struct witness_quorum *q, size_t who, const struct witness_answer *a, uint64_t now_ns);

/* The largest size that a quorum has cosigned; UINT64_MAX where none is needed. */
uint64_t witness_quorum_reached(const struct witness_quorum *q);
/* Whether those that have not refused are enough. */
bool witness_quorum_possible(const struct witness_quorum *q);
/* How many have cosigned size, or more. */
size_t witness_quorum_count(const struct witness_quorum *q, uint64_t size);
/* When somebody is to be asked who is in a pause; UINT64_MAX: nobody is. */
uint64_t witness_quorum_wakes_ns(const struct witness_quorum *q);

#endif
