/* See witness.h. */
#include "enclave/witness/witness.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/thread/worker.h"
#include "enclave/witness/ask.h"

#define SECOND_NS UINT64_C(1000000000)

/* A head that is to be proven: what it proves once it is. */
struct mark {
    uint64_t size, epoch, ns;
};

/* A set that must cosign. */
struct voter {
    struct witness_set *set;
    struct witness_quorum quorum;
    struct question *questions[WITNESSES_MAX];
    struct kept {
        uint64_t size;
        size_t line_size;
        char line[WITNESS_LINE_MAX];
    } kept[WITNESSES_MAX]; /* the newest cosignature */
};

struct question {
    struct witnesses *w;
    struct voter *voter; /* NULL: nobody waits for it any more */
    size_t who;
    uint64_t from, size;
    struct witness_ask *ask; /* NULL: its proof is to come */
    size_t checkpoint_size;
    char checkpoint[WITNESS_CHECKPOINT_MAX];
};

struct witnesses {
    struct witness_config config;
    struct loop_timer timer;
    struct loop_task waits_task;
    struct voter *now, *former; /* former: NULL, where none is wanted */
    bool serving, stopped, appending, waited, rests;
    char refused[WITNESS_REASON_SIZE];
    struct mark marks[WITNESS_MARKS_MAX]; /* not proven yet, by size */
    size_t mark_count;
    struct mark proven;
    uint64_t told;          /* what events.reached heard of */
    uint64_t appended_ns;   /* the last state entry was asked for */
    uint64_t not_before_ns; /* one could not be appended: the next try */
    struct mark appending_mark;
    struct witness_wait *waits;
    pthread_mutex_t lock; /* of the report */
    struct report {
        uint64_t head;
        struct mark proven;
        bool stopped;
        struct witness_set *set;
        struct witness_quorum quorum;
    } report;
};

static uint64_t now_of(const struct witnesses *w)
{
    return w->config.worker->loop.now_ns;
}

static void enter(const struct witnesses *w)
{
    ENSURE(w && w->now);
    loop_check(&w->config.worker->loop);
    ENSURE(w->mark_count <= WITNESS_MARKS_MAX);
}

static const struct witness_set *set_of(const struct witnesses *w)
{
    return w->now->set;
}

/* ---- sets -------------------------------------------------------------------------------------------------------- */

static struct voter *voter_new(struct witness_set *set)
{
    struct voter *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->set = witness_set_ref(set);
    witness_quorum_init(&v->quorum, set->count, set->quorum);
    return v;
}

static void question_drop(struct question *q)
{
    q->voter = NULL;
    if (!q->ask)
        return; /* its proof frees it */
    witness_ask_cancel(q->ask);
    free(q);
}

static void drop_questions(struct voter *v)
{
    for (size_t i = 0; v && i < v->set->count; i++) {
        if (v->questions[i])
            question_drop(v->questions[i]);
        v->questions[i] = NULL;
    }
}

static void voter_free(struct voter *v)
{
    drop_questions(v);
    if (v)
        witness_set_unref(v->set);
    free(v);
}

static bool is_possible(const struct witnesses *w)
{
    return witness_quorum_possible(&w->now->quorum) && (!w->former || witness_quorum_possible(&w->former->quorum));
}

uint64_t witnesses_reached(const struct witnesses *w)
{
    enter(w);
    uint64_t now = witness_quorum_reached(&w->now->quorum);
    uint64_t former = w->former ? witness_quorum_reached(&w->former->quorum) : UINT64_MAX;
    return now < former ? now : former;
}

const char *witnesses_refused(const struct witnesses *w)
{
    return w->refused[0] ? w->refused : NULL;
}

/* ---- what they have proven --------------------------------------------------------------------------------------- */

