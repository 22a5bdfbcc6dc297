/*
 * The new side. Private to the room. taker.c has its steps, meet.c the two questions before keys are there, copy.c the
 * records, kept.c which sessions are kept. At boot, on the owner's thread, whose loop they turn; but for what is
 * marked.
 *
 * What it must find again where it is killed, its folder has under a key that is no record's: struct taker_state,
 * sealed to this image and CPU. It is written before the other side may know of it, and removed when that is over.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_TAKER_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_TAKER_H

#include <stdbool.h>

#include "enclave/handover/client.h"
#include "enclave/handover/session.h"

#define TAKER_STATE_KEY "hand-over" /* the host's; not one of the store's records */

struct taker_session {
    struct handover_session keys;
    uint8_t may_be_given; /* it was asked to commit under this one: kept until there is an answer */
};

struct taker_state {
    uint8_t private_key[HANDOVER_PRIVATE_SIZE], public_key[HANDOVER_KEY_SIZE];
    uint8_t met, instance[32]; /* of the first one that has shown itself: no other one's session takes its place */
    uint8_t has_session;
    uint8_t mrenclave[32];                /* of the old one, once it has shown itself */
    struct taker_session session, former; /* former: all zero where there is none */
    uint32_t starts; /* of this enclave with this state: counters rise beyond those of the starts before */
};

struct taker {
    struct witness_url at;
    struct taker_state state;
    uint32_t asked; /* since this start */
};

/* Which sessions are kept. Pure. The old one commits to the session under which it was asked to, and repeats its answer
 * under no other: so one that may be given is not lost for a new one, whatever made us meet anew. An old one that
 * accepts us again has not committed before, unless its host put back an older store: one former session is enough. */
/* False: it has another instance than the first one, and is not to be met. */
bool taker_state_meets(const struct taker_state *s, const uint8_t instance[32]);
void taker_state_add(struct taker_state *s, const uint8_t instance[32], const struct handover_session *keys);
/* The former one is the session, and the other way round. False: there is none. */
bool taker_state_other(struct taker_state *s);

/* A nonce, an offer, keys under quotes: then state has a session. 0; -EAGAIN: ask again later, -EACCES: it refuses, or
 * is nobody to take from; -EXDEV: it has another instance than the one that was met; -ECANCELED, -ENOMEM; a line
 * in why. */
int taker_meet(struct taker *t, char *why, size_t why_size);

/* One question under the session's key. 0: *plain is malloc'ed; -EAGAIN: there was no answer, or none that counts, with
 * its HTTP status in *status (0: none), and a line in why; -ECANCELED, -ENOMEM. */
int taker_ask(struct taker *t, const struct handover_asked *asked, uint8_t **plain, size_t *size, int *status,
              char *why, size_t why_size);

/* All records that the other side's host has into ours. since: what is ours already is of this epoch; 0: nothing is.
 * *epoch: what is ours now is of this one. As taker_ask; and what our host says. */
int taker_copy(struct taker *t, uint64_t since, uint64_t *epoch, int *status, char *why, size_t why_size);

#endif
