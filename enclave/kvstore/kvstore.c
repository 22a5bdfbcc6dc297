/*
 * The store's doors (kvstore.h), and opening it (store.h).
 *
 * One thread (the owner's) runs every operation, so that the index and the root need no lock; other workers post
 * their jobs to it and get the answer posted back.
 */
#include "enclave/kvstore/kvstore.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"
#include "enclave/thread/rpc_client.h"

/* ---- operations ----------------------------------------------------------------------------------------------- */

struct kv_namespace *kv_namespace_open(struct store *s, const char *name)
{
    ENSURE(s);
    ENSURE(name);
    size_t size = strlen(name);
    struct kv_namespace *ns = size <= KV_NAMESPACE_MAX ? calloc(1, sizeof *ns) : NULL;
    if (ns) {
        ns->store = s;
        memcpy(ns->name, name, size);
        ns->size = (uint16_t)size;
    }
    return ns;
}

void kv_namespace_close(struct kv_namespace *ns)
{
    free(ns);
}

static struct job *single(struct worker *w, enum job_kind kind, struct kv_namespace *ns, const void *key,
                          size_t key_size, void *user)
{
    ENSURE(ns);
    struct kv_op op = {.kind = KV_PUT, .ns = ns, .key = key, .key_size = key_size};
    return job_new(ns->store, w, kind, &op, 1, user);
}

int kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_get_done done, void *user)
{
    ENSURE(done);
    struct job *j = single(w, JOB_GET, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->get_done = done;
    schedule_submit(j);
    return 0;
}

int kv_exists(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_done done, void *user)
{
    ENSURE(done);
    struct job *j = single(w, JOB_GET, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->only_exists = true;
    j->done = done;
    schedule_submit(j);
    return 0;
}

int kv_list(struct worker *w, struct kv_namespace *ns, uint64_t cursor, kv_list_done done, void *user)
{
    ENSURE(ns);
    ENSURE(done);
    struct job *j = job_new(ns->store, w, JOB_LIST, NULL, 0, user);
    if (!j)
        return -ENOMEM;
    j->list_done = done;
    j->list_ns = *ns;
    j->cursor = cursor;
    schedule_submit(j);
    return 0;
}

int kv_namespace_remove(struct worker *w, struct kv_namespace *ns, kv_done done, void *user)
{
    ENSURE(ns);
    ENSURE(done);
    ENSURE(memory_is_of_app(ns->name, ns->size));
    struct job *j = job_new(ns->store, w, JOB_REMOVE, NULL, 0, user);
    if (!j)
        return -ENOMEM;
    j->done = done;
    j->list_ns = *ns;
    schedule_submit(j);
    return 0;
}

/* A batch of nothing, which belongs to no store: it is answered as every other, later. */
struct nothing {
    struct errand errand; /* first */
    kv_done done;
    void *user;
};

static void deliver_nothing(struct loop_task *task)
{
    struct nothing *n = (struct nothing *)task;
    errand_end(&n->errand);
    if (n->done)
        n->done(n->user, 0);
    free(n);
}

static void do_nothing(struct loop_task *task)
{
    struct nothing *n = (struct nothing *)task;
    errand_return(&n->errand, n->errand.asker, deliver_nothing);
}

static int commit_nothing(struct worker *w, kv_done done, void *user)
{
    struct nothing *n = calloc(1, sizeof *n);
    if (!n)
        return -ENOMEM;
    n->done = done;
    n->user = user;
    errand_send(&n->errand, &w->loop, &w->loop, do_nothing);
    return 0;
}

int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    ENSURE(w);
    if (count == 0)
        return commit_nothing(w, done, user);
    ENSURE(ops && ops[0].ns);
    struct job *j = job_new(ops[0].ns->store, w, JOB_COMMIT, ops, count, user);
    if (!j)
        return -ENOMEM;
    j->done = done;
    schedule_submit(j);
    return 0;
}

int kv_update(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_modify modify,
              kv_done done, void *user)
{
    ENSURE(modify);
    struct job *j = single(w, JOB_UPDATE, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->modify = modify;
    j->done = done;
    schedule_submit(j);
    return 0;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

struct store *store_new(struct worker *owner)
{
    ENSURE(owner);
    loop_check(&owner->loop);
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->owner = owner;
    s->proceed = schedule_proceed;
    job_queue_init(&s->jobs);
    job_queue_init(&s->commits);
    job_queue_init(&s->lists);
    memory_init(s);
    return s;
}

/* One of the records whose keys are names. */
static int read_named(struct store *s, const char *key, uint8_t **value, size_t *value_size)
{
    uint8_t request[4 + STORAGE_KEY_SIZE];
    uint32_t length = (uint32_t)strlen(key);
    ENSURE(length < STORAGE_KEY_SIZE); /* so that it is no record's */
    memcpy(request, &length, 4);
    memcpy(request + 4, key, length);
    return rpc_call_wait(s->owner->rpc, RPC_KV_GET, request, 4 + length, value, value_size);
}

int store_read_master(struct store *s, uint8_t **blob, size_t *size)
{
    store_enter(s);
    ENSURE(!s->open);
    return read_named(s, STORE_MASTER_KEY, blob, size);
}

static int read_root(struct store *s, struct root *out)
{
    uint8_t *answer;
    size_t size;
    int error = read_named(s, STORE_ROOT_KEY, &answer, &size);
    if (error < 0)
        return error;
    error = root_open(&s->keys, answer, size, out);
    free(answer);
    return error;
}

static int open_existing(struct store *s, char *why, size_t why_size)
{
    struct root sealed = {0};
    int error = read_root(s, &sealed);
    if (error == -ENOENT || error == -EBADMSG) {
        snprintf(why, why_size, "store: the sealed root is %s", error == -ENOENT ? "missing" : "damaged");
        return -EBADMSG;
    }
    if (error < 0) {
        snprintf(why, why_size, "store: the sealed root cannot be read (error %d)", -error);
        return error;
    }
    error = load_all(s);
    if (error < 0) {
        snprintf(why, why_size, "store: a record cannot be read (error %d)", -error);
        return error;
    }
    s->root.epoch = s->last_epoch = sealed.epoch;
    if (s->root.count != sealed.count || CRYPTO_memcmp(s->root.digest, sealed.digest, 32) != 0) {
        snprintf(why, why_size,
                 "store: %lu records do not match the sealed root of epoch %lu (%lu records): some were changed, are "
                 "missing, or are older than acknowledged",
                 (unsigned long)s->root.count, (unsigned long)sealed.epoch, (unsigned long)sealed.count);
        return -EBADMSG;
    }
    return 0;
}

/* As store_new made it, but for who is charged. */
static void forget(struct store *s)
{
    ENSURE(!s->jobs.first && !s->commits.first && !s->lists.first);
    ENSURE(!s->in_flight);
    index_free(&s->index);
    memory_reset(s);
    OPENSSL_cleanse(&s->keys, sizeof s->keys);
    s->root = (struct root){0};
    s->last_epoch = 0;
    s->stopped = false;
    free(s->master);
    s->master = NULL;
    s->damaged = 0;
    s->nameless = 0;
    s->listed = (struct kv_namespace){0};
    s->open = false;
}

int store_open(struct store *s, const uint8_t master[32], char *why, size_t why_size)
{
    store_enter(s);
    ENSURE(!s->open && !s->master);
    ENSURE(master && why);
    int error = record_keys_derive(master, &s->keys);
    if (error == 0)
        error = open_existing(s, why, why_size);
    if (error < 0)
        forget(s);
    else
        s->open = true;
    return error;
}

int store_begin(struct store *s, const uint8_t master[32], const uint8_t *sealed, size_t size)
{
    store_enter(s);
    ENSURE(!s->open && !s->master);
    ENSURE(master && sealed);
    ENSURE(size > 0 && size <= STORE_MASTER_SIZE_MAX);
    s->master = malloc(size);
    s->master_size = size;
    int error = s->master ? record_keys_derive(master, &s->keys) : -ENOMEM;
    if (error < 0)
        forget(s);
    else
        memcpy(s->master, sealed, size);
    return error;
}

int store_create(struct store *s, const struct kv_op *ops, size_t count, char *why, size_t why_size)
{
    store_enter(s);
    ENSURE(!s->open && s->master);
    ENSURE(why);
    s->open = true;
    int error = commit_first(s, ops, count);
    if (error < 0) {
        snprintf(why, why_size, "store: the first commit failed (error %d)", -error);
        forget(s);
    }
    return error;
}

void store_flush(struct store *s)
{
    store_enter(s);
    loop_run_once(&s->owner->loop, s->owner->loop.now_ns); /* what was only posted arrives */
    s->flushing = true;
    while (s->jobs.first)
        worker_turn(s->owner);
    s->flushing = false;
}

void store_close(struct store *s)
{
    store_enter(s);
    forget(s);
}

void store_free(struct store *s)
{
    if (!s)
        return;
    store_enter(s);
    ENSURE(!s->open);
    memory_deinit(s);
    free(s);
}

uint64_t store_record_count(const struct store *s)
{
    ENSURE(s);
    return s->index.count;
}

bool store_has_stopped(const struct store *s)
{
    ENSURE(s);
    return s->stopped;
}

uint64_t store_damaged_count(const struct store *s)
{
    ENSURE(s);
    return s->damaged;
}
