/*
 * Witnesses at work: each head of the log is brought to them, and what they have cosigned together says how far a host
 * could take this enclave back.
 *
 *     struct witnesses *w = witnesses_new(&config);
 *     witnesses_are(w, set, NULL);
 *     witnesses_grown(w);                            boot's entry is committed
 *     ... until witnesses_reached(w) >= its size, or witnesses_refused(w) ...         the gate: nobody is served
 *     witnesses_serve(w);                            from now on: a state entry every so often, and the bound
 *
 * While it serves. An entry of the kind "state" is appended at half of the set's seconds, or of its commits, or when
 * somebody waits for one (witnesses_committed), and brought to the witnesses with all that is in the log. The last that
 * a quorum has cosigned is what is proven: its time, and the store's epoch as it was then. allow gets the epoch that no
 * app's commit may go beyond: what is proven, and the set's commits. What is older than the set's seconds is proven no
 * more: stop is called, and resume once a younger one is.
 *
 * Refusal. Where so many witnesses have seen another log than this that no quorum is left, it is over: stop, for good.
 *
 * Two sets at once: after a change of them the former ones must cosign, too, until they have cosigned the change
 * (witnesses_are); so there is never a time at which either would do.
 *
 * Clock. Seconds are the host's; it can make them long, but not go back. Commits are counted in here.
 *
 * The owner's thread, but for witnesses_report. Callbacks come from the loop, but for allow, stop and resume, which may
 * come from inside witnesses_are, _grown, _committed and _serve, and must not call back.
 *
 * Memory: fixed, but for a question to each of at most 2 * WITNESSES_MAX witnesses (ask.h). If there is none for it, it
 * is asked later, as if it did not answer.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WITNESS_WITNESS_H
#define ENCLAVE_OS_ENCLAVE_WITNESS_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "enclave/witness/quorum.h"
#include "enclave/witness/set.h"

struct http_dialer;
struct worker;

typedef void (*witness_proof_done)(void *user, int error, const uint8_t (*proof)[32], size_t count);
typedef void (*witness_appended)(void *user, int error);

/* The log that they cosign. user comes first. */
struct witness_log {
    void *user;
    uint64_t (*size)(void *user);
    /* The newest checkpoint, with the log's own signature alone: its size in bytes, 0: there is none yet. *entries is
     * what size gives. */
    size_t (*checkpoint)(void *user, char text[WITNESS_CHECKPOINT_MAX], uint64_t *entries);
    /* 0 < from < to <= size; done comes later, once. */
    int (*prove)(void *user, uint64_t from, uint64_t to, witness_proof_done done, void *done_user);
    /* A state entry; done comes later, once, when the log has grown by it or could not. */
    int (*append)(void *user, witness_appended done, void *done_user);
    uint64_t (*epoch)(void *user); /* the store's: how many commits there were */
};

/* What comes of it. */
struct witness_events {
    void *user;
    void (*reached)(void *user, uint64_t size, uint64_t epoch); /* proven; epoch as it was before size */
    void (*allow)(void *user, uint64_t epoch);                  /* UINT64_MAX: all */
    void (*stop)(void *user, const char *why);
    void (*resume)(void *user);
    void (*tell)(void *user, bool bad, const char *line); /* for the host's log */
};

struct witness_config {
    struct worker *worker;
    const struct http_dialer *plain, *tls; /* for http: and https: */
    struct witness_log log;
    struct witness_events events;
};

struct witnesses;

/* NULL: no memory. */
struct witnesses *witnesses_new(const struct witness_config *config);
/* Nothing of the log's may be on its way to it. NULL is nothing. */
void witnesses_free(struct witnesses *w);

/* References are taken. former: those before, who must cosign as well; NULL: nobody. */
int witnesses_are(struct witnesses *w, struct witness_set *set, struct witness_set *former); /* 0 or -ENOMEM */
/* The log may have grown. */
void witnesses_grown(struct witnesses *w);
/* The store has committed; waited: somebody's commit is acknowledged only once it is proven. */
void witnesses_committed(struct witnesses *w, bool waited);
/* From now on. What is there is proven. */
void witnesses_serve(struct witnesses *w);

/* From now on nothing is asked, appended or stopped any more: another enclave has the log. Who waits hears how far it
 * came. */
void witnesses_rest(struct witnesses *w);

/* What all quorums have cosigned; UINT64_MAX where no witness is wanted. */
uint64_t witnesses_reached(const struct witnesses *w);
/* Why no quorum is left, or NULL. Lives as long as w. */
const char *witnesses_refused(const struct witnesses *w);

/* For who waits until a head is cosigned. Zero-initialise. */
struct witness_wait {
    struct witness_wait *next;
    uint64_t size;
    void (*fn)(struct witness_wait *wait, size_t count);
    bool waits;
};
/* fn runs once, later: count of the present set's witnesses have cosigned size or more. They are a quorum, unless it
 * was not reached when the set's seconds were over, or it is refused. */
void witnesses_await(struct witnesses *w, struct witness_wait *wait, uint64_t size);

/* fn never runs, if it has not yet. */
void witnesses_unwait(struct witnesses *w, struct witness_wait *wait);

/* What each has said last, for people: "; w1 does not answer: ..." appended to text. */
void witnesses_describe(const struct witnesses *w, char *text, size_t room);

/* For monitoring. Any thread. An object: {"quorum":K,"seconds":T,"commits":N,"head":SIZE,"proven":SIZE,
 * "proven_epoch":E,"proven_age_seconds":A,"stopped":0|1,"witnesses":{"w1":{"cosigned":SIZE,"age_seconds":A,
 * "failures_total":F,"refused":0|1,"says":"..."}}}; without witnesses {"quorum":0}. The caller's; NULL: no memory. */
json_t *witnesses_report(struct witnesses *w, uint64_t now_ns);

/* The signature lines over the checkpoint of this size that there are. Returns their size. */
size_t witnesses_lines(const struct witnesses *w, uint64_t size, char *lines, size_t room);

#endif
