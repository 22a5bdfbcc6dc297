/*
 * The store's operations; see kvstore.h for what callers see.
 *
 * One thread (the owner's) runs them all, so that the index and the root need no lock; other workers post their jobs
 * to it and get the answer posted back. Jobs that touch the same key run in the order they came. Writes are gathered:
 * while one commit is with the host the next ones queue up, and then go out as one transaction with one new root.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/kvstore.h"
#include "enclave/kvstore/record.h"
#include "enclave/kvstore/store.h"
#include "enclave/rpc_client.h"
#include "enclave/worker.h"

#define COMMIT_PAYLOAD_MAX (PROTO_RPC_MAX - 65536u)
#define LIST_MAX 1000u

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
    size_t key_size, value_size;
    uint64_t version; /* of the commit that carries it */
    uint8_t tag[16];
};

struct job {
    struct loop_task task; /* first: carries the job between threads */
    struct job *next, *commit_next;
    enum job_kind kind;
    struct worker *origin;
    bool running;
    bool only_exists;
    struct job_op *ops; /* one for GET and UPDATE */
    size_t op_count;
    uint64_t expected_version, cursor;
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

static struct {
    struct worker *owner;
    struct record_keys keys;
    struct index index;
    struct root root;
    uint64_t damaged;
    struct job *jobs, **jobs_end;       /* all that are not finished, in order of arrival */
    struct job *commits, **commits_end; /* running, waiting for a transaction; by commit_next */
    bool in_flight;
} store;

/* ---- making and freeing jobs -------------------------------------------------------------------------------- */

static void job_free(struct job *j)
{
    for (size_t i = 0; i < j->op_count; i++) {
        if (j->ops[i].value)
            OPENSSL_cleanse(j->ops[i].value, j->ops[i].value_size);
        free(j->ops[i].key);
        free(j->ops[i].value);
    }
    if (j->opened.plain)
        OPENSSL_cleanse(j->opened.plain, (size_t)(j->opened.value - j->opened.plain) + j->opened.value_size);
    free(j->opened.plain);
    free(j->names);
    free(j->ops);
    free(j);
}

static int op_init(struct job_op *op, const struct kv_op *from)
{
    op->kind = from->kind;
    op->ns = *from->ns;
    op->key_size = from->key_size;
    op->key = malloc(from->key_size ? from->key_size : 1);
    if (!op->key)
        return -ENOMEM;
    memcpy(op->key, from->key, from->key_size);
    if (from->kind == KV_PUT && from->value) {
        op->value_size = from->value_size;
        op->value = malloc(from->value_size ? from->value_size : 1);
        if (!op->value)
            return -ENOMEM;
        memcpy(op->value, from->value, from->value_size);
    }
    struct record_name name = {op->ns.name, op->key, op->ns.size, (uint16_t)op->key_size};
    return record_storage_key(&store.keys, &name, op->storage_key);
}

static struct job *job_new(struct worker *w, enum job_kind kind, const struct kv_op *ops, size_t count, void *user)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->kind = kind;
    j->origin = w;
    j->user = user;
    j->ops = calloc(count ? count : 1, sizeof *j->ops);
    for (size_t i = 0; j->ops && i < count && j->status == 0; i++) {
        j->op_count++;
        if (ops[i].key_size > KV_KEY_MAX || ops[i].value_size > KV_VALUE_MAX)
            j->status = -EINVAL;
        else
            j->status = op_init(&j->ops[i], &ops[i]);
    }
    if (!j->ops)
        j->status = -ENOMEM;
    return j;
}

/* ---- ending a job ------------------------------------------------------------------------------------------- */

static void deliver(struct loop_task *task)
{
    struct job *j = (struct job *)task;
    if (j->kind == JOB_GET && j->get_done)
        j->get_done(j->user, j->status, j->opened.value, j->opened.value_size);
    else if (j->kind == JOB_LIST)
        j->list_done(j->user, j->status, j->names, j->name_count, j->cursor);
    else if (j->done)
        j->done(j->user, j->status);
    job_free(j);
}

static void send_back(struct job *j)
{
    j->task.fn = deliver;
    if (j->origin == store.owner)
        loop_post(&j->origin->loop, &j->task);
    else
        loop_post_remote(&j->origin->loop, &j->task);
}

static void start_waiting_jobs(void);

