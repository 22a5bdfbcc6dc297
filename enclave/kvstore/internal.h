/*
 * What the store's files share. A job is one operation on its way: made by the caller's worker, run by the owner's,
 * and handed back. All of this is touched by the owner's thread only, but for making and freeing jobs.
 *
 * Files need each other downwards only:
 *
 *     open             opening, making and closing it
 *     mend             what start-up writes again
 *     wait             operations that are waited for
 *     kvstore          doors
 *     check, load      the whole of it: whether it is in order; all records of the host's
 *     scan             them, page by page
 *     schedule         which job may run now. Those below call it through struct store's proceed
 *     list, read       names; records
 *     remove           all that an app has
 *     commit           transactions
 *     proven           which apps' commits wait for witnesses
 *     outcome          what became of one
 *     job              a job's making, its end and its way back
 *     nameless         whose those are of which the name is damaged
 *     damage           which records are lost
 *     memory           who is charged
 *     index            the table
 *     twin, record     the sealed form
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_INTERNAL_H

#include <stdatomic.h>
#include <string.h>

#include "enclave/kvstore/index.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/record.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/errand.h"
#include "enclave/thread/worker.h"

struct kv_namespace {
    struct store *store;
    uint16_t size;
    uint8_t name[KV_NAMESPACE_MAX];
};

enum job_kind { JOB_GET, JOB_LIST, JOB_COMMIT, JOB_UPDATE, JOB_REMOVE };

struct job_op {
    enum kv_op_kind kind;
    uint8_t storage_key[STORAGE_KEY_SIZE];
    struct kv_namespace ns;
    uint8_t *key, *value; /* value may be NULL: none */
    uint8_t *name;        /* for the index, made before the record is sent */
    size_t key_size, value_size;
    bool only_lost;   /* a deletion of what is lost, by its storage key */
    bool skipped;     /* it was not lost any more */
    uint64_t version; /* of the commit that carries it */
    uint32_t size;    /* of its record */
    uint8_t tag[16];
};

static_assert(sizeof(struct job_op) + 2 * sizeof(void *) + 64 <= KV_OP_COST, "what an operation costs");

struct job {
    struct errand errand; /* carries the job between threads */
    struct store *store;
    struct job *next, *queue_next;
    enum job_kind kind;
    struct worker *origin;
    bool running;
    bool only_exists;
    bool one_namespace; /* all of ops are of the first one's */
    bool last;          /* once it is on disk, nothing else is written */
    struct job_op *ops; /* one for GET and UPDATE */
    size_t op_count;
    uint8_t *beside; /* COMMIT's: what goes with it as it is (raw_ops_write), or NULL */
    size_t beside_size;
    struct charge memory, disk; /* for the records that it makes, or the one that it reads */
    uint64_t epoch;             /* of the transaction that carried it, which is not proven yet */
    uint64_t expected_version, cursor;
    uint8_t expected_tag[16];
    bool from_twin;  /* GET's and UPDATE's: the record is not whole, and its twin is asked for */
    bool wants_twin; /* GET's: opened in vain by another worker, it comes again for the twin */
    uint8_t *record; /* GET's of another worker: as the host gave it, to be opened there; or NULL */
    size_t record_size;
    bool (*open)(struct job *j); /* read.c's, if record is there. False: the job is on its way to the owner again */
    struct kv_namespace list_ns; /* LIST's and REMOVE's */
    struct holder *holder;       /* REMOVE's: who has these records */
    size_t position;             /* REMOVE's: where in the index its walk goes on */
    struct loop_task turn;       /* REMOVE's */
    kv_get_done get_done;
    kv_done done;
    kv_list_done list_done;
    kv_modify modify;
    void *user;
    int error;
    struct record_opened opened; /* GET's answer */
    struct kv_name *names;       /* LIST's answer: array, then the bytes */
    size_t name_count;
};

/* Jobs in a row, by next or by queue_next. */
struct job_queue {
    struct job *first, **end;
};

