/* See change.h. */
#include "enclave/service/change.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alive.h"
#include "common/container.h"
#include "common/ensure.h"
#include "enclave/service/administrators.h"
#include "enclave/service/attest.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"

/* How long connections of the generation before may take to end what they are at, and to be told to connect anew. */
#define CHANGE_GRACE_MS 60000u
/* The same, where it is not to wait for them: the asker's own connection is among them, and has its answer first. */
#define CHANGE_NOW_MS 1000u

/* Shared with the compiler's thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct change *queue, **queue_end = &queue;
static struct change *preparing; /* by the compiler's thread; NULL: it waits, or has ended */
static bool under_way, stopping;
static change_judge judge; /* fixed at boot */

static void step(struct change *c, enum change_step from, enum change_step to)
{
    ENSURE(c->step == from);
    c->step = to;
}

/* ---- what is proposed -------------------------------------------------------------------------------------------- */

/* What is proposed: the next generation, and what it takes to make it durable and to serve it. */
struct proposal {
    struct generation *generation;
    struct installation *installation;
    uint8_t record[GENERATION_RECORD_SIZE];
    size_t count;
    struct kv_op ops[]; /* count; keys and values are copies */
};

static void proposal_free(struct proposal *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        free((void *)p->ops[i].key);
        if (p->ops[i].value)
            OPENSSL_clear_free((void *)p->ops[i].value, p->ops[i].value_size); /* settings may be secrets */
    }
    installation_free(p->installation);
    if (p->generation)
        http_site_unref(&p->generation->site);
    free(p);
}

static bool copy_op(struct kv_op *to, const struct kv_op *from)
{
    *to = *from;
    to->value = NULL;
    to->key = malloc(from->key_size);
    if (to->key)
        memcpy((void *)to->key, from->key, from->key_size);
    if (to->key && from->value_size)
        to->value = OPENSSL_memdup(from->value, from->value_size);
    return to->key && (to->value || from->value_size == 0);
}

/* With one more, the generation's record. NULL: no memory. */
static struct proposal *proposal_new(struct generation *g, const struct kv_op *ops, size_t count)
{
    struct proposal *p = calloc(1, sizeof *p + (count + 1) * sizeof *ops);
    if (!p)
        return NULL;
    generation_record(g, p->record);
    const struct kv_op record = {KV_PUT,    enclave_system.settings, GENERATION_KEY, strlen(GENERATION_KEY),
                                 p->record, sizeof p->record};
    for (bool ok = true; p->count <= count;) {
        ok = copy_op(&p->ops[p->count], p->count < count ? &ops[p->count] : &record);
        p->count++;
        if (!ok) {
            proposal_free(p);
            return NULL;
        }
    }
    http_site_ref(&g->site);
    p->generation = g;
    return p;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void answer(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    bool made = c->status == c->success;
    ENSURE(c->step == CHANGE_OVER && c->status >= 200);
    json_t *body = made ? c->ops->describe(c) : json_pack("{s:s}", "error", c->why);
    if (made &&
        json_object_set_new(body, "generation", json_integer((json_int_t)c->proposal->generation->site.number)) < 0) {
        json_decref(body);
        body = NULL;
    }
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    c->done(c->user, text ? c->status : 500, text ? text : "{}");
    free(text);
    json_decref(body);
    proposal_free(c->proposal);
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
    change_fail(c, 503, "the store refused the change (error %d): nothing was changed", -error);
}

/* ---- on the owner's thread --------------------------------------------------------------------------------------- */

/* It was proposed, and is refused: what write left goes, and change_fail says why. */
static void withdraw(struct change *c, enum change_step from)
{
    step(c, from, CHANGE_WRITES);
    if (from == CHANGE_ATTESTS && c->ops->undo)
        c->ops->undo(c);
}

static void on_installed(void *user)
{
    struct change *c = user;
    loop_check(&enclave_system.owner->loop);
    ENSURE(c->step == CHANGE_INSTALLS);
    c->status = c->success;
    end(c);
}

static void on_committed(void *user, int error)
{
    struct change *c = user;
    struct loop *loop = &enclave_system.owner->loop;
    loop_check(loop);
    if (error < 0) {
        withdraw(c, CHANGE_COMMITS);
        if (error == -ENOTRECOVERABLE)
            change_fail(c, 503, "the store takes no more changes: whether it has this one shows at the next start");
        else
            change_fail_store(c, error);
        return;
    }
    step(c, CHANGE_COMMITS, CHANGE_INSTALLS);
    c->ops->committed(c);
    uint64_t grace_ns = (c->cut_now ? CHANGE_NOW_MS : CHANGE_GRACE_MS) * UINT64_C(1000000);
    struct installation *i = c->proposal->installation;
    c->proposal->installation = NULL;
    installation_begin(i, loop->now_ns + grace_ns, on_installed, c);
}

static void on_attested(void *user, int error, SSL_CTX *tls)
{
    struct change *c = user;
    struct proposal *p = c->proposal;
    loop_check(&enclave_system.owner->loop);
    ENSURE(c->step == CHANGE_ATTESTS && !p->installation);
    p->installation = error == 0 ? installation_new(p->generation, tls) : NULL;
    if (!p->installation) {
        withdraw(c, CHANGE_ATTESTS);
        change_fail(c, 503, "there is no certificate for it (error %d, and the host's log says why): %s",
                    error ? -error : ENOMEM, "nothing was changed");
        return;
    }
    step(c, CHANGE_ATTESTS, CHANGE_COMMITS);
    int refused = kv_commit(enclave_system.owner, p->ops, p->count, on_committed, c);
    if (refused < 0)
        on_committed(c, refused);
}

void change_propose(struct change *c, struct app_table *apps, struct egress_trust *trust,
                    struct administrators *administrators, const struct kv_op *ops, size_t count)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(ops && count > 0 && !c->proposal);
    struct generation *g = apps ? generation_make(generations_next(), apps, trust, administrators) : NULL;
    if (!apps) {
        egress_trust_unref(trust);
        administrators_unref(administrators);
    }
    c->proposal = g ? proposal_new(g, ops, count) : NULL;
    step(c, CHANGE_WRITES, CHANGE_ATTESTS);
    int refused = c->proposal ? attest(g, on_attested, c) : -ENOMEM;
    if (g)
        http_site_unref(&g->site);
    if (refused < 0) {
        withdraw(c, CHANGE_ATTESTS);
        change_fail(c, 503, "no memory is left for it: nothing was changed");
    }
}

static void begin_on_owner(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    loop_check(&enclave_system.owner->loop);
    step(c, CHANGE_PREPARES, CHANGE_WRITES);
    if (c->status)
        end(c); /* prepare said so */
    else if (judge && !judge(c->user, c->why, sizeof c->why))
        change_fail_why(c, 403);
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

void change_judge_by(change_judge by)
{
    ENSURE(!judge);
    judge = by;
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
