/*
 * An HTTP/1.1 connection's life: one state machine, run from the worker's loop whenever the transport, the timer or
 * the answerer has news.
 *
 * One request is answered at a time; pipelined ones wait in the input buffer. Buffers exist only while they hold
 * something, so that an idle connection is small.
 */
#include "enclave/https/h1.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct http_limits http_limits_default = {
    .header_bytes = 65536,
    .header_count = 100,
    .buffered_body = 64u << 20,
    .streamed_body = UINT64_C(1) << 40,
    .header_timeout_ms = 30000,
    .idle_timeout_ms = 75000,
    .progress_timeout_ms = 60000,
    .requests = 1000000,
    .min_rate = 240,
    .rate_grace_ms = 20000,
};

void h1_post(struct h1 *c)
{
    if (c->running)
        c->again = true;
    else
        loop_post(&c->x.worker->loop, &c->task);
}

static uint64_t timeout_ns(const struct h1 *c)
{
    const struct http_limits *limits = &c->server->limits;
    uint32_t ms = c->state == H1_IDLE   ? limits->idle_timeout_ms
                  : c->state == H1_HEAD ? limits->header_timeout_ms
                                        : limits->progress_timeout_ms;
    return ms * UINT64_C(1000000);
}

/* ---- the least rate -------------------------------------------------------------------------------------------- */

/* What a client takes leaves here in bursts, however evenly it reads: its TCP says that there is room again when there
 * is much. So with what it took it may earn the time until the next burst. */
#define TAKING_GRACES 3u

static uint64_t grace_ns(const struct h1 *c)
{
    return c->server->limits.rate_grace_ms * UINT64_C(1000000);
}

/* What is left of the credit now. */
static uint64_t pace_left(const struct h1 *c, const struct h1_pace *pace)
{
    uint64_t now = c->x.worker->loop.now_ns, waited = pace->since_ns && now > pace->since_ns ? now - pace->since_ns : 0;
    return pace->credit_ns > waited ? pace->credit_ns - waited : 0;
}

void h1_pace_reset(struct h1 *c)
{
    struct h1_pace fresh = {.credit_ns = grace_ns(c)};
    c->sending = fresh;
    /* Answers before this one that are still to be taken, or were taken fast, count on. */
    if (h1_used(&c->out) == 0 && pace_left(c, &c->taking) < fresh.credit_ns)
        c->taking = fresh;
}

/* Begin or end to wait for the client. */
static void pace_wait(struct h1 *c, struct h1_pace *pace, bool waits)
{
    if (waits == (pace->since_ns != 0))
        return;
    pace->credit_ns = pace_left(c, pace);
    pace->since_ns = waits ? c->x.worker->loop.now_ns : 0;
}

void h1_pace_moved(struct h1 *c, struct h1_pace *pace, size_t size)
{
    if (!c->server->limits.min_rate)
        return;
    uint64_t earned = size * UINT64_C(1000000000) / c->server->limits.min_rate, left = pace_left(c, pace);
    uint64_t most = pace == &c->taking ? grace_ns(c) * TAKING_GRACES : grace_ns(c);
    pace->credit_ns = left + earned < most ? left + earned : most;
    if (pace->since_ns)
        pace->since_ns = c->x.worker->loop.now_ns;
}

/* Who is waited for now? Returns when the first of the credits is used up; UINT64_MAX: nobody's runs. */
static uint64_t pace_deadline(struct h1 *c)
{
    uint64_t deadline = UINT64_MAX;
    if (!c->server->limits.min_rate)
        return deadline;
    bool reads = c->state == H1_DRAIN || (c->state == H1_EXCHANGE && c->wants_body && !c->eof);
    pace_wait(c, &c->sending, reads);
    uint32_t held = c->state == H1_EXCHANGE && c->responded && !c->framed ? c->head_size : 0; /* by the answerer */
    pace_wait(c, &c->taking, h1_used(&c->out) > held && c->state != H1_HEAD);
    struct h1_pace *const paces[] = {&c->sending, &c->taking};
    for (int i = 0; i < 2; i++)
        if (paces[i]->since_ns && paces[i]->since_ns + paces[i]->credit_ns < deadline)
            deadline = paces[i]->since_ns + paces[i]->credit_ns;
    return deadline;
}

/* Too slow for too long: true, and the timer stands for the time when it may become so. */
static bool too_slow(struct h1 *c)
{
    struct loop *loop = &c->x.worker->loop;
    uint64_t deadline = pace_deadline(c);
    if (deadline <= loop->now_ns)
        return true;
    if (deadline < UINT64_MAX && (!c->timer.heap_index || deadline < c->timer.deadline_ns))
        loop_timer_start(loop, &c->timer, deadline);
    return false;
}

/* The timer is moved only when it would fire too late; when it fires too early it starts again. */
void h1_progress(struct h1 *c)
{
    struct loop *loop = &c->x.worker->loop;
    c->timer_wanted_ns = loop->now_ns + timeout_ns(c);
    if (!c->timer.heap_index || c->timer_wanted_ns < c->timer.deadline_ns)
        loop_timer_start(loop, &c->timer, c->timer_wanted_ns);
}

