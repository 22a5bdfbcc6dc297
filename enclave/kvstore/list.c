/* Listing: names from the index alone, which holds them all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"
#include "common/container.h"

static bool is_of(const struct index_entry *e, const struct kv_namespace *ns)
{
    return !index_is_nameless(e) && e->ns_size == ns->size && !memcmp(e->name, ns->name, ns->size);
}

/* A list that may lack a name is none. */
static bool is_complete(const struct store *s, const struct kv_namespace *ns)
{
    for (size_t i = 0; s->damaged > 0 && i < s->index.capacity; i++)
        if (s->index.entries[i].version && nameless_may_be_of(&s->index.entries[i], ns))
            return false;
    return true;
}

int kv_each(const struct kv_namespace *ns, kv_visit visit, void *user)
{
    ENSURE(ns && visit);
    struct store *s = ns->store;
    store_enter(s);
    ENSURE(s->open);
    if (!is_complete(s, ns))
        return -EBADMSG;
    for (size_t i = 0; i < s->index.capacity; i++) {
        const struct index_entry *e = &s->index.entries[i];
        if (e->version && is_of(e, ns) && !visit(user, e->name + e->ns_size, e->key_size))
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
    const struct index_entry *heap[KV_LIST_MAX];
    size_t count;
    bool more;
};

static void sift_down(struct first_entries *f)
{
    ENSURE(f->count == KV_LIST_MAX);
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
    if (f->count < KV_LIST_MAX) {
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
    struct store *s = j->store;
    struct first_entries first = {0};
    bool complete = is_complete(s, &j->list_ns);
    struct kv_name *names = complete ? malloc(KV_LIST_MAX * (sizeof *names + KV_KEY_MAX)) : NULL;
    uint8_t *text = (uint8_t *)(names + KV_LIST_MAX);
    if (!names) {
        job_finish(j, complete ? -ENOMEM : -EBADMSG);
        return;
    }
    for (size_t i = 0; i < s->index.capacity; i++) {
        const struct index_entry *e = &s->index.entries[i];
        if (e->version && is_of(e, &j->list_ns) && place_of(e) > j->cursor)
            take_first(&first, e);
    }
    for (size_t i = 0; i < first.count; i++) {
        const struct index_entry *e = first.heap[i];
        ENSURE(e->key_size <= KV_KEY_MAX);
        memcpy(text, e->name + e->ns_size, e->key_size);
        names[i] = (struct kv_name){text, e->key_size};
        text += e->key_size;
    }
    ENSURE(!j->names);
    j->names = names;
    j->name_count = first.count;
    j->cursor = first.more ? place_of(first.heap[0]) : 0;
    job_finish(j, 0);
}

/* The first one of another bucket than the last time, so that who asks for a thousand lists delays nobody else's. */
static struct job *next_list(struct store *s)
{
    struct job **at = &s->lists.first;
    ENSURE(*at);
    while (*at && kv_same_namespace(&(*at)->list_ns, &s->listed))
        at = &(*at)->queue_next;
    if (!*at)
        at = &s->lists.first;
    struct job *j = *at;
    ENSURE(j->kind == JOB_LIST && j->running);
    *at = j->queue_next;
    j->queue_next = NULL;
    if (!*at)
        s->lists.end = at;
    return j;
}

static void on_turn(struct loop_task *task)
{
    struct store *s = CONTAINER_OF(task, struct store, list_task);
    store_enter(s);
    struct job *j = next_list(s);
    s->listed = j->list_ns;
    run_list(j);
    if (s->lists.first)
        loop_post(&s->owner->loop, task);
}

void list_queue(struct job *j)
{
    struct store *s = j->store;
    ENSURE(j->kind == JOB_LIST && j->running);
    ENSURE(!j->queue_next);
    if (!s->lists.first) {
        s->list_task.fn = on_turn;
        loop_post(&s->owner->loop, &s->list_task);
    }
    *s->lists.end = j;
    s->lists.end = &j->queue_next;
}
