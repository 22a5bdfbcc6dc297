/* See client.h. A call's life, its time-outs, and what it sends. */
#include "enclave/https/client.h"

#include <stdio.h>

#include "common/container.h"
#include "enclave/https/call_internal.h"
#include "enclave/https/fields.h"
#include "enclave/https/kept.h"

/* ---- sending ------------------------------------------------------------------------------------------------ */

static void flush(struct http_call *c)
{
    struct h1_buffer *b = &c->out;
    h1_buffer_check(b);
    if (c->transport && !c->begun && !http_call_is_quiet(c))
        return;
    while (c->transport && !c->write_broken && h1_used(b)) {
        ssize_t sent = c->transport->ops->write(c->transport, b->data + b->start, h1_used(b));
        if (sent == -EAGAIN)
            break;
        if (sent < 0 && !c->begun && http_call_again(c))
            return;
        ENSURE(sent <= (ssize_t)h1_used(b)); /* the transport is ours */
        /* A server that takes no more may still have answered: only reading tells. */
        if (sent < 0)
            c->write_broken = true;
        else
            b->start += (uint32_t)sent;
        c->begun = c->begun || sent > 0;
    }
    bool again = c->reused && c->repeatable; /* it may have to be sent over another one */
    if ((c->write_broken || b->start == b->end) && !again)
        b->start = b->end = 0;
    if (c->transport && !c->write_broken)
        c->transport->ops->flush(c->transport);
}

size_t http_call_space(struct http_call *c)
{
    http_call_check(c);
    if (c->failure || c->write_broken || c->request_complete)
        return CALL_OUT_SIZE; /* the write tells */
    uint32_t used = h1_used(&c->out) + CALL_OUT_RESERVE;
    return used + HTTP_WRITE_MIN > CALL_OUT_SIZE ? 0 : CALL_OUT_SIZE - used;
}

ssize_t http_call_write(struct http_call *c, const void *data, size_t size)
{
    http_call_check(c);
    if (c->failure || c->write_broken || c->request_complete || c->length == CALL_NO_BODY)
        return -EPIPE;
    if (size == 0)
        return 0;
    if (c->length >= 0 && (int64_t)size > c->length - c->written)
        return -EMSGSIZE;
    ENSURE(data);
    if (h1_room(&c->out, size + CALL_OUT_RESERVE) != 0) {
        http_call_fail(c, CALL_NO_MEMORY);
        return -EPIPE;
    }
    if (c->length == CALL_CHUNKED)
        h1_put_chunk(&c->out, data, size);
    else
        h1_put(&c->out, data, size);
    c->written += (int64_t)size;
    if (h1_used(&c->out) > CALL_OUT_SIZE / 2)
        flush(c);
    else
        http_call_post(c);
    return (ssize_t)size;
}

int http_call_finish(struct http_call *c, const struct http_field *trailers, size_t count)
{
    http_call_check(c);
    ENSURE(trailers || count == 0);
    if (c->request_complete || c->failure)
        return 0;
    if (c->length >= 0 && c->written < c->length) {
        http_call_cut(c);
        return -EMSGSIZE;
    }
    if (c->length == CALL_CHUNKED && h1_put_trailers(&c->out, trailers, count) != 0)
        http_call_fail(c, CALL_NO_MEMORY);
    c->request_complete = true;
    http_call_post(c);
    return 0;
}

