/*
 * Reading: a record from the host, held against what the index remembers of it; names from the index alone.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"
#include "enclave/thread/rpc_client.h"

#define LIST_MAX 1000u

static int open_answer(struct job *j, const uint8_t *record, size_t size)
{
    const struct job_op *op = &j->ops[0];
    int result = record_open(&store.keys, op->storage_key, j->expected_version, record, size, &j->opened);
    if (result == 0 && memcmp(record + size - 16, j->expected_tag, 16) != 0)
        result = -EBADMSG; /* of the right version, but from a commit that failed */
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
        store_finish(j, status);
        return;
    }
    j->ops[0].kind = KV_PUT;
    j->ops[0].value = out;
    j->ops[0].value_size = out_size;
    store_queue_commit(j);
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
        store_finish(j, status);
    store_pump_commits();
    store_proceed();
}

void store_start_read(struct job *j)
{
    const struct job_op *op = &j->ops[0];
    const struct index_entry *e = index_find(&store.index, op->storage_key);
    int known = !e ? -ENOENT : e->damaged ? -EBADMSG : 0;
    if (known == 0 && !j->only_exists)
        known = store_reserve_read(j, e->size);
    if (j->kind == JOB_UPDATE && known < 0) {
        modify_and_commit(j, known);
    } else if (known < 0 || j->only_exists) {
        store_finish(j, known);
    } else {
        uint8_t payload[4 + STORAGE_KEY_SIZE];
        uint32_t length = STORAGE_KEY_SIZE;
        memcpy(payload, &length, 4);
        memcpy(payload + 4, op->storage_key, STORAGE_KEY_SIZE);
        j->expected_version = e->version;
        memcpy(j->expected_tag, e->tag, 16);
        int asked = rpc_call(store.owner->rpc, RPC_KV_GET, payload, sizeof payload, on_record, j);
        if (asked < 0 && j->kind == JOB_UPDATE)
            modify_and_commit(j, asked);
        else if (asked < 0)
            store_finish(j, asked);
    }
}

int kv_each(const struct kv_namespace *ns, kv_visit visit, void *user)
{
    loop_check(&store.owner->loop);
    if (store.nameless > 0)
        return -EBADMSG;
    for (size_t i = 0; i < store.index.capacity; i++) {
        const struct index_entry *e = &store.index.entries[i];
        if (e->version && e->ns_size == ns->size && !memcmp(e->name, ns->name, ns->size) &&
            !visit(user, e->name + e->ns_size, e->key_size))
            break;
    }
    return 0;
}

/* Listings go by the first bytes of the storage key, a place that stays the same however the index grows. */
static uint64_t place_of(const struct index_entry *e)
{
    uint64_t place;
    memcpy(&place, e->storage_key, sizeof place);
    return place ? place : 1;
}

/* The first so many entries of a listing: a heap with the last of them on top. */
struct first_entries {
    const struct index_entry *heap[LIST_MAX];
    size_t count;
    bool more;
};

static void sift_down(struct first_entries *f)
{
    const struct index_entry *moved = f->heap[0];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < f->count; at = child) {
        if (child + 1 < f->count && place_of(f->heap[child + 1]) > place_of(f->heap[child]))
            child++;
        if (place_of(f->heap[child]) <= place_of(moved))
            break;
        f->heap[at] = f->heap[child];
    }
    f->heap[at] = moved;
}

static void take_first(struct first_entries *f, const struct index_entry *e)
{
    if (f->count < LIST_MAX) {
        size_t at = f->count++;
        for (; at > 0 && place_of(f->heap[(at - 1) / 2]) < place_of(e); at = (at - 1) / 2)
            f->heap[at] = f->heap[(at - 1) / 2];
        f->heap[at] = e;
        return;
    }
    f->more = true;
    if (place_of(e) < place_of(f->heap[0])) {
        f->heap[0] = e;
        sift_down(f);
    }
}

/* The index itself is the listing: cursor is the place of the last name that was given. */
static void run_list(struct job *j)
{
    struct first_entries first = {0};
    struct kv_name *names = store.nameless ? NULL : malloc(LIST_MAX * (sizeof *names + KV_KEY_MAX));
    uint8_t *text = (uint8_t *)(names + LIST_MAX);
    if (!names) {
        store_finish(j, store.nameless ? -EBADMSG : -ENOMEM);
        return;
    }
    for (size_t i = 0; i < store.index.capacity; i++) {
        const struct index_entry *e = &store.index.entries[i];
        if (e->version && e->ns_size == j->list_ns.size && !memcmp(e->name, j->list_ns.name, e->ns_size) &&
            place_of(e) > j->cursor)
            take_first(&first, e);
    }
    for (size_t i = 0; i < first.count; i++) {
        const struct index_entry *e = first.heap[i];
        memcpy(text, e->name + e->ns_size, e->key_size);
        names[i] = (struct kv_name){text, e->key_size};
        text += e->key_size;
    }
    j->names = names;
    j->name_count = first.count;
    j->cursor = first.more ? place_of(first.heap[0]) : 0;
    store_finish(j, 0);
}

static bool is_of(const struct job *j, const struct kv_namespace *ns)
{
    return j->list_ns.size == ns->size && !memcmp(j->list_ns.name, ns->name, ns->size);
}

/* The first one of another bucket than the last time, so that who asks for a thousand lists delays nobody else's. */
static struct job *next_list(void)
{
    struct job **at = &store.lists;
    while (*at && is_of(*at, &store.listed))
        at = &(*at)->queue_next;
    if (!*at)
        at = &store.lists;
    struct job *j = *at;
    *at = j->queue_next;
    if (!*at)
        store.lists_end = at;
    return j;
}

static void on_turn(struct loop_task *task)
{
    struct job *j = next_list();
    store.listed = j->list_ns;
    run_list(j);
    if (store.lists)
        loop_post(&store.owner->loop, task);
}

void store_queue_list(struct job *j)
{
    if (!store.lists) {
        store.lists_end = &store.lists;
        store.list_task.fn = on_turn;
        loop_post(&store.owner->loop, &store.list_task);
    }
    j->queue_next = NULL;
    *store.lists_end = j;
    store.lists_end = &j->queue_next;
}
