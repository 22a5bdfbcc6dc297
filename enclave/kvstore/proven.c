/*
 * What is on disk a host can still take back, as long as no witness has seen it (enclave/witness). So apps' commits do
 * not go further than is allowed beyond what is proven; and those of apps that ask for it are acknowledged, and let
 * others see what they wrote, only once they are proven: until then they are running jobs.
 */
#include <errno.h>

#include "enclave/kvstore/internal.h"

static struct holder *holder_of(const struct job *j)
{
    return j->op_count ? memory_holder(j->store, j->ops[0].ns.name, j->ops[0].ns.size) : NULL;
}

bool proven_holds(const struct job *j, uint64_t epoch)
{
    const struct store *s = j->store;
    return epoch > s->allowed && !s->ending && holder_of(j) != NULL;
}

void proven_finish(struct job *j)
{
    struct store *s = j->store;
    const struct holder *h = holder_of(j);
    store_enter(s);
    ENSURE(j->running && !j->queue_next);
    if (!h || !holder_is_only_proven(h) || s->ending) {
        job_finish(j, 0);
        return;
    }
    memory_release(j); /* its records are charged from now on */
    j->epoch = s->root.epoch;
    *s->unproven.end = j;
    s->unproven.end = &j->queue_next;
}

void proven_tell(struct store *s)
{
    if (s->watch)
        s->watch(s->watch_user, s->unproven.first != NULL);
}

/* The oldest, if its epoch is not beyond this one. */
static struct job *take(struct store *s, uint64_t epoch)
{
    struct job *j = s->unproven.first;
    if (!j || j->epoch > epoch)
        return NULL;
    s->unproven.first = j->queue_next;
    j->queue_next = NULL;
    if (!s->unproven.first)
        s->unproven.end = &s->unproven.first;
    return j;
}

void store_proven(struct store *s, uint64_t epoch)
{
    bool any = false;
    store_enter(s);
    for (struct job *j; (j = take(s, epoch)); any = true)
        job_finish(j, 0);
    if (any)
        s->proceed(s);
}

void proven_give_up(struct store *s)
{
    s->ending = true;
    for (struct job *j; (j = take(s, UINT64_MAX));)
        job_finish(j, -ECANCELED);
    s->proceed(s);
}

void store_allow(struct store *s, uint64_t epoch)
{
    store_enter(s);
    bool more = epoch > s->allowed;
    s->allowed = epoch;
    if (more && s->open)
        s->proceed(s);
}

int store_acknowledge_proven(struct store *s, const struct kv_namespace *app, bool only)
{
    store_enter(s);
    ENSURE(memory_is_of_app(app->name, app->size));
    struct holder *h = memory_holder(s, app->name, app->size);
    if (!h)
        return -ENOMEM;
    holder_only_proven(h, only);
    return 0;
}

void store_watch(struct store *s, void (*fn)(void *user, bool waited), void *user)
{
    store_enter(s);
    s->watch = fn;
    s->watch_user = user;
}