struct store {
    struct worker *owner; /* whose thread all of this belongs to */
    bool open;
    uint8_t *master; /* sealed: the first commit carries it. Else NULL */
    size_t master_size;
    void (*proceed)(struct store *s); /* schedule.c's: a job has ended, so others may run now */
    void (*submit)(struct job *j);    /* schedule.c's, for jobs that a job needs */
    struct record_keys keys;
    struct index index;
    struct root root;
    uint64_t last_epoch;      /* that a transaction was given, made or not: none gets it again */
    atomic_bool stopped;      /* nothing is written any more; metrics read it, too */
    _Atomic uint64_t damaged; /* records that are lost (damage.h); metrics read it, too */
    _Atomic uint64_t mended;  /* of which one of two was damaged, at start-up; metrics read it, too */
    bool has_older;           /* at start-up: a record or a twin was older than the other */
    bool is_older;            /* at start-up: none of its records had a twin yet */
    bool has_strays;          /* at start-up: there is what never was a record */
    uint64_t nameless;        /* of those that did not open, those of which nobody knows whose they are */
    struct mark *marks;       /* of these, as far as they have any */
    size_t mark_count, mark_room;
    struct job_queue jobs;     /* all that are not finished, in order of arrival; by next */
    struct job_queue commits;  /* running, waiting for a transaction; by queue_next */
    struct job_queue lists;    /* running, waiting for their turn; by queue_next */
    struct job_queue unproven; /* on disk, to be answered once that is proven; by queue_next, the oldest first */
    uint64_t allowed;          /* apps' commits wait for transactions beyond this epoch */
    bool ending;               /* it was flushed: nothing waits any more */
    void (*watch)(void *user, bool waited);
    void *watch_user;
    struct loop_task list_task;
    struct kv_namespace listed; /* whose turn was the last */
    bool in_flight;             /* a transaction is with the host */
    bool flushing;              /* what could go on for long ends between two steps */
    /* Who is charged; these outlive closing, since charges on them may. */
    struct holder *holders; /* the one asked for last is the first */
    struct budget all_memory;
    uint64_t disk_limit;
};

/* Every door of the store's own thread begins so. */
static inline void store_enter(const struct store *s)
{
    ENSURE(s);
    loop_check(&s->owner->loop);
}

static inline bool kv_same_namespace(const struct kv_namespace *a, const struct kv_namespace *b)
{
    return a->size == b->size && !memcmp(a->name, b->name, a->size);
}

/* ---- schedule.c -------------------------------------------------------------------------------------------------- */

/* On the caller's thread: off to the owner's. Never fails; the job is answered later, from the caller's loop. */
void schedule_submit(struct job *j);
/* struct store's proceed: start what no longer conflicts with an earlier job, and send commits. */
void schedule_proceed(struct store *s);

/* ---- list.c ------------------------------------------------------------------------------------------------------ */

/* One for each turn of the loop: it walks the whole index. */
void list_queue(struct job *j);

/* ---- read.c ------------------------------------------------------------------------------------------------------ */

void read_start(struct job *j);

/* ---- remove.c ---------------------------------------------------------------------------------------------------- */

/* When it comes to the owner, before it may run: from here on nothing can be stored there. */
void remove_arrive(struct job *j);
void remove_start(struct job *j);
/* Whether j writes what is to be removed: it must be over before. */
bool remove_concerns(const struct job *removal, const struct job *j);

/* ---- commit.c ---------------------------------------------------------------------------------------------------- */

void commit_queue(struct job *j);
/* Send what is queued, if nothing is with the host. True: jobs have failed meanwhile, so others may run now. */
bool commit_pump(struct store *s);

/* ---- proven.c ---------------------------------------------------------------------------------------------------- */

/* Whether it is to wait before it is sent with a transaction of this epoch. */
bool proven_holds(const struct job *j, uint64_t epoch);
/* Instead of job_finish, after a transaction of s->root's epoch that is on disk. */
void proven_finish(struct job *j);
/* A transaction is on disk. */
void proven_tell(struct store *s);
/* Those that wait for what will not come any more. */
void proven_give_up(struct store *s);

/* ---- outcome.c --------------------------------------------------------------------------------------------------- */

/* The transaction that would make the root after of the store's, to the host: s->in_flight until its outcome is known.
 * 0, and known is called once, later, from the loop, with
 *     0                   it was made, and s->root is after
 *     -EIO, -ENOSPC       it was not
 *     -ENOTRECOVERABLE    nobody can say; s->stopped
 * Or what rpc_call says: it never left. payload is copied. */
typedef void (*outcome_known)(void *user, int error);
MAY_REFUSE int outcome_send(struct store *s, const struct root *after, const uint8_t *payload, size_t size,
                            outcome_known known, void *user);

/* ---- wait.c ------------------------------------------------------------------------------------------------------ */

/* As kv_commit_wait, but that it may be of nothing: what goes with every first commit goes then, too. */
int commit_first(struct store *s, const struct kv_op *ops, size_t count);

/* ---- job.c ------------------------------------------------------------------------------------------------------- */

