/*
 * Reading: a record from the host, held against what the index remembers of it. What another worker asked for is opened
 * on its thread, since the owner's is everybody's: the job takes along the record as the host gave it, and version and
 * tag that the index had at that moment; keys do not change while the store is open. Where it does not open there, the
 * job comes back for the twin, as if it were asked for now.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"
#include "enclave/thread/rpc_client.h"

static int open_answer(struct job *j, const uint8_t *record, size_t size)
{
    const struct job_op *op = &j->ops[0];
    int error = record_open(&j->store->keys, op->storage_key, j->expected_version, record, size, &j->opened);
    if (error == 0 && memcmp(record + size - 16, j->expected_tag, 16) != 0)
        error = -EBADMSG; /* of the right version, but from a commit that failed */
    if (error < 0)
        return error;
    const struct record_name *n = &j->opened.name; /* an HMAC collision cannot happen; a bug could */
    bool same = n->ns_size == op->ns.size && n->key_size == op->key_size && !memcmp(n->ns, op->ns.name, n->ns_size) &&
                !memcmp(n->key, op->key, n->key_size);
    return same ? 0 : -EBADMSG;
}

static void modify_and_commit(struct job *j, int error)
{
    uint8_t *out = NULL;
    size_t out_size = 0;
    ENSURE(j->kind == JOB_UPDATE);
    ENSURE(!j->ops[0].value);
    if (error == 0 || error == -ENOENT)
        error = j->modify(j->user, error == 0 ? j->opened.value : NULL, j->opened.value_size, &out, &out_size);
    if (error == 0 && out_size > KV_VALUE_MAX) {
        free(out);
        error = -EINVAL;
    }
    if (error < 0) {
        job_finish(j, error);
        return;
    }
    j->ops[0].kind = KV_PUT;
    j->ops[0].value = out;
    j->ops[0].value_size = out_size;
    commit_queue(j);
}

static void on_record(void *user, int error, const uint8_t *record, size_t size);

/* The record from the host, or its twin. */
static int ask(struct job *j)
{
    uint8_t payload[4 + TWIN_KEY_SIZE];
    uint32_t length = j->from_twin ? TWIN_KEY_SIZE : STORAGE_KEY_SIZE;
    memcpy(payload, &length, 4);
    if (j->from_twin)
        record_twin_key(j->ops[0].storage_key, payload + 4);
    else
        memcpy(payload + 4, j->ops[0].storage_key, STORAGE_KEY_SIZE);
    return rpc_call(j->store->owner->rpc, RPC_KV_GET, payload, 4 + length, on_record, j);
}

/* What the index has, and the host has lost, hidden or changed: whether its twin is asked for. */
static bool try_twin(struct job *j)
{
    ENSURE(j->running);
    if (j->from_twin)
        return false;
    record_opened_free(&j->opened);
    j->from_twin = true;
    return ask(j) == 0;
}

/* On the thread of who asked. */
static bool open_away(struct job *j)
{
    loop_check(&j->origin->loop);
    ENSURE(j->kind == JOB_GET && j->record);
    ENSURE(!j->running && j->error == 0);
    uint8_t *record = j->record;
    j->record = NULL;
    j->error = open_answer(j, record, j->record_size);
    free(record);
    if (j->error != -EBADMSG || j->from_twin)
        return true;
    record_opened_free(&j->opened);
    memory_release(j);
    j->error = 0;
    j->wants_twin = true;
    j->store->submit(j);
    return false;
}

static int keep(struct job *j, const uint8_t *record, size_t size)
{
    ENSURE(j->kind == JOB_GET && !j->record);
    ENSURE(j->op_count == 1);
    if (size > j->ops[0].size)
        return -EBADMSG; /* and no more memory than was charged */
    j->record = malloc(size ? size : 1);
    if (!j->record)
        return -ENOMEM;
    if (size)
        memcpy(j->record, record, size);
    j->record_size = size;
    j->open = open_away;
    return 0;
}

static void on_record(void *user, int error, const uint8_t *record, size_t size)
{
    struct job *j = user;
    struct store *s = j->store;
    store_enter(s);
    ENSURE(j->running);
    if (error == 0 && j->from_twin && !record_in_twin(record, size, &record, &size))
        error = -EBADMSG;
    if (error == 0 && j->kind == JOB_GET && j->origin != s->owner)
        error = keep(j, record, size);
    else if (error == 0)
        error = open_answer(j, record, size);
    else if (error == -ENOENT)
        error = -EBADMSG;
    if (error == -EBADMSG && try_twin(j))
        return;
    if (j->kind == JOB_UPDATE)
        modify_and_commit(j, error);
    else
        job_finish(j, error);
    s->proceed(s);
}

void read_start(struct job *j)
{
    ENSURE(j->running);
    ENSURE(j->op_count == 1);
    struct store *s = j->store;
    const struct job_op *op = &j->ops[0];
    const struct index_entry *e = index_find(&s->index, op->storage_key);
    int known = !e ? -ENOENT : e->damage ? -EBADMSG : 0;
    if (known == 0 && !j->only_exists)
        known = memory_reserve_read(j, e->size);
    if (j->kind == JOB_UPDATE && known < 0) {
        modify_and_commit(j, known);
    } else if (known < 0 || j->only_exists) {
        job_finish(j, known);
    } else {
        bool in_vain = j->wants_twin && j->expected_version == e->version; /* and not of one before it */
        j->from_twin = in_vain || !(e->found & FOUND_WHOLE);
        j->wants_twin = false;
        j->expected_version = e->version;
        j->ops[0].size = e->size;
        memcpy(j->expected_tag, e->tag, 16);
        int asked = ask(j);
        if (asked < 0 && j->kind == JOB_UPDATE)
            modify_and_commit(j, asked);
        else if (asked < 0)
            job_finish(j, asked);
    }
}
