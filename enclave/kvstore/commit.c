/*
 * Writing. Jobs are gathered: while one transaction is with the host the next ones queue up, and then go out together
 * with one new root. Nothing is true before it is known to be on disk, and nothing is sent before that is known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"

struct transaction {
    struct store *store;
    struct job **jobs;
    size_t job_count;
    struct root root; /* as it will be */
    uint8_t *payload;
    size_t size, capacity;
    uint32_t op_count;
};

static bool append(struct transaction *t, const void *data, size_t size)
{
    ENSURE(t->size <= t->capacity);
    ENSURE(size <= PROTO_RPC_MAX);
    if (t->size + size > t->capacity) {
        size_t capacity = 2 * t->capacity + size + 4096;
        uint8_t *grown = realloc(t->payload, capacity);
        if (!grown)
            return false;
        t->payload = grown;
        t->capacity = capacity;
    }
    if (size)
        memcpy(t->payload + t->size, data, size);
    t->size += size;
    return true;
}

static bool append_blob(struct transaction *t, const void *data, size_t size)
{
    uint32_t length = (uint32_t)size;
    return append(t, &length, 4) && append(t, data, size);
}

static bool append_op(struct transaction *t, uint8_t kind, const void *key, size_t key_size, const void *value,
                      size_t size)
{
    t->op_count++;
    return append(t, &kind, 1) && append_blob(t, key, key_size) && (kind == KV_DELETE || append_blob(t, value, size));
}

/* One operation: into the payload, and into the root as it will be. */
static int add_to_transaction(struct transaction *t, struct job_op *op)
{
    struct store *s = t->store;
    ENSURE(op->kind == KV_PUT || op->kind == KV_DELETE);
    struct index_entry *old = index_find(&s->index, op->storage_key);
    if (old && root_digest(&s->keys, &t->root, old->storage_key, old->version, old->tag, 0) < 0)
        return -EIO;
    if (op->kind == KV_DELETE)
        return !old || append_op(t, KV_DELETE, op->storage_key, STORAGE_KEY_SIZE, NULL, 0) ? 0 : -ENOMEM;
    struct record_name name = {op->ns.name, op->key, op->ns.size, (uint16_t)op->key_size};
    /* what it takes to remember the record, before it exists */
    op->name = op->name ? op->name : malloc(op->ns.size + op->key_size + 1u);
    uint8_t *record = op->name ? malloc(op->value_size + RECORD_OVERHEAD) : NULL;
    if (!record)
        return -ENOMEM;
    op->version = t->root.epoch;
    int64_t size = record_seal(&s->keys, &name, op->storage_key, op->version, op->value, op->value_size, record);
    int error = size < 0 ? (int)size : 0;
    if (error == 0) {
        op->size = (uint32_t)size;
        memcpy(op->tag, record + size - 16, 16);
        error = root_digest(&s->keys, &t->root, op->storage_key, op->version, op->tag, 1);
    }
    if (error == 0 && !append_op(t, KV_PUT, op->storage_key, STORAGE_KEY_SIZE, record, (size_t)size))
        error = -ENOMEM;
    free(record);
    return error;
}

/* It is on disk: now it is so. */
static void apply_op(struct store *s, struct job_op *op)
{
    struct index_entry *e = index_find(&s->index, op->storage_key);
    ENSURE(op->kind == KV_DELETE || op->version == s->root.epoch);
    if (e) {
        ENSURE(s->damaged >= e->damaged);
        ENSURE(s->nameless >= !e->name);
        s->damaged -= e->damaged;
        s->nameless -= !e->name;
    }
    if (op->kind == KV_DELETE) {
        if (e) {
            memory_uncharge(s, e);
            index_remove(&s->index, e);
        }
        return;
    }
    if (e)
        memory_uncharge(s, e);
    if (!e || !e->name) { /* new, or in place of one that could not be read */
        e = e ? e : index_put(&s->index, op->storage_key);
        ENSURE(e && op->name); /* reserved: the root on disk already counts this record */
        memcpy(op->name, op->ns.name, op->ns.size);
        memcpy(op->name + op->ns.size, op->key, op->key_size);
        e->name = op->name;
        op->name = NULL;
        e->ns_size = op->ns.size;
        e->key_size = (uint16_t)op->key_size;
    }
    e->size = op->size;
    e->damaged = false;
    e->version = op->version;
    memcpy(e->tag, op->tag, 16);
    memory_charge(s, e);
}

static void transaction_free(struct transaction *t)
{
    free(t->jobs);
    free(t->payload);
    free(t);
}

