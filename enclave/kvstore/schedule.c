/*
 * Which job runs when: jobs that touch the same key run in the order in which they came, all others at once.
 */
#include <errno.h>
#include <string.h>

#include "common/container.h"
#include "enclave/kvstore/internal.h"

static bool writes(const struct job *j)
{
    return j->kind == JOB_COMMIT || j->kind == JOB_UPDATE;
}

static bool conflict(const struct job *a, const struct job *b)
{
    ENSURE(a != b);
    ENSURE(a->store == b->store);
    if (!writes(a) && !writes(b))
        return false;
    if (b->kind == JOB_REMOVE)
        return remove_concerns(b, a);
    if (a->kind == JOB_LIST || b->kind == JOB_LIST)
        return false; /* a listing sees what is acknowledged */
    if (a->one_namespace && b->one_namespace && a->op_count && b->op_count &&
        !kv_same_namespace(&a->ops[0].ns, &b->ops[0].ns))
        return false; /* so that an app's thousand operations are not held against every other's */
    for (size_t i = 0; i < a->op_count; i++)
        for (size_t k = 0; k < b->op_count; k++)
            if (!memcmp(a->ops[i].storage_key, b->ops[k].storage_key, STORAGE_KEY_SIZE))
                return true;
    return false;
}

static bool blocked(const struct job *j)
{
    for (const struct job *before = j->store->jobs.first; before != j; before = before->next) {
        ENSURE(before); /* j is on the list */
        if (conflict(before, j))
            return true;
    }
    return false;
}

/* It may be over when this returns, but no other job is. */
static void start(struct job *j)
{
    ENSURE(!j->running);
    ENSURE(j->errand.state == ERRAND_SENT);
    j->running = true;
    if (j->error < 0)
        job_finish(j, j->error);
    else if (j->kind == JOB_LIST)
        list_queue(j);
    else if (j->kind == JOB_REMOVE)
        remove_start(j);
    else if (j->kind == JOB_COMMIT)
        commit_queue(j);
    else
        read_start(j);
}

void schedule_proceed(struct store *s)
{
    store_enter(s);
    do {
        for (struct job *j = s->jobs.first, *next; j; j = next) {
            next = j->next;
            if (!j->running && !blocked(j))
                start(j);
        }
    } while (commit_pump(s)); /* jobs that failed may have blocked others, which nothing else would start */
}

static void arrive(struct loop_task *task)
{
    struct job *j = CONTAINER_OF(task, struct job, errand.task);
    struct store *s = j->store;
    store_enter(s);
    ENSURE(!j->next);
    *s->jobs.end = j;
    s->jobs.end = &j->next;
    if (j->kind == JOB_REMOVE)
        remove_arrive(j);
    if (!blocked(j))
        start(j);
    if (commit_pump(s))
        schedule_proceed(s);
}

void schedule_submit(struct job *j)
{
    ENSURE(!j->running);
    errand_send(&j->errand, &j->origin->loop, &j->store->owner->loop, arrive);
}