static void finish(struct job *j, int status)
{
    j->status = status;
    struct job **at = &store.jobs;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    if (!*at)
        store.jobs_end = at;
    send_back(j);
}

/* ---- commits ------------------------------------------------------------------------------------------------ */

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
    uint8_t *record = malloc(op->value_size + RECORD_OVERHEAD);
    if (!record)
        return -ENOMEM;
    op->version = t->root.epoch;
    int64_t size = record_seal(&store.keys, &name, op->storage_key, op->version, op->value, op->value_size, record);
    int result = size < 0 ? (int)size : 0;
    if (result == 0) {
        memcpy(op->tag, record + size - 16, 16);
        result = root_digest(&store.keys, &t->root, op->storage_key, op->version, op->tag, 1);
    }
    if (result == 0 && !append_op(t, KV_PUT, op->storage_key, STORAGE_KEY_SIZE, record, (size_t)size))
        result = -ENOMEM;
    free(record);
    return result;
}

/* The host has it on disk: now it is so. */
static void apply_op(const struct job_op *op)
{
    struct index_entry *e = index_find(&store.index, op->storage_key);
    if (e && e->damaged)
        store.damaged--;
    if (op->kind == KV_DELETE) {
        if (e)
            index_remove(&store.index, e);
        return;
    }
    if (!e) {
        e = index_put(&store.index, op->storage_key);
        uint8_t *name = malloc(op->ns.size + op->key_size + 1u);
        if (!e || !name)
            abort(); /* the root on disk already counts this record */
        memcpy(name, op->ns.name, op->ns.size);
        memcpy(name + op->ns.size, op->key, op->key_size);
        e->name = name;
        e->ns_size = op->ns.size;
        e->key_size = (uint16_t)op->key_size;
    }
    e->damaged = false;
    e->version = op->version;
    memcpy(e->tag, op->tag, 16);
}

static void pump_commits(void);

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
        finish(t->jobs[i], status);
    }
    transaction_free(t);
    pump_commits();
    start_waiting_jobs();
}

static size_t payload_size_of(const struct job *j)
{
    size_t size = 0;
    for (size_t i = 0; i < j->op_count; i++)
        size += j->ops[i].value_size + RECORD_OVERHEAD + 64;
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
        finish(t->jobs[i], status);
    if (rest)
        finish(rest, status);
    transaction_free(t);
}

static void pump_commits(void)
{
    while (!store.in_flight && store.commits) {
        struct transaction *t = calloc(1, sizeof *t);
        struct job *broken = NULL;
        size_t estimate = 0;
        if (!t)
            return; /* tried again with the next event */
        t->root = store.root;
        t->root.epoch++;
        append(t, &t->op_count, 4);
        while (store.commits && !broken) {
            struct job *j = store.commits;
            estimate += payload_size_of(j);
            if (t->job_count > 0 && estimate > COMMIT_PAYLOAD_MAX)
                break;
            store.commits = j->commit_next;
            if (!store.commits)
                store.commits_end = &store.commits;
            if (!job_in_transaction(t, j))
                broken = j;
        }
        uint8_t sealed_root[ROOT_SIZE];
        if (broken || root_seal(&store.keys, &t->root, sealed_root) < 0 ||
            !append_op(t, KV_PUT, STORE_ROOT_KEY, strlen(STORE_ROOT_KEY), sealed_root, sizeof sealed_root)) {
            fail_transaction(t, broken, -ENOMEM);
            continue;
        }
        memcpy(t->payload, &t->op_count, 4);
        store.in_flight = true;
        rpc_call(store.owner->rpc, RPC_KV_COMMIT, t->payload, t->size, on_committed, t);
    }
}

static void queue_commit(struct job *j)
{
    if (payload_size_of(j) > COMMIT_PAYLOAD_MAX) {
        finish(j, -EINVAL);
        return;
    }
    j->commit_next = NULL;
    *store.commits_end = j;
    store.commits_end = &j->commit_next;
}

/* ---- reading ------------------------------------------------------------------------------------------------ */

static int open_answer(struct job *j, const uint8_t *record, size_t size)
{
    const struct job_op *op = &j->ops[0];
    int result = record_open(&store.keys, op->storage_key, j->expected_version, record, size, &j->opened);
    if (result < 0)
        return result;
    const struct record_name *n = &j->opened.name; /* an HMAC collision cannot happen; a bug could */
    bool same = n->ns_size == op->ns.size && n->key_size == op->key_size && !memcmp(n->ns, op->ns.name, n->ns_size) &&
                !memcmp(n->key, op->key, n->key_size);
    return same ? 0 : -EBADMSG;
}

