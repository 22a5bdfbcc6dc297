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

/* The twin goes wherever its record goes. record NULL: both are deleted. */
static int add_twin(struct transaction *t, const struct job_op *op, const uint8_t *record, size_t size)
{
    struct record_name name = {op->ns.name, op->key, op->ns.size, (uint16_t)op->key_size};
    uint8_t key[TWIN_KEY_SIZE];
    record_twin_key(op->storage_key, key);
    if (!record)
        return append_op(t, KV_DELETE, key, sizeof key, NULL, 0) ? 0 : -ENOMEM;
    size_t twin_size = record_twin_size(&name, size);
    uint8_t *twin = malloc(twin_size);
    int error = twin ? record_twin(&t->store->keys, &name, op->storage_key, record, size, twin) : -ENOMEM;
    if (error == 0 && !append_op(t, KV_PUT, key, sizeof key, twin, twin_size))
        error = -ENOMEM;
    free(twin);
    return error;
}

static int add_deletion(struct transaction *t, const struct job_op *op)
{
    ENSURE(op->kind == KV_DELETE);
    return append_op(t, KV_DELETE, op->storage_key, STORAGE_KEY_SIZE, NULL, 0) ? add_twin(t, op, NULL, 0) : -ENOMEM;
}

/* One operation: into the payload, and into the root as it will be. */
static int add_to_transaction(struct transaction *t, struct job_op *op)
{
    struct store *s = t->store;
    ENSURE(op->kind == KV_PUT || op->kind == KV_DELETE);
    ENSURE(op->key_size <= KV_KEY_MAX && op->value_size <= KV_VALUE_MAX); /* job_new has refused more */
    ENSURE(t->root.epoch > s->root.epoch);
    struct index_entry *old = index_find(&s->index, op->storage_key);
    op->skipped = op->only_lost && !(old && old->damage);
    if (op->skipped)
        return 0;
    if (old && root_digest(&s->keys, &t->root, old->storage_key, old->version, old->tag, 0) < 0)
        return -EIO;
    if (op->kind == KV_DELETE)
        return old ? add_deletion(t, op) : 0;
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
        op->size = (uint32_t)record_disk_size(&name, (size_t)size);
        memcpy(op->tag, record + size - 16, 16);
        error = root_digest(&s->keys, &t->root, op->storage_key, op->version, op->tag, 1);
    }
    if (error == 0 && !append_op(t, KV_PUT, op->storage_key, STORAGE_KEY_SIZE, record, (size_t)size))
        error = -ENOMEM;
    if (error == 0)
        error = add_twin(t, op, record, (size_t)size);
    free(record);
    return error;
}

/* It is on disk: now it is so. */
static void apply_op(struct store *s, struct job_op *op)
{
    struct index_entry *e = index_find(&s->index, op->storage_key);
    ENSURE(op->kind == KV_DELETE || op->version == s->root.epoch);
    if (op->skipped)
        return;
    if (e) {
        ENSURE(s->nameless >= !e->name);
        damage_set(s, e, DAMAGE_NONE);
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
    if (!e || index_is_nameless(e)) { /* new, or in place of one that could not be read */
        e = e ? e : index_put(&s->index, op->storage_key);
        ENSURE(e && op->name); /* reserved: the root on disk already counts this record */
        free(e->name);
        memcpy(op->name, op->ns.name, op->ns.size);
        memcpy(op->name + op->ns.size, op->key, op->key_size);
        e->name = op->name;
        op->name = NULL;
        e->ns_size = op->ns.size;
        e->key_size = (uint16_t)op->key_size;
    }
    e->size = op->size;
    e->found = FOUND_WHOLE | FOUND_TWIN;
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
        if (error == 0 && t->jobs[i]->last)
            s->stopped = true; /* before anything else is sent */
        if (error == 0)
            proven_finish(t->jobs[i]);
        else
            job_finish(t->jobs[i], error);
    }
    transaction_free(t);
    if (error == 0)
        proven_tell(s);
    ENSURE(s->root.count == s->index.count);
    commit_pump(s); /* before others start: what waited longest goes first */
    s->proceed(s);
}

