/*
 * Writing. Jobs are gathered: while one transaction is with the host the next ones queue up, and then go out together
 * with one new root. Nothing is true before the host has said that it is on disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/kvstore/internal.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/rpc_client.h"

#define COMMIT_PAYLOAD_MAX (PROTO_RPC_MAX - 65536u)

struct transaction {
    struct job **jobs;
    size_t job_count;
    struct root root; /* as it will be */
    uint8_t *payload;
    size_t size, capacity;
    uint32_t op_count;
};

static bool append(struct transaction *t, const void *data, size_t size)
{
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
    struct index_entry *old = index_find(&store.index, op->storage_key);
    if (old && root_digest(&store.keys, &t->root, old->storage_key, old->version, old->tag, 0) < 0)
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
    int64_t size = record_seal(&store.keys, &name, op->storage_key, op->version, op->value, op->value_size, record);
    int result = size < 0 ? (int)size : 0;
    if (result == 0) {
        op->size = (uint32_t)size;
        memcpy(op->tag, record + size - 16, 16);
        result = root_digest(&store.keys, &t->root, op->storage_key, op->version, op->tag, 1);
    }
    if (result == 0 && !append_op(t, KV_PUT, op->storage_key, STORAGE_KEY_SIZE, record, (size_t)size))
        result = -ENOMEM;
    free(record);
    return result;
}

/* The host has it on disk: now it is so. */
static void apply_op(struct job_op *op)
{
    struct index_entry *e = index_find(&store.index, op->storage_key);
    if (e) {
        store.damaged -= e->damaged;
        store.nameless -= !e->name;
    }
    if (op->kind == KV_DELETE) {
        if (e)
            store_uncharge_record(e), index_remove(&store.index, e);
        return;
    }
    if (e)
        store_uncharge_record(e);
    if (!e || !e->name) { /* new, or in place of one that could not be read */
        e = e ? e : index_put(&store.index, op->storage_key);
        ENSURE(e && op->name); /* reserved: the root on disk already counts this record */
        memcpy(op->name, op->ns.name, op->ns.size);
        memcpy(op->name + op->ns.size, op->key, op->key_size);
        e->name = op->name;
        op->name = NULL;
        e->ns_size = op->ns.size;
        e->key_size = (uint16_t)op->key_size;
    }
    e->size = op->size;
    store_charge_record(e);
    e->damaged = false;
    e->version = op->version;
    memcpy(e->tag, op->tag, 16);
}

static void transaction_free(struct transaction *t)
{
    free(t->jobs);
    free(t->payload);
    free(t);
}

static void on_committed(void *user, int status, const uint8_t *payload, size_t size)
{
    (void)payload, (void)size;
    struct transaction *t = user;
    store.in_flight = false;
    if (status == 0)
        store.root = t->root;
    for (size_t i = 0; i < t->job_count; i++) {
        for (size_t k = 0; status == 0 && k < t->jobs[i]->op_count; k++)
            apply_op(&t->jobs[i]->ops[k]);
        store_finish(t->jobs[i], status);
    }
    transaction_free(t);
    store_pump_commits();
    store_proceed();
}

static size_t payload_size_of(const struct job *j)
{
    size_t size = 0;
    for (size_t i = 0; i < j->op_count; i++)
        size += j->ops[i].kind == KV_DELETE ? 64 : j->ops[i].value_size + RECORD_OVERHEAD + 64;
    return size;
}

static bool job_in_transaction(struct transaction *t, struct job *j)
{
    int result = 0;
    for (size_t i = 0; i < j->op_count && result == 0; i++)
        result = add_to_transaction(t, &j->ops[i]);
    if (result == 0) {
        void *grown = realloc(t->jobs, (t->job_count + 1) * sizeof *t->jobs);
        if (!grown)
            return false;
        t->jobs = grown;
        t->jobs[t->job_count++] = j;
    }
    return result == 0;
}

static void fail_transaction(struct transaction *t, struct job *rest, int status)
{
    for (size_t i = 0; i < t->job_count; i++)
        store_finish(t->jobs[i], status);
    if (rest)
        store_finish(rest, status);
    transaction_free(t);
}

static struct job *next_commit(void)
{
    struct job *j = store.commits;
    store.commits = j->queue_next;
    if (!store.commits)
        store.commits_end = &store.commits;
    return j;
}

/* As many jobs as go together. The one that could not be added, or NULL. */
static struct job *gather(struct transaction *t)
{
    size_t estimate = 0;
    while (store.commits) {
        estimate += payload_size_of(store.commits);
        if (t->job_count > 0 && estimate > COMMIT_PAYLOAD_MAX)
            return NULL;
        struct job *j = next_commit();
        if (!job_in_transaction(t, j))
            return j;
    }
    return NULL;
}

static bool close_transaction(struct transaction *t)
{
    uint8_t sealed_root[ROOT_SIZE];
    if (!index_reserve(&store.index, t->op_count) || root_seal(&store.keys, &t->root, sealed_root) < 0 ||
        !append_op(t, KV_PUT, STORE_ROOT_KEY, strlen(STORE_ROOT_KEY), sealed_root, sizeof sealed_root))
        return false;
    memcpy(t->payload, &t->op_count, 4);
    return true;
}

void store_pump_commits(void)
{
    while (!store.in_flight && store.commits) {
        struct transaction *t = calloc(1, sizeof *t);
        if (!t || !append(t, &t->op_count, 4)) { /* nothing else may come that would try again: so it ends here */
            free(t);
            store_finish(next_commit(), -ENOMEM);
            continue;
        }
        t->root = store.root;
        t->root.epoch++;
        struct job *broken = gather(t);
        int sent = broken || !close_transaction(t)
                       ? -ENOMEM
                       : rpc_call(store.owner->rpc, RPC_KV_COMMIT, t->payload, t->size, on_committed, t);
        store.in_flight = sent == 0;
        if (sent < 0)
            fail_transaction(t, broken, sent);
    }
}

void store_queue_commit(struct job *j)
{
    if (payload_size_of(j) > COMMIT_PAYLOAD_MAX) {
        store_finish(j, -EINVAL);
        return;
    }
    store_release(j); /* what it read, where it is an update */
    int result = j->op_count ? store_reserve(j) : 0;
    if (result < 0) {
        store_finish(j, result);
        return;
    }
    j->queue_next = NULL;
    *store.commits_end = j;
    store.commits_end = &j->queue_next;
}

int store_create(const uint8_t *master_blob, size_t size)
{
    struct transaction t = {.root = {.epoch = 1}};
    uint8_t sealed_root[ROOT_SIZE];
    int result = root_seal(&store.keys, &t.root, sealed_root);
    if (result < 0)
        return result;
    if (!append(&t, &t.op_count, 4) ||
        !append_op(&t, KV_PUT, STORE_MASTER_KEY, strlen(STORE_MASTER_KEY), master_blob, size) ||
        !append_op(&t, KV_PUT, STORE_ROOT_KEY, strlen(STORE_ROOT_KEY), sealed_root, sizeof sealed_root))
        result = -ENOMEM;
    if (result == 0) {
        memcpy(t.payload, &t.op_count, 4);
        result = rpc_call_wait(store.owner->rpc, RPC_KV_COMMIT, t.payload, t.size, NULL, NULL);
    }
    store.root = t.root;
    free(t.payload);
    return result;
}
