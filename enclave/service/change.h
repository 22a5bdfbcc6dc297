/*
 * Changes of what this enclave serves: an app's code, its settings, the CA bundle of outgoing requests, who
 * administers. Each makes one generation (generation.h). All of them go the same way, one at a time, in the order in
 * which they were asked for:
 *
 *     step         thread        what
 *     change_ask   the asker's   queues it
 *     prepare      compiler's    what takes long; it is the change's alone
 *     write        the owner's   with a draft, the parts of the generation in force: changes what it changes of it,
 *                                and leads to one change_propose, at once or later
 *                  the owner's   the next generation is made, and the host asked for a quote of its certificate
 *                  the owner's   one transaction of the store: the change, the generation's number, and its entry in
 *                                the history, whose new head the certificate shows
 *     committed    the owner's   what the owner's thread keeps of it
 *                  all workers   new connections are served with the generation; those before end as they may
 *     waits, over  the owner's   it is in force; where the change is exclusive, once what was before has ended
 *     describe     the asker's   the answer, by done; then release
 *
 * A change that fails before its transaction, whatever failed, has changed nothing: nobody was ever answered by it. Its
 * answer says what failed, and it can be asked for again.
 *
 *     struct push { struct change change; ... };                 the change first
 *     *push = (struct push){.change = {.ops = &push_ops, .success = 201, .subject = {.what = "app push counter"}}};
 *     change_ask(&push->change, &asker);
 *
 * Memory. Whoever asks allocates the change, and release frees it: except that of a change that is being prepared when
 * the enclave stops, which stays the compiler's thread's until the process ends.
 *
 * Limits: each waiting change holds its request's body, which is charged to the admin routes (docs/limits.md); there is
 * no other bound on how many wait.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_CHANGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/kvstore.h"
#include "enclave/service/generation.h"
#include "enclave/service/limits.h"
#include "enclave/thread/loop.h"
#include "enclave/wasm/app.h"

struct authors;
struct change;
struct raw_op;
struct proposal;
struct worker;

/* status is an HTTP status; takes the body, which is NULL where there is no memory for one. On the asker's thread, from
 * its loop. */
typedef void (*change_done)(void *user, int status, json_t *body);

/* Who asks for a change, and how it is to be made. */
struct change_asker {
    struct worker *worker; /* whose thread asks, and is answered */
    change_done done;
    void *user;
    const struct authors *authors; /* whose tokens ask for it (authority.h), one at least; theirs until done */
    bool exclusive; /* of an app: what it was before has ended, or was cut, before anything new of it begins; until
                     * then it is answered with 503. Not of anything else */
    bool now; /* connections of generations before are cut before it is answered; but those that wait for such an answer
               * have it first */
};

/* What a change is, for who reads of it later. Its app's code may be filled in up to change_propose. */
struct change_subject {
    char what[16 + APP_NAME_MAX + 1]; /* a line: "app push counter", "egress-ca", "administrators" */
    const char *kind;                 /* of its entry in the history, a literal; NULL: "generation" */
    char app[APP_NAME_MAX + 1];       /* "": of no app */
    uint8_t sha256[32];               /* the app's code: as it is from then on, or was until it was removed */
};

struct change_ops {
    void (*prepare)(struct change *c);     /* may change_fail; NULL: there is nothing to prepare */
    void (*write)(struct change *c);       /* change_propose or change_fail, once, in the call or after it */
    void (*committed)(struct change *c);   /* it is durable; cannot fail */
    void (*undo)(struct change *c);        /* it was refused behind change_propose: what write left goes; or NULL */
    bool (*waits)(const struct change *c); /* exclusive, and served: something of before still runs; or NULL */
    void (*over)(struct change *c);        /* it is served, and waits no more; or NULL */
    json_t *(*describe)(const struct change *c); /* of a change that was made; NULL: no memory */
    void (*release)(struct change *c);           /* frees it */
};

enum change_step {
    CHANGE_NEW,
    CHANGE_WAITS,
    CHANGE_PREPARES,
    CHANGE_WRITES,
    CHANGE_ATTESTS,
    CHANGE_COMMITS,
    CHANGE_INSTALLS,
    CHANGE_OVER
};

/* ops, success and subject are to be filled in by who makes it; draft and what is written beside are write's; the rest
 * is change.c's, and zero. */
struct change {
    struct loop_task task;    /* first: carries it between threads */
    struct loop_task dropped; /* answers it where the enclave stops before it is written */
    const struct change_ops *ops;
    int success; /* HTTP status when it was made: 200, 201 */
    struct change_subject subject;
    struct change_asker asker;
    const struct raw_op *beside;   /* written with it, to the host as it is (kvstore/raw.h); its own until release */
    size_t beside_count;           /* 0: nothing */
    struct generation_parts draft; /* from write to change_propose: of the next generation */
    int status;                    /* HTTP status of the answer; 0: nothing has failed so far */
    enum change_step step;
    bool left_preparing;    /* dropped while the compiler's thread has it */
    struct loop_timer look; /* exclusive: whether it still waits */
    uint64_t patience_ns;   /* until when, at most */
    struct change *next;
    struct proposal *proposal;
    char why[512]; /* it failed */
};

/* On the asker's worker's thread; asker is copied. done runs once, later. A change that comes when the enclave stops is
 * answered with 503. */
void change_ask(struct change *c, const struct change_asker *asker);

/* Whether what they asked for may begin, now that its turn has come: they may have been revoked by a change before it.
 * False: it is answered with 403 and why. */
typedef bool (*change_judge)(const struct authors *authors, char *why, size_t why_size);
/* Boot, once: asked on the owner's thread, of every change, before it is written. NULL: all may. */
void change_judge_by(change_judge judge);

/* From prepare, or instead of change_commit: it changes nothing, and is answered with status and what the text says. */
void change_fail(struct change *c, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, with what stands in c->why. */
void change_fail_why(struct change *c, int status);
/* The same, where the store did not take what was to be written: error is a negative errno of kvstore.h. */
void change_fail_store(struct change *c, int error);
/* On the owner's thread: draft is what the next generation is made of, and what ops write makes it so for the next
 * boot. ops are copied, at least one. */
void change_propose(struct change *c, const struct kv_op *ops, size_t count);

/* What writes records that changes write, too, but makes no generation: it has its turn between two of them. */
struct change_turn {
    struct loop_task task;
    void (*run)(struct change_turn *turn);
};
/* run is called once, later, on the owner's thread, when no change is under way, before those that wait, and none
 * begins until change_turn_end. One at a time. After change_stop it never is. The owner's thread. */
void change_turn_take(struct change_turn *turn);
void change_turn_end(void);

/* The body of the compiler's thread, started at boot. */
void *change_thread(void *unused);
/* Worker 0, once: no change begins any more. Those that wait, and one that is being prepared, are answered with 503;
 * what is being written or durable goes on. The compiler's thread ends when it has nothing to prepare: nothing can
 * interrupt what it does, which may take a minute, and whose memory is never freed. */
void change_stop(void);
/* Any thread. After change_stop the first stays true, and the second only ever becomes false. */
bool change_is_stopping(void);
bool change_is_preparing(void);
uint32_t changes_waiting(void); /* that have not begun */

#endif
