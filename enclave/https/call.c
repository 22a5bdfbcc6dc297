/* See call_internal.h: what both halves of a call do to it. */
#include "enclave/https/call_internal.h"

struct http_call_counters http_call_counters;

/* Body bytes that nobody has read lie in what the parser has passed. */
static bool span_is_input(const struct http_call *c)
{
    return c->span_size == 0 || (c->in && c->span >= c->in && c->span + c->span_size <= c->in + c->in_start);
}

void http_call_check(const struct http_call *c)
{
    loop_check(&c->worker->loop);
    ENSURE(!c->deleted);
    ENSURE(c->failure <= CALL_NO_MEMORY);
    ENSURE(!c->attempt || !c->transport); /* connecting, connected, or over */
    ENSURE(!c->reused || c->kept);        /* or it could not go over another one */
    ENSURE(c->failure || c->attempt || c->transport || c->message_complete);
    ENSURE(c->in_start <= c->in_end && c->in_end <= CALL_IN_SIZE);
    ENSURE(c->in || c->in_end == 0);
    ENSURE(span_is_input(c));
    h1_buffer_check(&c->out);
    ENSURE(c->length >= CALL_NO_BODY && c->written >= 0);
    ENSURE(c->length < 0 || c->written <= c->length);
    ENSURE(c->status == 0 || c->fields);
}

void http_call_fail(struct http_call *c, enum http_call_failure why)
{
    if (!c->failure) {
        c->failure = why;
        atomic_fetch_add_explicit(&http_call_counters.failures, 1, memory_order_relaxed);
    }
    loop_timer_stop(&c->worker->loop, &c->timer);
}

void http_call_post(struct http_call *c)
{
    loop_post(&c->worker->loop, &c->task);
}

void http_call_limit(struct http_call *c, uint64_t timeout_ns)
{
    struct loop *loop = &c->worker->loop;
    loop_timer_stop(loop, &c->timer);
    if (timeout_ns < UINT64_MAX - loop->now_ns && loop_timer_start(loop, &c->timer, loop->now_ns + timeout_ns) != 0)
        http_call_fail(c, CALL_NO_MEMORY);
}