void job_queue_init(struct job_queue *q);
/* On the caller's thread. ops are copied; what cannot be done with them is in the job's error. NULL: no memory. */
struct job *job_new(struct store *s, struct worker *w, enum job_kind kind, const struct kv_op *ops, size_t count,
                    void *user);
/* It is over: off the list, and back to the caller's loop, whose it is from here on. Then call proceed. */
void job_finish(struct job *j, int error);

/* ---- memory.c: who is charged for records ------------------------------------------------------------------------ */

void memory_init(struct store *s);
/* Records are charged no more; what others hold in apps' names still is. */
void memory_reset(struct store *s);
void memory_deinit(struct store *s);
/* An entry is charged once it is complete, and uncharged before it changes. */
void memory_charge(struct store *s, const struct index_entry *e);
void memory_uncharge(struct store *s, const struct index_entry *e);
/* For what a commit will add: 0, -ENOSPC, -ENOMEM, or -ESTALE where it was withdrawn. For a record that is read: 0 or
 * -ENOMEM. */
int memory_reserve(struct job *j);
int memory_reserve_read(struct job *j, size_t size);
void memory_release(struct job *j); /* any thread */
/* What the charges add up to is what the index holds. */
void memory_check(struct store *s);
/* Who is charged for records of this namespace, as long as the store lives. NULL: no memory, or it is no app's. */
struct holder *memory_holder(struct store *s, const uint8_t *ns, size_t size);
/* A namespace that is all of an app's, as kv_namespace_remove takes it: "app:NAME". */
bool memory_is_of_app(const uint8_t *ns, size_t size);
bool holder_is_of(const struct holder *h, const uint8_t *ns, size_t size);
bool holder_has(const struct holder *h, const struct index_entry *e);
size_t holder_count(const struct holder *h); /* of its records */
/* One more of them is lost, or one fewer; how many are. */
void holder_lost(struct holder *h, bool more);
const _Atomic uint64_t *holder_losses(const struct holder *h);
/* Its commits are acknowledged once they are proven. */
void holder_only_proven(struct holder *h, bool only);
bool holder_is_only_proven(const struct holder *h);
/* Until the store is opened again, nothing can be stored there. */
void holder_withdraw(struct holder *h);

/* Each app for which anything was ever charged: "app:NAME". */
void memory_each(struct store *s, void (*visit)(struct store *s, const uint8_t *name, size_t size));

/* ---- nameless.c -------------------------------------------------------------------------------------------------- */

/* What a twin says of a record that has no name yet: remembered while start-up goes on. 0 or -ENOMEM. */
int nameless_note(struct store *s, const uint8_t storage_key[STORAGE_KEY_SIZE], const uint8_t mark[MARK_SIZE]);
/* Every record is known: which of those without a name are whose, of all owners that are known by now. */
void nameless_find_owners(struct store *s);
/* The same of an owner that may come to be known only later. */
void nameless_find_owner(struct store *s, const uint8_t *owner, size_t size);
/* Whether e has no name and may be one of this namespace. */
bool nameless_may_be_of(const struct index_entry *e, const struct kv_namespace *ns);
void nameless_forget(struct store *s);

/* ---- damage.c ---------------------------------------------------------------------------------------------------- */

/* Of an entry whose name, if there is any, is in it. Counts it. */
void damage_set(struct store *s, struct index_entry *e, enum record_damage damage);
struct record_name index_name(const struct index_entry *e); /* which has one */

/* ---- scan.c ------------------------------------------------------------------------------------------------------ */

/* Whatever the host has, in ascending order of keys, by each once: 0 and -EBADMSG (no map would list it so), or what
 * each or the host said. Waits. */
typedef int (*scan_each)(void *user, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size);
int scan_all(struct store *s, scan_each each, void *user);

/* ---- load.c ------------------------------------------------------------------------------------------------------ */

/* Every record of the host's into the index, by it and its twin; the root that they add up to into the store's, and
 * what became of each. Without what cannot be a record, if that is what sealed takes. False: it does not add up. */
int load_all(struct store *s);
bool load_adds_up(struct store *s, const struct root *sealed);

/* ---- mend.c ------------------------------------------------------------------------------------------------------ */

/* What is there once, and should be twice, and what should not be there. Waits. 0; an error: it is as it was, and read
 * from where it is whole. */
int mend_all(struct store *s);
/* What has two names, under both, in one transaction. Waits. */
int mend_named(struct store *s, const char *key, const char *copy, const uint8_t *value, size_t size);

#endif
