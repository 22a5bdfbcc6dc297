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
#include "enclave/early/ecall.h"
#include "enclave/kvstore/store.h"
#include "enclave/service/attest.h"
#include "enclave/service/chronicle.h"
#include "enclave/service/authority.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/system.h"
#include "enclave/service/witnessing.h"
#include "enclave/thread/rpc_client.h"

/* Shared with the compiler's thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct change *queue, **queue_end = &queue;
static struct change *preparing; /* by the compiler's thread; NULL: it waits, or has ended */
static struct change_turn *turn; /* that waits for the end of what is under way */
static bool under_way, stopping;
static change_judge judge; /* fixed at boot */

static void step(struct change *c, enum change_step from, enum change_step to)
{
    ENSURE(c->step == from);
    c->step = to;
}

/* ---- what is proposed -------------------------------------------------------------------------------------------- */

/* What is proposed: the next generation, its entry in the history, and what it takes to make it durable and to serve
 * it. */
struct proposal {
    struct history_turn turn; /* first: from the proposal to the transaction's end */
    struct change *change;
    const struct history_append *log; /* of the entry, as long as it is neither made nor given up */
    struct history_head head;         /* of the log with it */
    struct witness_wait wait;         /* for that to be cosigned */
    int witnessed;                    /* by so many; -1: there are no witnesses */
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
    ENSURE(!p->turn.history && !p->log);
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

/* All that is written for it, with its entry, in one transaction. 0: on_committed comes. */
static int commit(struct proposal *p, kv_done on_committed)
{
    struct kv_op *all = history_ops_with(p->log, p->ops, p->count);
    const struct change *c = p->change;
    size_t count = p->count + p->log->count;
    int refused = !all                  ? -ENOMEM
                  : c->beside_count > 0 ? store_commit_beside(enclave_system.store, all, count, c->beside,
                                                              c->beside_count, on_committed, p->change)
                                        : kv_commit(enclave_system.owner, all, count, on_committed, p->change);
    free(all);
    return refused;
}

/* The entry is in the log, or will not be there; others may append. */
static void end_entry(struct proposal *p, bool made)
{
    if (p && p->log && made)
        history_made(&p->turn);
    else if (p && p->log)
        history_abandon(&p->turn);
    if (p && p->turn.history)
        history_turn_end(&p->turn);
    if (p)
        p->log = NULL;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void answer(struct loop_task *task)
{
    struct change *c = CONTAINER_OF(task, struct change, task);
    bool made = c->status == c->success;
    loop_check(&c->asker.worker->loop);
    ENSURE(c->step == CHANGE_OVER && c->status >= 200);
    ENSURE(!made || c->proposal);
    json_t *body = made ? c->ops->describe(c) : json_pack("{s:s}", "error", c->why);
    if (made &&
        (json_object_set_new(body, "generation", json_integer((json_int_t)c->proposal->generation->site.number)) < 0 ||
         json_object_set_new(body, "log", chronicle_json(&c->proposal->head)) < 0 ||
         (c->proposal->witnessed >= 0 &&
          json_object_set_new(body, "witnessed", json_integer(c->proposal->witnessed)) < 0))) {
        json_decref(body);
        body = NULL;
    }
    c->asker.done(c->asker.user, c->status, body);
    proposal_free(c->proposal);
    c->ops->release(c);
}

/* With the lock held: what waits for its turn has it, or the next change. */
static void begin_next(void)
{
    ENSURE(!under_way);
    under_way = turn && !stopping;
    if (under_way)
        loop_post_remote(&enclave_system.owner->loop, &turn->task);
    turn = NULL;
    pthread_cond_signal(&wake);
}

static void end_of_turn(void)
{
    pthread_mutex_lock(&lock);
    ENSURE(under_way);
    under_way = false;
    begin_next();
    pthread_mutex_unlock(&lock);
}

static void run_turn(struct loop_task *task)
{
    struct change_turn *t = CONTAINER_OF(task, struct change_turn, task);
    loop_check(&enclave_system.owner->loop);
    ENSURE(under_way);
    t->run(t);
}

void change_turn_take(struct change_turn *t)
{
    loop_check(&enclave_system.owner->loop);
    t->task.fn = run_turn;
    pthread_mutex_lock(&lock);
    ENSURE(!turn && t->run);
    turn = t;
    if (!under_way)
        begin_next();
    pthread_mutex_unlock(&lock);
}

void change_turn_end(void)
{
    loop_check(&enclave_system.owner->loop);
    end_of_turn();
}

/* Let the next change begin, and answer this one on its own worker. */
static void end(struct change *c)
{
    c->step = CHANGE_OVER;
    generation_parts_release(&c->draft);
    end_of_turn();
    c->task.fn = answer;
    loop_post_remote(&c->asker.worker->loop, &c->task);
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
    end_entry(c->proposal, false);
    loop_timer_stop(&enclave_system.owner->loop, &c->look);
    if (from == CHANGE_ATTESTS && c->ops->undo)
        c->ops->undo(c);
}

static uint64_t drain_ns(void)
{
    uint32_t given_ms = ecall_run_args()->drain_timeout_ms;
    return (given_ms ? given_ms : CHANGE_DRAIN_MS) * UINT64_C(1000000);
}

/* How often an exclusive change looks whether what was before has ended: nothing counts for it meanwhile. */
#define LOOK_NS (10 * UINT64_C(1000000))
/* What was cut has GUEST_GONE_MS (wasm/limits.h) to clean up. Whatever has not ended so long behind that never will. */
#define PATIENCE_NS (60 * UINT64_C(1000000000))

/* A quorum has cosigned its entry, or has not in time. */
static void on_witnessed(struct witness_wait *wait, size_t count)
{
    struct proposal *p = CONTAINER_OF(wait, struct proposal, wait);
    p->witnessed = (int)count;
    end(p->change);
}

static void end_or_wait(struct change *c)
{
    struct loop *loop = &enclave_system.owner->loop;
    loop_check(loop);
    ENSURE(c->step == CHANGE_INSTALLS);
    bool waits = c->asker.exclusive && c->ops->waits(c);
    if (waits && loop->now_ns < c->patience_ns) {
        ENSURE(loop_timer_start(loop, &c->look, loop->now_ns + LOOK_NS) == 0); /* it has a place */
        return;
    }
    if (waits)
        rpc_log(enclave_system.owner->rpc, LOG_WARN, "%s: something of before has not ended, though it was cut",
                c->subject.what);
    loop_timer_stop(loop, &c->look);
    if (c->ops->over)
        c->ops->over(c);
    c->status = c->success;
    c->proposal->wait.fn = on_witnessed;
    if (!witnessing_await(&c->proposal->wait, c->proposal->head.size))
        end(c);
}

static void on_look(struct loop_timer *timer)
{
    struct change *c = CONTAINER_OF(timer, struct change, look);
    ENSURE(loop_timer_start(&enclave_system.owner->loop, timer, UINT64_MAX) == 0); /* its place is still there */
    end_or_wait(c);
}

/* The place of its timer, while failing is allowed. */
static bool reserve_look(struct change *c)
{
    c->look.fn = on_look;
    return !c->asker.exclusive || loop_timer_start(&enclave_system.owner->loop, &c->look, UINT64_MAX) == 0;
}

static void on_installed(void *user)
{
    struct change *c = user;
    c->patience_ns = enclave_system.owner->loop.now_ns + drain_ns() + PATIENCE_NS;
    end_or_wait(c);
}

static void on_committed(void *user, int error)
{
    struct change *c = user;
    struct loop *loop = &enclave_system.owner->loop;
    loop_check(loop);
    ENSURE(c->proposal && c->proposal->installation);
    if (error < 0) {
        withdraw(c, CHANGE_COMMITS);
        if (error == -ENOTRECOVERABLE)
            change_fail(c, 503, "the store takes no more changes: whether it has this one shows at the next start");
        else
            change_fail_store(c, error);
        return;
    }
    step(c, CHANGE_COMMITS, CHANGE_INSTALLS);
    end_entry(c->proposal, true);
    c->ops->committed(c);
    uint64_t cut_ns = c->asker.now ? SITE_CUT_AT_ONCE : loop->now_ns + drain_ns();
    struct installation *i = c->proposal->installation;
    c->proposal->installation = NULL;
    installation_begin(i, cut_ns, on_installed, c);
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
    int refused = commit(p, on_committed);
    if (refused < 0)
        on_committed(c, refused);
}

static void no_memory(struct change *c)
{
    withdraw(c, CHANGE_ATTESTS);
    change_fail(c, 503, "no memory is left for it: nothing was changed");
}

/* The certificate shows the log with the entry in it. */
static void on_turn(struct history_turn *turn)
{
    struct proposal *p = CONTAINER_OF(turn, struct proposal, turn);
    struct change *c = p->change;
    loop_check(&enclave_system.owner->loop);
    ENSURE(c->step == CHANGE_ATTESTS && c->proposal == p && !p->log);
    const struct history_entry entry = chronicle_entry_of(p->generation, &c->subject, c->asker.authors);
    int refused = history_prepare(turn, &entry, 1, &p->log);
    if (refused == 0) {
        p->head = p->log->head;
        refused = attest(p->generation, &p->head, on_attested, c);
    }
    if (refused < 0)
        no_memory(c);
}

void change_propose(struct change *c, const struct kv_op *ops, size_t count)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(ops && count > 0 && !c->proposal);
    step(c, CHANGE_WRITES, CHANGE_ATTESTS);
    struct generation *g = generation_make(generations_next(), &c->draft);
    c->proposal = g && reserve_look(c) ? proposal_new(g, ops, count) : NULL;
    if (g)
        http_site_unref(&g->site);
    if (!c->proposal) {
        no_memory(c);
        return;
    }
    c->proposal->change = c;
    c->proposal->witnessed = -1;
    history_turn_take(enclave_system.history, &c->proposal->turn, on_turn);
}

static bool begin_draft(struct change *c)
{
    struct generation *now = generations_current();
    int error = generation_parts_of(now, &c->draft);
    http_site_unref(&now->site);
    return error == 0;
}

static void begin_on_owner(struct loop_task *task)
{
    struct change *c = CONTAINER_OF(task, struct change, task);
    loop_check(&enclave_system.owner->loop);
    ENSURE(!c->proposal);
    step(c, CHANGE_PREPARES, CHANGE_WRITES);
    if (c->status)
        end(c); /* prepare said so */
    else if (judge && !judge(c->asker.authors, c->why, sizeof c->why))
        change_fail_why(c, 403);
    else if (!begin_draft(c))
        change_fail(c, 503, "no memory is left for it: nothing was changed");
    else
        c->ops->write(c);
}

/* ---- on the compiler's thread ------------------------------------------------------------------------------------ */

/* The next change, or NULL: the enclave stops. With the lock held. */
static struct change *await_change(void)
{
    sgx_stop_if_dead();
    ENSURE(!preparing);
    ENSURE(queue || queue_end == &queue);
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
        ENSURE(preparing == c);
        ENSURE(c->step == CHANGE_PREPARES);
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
    c->asker.done(c->asker.user, 503, json_pack("{s:s}", "error", "the server is stopping: nothing was changed"));
    if (!c->left_preparing)
        c->ops->release(c);
}

static void drop(struct change *c)
{
    c->dropped.fn = answer_dropped;
    loop_post_remote(&c->asker.worker->loop, &c->dropped);
}

void change_ask(struct change *c, const struct change_asker *asker)
{
    loop_check(&asker->worker->loop);
    ENSURE(c->ops && c->success >= 200 && c->subject.what[0]);
    ENSURE(asker->done && asker->authors && asker->authors->count > 0);
    ENSURE(!asker->exclusive || c->ops->waits);
    step(c, CHANGE_NEW, CHANGE_WAITS);
    c->asker = *asker;
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
    ENSURE(queue || queue_end == &queue);
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
        ENSURE(waiting->step == CHANGE_WAITS);
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