static int put_head(struct http_call *c, const struct http_call_request *r)
{
    ENSURE(!c->attempt && !c->transport); /* it goes before all else */
    ENSURE(h1_used(&c->out) == 0);
    size_t size = r->method.size + r->target.size + r->authority.size + 160 + h1_fields_size(r->fields, r->field_count);
    if (h1_room(&c->out, size) != 0)
        return -ENOMEM;
    const struct http_field host = {HTTP_TEXT("host"), r->authority};
    char length[48] = "";
    if (r->content_length >= 0)
        snprintf(length, sizeof length, "content-length: %lld\r\n", (long long)r->content_length);
    h1_put(&c->out, r->method.data, r->method.size);
    h1_put_text(&c->out, " ");
    h1_put(&c->out, r->target.data, r->target.size);
    h1_put_text(&c->out, " HTTP/1.1\r\n");
    h1_put_field(&c->out, &host);
    for (size_t i = 0; i < r->field_count; i++)
        h1_put_field(&c->out, &r->fields[i]);
    h1_put_text(&c->out, r->content_length == CALL_CHUNKED ? "transfer-encoding: chunked\r\n" : length);
    h1_put_text(&c->out, c->kept ? "\r\n" : "connection: close\r\n\r\n");
    return 0;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static void call_free(struct http_call *c)
{
    http_call_response_free(c);
    kept_free(c->kept);
    h1_release(&c->out);
    budget_deinit(&c->memory);
    free(c);
}

static void run(struct loop_task *task)
{
    struct http_call *c = CONTAINER_OF(task, struct http_call, task);
    ENSURE(!c->telling); /* whom it tells does not turn the loop */
    if (c->deleted) {
        call_free(c);
        return;
    }
    flush(c);
    if (c->transport)
        http_call_receive(c);
    if (c->failure)
        http_call_let_go(c);
    http_call_check(c);
    c->telling = true;
    c->on_event(c->user);
    c->telling = false;
}

static void on_timer(struct loop_timer *timer)
{
    struct http_call *c = CONTAINER_OF(timer, struct http_call, timer);
    http_call_fail(c, !c->transport ? CALL_CONNECT_TIMEOUT : c->status ? CALL_READ_TIMEOUT : CALL_RESPONSE_TIMEOUT);
    http_call_post(c);
}

struct http_call *http_call_start(const struct http_call_request *r)
{
    loop_check(&r->worker->loop);
    ENSURE(r->dialer && r->host && r->on_event);
    ENSURE(r->content_length >= CALL_NO_BODY && (r->fields || r->field_count == 0));
    struct http_call *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    budget_init(&c->memory, "call", NULL, CALL_MEMORY_MAX);
    c->memory.local = true;
    c->out.memory = c->lines.memory = &c->memory;
    c->worker = r->worker;
    c->dialer = r->dialer;
    c->on_event = r->on_event;
    c->user = r->user;
    c->length = r->content_length;
    c->request_complete = r->content_length == CALL_NO_BODY;
    c->head_request = r->method.size == 4 && memcmp(r->method.data, "HEAD", 4) == 0;
    c->connect_ns = r->connect_ns;
    c->first_byte_ns = r->first_byte_ns;
    c->between_ns = r->between_ns;
    c->task.fn = run;
    c->timer.fn = on_timer;
    http_call_response_init(c);
    if (http_call_place(c, r) != 0 || put_head(c, r) != 0 || !http_call_connect(c, r)) {
        call_free(c);
        return NULL;
    }
    atomic_fetch_add_explicit(&http_call_counters.requests, 1, memory_order_relaxed);
    return c;
}

void http_call_cut(struct http_call *c)
{
    http_call_check(c);
    http_call_fail(c, CALL_TERMINATED);
    http_call_let_go(c);
    http_call_post(c);
}

void http_call_delete(struct http_call *c)
{
    http_call_check(c);
    ENSURE(!c->telling);
    http_call_pass_over(c);
    loop_timer_stop(&c->worker->loop, &c->timer);
    http_call_let_go(c);
    c->deleted = true;
    /* A task that is still queued frees it when its turn comes. */
    if (!atomic_load_explicit(&c->task.queued, memory_order_relaxed))
        call_free(c);
}

enum http_call_failure http_call_failure(const struct http_call *c)
{
    http_call_check(c);
    return c->failure;
}

uint8_t http_call_alert(const struct http_call *c)
{
    http_call_check(c);
    return c->alert;
}