static void on_known(void *user, int error)
{
    struct transaction *t = user;
    struct store *s = t->store;
    store_enter(s);
    if (error == 0) {
        free(s->master); /* it is where it belongs */
        s->master = NULL;
    }
    for (size_t i = 0; i < t->job_count; i++) {
        for (size_t k = 0; error == 0 && k < t->jobs[i]->op_count; k++)
            apply_op(s, &t->jobs[i]->ops[k]);
        job_finish(t->jobs[i], error);
    }
    transaction_free(t);
    ENSURE(s->root.count == s->index.count);
    commit_pump(s); /* before others start: what waited longest goes first */
    s->proceed(s);
}

static size_t payload_size_of(const struct job *j)
{
    size_t size = 0;
    for (size_t i = 0; i < j->op_count; i++)
        size += COMMIT_OP_SIZE + (j->ops[i].kind == KV_DELETE ? 0 : j->ops[i].value_size + RECORD_OVERHEAD);
    return size;
}

static bool job_in_transaction(struct transaction *t, struct job *j)
{
    int error = 0;
    ENSURE(j->running);
    ENSURE(j->store == t->store);
    for (size_t i = 0; i < j->op_count && error == 0; i++)
        error = add_to_transaction(t, &j->ops[i]);
    if (error == 0) {
        void *grown = realloc(t->jobs, (t->job_count + 1) * sizeof *t->jobs);
        if (!grown)
            return false;
        t->jobs = grown;
        t->jobs[t->job_count++] = j;
    }
    return error == 0;
}

static void fail_transaction(struct transaction *t, struct job *rest, int error)
{
    for (size_t i = 0; i < t->job_count; i++)
        job_finish(t->jobs[i], error);
    if (rest)
        job_finish(rest, error);
    transaction_free(t);
}

static struct job *next_commit(struct store *s)
{
    struct job *j = s->commits.first;
    ENSURE(j);
    s->commits.first = j->queue_next;
    j->queue_next = NULL;
    if (!s->commits.first)
        s->commits.end = &s->commits.first;
    return j;
}

/* As many jobs as go together. The one that could not be added, or NULL. */
static struct job *gather(struct transaction *t)
{
    struct store *s = t->store;
    size_t estimate = 0;
    while (s->commits.first) {
        estimate += payload_size_of(s->commits.first);
        if (t->job_count > 0 && estimate > COMMIT_PAYLOAD_MAX)
            return NULL;
        struct job *j = next_commit(s);
        if (!job_in_transaction(t, j))
            return j;
    }
    return NULL;
}

static bool close_transaction(struct transaction *t)
{
    struct store *s = t->store;
    uint8_t sealed_root[ROOT_SIZE];
    if (s->master && !append_op(t, KV_PUT, STORE_MASTER_KEY, strlen(STORE_MASTER_KEY), s->master, s->master_size))
        return false;
    if (!index_reserve(&s->index, t->op_count) || root_seal(&s->keys, &t->root, sealed_root) < 0 ||
        !append_op(t, KV_PUT, STORE_ROOT_KEY, strlen(STORE_ROOT_KEY), sealed_root, sizeof sealed_root))
        return false;
    memcpy(t->payload, &t->op_count, 4);
    ENSURE(t->size <= PROTO_RPC_MAX);
    return true;
}

/* What is queued, as far as it goes together, to the host. 0, or why all of it failed. */
static int send_transaction(struct store *s)
{
    struct transaction *t = calloc(1, sizeof *t);
    if (!t || !append(t, &t->op_count, 4)) { /* nothing else may come that would try again: so it ends here */
        free(t);
        job_finish(next_commit(s), -ENOMEM);
        return -ENOMEM;
    }
    t->store = s;
    t->root = s->root;
    t->root.epoch = ++s->last_epoch;
    struct job *broken = gather(t);
    int error = broken || !close_transaction(t) ? -ENOMEM : outcome_send(s, &t->root, t->payload, t->size, on_known, t);
    if (error < 0) {
        fail_transaction(t, broken, error);
        return error;
    }
    free(t->payload);
    t->payload = NULL;
    return 0;
}

bool commit_pump(struct store *s)
{
    bool failed = false;
    store_enter(s);
    while (!s->in_flight && s->commits.first) {
        if (s->stopped)
            job_finish(next_commit(s), -ENOTRECOVERABLE);
        else if (send_transaction(s) == 0)
            break;
        failed = true;
    }
    return failed;
}

void commit_queue(struct job *j)
{
    struct store *s = j->store;
    ENSURE(j->running);
    ENSURE(!j->queue_next);
    if (payload_size_of(j) > COMMIT_PAYLOAD_MAX) {
        job_finish(j, -EINVAL);
        return;
    }
    memory_release(j); /* what it read, where it is an update */
    int error = j->op_count ? memory_reserve(j) : 0;
    if (error < 0) {
        job_finish(j, error);
        return;
    }
    *s->commits.end = j;
    s->commits.end = &j->queue_next;
}