static void modify_and_commit(struct job *j, int status)
{
    uint8_t *out = NULL;
    size_t out_size = 0;
    if (status == 0 || status == -ENOENT)
        status = j->modify(j->user, status == 0 ? j->opened.value : NULL, j->opened.value_size, &out, &out_size);
    if (status == 0 && out_size > KV_VALUE_MAX) {
        free(out);
        status = -EINVAL;
    }
    if (status < 0) {
        finish(j, status);
        return;
    }
    j->ops[0].kind = KV_PUT;
    j->ops[0].value = out;
    j->ops[0].value_size = out_size;
    queue_commit(j);
}

static void on_record(void *user, int status, const uint8_t *record, size_t size)
{
    struct job *j = user;
    if (status == 0)
        status = open_answer(j, record, size);
    else if (status == -ENOENT)
        status = -EBADMSG; /* the index has it: the host has lost or hidden it */
    if (j->kind == JOB_UPDATE)
        modify_and_commit(j, status);
    else
        finish(j, status);
    pump_commits();
    start_waiting_jobs();
}

static void start_read(struct job *j)
{
    const struct job_op *op = &j->ops[0];
    const struct index_entry *e = index_find(&store.index, op->storage_key);
    int known = !e ? -ENOENT : e->damaged ? -EBADMSG : 0;
    if (j->kind == JOB_UPDATE && known < 0) {
        modify_and_commit(j, known);
    } else if (known < 0 || j->only_exists) {
        finish(j, known);
    } else {
        uint8_t payload[4 + STORAGE_KEY_SIZE];
        uint32_t length = STORAGE_KEY_SIZE;
        memcpy(payload, &length, 4);
        memcpy(payload + 4, op->storage_key, STORAGE_KEY_SIZE);
        j->expected_version = e->version;
        rpc_call(store.owner->rpc, RPC_KV_GET, payload, sizeof payload, on_record, j);
    }
}

/* The index itself is the listing: cursor is a slot number plus one. */
static void start_list(struct job *j)
{
    size_t from = (size_t)j->cursor, count = 0, bytes = 0, i;
    const struct kv_namespace *ns = &j->list_ns;
    struct kv_name *names = malloc(LIST_MAX * (sizeof *names + KV_KEY_MAX));
    uint8_t *text = (uint8_t *)(names + LIST_MAX);
    if (!names) {
        finish(j, -ENOMEM);
        return;
    }
    for (i = from; i < store.index.capacity && count < LIST_MAX; i++) {
        const struct index_entry *e = &store.index.entries[i];
        if (!e->version || e->damaged || e->ns_size != ns->size || memcmp(e->name, ns->name, ns->size))
            continue;
        memcpy(text + bytes, e->name + e->ns_size, e->key_size);
        names[count++] = (struct kv_name){text + bytes, e->key_size};
        bytes += e->key_size;
    }
    j->names = names;
    j->name_count = count;
    j->cursor = i < store.index.capacity ? i : 0;
    finish(j, 0);
}

/* ---- order -------------------------------------------------------------------------------------------------- */

static bool writes(const struct job *j)
{
    return j->kind == JOB_COMMIT || j->kind == JOB_UPDATE;
}

static bool conflict(const struct job *a, const struct job *b)
{
    if (!writes(a) && !writes(b))
        return false;
    if (a->kind == JOB_LIST || b->kind == JOB_LIST)
        return false; /* a listing sees what is acknowledged */
    for (size_t i = 0; i < a->op_count; i++)
        for (size_t k = 0; k < b->op_count; k++)
            if (!memcmp(a->ops[i].storage_key, b->ops[k].storage_key, STORAGE_KEY_SIZE))
                return true;
    return false;
}

static void start(struct job *j)
{
    j->running = true;
    if (j->status < 0)
        finish(j, j->status);
    else if (j->kind == JOB_LIST)
        start_list(j);
    else if (j->kind == JOB_COMMIT)
        queue_commit(j);
    else
        start_read(j);
}

static bool blocked(const struct job *j)
{
    for (const struct job *before = store.jobs; before != j; before = before->next)
        if (conflict(before, j))
            return true;
    return false;
}

