/*
 * An HTTP/1.1 connection's life: one state machine, run from the worker's loop whenever the transport, the timer or
 * the answerer has news.
 *
 * One request is answered at a time; pipelined ones wait in the input buffer. Buffers exist only while they hold
 * something, so that an idle connection is small.
 */
#include "enclave/https/h1_internal.h"
#include "common/container.h"

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

static void on_timer(struct loop_timer *timer)
{
    h1_timer_due(CONTAINER_OF(timer, struct h1, timer));
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

/* What was answered leaves by way of H1_CLOSING, since its site is retired. */
static bool spared(struct transport *t, void *user)
{
    const struct h1 *c = user;
    return c->x.spared && (c->state == H1_EXCHANGE || c->state == H1_CLOSING);
}

/* The only place where the answerer is told anything: from a turn of the loop, and so never inside an operation of its
 * own, since those are below this file. */
static void tell(struct h1 *c, enum http_event event)
{
    ENSURE(c->running && c->state == H1_EXCHANGE);
    ENSURE(event == HTTP_EVENT_GONE || c->x.on_event);
    if (c->x.on_event)
        c->x.on_event(&c->x, event, c->x.user);
}

static void destroy(struct h1 *c)
{
    ENSURE(c->running); /* from its own turn */
    ENSURE(c->broken || c->state == H1_CLOSING);
    if (c->state == H1_EXCHANGE)
        tell(c, HTTP_EVENT_GONE);
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

/* Each step: true if the state changed or there is more to do now. -------------------------------------------- */

/* A client that reads no answers gets no more of them. */
static bool must_read_first(const struct h1 *c)
{
    return h1_used(&c->out) > H1_PIPELINE_MARK;
}

static bool step_idle(struct h1 *c)
{
    ENSURE(c->running && c->state == H1_IDLE);
    ENSURE(c->span_size == 0); /* nothing is left of the last body */
    if (must_read_first(c))
        return false; /* h1_run flushes, and comes back when that made space */
    if (c->in_start == c->in_end && h1_fill(c) <= 0) {
        if (c->eof || atomic_load_explicit(&c->server->stopping, memory_order_relaxed) || h1_idle_is_over(c)) {
            h1_enter(c, H1_CLOSING);
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
    h1_enter(c, H1_HEAD);
    return true;
}

static void start_exchange(struct h1 *c)
{
    ENSURE(c->running && c->state == H1_HEAD);
    h1_pace_reset(c);
    c->responded = c->framed = c->chunked = c->no_body = false;
    c->wants_body = c->wants_space = false;
    c->length = -1;
    c->written = 0;
    c->early.start = c->early.end = 0;
    c->x.on_event = NULL;
    c->x.spared = false;
    c->x.shared = false;
    c->x.body_max = 0; /* another app's, perhaps */
    http_exchange_check(&c->x);
    c->served++;
    http_count(&http_counters_of(c->server, c->x.worker)->requests);
    if (c->served >= c->server->limits.requests || atomic_load_explicit(&c->server->stopping, memory_order_relaxed))
        c->keep_alive = false;
    h1_enter(c, H1_EXCHANGE);
    c->server->route(c->server, &c->x);
}

static bool step_head(struct h1 *c)
{
    ENSURE(c->running && c->state == H1_HEAD);
    ENSURE(c->span_size == 0); /* no body comes before its head */
    h1_parse(c);
    if (c->fault) {
        h1_answer_fault(c);
        h1_enter(c, H1_CLOSING);
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
        h1_enter(c, H1_CLOSING);
    return got != 0;
}

/* Give the answerer its news. */
static bool step_exchange(struct h1 *c)
{
    h1_fill(c); /* tells whether the client is still there */
    if (c->wants_body && !c->broken && h1_body(c) != -EAGAIN) {
        c->wants_body = false;
        tell(c, HTTP_EVENT_BODY);
    }
    if (c->state == H1_EXCHANGE && c->wants_space && c->x.ops->write_space(&c->x) > 0) {
        c->wants_space = false;
        tell(c, HTTP_EVENT_SPACE);
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
        h1_enter(c, got == 0 ? H1_IDLE : H1_CLOSING);
    return true;
}

static void timed_out(struct h1 *c)
{
    ENSURE(c->running && c->timed_out);
    ENSURE(!c->slow); /* which comes first, and says more */
    c->timed_out = false;
    if (c->state == H1_HEAD) {
        c->fault = H1_SLOW_HEAD;
        h1_answer_fault(c);
        h1_enter(c, H1_CLOSING);
    } else if (c->state == H1_IDLE) {
        h1_enter(c, H1_CLOSING);
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
    tell(c, HTTP_EVENT_GONE);
    c->x.on_event = NULL;
    h1_answer_fault(c);
    h1_enter(c, H1_CLOSING);
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
    struct h1 *c = CONTAINER_OF(task, struct h1, task);
    h1_check(c);
    ENSURE(!c->running);
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
    if (c->broken || (c->state == H1_CLOSING && c->out.start == c->out.end)) {
        destroy(c);
        return;
    }
    c->running = false;
    if (h1_too_slow(c)) {
        c->slow = true;
        c->again = true;
    }
    h1_check(c);
    if (more || c->again)
        loop_post(&c->x.worker->loop, &c->task);
    else
        ENSURE(c->timer.heap_index); /* whatever it waits for, it does not wait for ever */
    c->again = false;
}

void http_server_init(struct http_server *server, http_router route, uint64_t now_ns)
{
    ENSURE(server && route);
    memset(server, 0, sizeof *server);
    server->limits = http_limits_default;
    server->route = route;
    server->started_ns = now_ns;
    budget_init(&server->admin_memory, "admin requests", NULL, 2 * server->limits.buffered_body);
}

int http_connection_start(struct http_server *server, struct worker *worker, struct transport *transport)
{
    loop_check(&worker->loop);
    ENSURE(server && server->route && transport && transport->ops && transport->site);
    struct h1 *c = charged_calloc(transport->memory, sizeof *c);
    if (!c) {
        transport->ops->abort(transport);
        return -ENOMEM;
    }
    c->server = server;
    c->transport = transport;
    c->x.ops = &h1_ops;
    c->x.worker = worker;
    c->x.site = transport->site;
    c->x.transport = transport;
    c->x.client = transport->identity;
    c->x.peer = transport->peer;
    c->task.fn = h1_run;
    c->timer.fn = on_timer;
    c->out.memory = c->early.memory = c->lines.memory = transport->memory;
    transport->on_ready = on_ready;
    transport->waits = waits;
    transport->spared = spared;
    transport->user = c;
    http_count(&http_counters_of(server, worker)->connections);
    h1_enter(c, H1_IDLE);
    h1_post(c);
    return 0;
}
