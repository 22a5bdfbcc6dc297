/* See change.h. */
#include "enclave/service/change.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alive.h"
#include "common/container.h"
#include "common/ensure.h"
#include "enclave/service/identity.h"
#include "enclave/service/system.h"

/* Shared with the compiler's thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct change *queue, **queue_end = &queue;
static struct change *preparing; /* by the compiler's thread; NULL: it waits, or has ended */
static bool under_way, stopping;

static void step(struct change *c, enum change_step from, enum change_step to)
{
    ENSURE(c->step == from);
    c->step = to;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void answer(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    bool made = c->status == c->success;
    ENSURE(c->step == CHANGE_OVER && c->status >= 200);
    json_t *body = made ? c->ops->describe(c) : json_pack("{s:s}", "error", c->why);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    c->done(c->user, text ? c->status : 500, text ? text : "{}");
    free(text);
    json_decref(body);
    c->ops->release(c);
}

/* Let the next change begin, and answer this one on its own worker. */
static void end(struct change *c)
{
    c->step = CHANGE_OVER;
    pthread_mutex_lock(&lock);
    ENSURE(under_way);
    under_way = false;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
    c->task.fn = answer;
    loop_post_remote(&c->origin->loop, &c->task);
}

void change_fail_why(struct change *c, int status)
{
    ENSURE(status >= 400 && c->status == 0);
    ENSURE(c->step == CHANGE_PREPARES || c->step == CHANGE_WRITES);
    c->status = status;
    if (c->step == CHANGE_WRITES)
        end(c);
}

void change_fail(struct change *c, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->why, sizeof c->why, format, args);
    va_end(args);
    change_fail_why(c, status);
}

void change_fail_store(struct change *c, int error)
{
    change_fail(c, 503, "the store refused the change (error %d)", -error);
}

/* ---- on the owner's thread --------------------------------------------------------------------------------------- */

static void on_shown(void *user, int error)
{
    struct change *c = user;
    c->status = c->success;
    if (error < 0) {
        c->status = 503;
        snprintf(c->why, sizeof c->why, "in force, but no new certificate could be made (error %d)", -error);
    }
    end(c);
}

static void on_committed(void *user, int error)
{
    struct change *c = user;
    loop_check(&enclave_system.owner->loop);
    if (error < 0) {
        step(c, CHANGE_COMMITS, CHANGE_WRITES);
        change_fail_store(c, error);
        return;
    }
    step(c, CHANGE_COMMITS, CHANGE_SHOWS);
    c->ops->install(c);
    int refused = identity_refresh(on_shown, c);
    if (refused < 0)
        on_shown(c, refused);
}

void change_commit(struct change *c, const struct kv_op *ops, size_t count)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(ops && count > 0);
    step(c, CHANGE_WRITES, CHANGE_COMMITS);
    int refused = kv_commit(enclave_system.owner, ops, count, on_committed, c);
    if (refused < 0)
        on_committed(c, refused);
}

static void begin_on_owner(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    loop_check(&enclave_system.owner->loop);
    step(c, CHANGE_PREPARES, CHANGE_WRITES);
    if (c->status)
        end(c); /* prepare said so */
    else
        c->ops->write(c);
}

/* ---- on the compiler's thread ------------------------------------------------------------------------------------ */

/* The next change, or NULL: the enclave stops. With the lock held. */
static struct change *await_change(void)
{
    sgx_stop_if_dead();
    while (!stopping && (!queue || under_way))
        pthread_cond_wait(&wake, &lock);
    struct change *c = stopping ? NULL : queue;
    if (c) {
        queue = c->next;
        if (!queue)
            queue_end = &queue;
        under_way = true;
        preparing = c;
        step(c, CHANGE_WAITS, CHANGE_PREPARES);
    }
    return c;
}

void *change_thread(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (struct change *c; (c = await_change());) {
        pthread_mutex_unlock(&lock);
        if (c->ops->prepare)
            c->ops->prepare(c);
        pthread_mutex_lock(&lock);
        preparing = NULL;
        if (stopping)
            break; /* it was dropped, and its memory goes with the enclave */
        c->task.fn = begin_on_owner;
        loop_post_remote(&enclave_system.owner->loop, &c->task);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* ---- asking, and stopping ---------------------------------------------------------------------------------------- */

static void answer_dropped(struct loop_task *task)
{
    struct change *c = CONTAINER_OF(task, struct change, dropped);
    c->done(c->user, 503, "{\"error\":\"the server is stopping: nothing was changed\"}");
    if (!c->left_preparing)
        c->ops->release(c);
}

static void drop(struct change *c)
{
    c->dropped.fn = answer_dropped;
    loop_post_remote(&c->origin->loop, &c->dropped);
}

void change_ask(struct change *c, struct worker *origin, change_done done, void *user)
{
    loop_check(&origin->loop);
    ENSURE(c->ops && c->success >= 200 && done);
    step(c, CHANGE_NEW, CHANGE_WAITS);
    c->origin = origin;
    c->done = done;
    c->user = user;
    pthread_mutex_lock(&lock);
    bool too_late = stopping;
    if (!too_late) {
        *queue_end = c;
        queue_end = &c->next;
        pthread_cond_signal(&wake);
    }
    pthread_mutex_unlock(&lock);
    if (too_late)
        drop(c);
}

void change_stop(void)
{
    loop_check(&enclave_system.owner->loop);
    pthread_mutex_lock(&lock);
    struct change *waiting = queue;
    stopping = true;
    queue = NULL;
    queue_end = &queue;
    if (preparing) {
        preparing->left_preparing = true;
        drop(preparing);
    }
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
    for (struct change *next; waiting; waiting = next) {
        next = waiting->next;
        drop(waiting);
    }
}

bool change_is_stopping(void)
{
    pthread_mutex_lock(&lock);
    bool is = stopping;
    pthread_mutex_unlock(&lock);
    return is;
}

bool change_is_preparing(void)
{
    pthread_mutex_lock(&lock);
    bool is = preparing != NULL;
    pthread_mutex_unlock(&lock);
    return is;
}

uint32_t changes_waiting(void)
{
    uint32_t count = 0;
    pthread_mutex_lock(&lock);
    for (const struct change *c = queue; c; c = c->next)
        count++;
    pthread_mutex_unlock(&lock);
    return count;
}