static void start_waiting_jobs(void)
{
    for (struct job *j = store.jobs, *next; j; j = next) {
        next = j->next;
        if (!j->running && !blocked(j))
            start(j);
    }
    pump_commits();
}

static void arrive(struct loop_task *task)
{
    struct job *j = (struct job *)task;
    *store.jobs_end = j;
    store.jobs_end = &j->next;
    if (!blocked(j))
        start(j);
    pump_commits();
}

static void submit(struct job *j)
{
    j->task.fn = arrive;
    if (j->origin == store.owner)
        loop_post(&store.owner->loop, &j->task);
    else
        loop_post_remote(&store.owner->loop, &j->task);
}

/* ---- what callers see --------------------------------------------------------------------------------------- */

struct kv_namespace *kv_namespace_open(const char *name)
{
    size_t size = strlen(name);
    struct kv_namespace *ns = size <= KV_NAMESPACE_MAX ? calloc(1, sizeof *ns) : NULL;
    if (ns) {
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
    struct kv_op op = {.kind = KV_PUT, .ns = ns, .key = key, .key_size = key_size};
    return job_new(w, kind, &op, 1, user);
}

void kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_get_done done, void *user)
{
    struct job *j = single(w, JOB_GET, ns, key, key_size, user);
    if (!j) {
        done(user, -ENOMEM, NULL, 0);
        return;
    }
    j->get_done = done;
    submit(j);
}

void kv_exists(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_done done, void *user)
{
    struct job *j = single(w, JOB_GET, ns, key, key_size, user);
    if (!j) {
        done(user, -ENOMEM);
        return;
    }
    j->only_exists = true;
    j->done = done;
    submit(j);
}

void kv_list(struct worker *w, struct kv_namespace *ns, uint64_t cursor, kv_list_done done, void *user)
{
    struct job *j = job_new(w, JOB_LIST, NULL, 0, user);
    if (!j) {
        done(user, -ENOMEM, NULL, 0, 0);
        return;
    }
    j->list_done = done;
    j->list_ns = *ns;
    j->cursor = cursor;
    submit(j);
}

void kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    struct job *j = job_new(w, JOB_COMMIT, ops, count, user);
    if (!j) {
        done(user, -ENOMEM);
        return;
    }
    j->done = done;
    submit(j);
}

