/*
 * Removing all that an app has stored: commits of a bounded number of deletions, found by walking the index in bounded
 * turns. Nothing of it is durable but what is gone already: whoever is told of an error, or of nothing, asks again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "enclave/kvstore/internal.h"

struct step {
    size_t count;
    struct kv_op ops[KV_REMOVE_STEP];
    struct kv_namespace ns[KV_REMOVE_STEP];
};

static void remove_end(struct job *j, int error)
{
    struct store *s = j->store;
    job_finish(j, error);
    s->proceed(s);
}

/* The next of its entries, up to a step or a turn's worth of the table. Others' commits move entries about, so that a
 * walk may miss one, and another begins: what says that none is left is the count. */
static void collect(struct job *j, struct step *step)
{
    struct index *x = &j->store->index;
    loop_check(&j->store->owner->loop);
    ENSURE(j->holder && step->count <= KV_REMOVE_STEP);
    for (size_t n = 0; n < KV_REMOVE_WALK && n < x->capacity && step->count < KV_REMOVE_STEP; n++) {
        j->position = j->position < x->capacity ? j->position : 0;
        const struct index_entry *e = &x->entries[j->position++];
        if (!e->version || !holder_has(j->holder, e))
            continue;
        struct kv_namespace *ns = &step->ns[step->count];
        *ns = (struct kv_namespace){.store = j->store, .size = e->ns_size};
        memcpy(ns->name, e->name, e->ns_size);
        step->ops[step->count++] =
            index_is_nameless(e)
                ? (struct kv_op){.kind = KV_GIVE_UP, .ns = ns, .key = e->storage_key, .key_size = STORAGE_KEY_SIZE}
                : (struct kv_op){.kind = KV_DELETE, .ns = ns, .key = e->name + e->ns_size, .key_size = e->key_size};
    }
}

static void on_step(void *user, int error)
{
    struct job *j = user;
    if (error < 0)
        remove_end(j, error);
    else
        loop_post(&j->store->owner->loop, &j->turn);
}

static void on_turn(struct loop_task *task)
{
    struct job *j = CONTAINER_OF(task, struct job, turn);
    struct store *s = j->store;
    store_enter(s);
    ENSURE(j->running);
    if (holder_count(j->holder) == 0 || s->flushing) {
        remove_end(j, holder_count(j->holder) > 0 ? -ECANCELED : s->nameless > 0 ? -EBADMSG : 0);
        return;
    }
    struct step *step = malloc(sizeof *step);
    if (!step) {
        remove_end(j, -ENOMEM);
        return;
    }
    step->count = 0;
    collect(j, step);
    struct job *commit = step->count ? job_new(s, s->owner, JOB_COMMIT, step->ops, step->count, j) : NULL;
    if (commit) {
        commit->done = on_step;
        s->submit(commit);
    } else if (step->count == 0) {
        loop_post(&s->owner->loop, &j->turn);
    } else {
        remove_end(j, -ENOMEM);
    }
    free(step);
}

void remove_arrive(struct job *j)
{
    ENSURE(j->kind == JOB_REMOVE && !j->holder);
    j->holder = memory_holder(j->store, j->list_ns.name, j->list_ns.size);
    if (!j->holder) {
        j->error = -ENOMEM;
        return;
    }
    nameless_find_owner(j->store, j->list_ns.name, j->list_ns.size);
    holder_withdraw(j->holder);
}

void remove_start(struct job *j)
{
    ENSURE(j->running);
    j->turn.fn = on_turn;
    loop_post(&j->store->owner->loop, &j->turn);
}

bool remove_concerns(const struct job *removal, const struct job *j)
{
    for (size_t i = 0; removal->holder && i < j->op_count; i++)
        if (holder_is_of(removal->holder, j->ops[i].ns.name, j->ops[i].ns.size))
            return true;
    return false;
}
