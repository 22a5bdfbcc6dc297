/*
 * The old side. Private to the room: giver.c takes requests, answers.c answers them, recipients.c knows who has shown
 * itself, pause.c stops serving and commits. All of it on the owner's thread, but for what is marked.
 *
 *     state      requests for apps          what can be undone
 *     SERVES     are answered               all
 *     PAUSES     of connections before,     all: serving goes on
 *                until they have ended
 *     COMMITS    none                       it is the store's to say
 *     GIVEN      none                       nothing; also after restarts
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_GIVER_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_GIVER_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "enclave/handover/limits.h"
#include "enclave/handover/session.h"
#include "enclave/service/authority.h"
#include "enclave/service/upgrade_rule.h"
#include "enclave/thread/errand.h"

#define HANDOVER_WHY_SIZE 256u

/* ---- a request on its way ---------------------------------------------------------------------------------------- */

enum handover_route { HANDOVER_OFFER, HANDOVER_ACCEPT, HANDOVER_SEALED };

/* routes.c's; the giver's from its arrival to handover_request_end. */
struct handover_request {
    struct errand errand; /* first */
    enum handover_route route;
    const uint8_t *body;
    size_t body_size;
    atomic_bool gone; /* who asked does not wait any more; any thread */
    int status;       /* HTTP's */
    uint8_t *answer;  /* malloc'ed; status 200 */
    size_t answer_size;
    char why[HANDOVER_WHY_SIZE]; /* other statuses */
    void (*deliver)(struct loop_task *task);
};
/* Answered, once: with what is malloc'ed and taken; NULL: 503, no memory. */
void handover_request_answer(struct handover_request *r, uint8_t *answer, size_t size);
void handover_request_refuse(struct handover_request *r, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The task of a request that has come to the owner's loop. */
void handover_giver_arrive(struct loop_task *task);

/* ---- who has shown itself (recipients.c) ------------------------------------------------------------------------- */

/* What it has said, as it has said it: whoever approves it can judge that himself. */
struct handover_shown {
    uint8_t asked[HANDOVER_OFFER_ASKED_SIZE], offer[HANDOVER_OFFER_SIZE], key[HANDOVER_KEY_SIZE];
    uint8_t *evidence; /* malloc'ed, at most HANDOVER_EVIDENCE_MAX; NULL: it was known before this start */
    size_t evidence_size;
};

struct handover_recipient {
    bool there;
    struct handover_session session;
    struct upgrade_candidate candidate;
    struct handover_shown shown;
    uint64_t counter; /* of its last request */
    uint64_t seen_ns;
    bool approved;
    struct authors authors; /* who approved it */
    json_t *statements;     /* of publishers; or NULL */
};
/* NULL: there is none; those that are silent for too long are gone. */
struct handover_recipient *handover_recipient_find(const uint8_t id[32]);
/* In place of one of the same name, whose approval it keeps if it is the same image. Takes the evidence, and leaves
 * NULL there. NULL: no room. */
struct handover_recipient *handover_recipient_add(const struct handover_session *s, const struct upgrade_candidate *c,
                                                  struct handover_shown *shown);
void handover_recipient_forget(struct handover_recipient *r);
/* To whom it is being given, or was, which is found and never forgotten; NULL: nobody. */
void handover_choose(struct handover_recipient *r);
struct handover_recipient *handover_chosen(void);
/* Whether it may have the instance, by the rule, its publishers and its approvers as of now. False: why has it. */
bool handover_recipient_may(const struct handover_recipient *r, char *why, size_t why_size);
/* It may not any more: it is approved anew, or never. */
void handover_recipient_withdraw(struct handover_recipient *r, const char *why);

/* ---- the state (pause.c) ----------------------------------------------------------------------------------------- */

enum handover_serving { HANDOVER_SERVES, HANDOVER_PAUSES, HANDOVER_COMMITS, HANDOVER_IS_GIVEN };
enum handover_serving handover_serving(void); /* any thread */
/* Whether serving has been paused for nothing not long ago (HANDOVER_REST_TIMES); and an end to that. */
bool handover_rests(void);
void handover_rest_end(void);
/* Pause and commit for an approved recipient: r is answered when that is over, sealed with this counter. */
void handover_pause(struct handover_recipient *to, struct handover_request *r, uint64_t counter);
/* The recipient asks once more while that is under way: r is answered in place of who asked before, who is told that it
 * goes on. */
void handover_pause_asked(struct handover_request *r, uint64_t counter);
/* It is given: r is answered with all that the new one must know. */
void handover_tell(struct handover_request *r, uint64_t counter);
/* The new one serves: the sealed master key goes, and then the process. */
void handover_end(struct handover_request *r, uint64_t counter);

/* r is answered under a session's key. */
void handover_answer_sealed(struct handover_request *r, const struct handover_session *s, uint64_t counter,
                            const void *plain, size_t size);

#endif