static void publish(struct witnesses *w)
{
    pthread_mutex_lock(&w->lock);
    if (w->report.set != w->now->set) {
        witness_set_unref(w->report.set);
        w->report.set = witness_set_ref(w->now->set);
    }
    w->report.head = w->config.log.size(w->config.log.user);
    w->report.proven = w->proven;
    w->report.stopped = w->stopped;
    w->report.quorum = w->now->quorum;
    pthread_mutex_unlock(&w->lock);
}

/* Whose seconds and commits count: those of the set in force, or, where that is of none, of those before until they
 * have cosigned that. */
static const struct witness_set *bounds_of(const struct witnesses *w)
{
    return set_of(w)->quorum > 0 || !w->former ? set_of(w) : w->former->set;
}

static bool wants(const struct witnesses *w)
{
    return set_of(w)->quorum > 0 || w->former;
}

static void allow(struct witnesses *w)
{
    bool all = !wants(w) || !w->serving;
    w->config.events.allow(w->config.events.user, all          ? UINT64_MAX
                                                  : w->stopped ? 0
                                                               : w->proven.epoch + bounds_of(w)->commits);
}

static uint64_t bound_ns(const struct witnesses *w)
{
    return (uint64_t)bounds_of(w)->seconds * SECOND_NS;
}

static bool too_old(const struct witnesses *w)
{
    return wants(w) && now_of(w) > w->proven.ns + bound_ns(w);
}

static void describe(const struct voter *v, char *text, size_t room)
{
    char says[WITNESS_TEXT_SIZE];
    for (size_t i = 0; i < v->set->count; i++) {
        const struct witness_progress *p = &v->quorum.of[i];
        size_t used = strlen(text);
        witness_wire_text(&p->last, p->last_size, says);
        snprintf(text + used, room - used, "; %s %s", v->set->of[i].name, says);
    }
}

/* Those before a change, who must cosign, too, until it is through. */
static void describe_former(const struct witnesses *w, char *text, size_t room)
{
    size_t used = strlen(text);
    snprintf(text + used, room - used, "; of those before the change, who must cosign, too");
    describe(w->former, text, room);
}

static void stop(struct witnesses *w, const char *why)
{
    w->stopped = true;
    allow(w);
    w->config.events.stop(w->config.events.user, why);
}

static void look_at_bound(struct witnesses *w)
{
    char why[WITNESS_REASON_SIZE];
    enter(w);
    if (!w->serving || w->refused[0])
        return;
    if (too_old(w) && !w->stopped) {
        snprintf(why, sizeof why, "for %u seconds no quorum of witnesses has cosigned a head of the log",
                 bounds_of(w)->seconds);
        describe(w->now, why, sizeof why);
        if (w->former)
            describe_former(w, why, sizeof why);
        stop(w, why);
    } else if (!too_old(w) && w->stopped) {
        w->stopped = false;
        allow(w);
        w->config.events.resume(w->config.events.user);
    }
}

static void look_at_refusal(struct witnesses *w)
{
    if (w->refused[0] || is_possible(w))
        return;
    snprintf(w->refused, sizeof w->refused, "no quorum of witnesses is left that could cosign this log");
    describe(w->now, w->refused, sizeof w->refused);
    if (w->former && !witness_quorum_possible(&w->former->quorum))
        describe_former(w, w->refused, sizeof w->refused);
    if (w->serving)
        stop(w, w->refused);
}

/* The marks that are proven now. */
static void look_at_marks(struct witnesses *w)
{
    uint64_t reached = witnesses_reached(w);
    size_t proven = 0;
    enter(w);
    if (reached == UINT64_MAX)
        return;
    while (proven < w->mark_count && w->marks[proven].size <= reached)
        w->proven = w->marks[proven++];
    memmove(w->marks, w->marks + proven, (w->mark_count - proven) * sizeof *w->marks);
    w->mark_count -= proven;
    if (reached > w->told) {
        w->told = reached;
        w->config.events.reached(w->config.events.user, reached, w->proven.epoch);
    }
    if (proven > 0)
        allow(w);
}

