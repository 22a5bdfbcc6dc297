/* The store's operations, waited for. See kvstore.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"

struct wait {
    bool finished;
    int error;
    uint8_t *value;
    size_t size;
};

static void on_got(void *user, int error, const uint8_t *value, size_t size)
{
    struct wait *w = user;
    w->finished = true;
    w->error = error;
    w->size = size;
    w->value = error == 0 ? malloc(size ? size : 1) : NULL;
    if (w->value && size)
        memcpy(w->value, value, size);
    else if (error == 0 && !w->value)
        w->error = -ENOMEM;
}

static void on_committed(void *user, int error)
{
    struct wait *w = user;
    w->finished = true;
    w->error = error;
}

int kv_get_wait(struct worker *worker, struct kv_namespace *ns, const char *key, uint8_t **value, size_t *size)
{
    struct wait w = {0};
    ENSURE(key && value && size);
    int error = kv_get(worker, ns, key, strlen(key), on_got, &w);
    if (error < 0)
        return error;
    while (!w.finished)
        worker_turn(worker);
    *value = w.value;
    *size = w.size;
    return w.error;
}

int kv_commit_wait(struct worker *worker, const struct kv_op *ops, size_t count)
{
    struct wait w = {0};
    int error = kv_commit(worker, ops, count, on_committed, &w);
    if (error < 0)
        return error;
    while (!w.finished)
        worker_turn(worker);
    return w.error;
}

int commit_first(struct store *s, const struct kv_op *ops, size_t count)
{
    struct wait w = {0};
    struct job *j = job_new(s, s->owner, JOB_COMMIT, ops, count, &w);
    if (!j)
        return -ENOMEM;
    j->done = on_committed;
    schedule_submit(j);
    while (!w.finished)
        worker_turn(s->owner);
    return w.error;
}
