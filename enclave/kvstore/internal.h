/*
 * What the store's files share. A job is one operation on its way: made by the caller's worker, run by the owner's,
 * and handed back. All of this is touched by the owner's thread only, but for making and freeing jobs.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_INTERNAL_H

#include "enclave/kvstore/index.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/record.h"
#include "enclave/thread/worker.h"

struct kv_namespace {
    uint16_t size;
    uint8_t name[KV_NAMESPACE_MAX];
};

enum job_kind { JOB_GET, JOB_LIST, JOB_COMMIT, JOB_UPDATE };

struct job_op {
    enum kv_op_kind kind;
    uint8_t storage_key[STORAGE_KEY_SIZE];
    struct kv_namespace ns;
    uint8_t *key, *value; /* value may be NULL: none */
    uint8_t *name;        /* for the index, made before the record is sent */
    size_t key_size, value_size;
    uint64_t version; /* of the commit that carries it */
    uint32_t size;    /* of its record */
    uint8_t tag[16];
};

_Static_assert(sizeof(struct job_op) + 2 * sizeof(void *) + 64 <= KV_OP_COST, "what an operation costs");

struct job {
    struct loop_task task; /* first: carries the job between threads */
    struct job *next, *queue_next;
    enum job_kind kind;
    struct worker *origin;
    bool running;
    bool only_exists;
    bool one_namespace; /* all of ops are of the first one's */
    struct job_op *ops; /* one for GET and UPDATE */
    size_t op_count;
    struct charge memory, disk; /* for the records that it makes, or the one that it reads */
    uint64_t expected_version, cursor;
    uint8_t expected_tag[16];
    struct kv_namespace list_ns;
    kv_get_done get_done;
    kv_done done;
    kv_list_done list_done;
    kv_modify modify;
    void *user;
    int status;
    struct record_opened opened; /* GET's answer */
    struct kv_name *names;       /* LIST's answer: array, then the bytes */
    size_t name_count;
};

struct store {
    struct worker *owner;
    struct record_keys keys;
    struct index index;
    struct root root;
    _Atomic uint64_t damaged;           /* records that did not open at start-up; metrics read it, too */
    uint64_t nameless;                  /* of those that did not open, those whose very name did not */
    struct job *jobs, **jobs_end;       /* all that are not finished, in order of arrival */
    struct job *commits, **commits_end; /* running, waiting for a transaction; by queue_next */
    struct job *lists, **lists_end;     /* running, waiting for their turn; by queue_next */
    struct loop_task list_task;
    struct kv_namespace listed; /* whose turn was the last */
    bool in_flight;             /* a transaction is with the host */
};
extern struct store store;

/* job.c: the caller's worker makes a job, the owner's runs it; after store_finish it belongs to the caller's again. */
struct job *job_new(struct worker *w, enum job_kind kind, const struct kv_op *ops, size_t count, void *user);
void job_submit(struct job *j);
void store_finish(struct job *j, int status);
/* Start what no longer conflicts with an earlier job, and send commits. After every finish. */
void store_proceed(void);

/* read.c */
void store_start_read(struct job *j);
/* One for each turn of the loop: it walks the whole index. */
void store_queue_list(struct job *j);

/* commit.c */
void store_queue_commit(struct job *j);
void store_pump_commits(void);
/* At first boot: the sealed master key and the empty store's root, in one transaction. Waits. */
int store_create(const uint8_t *master_blob, size_t size);

/* memory.c: who is charged for records. An entry is charged once it is complete, and uncharged before it changes. */
void store_charge_record(const struct index_entry *e);
void store_uncharge_record(const struct index_entry *e);
/* For what a commit will add: 0, -ENOSPC or -ENOMEM. For a record that is read: 0 or -ENOMEM. */
int store_reserve(struct job *j);
int store_reserve_read(struct job *j, size_t size);
void store_release(struct job *j); /* any thread */
void store_memory_reset(void);

/* load.c: every record of the host's into the index; the root that they add up to into store.root. Waits. */
int store_load(void);

#endif