static void add_mark(struct witnesses *w, struct mark mark)
{
    if (w->mark_count == WITNESS_MARKS_MAX) /* what it proves, the next one proves as well, later */
        w->mark_count--;
    w->marks[w->mark_count++] = mark;
}

/* ---- who waits --------------------------------------------------------------------------------------------------- */

static void tell_waits(struct loop_task *task)
{
    struct witnesses *w = CONTAINER_OF(task, struct witnesses, waits_task);
    enter(w);
    bool over = w->refused[0] || w->stopped || w->rests;
    for (struct witness_wait **at = &w->waits, *wait; (wait = *at);) {
        if (!over && witnesses_reached(w) < wait->size) {
            at = &wait->next;
            continue;
        }
        *at = wait->next;
        wait->waits = false;
        wait->fn(wait, witness_quorum_count(&w->now->quorum, wait->size));
        at = &w->waits; /* fn may have done anything */
    }
}

void witnesses_await(struct witnesses *w, struct witness_wait *wait, uint64_t size)
{
    enter(w);
    ENSURE(!wait->waits && wait->fn);
    wait->waits = true;
    wait->size = size;
    wait->next = w->waits;
    w->waits = wait;
    loop_post(&w->config.worker->loop, &w->waits_task);
}

void witnesses_unwait(struct witnesses *w, struct witness_wait *wait)
{
    enter(w);
    for (struct witness_wait **at = &w->waits; *at && wait->waits; at = &(*at)->next)
        if (*at == wait) {
            *at = wait->next;
            wait->waits = false;
            return;
        }
}

