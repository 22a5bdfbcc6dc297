/*
 * An HTTP/1.1 connection's clock: when its state has lasted too long, and when its client is slower than the least
 * rate. And its turns: h1_post.
 */
#include "enclave/https/h1_internal.h"

/* Body bytes that nobody has read lie in what the parser has passed. */
static bool span_is_input(const struct h1 *c)
{
    return c->span_size == 0 || (c->in && c->span >= c->in && c->span + c->span_size <= c->in + c->in_start);
}

void h1_check(const struct h1 *c)
{
    loop_check(&c->x.worker->loop);
    ENSURE(c->server && c->transport);
    ENSURE(c->state <= H1_CLOSING);
    ENSURE(c->fault < H1_FAULTS);
    ENSURE(c->state == H1_EXCHANGE || !c->x.on_event);
    ENSURE(c->in_start <= c->in_end && c->in_end <= H1_IN_SIZE);
    ENSURE(c->in || c->in_start == c->in_end);
    ENSURE(span_is_input(c));
    ENSURE(c->method_size <= H1_METHOD_MAX);
    h1_buffer_check(&c->out);
    h1_buffer_check(&c->early);
    ENSURE(!c->framed || c->responded || c->state != H1_EXCHANGE);
    ENSURE(c->state != H1_EXCHANGE || !c->responded || c->framed || c->head_size <= h1_used(&c->out));
    ENSURE(c->length >= -1 && c->written >= 0);
}

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
    uint32_t idle_ms = limits->idle_timeout_ms;
    if (c->served > 0 && http_site_cut_ns(c->x.site) && idle_ms > SITE_RETIRED_IDLE_MS)
        idle_ms = SITE_RETIRED_IDLE_MS;
    uint32_t ms = c->state == H1_IDLE   ? idle_ms
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
    loop_check(&c->x.worker->loop);
    uint64_t deadline = UINT64_MAX;
    if (!c->server->limits.min_rate)
        return deadline;
    bool reads = c->state == H1_DRAIN || (c->state == H1_EXCHANGE && c->wants_body && !c->eof);
    pace_wait(c, &c->sending, reads);
    uint32_t held = c->state == H1_EXCHANGE && c->responded && !c->framed ? c->head_size : 0; /* by the answerer */
    ENSURE(held <= h1_used(&c->out));
    pace_wait(c, &c->taking, h1_used(&c->out) > held && c->state != H1_HEAD);
    struct h1_pace *const paces[] = {&c->sending, &c->taking};
    for (int i = 0; i < 2; i++)
        if (paces[i]->since_ns && paces[i]->since_ns + paces[i]->credit_ns < deadline)
            deadline = paces[i]->since_ns + paces[i]->credit_ns;
    return deadline;
}

/* A connection without a timer would have no end: without memory for one it ends now. */
static void start_timer(struct h1 *c, uint64_t deadline_ns)
{
    if (c->timer.heap_index && c->timer.deadline_ns <= deadline_ns)
        return; /* it fires too early, and is started again then */
    if (loop_timer_start_about(&c->x.worker->loop, &c->timer, deadline_ns) != 0) {
        c->broken = true;
        h1_post(c);
    }
}

bool h1_too_slow(struct h1 *c)
{
    uint64_t deadline = pace_deadline(c);
    if (deadline <= c->x.worker->loop.now_ns)
        return true;
    if (deadline < UINT64_MAX)
        start_timer(c, deadline);
    return false;
}

void h1_progress(struct h1 *c)
{
    c->progress_ns = c->x.worker->loop.now_ns;
    c->timer_wanted_ns = c->progress_ns + timeout_ns(c);
    start_timer(c, c->timer_wanted_ns);
}

bool h1_idle_is_over(struct h1 *c)
{
    ENSURE(c->state == H1_IDLE);
    uint64_t end = c->progress_ns + timeout_ns(c);
    if (end <= c->x.worker->loop.now_ns)
        return true;
    if (end < c->timer_wanted_ns) {
        c->timer_wanted_ns = end;
        start_timer(c, end);
    }
    return false;
}

void h1_timer_due(struct h1 *c)
{
    if (h1_too_slow(c)) {
        c->slow = true;
    } else if (c->x.worker->loop.now_ns < c->timer_wanted_ns) {
        start_timer(c, c->timer_wanted_ns);
        return;
    } else {
        c->timed_out = true;
    }
    h1_post(c);
}

void h1_enter(struct h1 *c, enum h1_state state)
{
    c->state = state;
    h1_progress(c);
}