void kv_update(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_modify modify,
               kv_done done, void *user)
{
    struct job *j = single(w, JOB_UPDATE, ns, key, key_size, user);
    if (!j) {
        done(user, -ENOMEM);
        return;
    }
    j->modify = modify;
    j->done = done;
    submit(j);
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

static int load_record(const uint8_t *storage_key, const uint8_t *record, size_t size)
{
    uint64_t version;
    uint8_t tag[16];
    if (record_claims(record, size, &version, tag) < 0)
        return -EBADMSG;
    if (index_find(&store.index, storage_key))
        return -EBADMSG; /* the host lists it twice */
    struct index_entry *e = index_put(&store.index, storage_key);
    if (!e)
        return -ENOMEM;
    e->version = version;
    memcpy(e->tag, tag, 16);
    struct record_opened opened;
    int result = record_open(&store.keys, storage_key, version, record, size, &opened);
    if (result == -EBADMSG) {
        e->damaged = true;
        store.damaged++;
        return root_digest(&store.keys, &store.root, storage_key, version, tag, 1);
    }
    if (result < 0)
        return result;
    e->name = malloc(opened.name.ns_size + opened.name.key_size + 1u);
    if (e->name) {
        memcpy(e->name, opened.name.ns, opened.name.ns_size);
        memcpy(e->name + opened.name.ns_size, opened.name.key, opened.name.key_size);
        e->ns_size = opened.name.ns_size;
        e->key_size = opened.name.key_size;
    }
    OPENSSL_cleanse(opened.plain, (size_t)(opened.value - opened.plain) + opened.value_size);
    free(opened.plain);
    return e->name ? root_digest(&store.keys, &store.root, storage_key, version, tag, 1) : -ENOMEM;
}

static int take_blob(const uint8_t **at, const uint8_t *end, const uint8_t **data, uint32_t *size)
{
    if (end - *at < 4)
        return -EBADMSG;
    memcpy(size, *at, 4);
    *at += 4;
    if ((size_t)(end - *at) < *size)
        return -EBADMSG;
    *data = *at;
    *at += *size;
    return 0;
}

/* One page of RPC_KV_SCAN. after receives the last key; more whether there is another page. */
static int load_page(const uint8_t *page, size_t page_size, uint8_t after[64], uint32_t *after_size, bool *more)
{
    const uint8_t *at = page, *end = page + page_size, *key, *record;
    uint32_t count, key_size, size;
    if (page_size < 4)
        return -EBADMSG;
    memcpy(&count, at, 4);
    at += 4;
    for (uint32_t i = 0; i < count; i++) {
        if (take_blob(&at, end, &key, &key_size) < 0 || take_blob(&at, end, &record, &size) < 0 || key_size > 64)
            return -EBADMSG;
        memcpy(after, key, key_size);
        *after_size = key_size;
        int result = key_size == STORAGE_KEY_SIZE ? load_record(key, record, size) : 0;
        if (result < 0)
            return result;
    }
    *more = at < end && *at;
    return *more && count == 0 ? -EBADMSG : 0;
}

static int load_all(void)
{
    uint8_t after[64];
    uint32_t after_size = 0, nothing = 0, max_count = 4096, max_bytes = 4u << 20;
    bool more = true;
    while (more) {
        uint8_t request[4 + 4 + 64 + 8], *at = request, *page;
        size_t size;
        at = (uint8_t *)mempcpy(at, &nothing, 4);
        at = (uint8_t *)mempcpy(at, &after_size, 4);
        at = (uint8_t *)mempcpy(at, after, after_size);
        at = (uint8_t *)mempcpy(at, &max_count, 4);
        at = (uint8_t *)mempcpy(at, &max_bytes, 4);
        int result = rpc_call_wait(store.owner->rpc, RPC_KV_SCAN, request, (size_t)(at - request), &page, &size);
        if (result < 0)
            return result;
        result = load_page(page, size, after, &after_size, &more);
        free(page);
        if (result < 0)
            return result;
    }
    return 0;
}

static int read_root(struct root *out)
{
    uint8_t request[4 + sizeof STORE_ROOT_KEY], *answer;
    uint32_t length = strlen(STORE_ROOT_KEY);
    size_t size;
    memcpy(request, &length, 4);
    memcpy(request + 4, STORE_ROOT_KEY, length);
    int result = rpc_call_wait(store.owner->rpc, RPC_KV_GET, request, 4 + length, &answer, &size);
    if (result < 0)
        return result;
    result = root_open(&store.keys, answer, size, out);
    free(answer);
    return result;
}

static int create(const uint8_t *master_blob, size_t size)
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

static int open_existing(char *error, size_t error_size)
{
    struct root sealed = {0};
    int result = read_root(&sealed);
    if (result < 0) {
        snprintf(error, error_size, "store: the sealed root is %s", result == -ENOENT ? "missing" : "damaged");
        return -EBADMSG;
    }
    result = load_all();
    if (result < 0) {
        snprintf(error, error_size, "store: a record cannot be read (error %d)", -result);
        return result;
    }
    store.root.epoch = sealed.epoch;
    if (store.root.count != sealed.count || CRYPTO_memcmp(store.root.digest, sealed.digest, 32) != 0) {
        snprintf(error, error_size,
                 "store: %lu records do not match the sealed root of epoch %lu (%lu records): some were changed, are "
                 "missing, or are older than acknowledged",
                 (unsigned long)store.root.count, (unsigned long)sealed.epoch, (unsigned long)sealed.count);
        return -EBADMSG;
    }
    return 0;
}

int store_open(struct worker *owner, const uint8_t master[32], const uint8_t *master_blob, size_t master_blob_size,
               char *error, size_t error_size)
{
    store.owner = owner;
    store.jobs_end = &store.jobs;
    store.commits_end = &store.commits;
    int result = record_keys_derive(master, &store.keys);
    if (result < 0)
        return result;
    if (!master_blob)
        return open_existing(error, error_size);
    result = create(master_blob, master_blob_size);
    if (result < 0)
        snprintf(error, error_size, "store: the first commit failed (error %d)", -result);
    return result;
}

void store_flush(void)
{
    while (store.jobs)
        worker_turn(store.owner);
}

uint64_t store_record_count(void)
{
    return store.index.count;
}

uint64_t store_damaged_count(void)
{
    return store.damaged;
}
