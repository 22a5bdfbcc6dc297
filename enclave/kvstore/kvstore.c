/*
 * The store's doors (kvstore.h).
 *
 * One thread (the owner's) runs every operation, so that the index and the root need no lock; other workers post
 * their jobs to it and get the answer posted back.
 */
#include "enclave/kvstore/kvstore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "enclave/kvstore/internal.h"
#include "enclave/kvstore/raw.h"

struct kv_namespace *kv_namespace_open(struct store *s, const char *name)
{
    ENSURE(s);
    ENSURE(name);
    size_t size = strlen(name);
    struct kv_namespace *ns = size <= KV_NAMESPACE_MAX ? calloc(1, sizeof *ns) : NULL;
    if (ns) {
        ns->store = s;
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
    ENSURE(ns);
    struct kv_op op = {.kind = KV_PUT, .ns = ns, .key = key, .key_size = key_size};
    return job_new(ns->store, w, kind, &op, 1, user);
}

int kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_get_done done, void *user)
{
    ENSURE(done);
    struct job *j = single(w, JOB_GET, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->get_done = done;
    schedule_submit(j);
    return 0;
}

int kv_exists(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_done done, void *user)
{
    ENSURE(done);
    struct job *j = single(w, JOB_GET, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->only_exists = true;
    j->done = done;
    schedule_submit(j);
    return 0;
}

int kv_list(struct worker *w, struct kv_namespace *ns, uint64_t cursor, kv_list_done done, void *user)
{
    ENSURE(ns);
    ENSURE(done);
    struct job *j = job_new(ns->store, w, JOB_LIST, NULL, 0, user);
    if (!j)
        return -ENOMEM;
    j->list_done = done;
    j->list_ns = *ns;
    j->cursor = cursor;
    schedule_submit(j);
    return 0;
}

int kv_namespace_remove(struct worker *w, struct kv_namespace *ns, kv_done done, void *user)
{
    ENSURE(ns);
    ENSURE(done);
    ENSURE(memory_is_of_app(ns->name, ns->size));
    struct job *j = job_new(ns->store, w, JOB_REMOVE, NULL, 0, user);
    if (!j)
        return -ENOMEM;
    j->done = done;
    j->list_ns = *ns;
    schedule_submit(j);
    return 0;
}

/* A batch of nothing, which belongs to no store: it is answered as every other, later. */
struct nothing {
    struct errand errand; /* first */
    kv_done done;
    void *user;
};

static void deliver_nothing(struct loop_task *task)
{
    struct nothing *n = CONTAINER_OF(task, struct nothing, errand.task);
    errand_end(&n->errand);
    if (n->done)
        n->done(n->user, 0);
    free(n);
}

static void do_nothing(struct loop_task *task)
{
    struct nothing *n = CONTAINER_OF(task, struct nothing, errand.task);
    errand_return(&n->errand, n->errand.asker, deliver_nothing);
}

static int commit_nothing(struct worker *w, kv_done done, void *user)
{
    struct nothing *n = calloc(1, sizeof *n);
    if (!n)
        return -ENOMEM;
    n->done = done;
    n->user = user;
    errand_send(&n->errand, &w->loop, &w->loop, do_nothing);
    return 0;
}

int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    ENSURE(w);
    if (count == 0)
        return commit_nothing(w, done, user);
    ENSURE(ops && ops[0].ns);
    struct job *j = job_new(ops[0].ns->store, w, JOB_COMMIT, ops, count, user);
    if (!j)
        return -ENOMEM;
    j->done = done;
    schedule_submit(j);
    return 0;
}

int store_commit_last(struct store *s, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    store_enter(s);
    ENSURE(ops && count > 0 && done);
    struct job *j = job_new(s, s->owner, JOB_COMMIT, ops, count, user);
    if (!j)
        return -ENOMEM;
    j->done = done;
    j->last = true;
    schedule_submit(j);
    return 0;
}

int store_commit_beside(struct store *s, const struct kv_op *ops, size_t count, const struct raw_op *beside,
                        size_t beside_count, kv_done done, void *user)
{
    store_enter(s);
    ENSURE(ops && count > 0 && done);
    ENSURE(beside && beside_count > 0);
    struct job *j = job_new(s, s->owner, JOB_COMMIT, ops, count, user);
    if (!j)
        return -ENOMEM;
    j->done = done;
    j->beside = raw_ops_write(beside, beside_count, &j->beside_size);
    if (!j->beside && j->error == 0)
        j->error = -ENOMEM;
    schedule_submit(j);
    return 0;
}

int kv_update(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_modify modify,
              kv_done done, void *user)
{
    ENSURE(modify);
    struct job *j = single(w, JOB_UPDATE, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->modify = modify;
    j->done = done;
    schedule_submit(j);
    return 0;
}