static size_t disk_size_of(const struct job_op *op)
{
    struct record_name name = {op->ns.name, op->key, op->ns.size, (uint16_t)op->key_size};
    return record_disk_size(&name, record_size(&name, op->value_size));
}

static size_t payload_size_of(const struct job *j)
{
    size_t size = j->beside_size;
    for (size_t i = 0; i < j->op_count; i++)
        size += 2 * COMMIT_OP_SIZE + (j->ops[i].kind == KV_DELETE ? 0 : disk_size_of(&j->ops[i]));
    return size;
}

/* What goes with it as it is. False: no memory. */
static bool append_beside(struct transaction *t, const struct job *j)
{
    uint32_t count;
    if (!j->beside)
        return true;
    ENSURE(j->beside_size > sizeof count);
    memcpy(&count, j->beside, sizeof count);
    t->op_count += count;
    return append(t, j->beside + sizeof count, j->beside_size - sizeof count);
}

static bool job_in_transaction(struct transaction *t, struct job *j)
{
    int error = 0;
    ENSURE(j->running);
    ENSURE(j->store == t->store);
    for (size_t i = 0; i < j->op_count && error == 0; i++)
        error = add_to_transaction(t, &j->ops[i]);
    if (error == 0 && !append_beside(t, j))
        error = -ENOMEM;
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

/* The first that may go with a transaction of this epoch, or NULL; where it stands. */
static struct job **find_commit(struct store *s, uint64_t epoch)
{
    struct job **at = &s->commits.first;
    while (*at && proven_holds(*at, epoch))
        at = &(*at)->queue_next;
    return *at ? at : NULL;
}

static struct job *take_commit(struct store *s, struct job **at)
{
    struct job *j = *at;
    ENSURE(j);
    *at = j->queue_next;
    if (s->commits.end == &j->queue_next)
        s->commits.end = at;
    j->queue_next = NULL;
    return j;
}

/* As many jobs as go together. The one that could not be added, or NULL. */
static struct job *gather(struct transaction *t)
{
    struct store *s = t->store;
    size_t estimate = 0;
    ENSURE(t->job_count == 0);
    ENSURE(!s->in_flight);
    for (struct job **at; (at = find_commit(s, t->root.epoch));) {
        estimate += payload_size_of(*at);
        if (t->job_count > 0 && estimate > COMMIT_PAYLOAD_MAX)
            return NULL;
        struct job *j = take_commit(s, at);
        if (!job_in_transaction(t, j))
            return j;
    }
    return NULL;
}

/* What there is one of, under its two names. */
static bool append_named(struct transaction *t, const char *key, const char *copy, const void *value, size_t size)
{
    return append_op(t, KV_PUT, key, strlen(key), value, size) && append_op(t, KV_PUT, copy, strlen(copy), value, size);
}

static bool close_transaction(struct transaction *t)
{
    struct store *s = t->store;
    uint8_t sealed_root[ROOT_SIZE];
    if (s->master && !append_named(t, STORE_MASTER_KEY, STORE_MASTER_COPY_KEY, s->master, s->master_size))
        return false;
    if (!index_reserve(&s->index, t->op_count / 2) || root_seal(&s->keys, &t->root, sealed_root) < 0 ||
        !append_named(t, STORE_ROOT_KEY, STORE_ROOT_COPY_KEY, sealed_root, sizeof sealed_root))
        return false;
    memcpy(t->payload, &t->op_count, 4);
    ENSURE(t->size <= PROTO_RPC_MAX);
    return true;
}

/* What is queued, as far as it goes together, to the host. 0, or why all of it failed. */
static int send_transaction(struct store *s)
{
    ENSURE(!s->in_flight && !s->stopped);
    ENSURE(s->root.epoch <= s->last_epoch);
    struct transaction *t = calloc(1, sizeof *t);
    if (!t || !append(t, &t->op_count, 4)) { /* nothing else may come that would try again: so it ends here */
        free(t);
        job_finish(take_commit(s, find_commit(s, s->last_epoch + 1)), -ENOMEM);
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
            job_finish(take_commit(s, &s->commits.first), -ENOTRECOVERABLE);
        else if (!find_commit(s, s->last_epoch + 1))
            break; /* all of them wait until more is allowed */
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