static void on_timer(struct loop_timer *timer)
{
    struct h1 *c = (struct h1 *)((char *)timer - offsetof(struct h1, timer));
    if (too_slow(c)) {
        c->slow = true;
    } else if (c->x.worker->loop.now_ns < c->timer_wanted_ns) {
        if (!timer->heap_index || c->timer_wanted_ns < timer->deadline_ns)
            loop_timer_start(&c->x.worker->loop, timer, c->timer_wanted_ns);
        return;
    } else {
        c->timed_out = true;
    }
    h1_post(c);
}

static void on_ready(struct transport *t, void *user)
{
    h1_post(user);
}

static bool waits(struct transport *t, void *user)
{
    const struct h1 *c = user;
    return c->state != H1_EXCHANGE || c->wants_body || h1_used(&c->out) > 0;
}

int h1_fill(struct h1 *c)
{
    if (c->eof || c->broken)
        return -1;
    if (!c->in)
        c->in = charged_alloc(c->transport->memory, H1_IN_SIZE);
    if (!c->in) {
        c->broken = true;
        return -1;
    }
    if (c->in_start == c->in_end && !c->span_size)
        c->in_start = c->in_end = 0;
    if (c->in_end == H1_IN_SIZE)
        return 0;
    ssize_t got = c->transport->ops->read(c->transport, c->in + c->in_end, H1_IN_SIZE - c->in_end);
    if (got == -EAGAIN)
        return 0;
    if (got <= 0) {
        c->eof = got == 0;
        c->broken = got != 0;
        return -1;
    }
    c->in_end += (uint32_t)got;
    h1_pace_moved(c, &c->sending, (size_t)got);
    if (c->state != H1_HEAD) /* a trickle of header bytes does not buy time */
        h1_progress(c);
    return 1;
}

static void destroy(struct h1 *c)
{
    if (c->state == H1_EXCHANGE && c->x.on_event)
        c->x.on_event(&c->x, HTTP_EVENT_GONE, c->x.user);
    loop_timer_stop(&c->x.worker->loop, &c->timer);
    if (c->broken || c->out.start != c->out.end)
        c->transport->ops->abort(c->transport);
    else
        c->transport->ops->close(c->transport);
    h1_free_head(c);
    h1_release(&c->out);
    h1_release(&c->early);
    charged_free(c->in);
    charged_free(c);
}

static void enter(struct h1 *c, enum h1_state state)
{
    c->state = state;
    h1_progress(c);
}

/* Each step: true if the state changed or there is more to do now. -------------------------------------------- */

/* A client that reads no answers gets no more of them. */
static bool must_read_first(const struct h1 *c)
{
    return h1_used(&c->out) > H1_PIPELINE_MARK;
}

static bool step_idle(struct h1 *c)
{
    if (must_read_first(c))
        return false; /* h1_run flushes, and comes back when that made space */
    if (c->in_start == c->in_end && h1_fill(c) <= 0) {
        if (c->eof || atomic_load_explicit(&c->server->stopping, memory_order_relaxed)) {
            enter(c, H1_CLOSING);
            return true;
        }
        charged_free(c->in);
        c->in = NULL;
        if (c->out.start == c->out.end)
            h1_release(&c->out);
        h1_release(&c->early);
        return false;
    }
    h1_parse_begin(c);
    enter(c, H1_HEAD);
    return true;
}

static void start_exchange(struct h1 *c)
{
    h1_pace_reset(c);
    c->responded = c->framed = c->chunked = c->no_body = false;
    c->wants_body = c->wants_space = false;
    c->length = -1;
    c->written = 0;
    c->early.start = c->early.end = 0;
    c->x.on_event = NULL;
    c->served++;
    atomic_fetch_add_explicit(&c->server->counters.requests, 1, memory_order_relaxed);
    if (c->served >= c->server->limits.requests || atomic_load_explicit(&c->server->stopping, memory_order_relaxed))
        c->keep_alive = false;
    enter(c, H1_EXCHANGE);
    c->server->route(c->server, &c->x);
}

static bool step_head(struct h1 *c)
{
    h1_parse(c);
    if (c->fault) {
        h1_answer_fault(c);
        enter(c, H1_CLOSING);
        return true;
    }
    if (c->lines.in_trailers) {
        /* A bodyless request is complete at once: its message ends without taking input. */
        if (c->x.request.content_length == 0)
            c->message_complete = true;
        start_exchange(c);
        return true;
    }
    int got = h1_fill(c);
    if (got < 0)
        enter(c, H1_CLOSING);
    return got != 0;
}

/* Give the answerer its news. */
static bool step_exchange(struct h1 *c)
{
    h1_fill(c); /* tells whether the client is still there */
    if (c->wants_body && !c->broken && h1_body(c) != -EAGAIN) {
        c->wants_body = false;
        c->x.on_event(&c->x, HTTP_EVENT_BODY, c->x.user);
    }
    if (c->state == H1_EXCHANGE && c->wants_space && c->x.ops->write_space(&c->x) > 0) {
        c->wants_space = false;
        c->x.on_event(&c->x, HTTP_EVENT_SPACE, c->x.user);
    }
    return false;
}