void witnesses_describe(const struct witnesses *w, char *text, size_t room)
{
    enter(w);
    describe(w->now, text, room);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static void pump(struct witnesses *w);

/* false: there is nothing yet. */
static bool want_newest(const struct witnesses *w, struct voter *v)
{
    uint64_t size = w->config.log.size(w->config.log.user);
    if (size > 0)
        witness_quorum_want(&v->quorum, size, size - 1);
    return size > 0;
}

static void tell_answer(struct witnesses *w, const struct voter *v, size_t who)
{
    const struct witness_progress *p = &v->quorum.of[who];
    enter(w);
    ENSURE(who < v->set->count);
    char line[WITNESS_TEXT_SIZE + 256], says[WITNESS_TEXT_SIZE], again[64] = "";
    bool correction = p->last.says == WITNESS_SIZE && !p->refused;
    if (p->last.says == WITNESS_COSIGNED || (correction && p->again_ns <= now_of(w)))
        return;
    witness_wire_text(&p->last, p->last_size, says);
    if (p->again_ns > now_of(w))
        snprintf(again, sizeof again, "; it is asked again in %lu s",
                 (unsigned long)((p->again_ns - now_of(w) + SECOND_NS - 1) / SECOND_NS));
    snprintf(line, sizeof line, "witness %s %s. %zu of %u that are needed have cosigned %lu entries%s",
             v->set->of[who].name, says, witness_quorum_count(&v->quorum, v->quorum.wanted), v->quorum.quorum,
             (unsigned long)v->quorum.wanted, again);
    w->config.events.tell(w->config.events.user, true, line);
}

static void on_answer(void *user, const struct witness_answer *a)
{
    struct question *q = user;
    struct witnesses *w = q->w;
    struct voter *v = q->voter;
    size_t who = q->who;
    enter(w);
    ENSURE(v && v->questions[who] == q);
    v->questions[who] = NULL;
    want_newest(w, v); /* it may have heard of that already, from others who ask it */
    witness_quorum_heard(&v->quorum, who, a, now_of(w));
    if (a->says == WITNESS_COSIGNED) {
        v->kept[who].size = q->size;
        v->kept[who].line_size = a->line_size;
        memcpy(v->kept[who].line, a->line, a->line_size);
    }
    free(q);
    tell_answer(w, v, who);
    look_at_refusal(w);
    pump(w);
}

static bool start(struct question *q, const uint8_t (*proof)[32], size_t count)
{
    struct witnesses *w = q->w;
    enter(w);
    ENSURE(q->voter && q->who < q->voter->set->count && !q->ask);
    const struct witness *witness = &q->voter->set->of[q->who];
    const struct witness_asking asking = {.worker = w->config.worker,
                                          .dialer = witness->at.tls ? w->config.tls : w->config.plain,
                                          .witness = witness,
                                          .from = q->from,
                                          .size = q->size,
                                          .proof = proof,
                                          .proof_count = count,
                                          .checkpoint = q->checkpoint,
                                          .checkpoint_size = q->checkpoint_size,
                                          .done = on_answer,
                                          .user = q};
    q->ask = witness_ask_start(&asking);
    return q->ask != NULL;
}

/* There is no memory for it, or no proof: later. */
static void unasked(struct voter *v, size_t who, struct witnesses *w)
{
    v->questions[who] = NULL;
    witness_quorum_unasked(&v->quorum, who, now_of(w));
}

static void on_proof(void *user, int error, const uint8_t (*proof)[32], size_t count)
{
    struct question *q = user;
    struct witnesses *w = q->w;
    if (!q->voter) {
        free(q);
        return;
    }
    enter(w);
    if (error == 0 && start(q, proof, count))
        return;
    unasked(q->voter, q->who, w);
    free(q);
    pump(w);
}

static void ask(struct witnesses *w, struct voter *v, size_t who, uint64_t from)
{
    struct question *q = calloc(1, sizeof *q);
    const struct witness_log *log = &w->config.log;
    bool asked = false;
    enter(w);
    ENSURE(who < v->set->count && !v->questions[who]);
    if (q) {
        *q = (struct question){.w = w, .voter = v, .who = who, .from = from};
        q->checkpoint_size = log->checkpoint(log->user, q->checkpoint, &q->size);
        ENSURE(q->checkpoint_size == 0 || q->size == v->quorum.wanted);
        v->questions[who] = q;
        if (q->checkpoint_size > 0)
            asked = from == 0 || from == q->size ? start(q, NULL, 0)
                                                 : log->prove(log->user, from, q->size, on_proof, q) == 0;
    }
    if (asked)
        return;
    free(q);
    unasked(v, who, w);
}

static void pump_voter(struct witnesses *w, struct voter *v)
{
    uint64_t from;
    size_t who;
    if (!want_newest(w, v))
        return;
    v->quorum.pause_max_ns =
        w->serving && bound_ns(w) / 4 < WITNESS_PAUSE_MAX_NS ? bound_ns(w) / 4 : WITNESS_PAUSE_MAX_NS;
    while (witness_quorum_next(&v->quorum, now_of(w), &who, &from))
        ask(w, v, who, from);
}

/* ---- state entries ----------------------------------------------------------------------------------------------- */

static void on_appended(void *user, int error)
{
    struct witnesses *w = user;
    enter(w);
    ENSURE(w->appending);
    w->appending = false;
    if (error == 0) {
        w->appended_ns = w->appending_mark.ns;
        w->appending_mark.size = w->config.log.size(w->config.log.user);
        add_mark(w, w->appending_mark);
    } else {
        w->not_before_ns = now_of(w) + SECOND_NS;
    }
    pump(w);
}

static bool is_entry_due(const struct witnesses *w)
{
    uint64_t now = now_of(w), half = bound_ns(w) / 2, commits = (bounds_of(w)->commits + 1) / 2;
    uint64_t epoch = w->config.log.epoch(w->config.log.user);
    if (!w->serving || !wants(w) || w->refused[0] || w->appending || now < w->not_before_ns || w->rests)
        return false;
    if (w->mark_count == 0 &&
        (w->stopped || epoch >= w->proven.epoch + commits || (w->waited && epoch > w->proven.epoch)))
        return true; /* by turns: what comes while one is on its way goes with the next */
    return now >= w->appended_ns + half && (!w->stopped || w->mark_count == 0);
}

static void append_state(struct witnesses *w)
{
    const struct witness_log *log = &w->config.log;
    /* The commit that carries it is a later one than the last, and is proven with all before it. */
    w->appending_mark = (struct mark){.epoch = log->epoch(log->user) + 1, .ns = now_of(w)};
    w->waited = false;
    w->appending = true;
    if (log->append(log->user, on_appended, w) < 0) {
        w->appending = false;
        w->not_before_ns = now_of(w) + SECOND_NS;
    }
}

/* Its place in the loop's heap is there from the start: moving it needs no memory. */
static void set_timer(struct witnesses *w)
{
    uint64_t next = witness_quorum_wakes_ns(&w->now->quorum);
    uint64_t former = w->former ? witness_quorum_wakes_ns(&w->former->quorum) : UINT64_MAX;
    next = former < next ? former : next;
    enter(w);
    if (w->serving && wants(w) && !w->refused[0]) {
        uint64_t entry = w->appended_ns + bound_ns(w) / 2, bound = w->proven.ns + bound_ns(w) + 1;
        next = !w->stopped && entry < next && !w->appending ? entry : next;
        next = !w->stopped && bound < next ? bound : next;
        next = w->not_before_ns > now_of(w) && w->not_before_ns < next ? w->not_before_ns : next;
    }
    if (next <= now_of(w))
        next = now_of(w) + SECOND_NS / 100; /* what could not be begun for lack of memory */
    ENSURE(loop_timer_start(&w->config.worker->loop, &w->timer, next) == 0);
}

/* Whatever has happened: see what follows. */
static void pump(struct witnesses *w)
{
    enter(w);
    if (w->rests)
        return;
    look_at_marks(w);
    look_at_bound(w);
    if (is_entry_due(w))
        append_state(w);
    if (!w->refused[0]) {
        pump_voter(w, w->now);
        if (w->former)
            pump_voter(w, w->former);
    }
    set_timer(w);
    publish(w);
    if (w->waits)
        loop_post(&w->config.worker->loop, &w->waits_task);
}

static void on_timer(struct loop_timer *timer)
{
    struct witnesses *w = CONTAINER_OF(timer, struct witnesses, timer);
    ENSURE(loop_timer_start(&w->config.worker->loop, timer, UINT64_MAX) == 0); /* first of all: its place is there */
    enter(w);
    pump(w);
}

/* ---- doors ------------------------------------------------------------------------------------------------------- */

struct witnesses *witnesses_new(const struct witness_config *config)
{
    loop_check(&config->worker->loop);
    ENSURE(config->log.append && config->events.allow);
    struct witnesses *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->config = *config;
    w->timer.fn = on_timer;
    w->waits_task.fn = tell_waits;
    pthread_mutex_init(&w->lock, NULL);
    if (loop_timer_start(&config->worker->loop, &w->timer, UINT64_MAX) == 0)
        return w;
    free(w);
    return NULL;
}

void witnesses_free(struct witnesses *w)
{
    if (!w)
        return;
    ENSURE(!w->waits && !w->appending);
    loop_timer_stop(&w->config.worker->loop, &w->timer);
    voter_free(w->now);
    voter_free(w->former);
    witness_set_unref(w->report.set);
    free(w);
}

int witnesses_are(struct witnesses *w, struct witness_set *set, struct witness_set *former)
{
    loop_check(&w->config.worker->loop);
    struct voter *now = w->now, *before = NULL;
    ENSURE(set);
    if (!now || !witness_set_same(now->set, set))
        now = voter_new(set);
    if (now && former)
        before = w->now && w->now != now && witness_set_same(w->now->set, former) ? w->now : voter_new(former);
    if (!now || (former && !before)) {
        if (now != w->now)
            voter_free(now);
        return -ENOMEM;
    }
    if (w->now && w->now != now && w->now != before)
        voter_free(w->now);
    if (w->former && w->former != before)
        voter_free(w->former);
    w->now = now;
    w->former = before;
    allow(w);
    pump(w);
    return 0;
}

void witnesses_grown(struct witnesses *w)
{
    enter(w);
    pump(w);
}

void witnesses_committed(struct witnesses *w, bool waited)
{
    enter(w);
    w->waited |= waited;
    if (is_entry_due(w))
        pump(w);
}

void witnesses_serve(struct witnesses *w)
{
    enter(w);
    ENSURE(!w->serving && !w->refused[0]);
    const struct witness_log *log = &w->config.log;
    w->serving = true;
    w->proven = (struct mark){log->size(log->user), log->epoch(log->user), now_of(w)};
    w->appended_ns = now_of(w);
    allow(w);
    pump(w);
}

void witnesses_rest(struct witnesses *w)
{
    enter(w);
    w->rests = true;
    drop_questions(w->now);
    drop_questions(w->former);
    ENSURE(loop_timer_start(&w->config.worker->loop, &w->timer, UINT64_MAX) == 0); /* its place is there */
    loop_post(&w->config.worker->loop, &w->waits_task);
}

size_t witnesses_lines(const struct witnesses *w, uint64_t size, char *lines, size_t room)
{
    size_t used = 0;
    enter(w);
    for (size_t i = 0; i < w->now->set->count; i++) {
        const struct kept *k = &w->now->kept[i];
        if (k->size != size || k->line_size == 0 || k->line_size > room - used)
            continue;
        memcpy(lines + used, k->line, k->line_size);
        used += k->line_size;
    }
    return used;
}

/* ---- monitoring -------------------------------------------------------------------------------------------------- */

static uint64_t age_s(uint64_t then_ns, uint64_t now_ns)
{
    return now_ns > then_ns ? (now_ns - then_ns) / SECOND_NS : 0;
}

static json_t *report_of_one(const struct witness_progress *p, uint64_t now_ns)
{
    char says[WITNESS_TEXT_SIZE];
    witness_wire_text(&p->last, p->last_size, says);
    return json_pack("{s:I,s:I,s:I,s:i,s:s}", "cosigned", (json_int_t)p->cosigned, "age_seconds",
                     (json_int_t)(p->cosigned ? age_s(p->cosigned_ns, now_ns) : 0), "failures_total",
                     (json_int_t)p->failures_total, "refused", p->refused, "says", says);
}

/* of: the set's witnesses; taken. */
static json_t *report_of_all(const struct report *r, uint64_t now_ns, json_t *of)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:o}", "quorum", (json_int_t)r->set->quorum, "seconds",
                     (json_int_t)r->set->seconds, "commits", (json_int_t)r->set->commits, "head", (json_int_t)r->head,
                     "proven", (json_int_t)r->proven.size, "proven_epoch", (json_int_t)r->proven.epoch,
                     "proven_age_seconds", (json_int_t)age_s(r->proven.ns, now_ns), "stopped", r->stopped, "witnesses",
                     of);
}

json_t *witnesses_report(struct witnesses *w, uint64_t now_ns)
{
    int error = 0;
    ENSURE(w);
    pthread_mutex_lock(&w->lock);
    const struct report *r = &w->report;
    ENSURE(!r->set || r->set->count <= WITNESSES_MAX);
    json_t *json, *of = json_object();
    for (size_t i = 0; r->set && i < r->set->count && error == 0; i++)
        error = json_object_set_new(of, r->set->of[i].name, report_of_one(&r->quorum.of[i], now_ns));
    if (r->set && r->set->count > 0) {
        json = report_of_all(r, now_ns, of);
    } else {
        json_decref(of);
        json = json_pack("{s:i}", "quorum", 0);
    }
    pthread_mutex_unlock(&w->lock);
    if (error == 0)
        return json;
    json_decref(json);
    return NULL;
}
