/* See call.h: what both halves of a call do to it. */
#include "enclave/https/call.h"

struct http_call_counters http_call_counters;

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