static bool step_drain(struct h1 *c)
{
    int got = h1_body(c);
    c->span_size = 0;
    if (got == -EAGAIN)
        return false;
    if (got <= 0)
        enter(c, got == 0 ? H1_IDLE : H1_CLOSING);
    return true;
}

static void timed_out(struct h1 *c)
{
    c->timed_out = false;
    if (c->state == H1_HEAD) {
        c->fault = H1_SLOW_HEAD;
        h1_answer_fault(c);
        enter(c, H1_CLOSING);
    } else if (c->state == H1_IDLE) {
        enter(c, H1_CLOSING);
    } else if (c->state == H1_EXCHANGE && !c->wants_body && c->out.start == c->out.end) {
        h1_progress(c); /* the answerer is slow, not the client; it has a deadline of its own */
    } else {
        c->broken = true;
    }
}

/* Whether a flush let go on what stood still for want of space: nobody else will tell. */
static bool space_appeared(struct h1 *c, bool stood)
{
    if (c->state == H1_EXCHANGE)
        return c->wants_space && c->x.ops->write_space(&c->x) > 0;
    return c->state == H1_IDLE && stood && !must_read_first(c);
}

/* The client gets another answer than that of who is answering, who lets go of it. */
static void answer_instead(struct h1 *c)
{
    if (c->x.on_event)
        c->x.on_event(&c->x, HTTP_EVENT_GONE, c->x.user);
    c->x.on_event = NULL;
    h1_answer_fault(c);
    enter(c, H1_CLOSING);
}

/* A client that keeps an app waiting lets go of it. */
static void give_up_on(struct h1 *c)
{
    c->slow = false;
    if (c->state != H1_EXCHANGE || c->framed || h1_used(&c->out) > (c->responded ? c->head_size : 0)) {
        c->broken = true;
        return;
    }
    c->fault = H1_SLOW_BODY;
    answer_instead(c);
}

static void h1_run(struct loop_task *task)
{
    struct h1 *c = (struct h1 *)((char *)task - offsetof(struct h1, task));
    c->running = true;
    bool more = true;
    if (c->transport->broken)
        c->broken = true; /* also where a full buffer keeps us from reading, and so from being told */
    else if (c->slow)
        give_up_on(c);
    else if (c->timed_out)
        timed_out(c);
    for (int budget = 64; more && !c->broken && budget > 0; budget--) {
        switch (c->state) {
        case H1_IDLE:
            more = step_idle(c);
            break;
        case H1_HEAD:
            more = step_head(c);
            break;
        case H1_EXCHANGE:
            more = step_exchange(c) || c->state != H1_EXCHANGE;
            break;
        case H1_DRAIN:
            more = step_drain(c);
            break;
        case H1_CLOSING:
            more = false;
            break;
        }
    }
    if (c->state == H1_EXCHANGE && h1_is_refused(c) && !c->broken)
        answer_instead(c);
    bool stood = must_read_first(c);
    h1_flush(c);
    if (space_appeared(c, stood))
        c->again = true;
    c->running = false;
    if (c->broken || (c->state == H1_CLOSING && c->out.start == c->out.end)) {
        destroy(c);
        return;
    }
    if (too_slow(c)) {
        c->slow = true;
        c->again = true;
    }
    if (more || c->again)
        loop_post(&c->x.worker->loop, &c->task);
    c->again = false;
}

void h1_end_exchange(struct h1 *c)
{
    c->x.on_event = NULL;
    /* What is left of the body is no more than H1_DRAIN_MAX if the answer promised to go on, in however many pieces it
     * comes. If not, the host drops what the client still sends. */
    if (!c->keep_alive)
        enter(c, H1_CLOSING);
    else
        enter(c, c->message_complete ? H1_IDLE : H1_DRAIN);
    if (c->message_complete) {
        h1_free_head(c);
        c->span_size = 0;
    }
    h1_post(c);
}

void http_server_init(struct http_server *server, http_router route, struct app_table *apps, uint64_t now_ns)
{
    memset(server, 0, sizeof *server);
    server->limits = http_limits_default;
    server->route = route;
    server->apps = apps;
    server->started_ns = now_ns;
    budget_init(&server->admin_memory, "admin requests", NULL, 2 * server->limits.buffered_body);
}

int http_connection_start(struct http_server *server, struct worker *worker, struct transport *transport)
{
    struct h1 *c = charged_calloc(transport->memory, sizeof *c);
    if (!c) {
        transport->ops->abort(transport);
        return -ENOMEM;
    }
    c->server = server;
    c->transport = transport;
    c->x.ops = &h1_ops;
    c->x.worker = worker;
    c->x.client = transport->identity;
    c->x.peer = transport->peer;
    c->task.fn = h1_run;
    c->timer.fn = on_timer;
    c->out.memory = c->early.memory = c->lines.memory = transport->memory;
    transport->on_ready = on_ready;
    transport->waits = waits;
    transport->user = c;
    atomic_fetch_add_explicit(&server->counters.connections, 1, memory_order_relaxed);
    enter(c, H1_IDLE);
    h1_post(c);
    return 0;
}
