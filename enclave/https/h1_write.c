/*
 * HTTP/1.1 responses: the operations that an answerer has.
 *
 * The head waits for its framing: a body that is complete before anything must be sent gets a content-length, one
 * that is streamed is chunked (or ends with the connection, for HTTP/1.0).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "enclave/https/fields.h"
#include "enclave/https/h1_internal.h"
#include "enclave/https/head.h"
#include "enclave/https/reason.h"

/* The connection whose exchange it is, which is not over. */
static struct h1 *of(struct http_exchange *x)
{
    struct h1 *c = CONTAINER_OF(x, struct h1, x);
    ENSURE(x->ops == &h1_ops);
    h1_check(c);
    ENSURE(c->state == H1_EXCHANGE);
    return c;
}

/* Reading ------------------------------------------------------------------------------------------------------- */

static ssize_t read_some(struct h1 *c, void *buf, size_t size)
{
    ENSURE(c->state == H1_EXCHANGE && size > 0);
    ssize_t got = h1_body_direct(c, buf, size);
    if (got != 0)
        return got;
    got = h1_body(c);
    if (got <= 0)
        return got;
    size_t count = size < c->span_size ? size : c->span_size;
    ENSURE(c->span && count > 0);
    memcpy(buf, c->span, count);
    c->span += count;
    c->span_size -= (uint32_t)count;
    return (ssize_t)count;
}

/* As much as there is: each call of a guest's costs more than its bytes. */
static ssize_t read_body(struct http_exchange *x, void *buf, size_t size)
{
    struct h1 *c = of(x);
    size_t done = 0;
    ssize_t got = 0;
    ENSURE(buf);
    while (done < size && (got = read_some(c, (char *)buf + done, size - done)) > 0)
        done += (size_t)got;
    c->wants_body = done == 0 && got == -EAGAIN;
    return done ? (ssize_t)done : got;
}

static bool body_ready(struct http_exchange *x)
{
    struct h1 *c = of(x);
    c->wants_body = h1_body(c) == -EAGAIN;
    return !c->wants_body;
}

static size_t trailers(struct http_exchange *x, const struct http_field **fields)
{
    return h1_trailers(of(x), fields);
}

/* Writing ------------------------------------------------------------------------------------------------------- */

static int put_response(struct h1 *c, int status, const struct http_field *fields, size_t count, int64_t content_length)
{
    ENSURE(!c->responded && content_length >= -1);
    ENSURE(fields || count == 0);
    if (h1_room(&c->out, 192 + h1_fields_size(fields, count)) != 0)
        return -ENOMEM;
    uint32_t used = h1_used(&c->out);
    char line[64];
    snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    h1_put_text(&c->out, line);
    for (size_t i = 0; i < count; i++)
        h1_put_field(&c->out, &fields[i]);
    struct http_field own[HTTP_HEAD_OWN];
    size_t own_count = http_head_own(&c->x, fields, count, own);
    for (size_t i = 0; i < own_count; i++)
        h1_put_field(&c->out, &own[i]);
    c->head_size = h1_used(&c->out) - used;
    c->responded = true;
    c->length = content_length;
    c->no_body = status == 204 || status == 205 || status == 304;
    c->empty = status == 205;
    c->status = (uint16_t)status;
    return 0;
}

static int respond(struct http_exchange *x, int status, const struct http_field *fields, size_t count,
                   int64_t content_length)
{
    ENSURE(status >= 200 && status <= 599);
    return put_response(of(x), status, fields, count, content_length);
}

/* What the output takes, beside what the client has not read yet: at least HTTP_WRITE_MIN, or 0 until it reads. */
static size_t out_space(struct h1 *c)
{
    uint32_t used = h1_used(&c->out);
    if (used + H1_OUT_RESERVE + HTTP_WRITE_MIN > H1_OUT_SIZE) {
        c->wants_space = true;
        return 0;
    }
    return H1_OUT_SIZE - used - H1_OUT_RESERVE;
}

static int inform(struct http_exchange *x, int status, const struct http_field *fields, size_t count)
{
    struct h1 *c = of(x);
    char line[64];
    if (c->responded || status < 100 || status == 101 || status > 199)
        return -EINVAL;
    if (c->parser.http_minor == 0 || c->broken || c->fault)
        return 0;
    if (out_space(c) == 0)
        return -EAGAIN;
    if (h1_room(&c->out, sizeof line + 2 + h1_fields_size(fields, count)) != 0)
        return -ENOMEM;
    snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    h1_put_text(&c->out, line);
    /* It has no content, so nothing says how long that is (RFC 9110, section 8.6). */
    for (size_t i = 0; i < count; i++)
        if (!http_name_is(fields[i].name, "content-length"))
            h1_put_field(&c->out, &fields[i]);
    h1_put_text(&c->out, "\r\n");
    h1_flush(c);
    return 0;
}

/* The body's first bytes go behind the finished head. Many are not copied: what stands before them is sent, and their
 * buffer takes the place of the output's, so that a connection never holds them twice. */
static int append_early(struct h1 *c)
{
    char line[16] = "";
    uint32_t size = h1_used(&c->early);
    ENSURE(c->framed && c->responded);
    ENSURE(size > 0 && size <= H1_EARLY_SIZE);
    if (c->chunked)
        snprintf(line, sizeof line, "%x\r\n", size);
    if (h1_room(&c->out, sizeof line) != 0)
        return -ENOMEM;
    h1_put_text(&c->out, line);
    if (size > H1_COPY_MAX)
        h1_flush(c);
    if (h1_used(&c->out) == 0) {
        struct h1_buffer sent = c->out;
        c->out = c->early;
        c->early = sent;
    } else {
        if (h1_room(&c->out, size) != 0)
            return -ENOMEM;
        h1_put(&c->out, c->early.data + c->early.start, size);
    }
    h1_release(&c->early);
    if (!c->chunked)
        return 0;
    if (h1_room(&c->out, 2) != 0)
        return -ENOMEM;
    h1_put_text(&c->out, "\r\n");
    return 0;
}

/* Is so much of the request's body still to come that it will not be read to its end? A client that sends on learns
 * from this answer that the connection ends with it (RFC 9112, section 9.6). */
static bool too_much_is_left(const struct h1 *c)
{
    int64_t length = c->x.request.content_length;
    return !c->message_complete && (length < 0 || (uint64_t)length - c->body_read > H1_DRAIN_MAX);
}

/* Decide how the body ends, finish the head, and append what came of the body so far. */
static int frame(struct h1 *c, bool complete, bool has_trailers)
{
    if (c->framed)
        return 0;
    ENSURE(c->responded);
    ENSURE(c->length < 0 || c->written <= c->length);
    if (h1_room(&c->out, 160) != 0)
        return -ENOMEM;
    if (complete && c->length < 0 && !has_trailers)
        c->length = c->written;
    bool http10 = c->parser.http_minor == 0;
    if (c->empty) {
        h1_put_text(&c->out, "content-length: 0\r\n");
    } else if (c->no_body || (c->x.head && c->length < 0)) {
        /* nothing to frame */
    } else if (c->length >= 0) {
        char line[48];
        snprintf(line, sizeof line, "content-length: %lld\r\n", (long long)c->length);
        h1_put_text(&c->out, line);
    } else if (!http10) {
        h1_put_text(&c->out, "transfer-encoding: chunked\r\n");
        c->chunked = !c->x.head;
    } else {
        c->keep_alive = false;
    }
    /* A body that was announced with "expect" and never asked for may come or not: only closing is unambiguous. */
    if (c->expect_continue || too_much_is_left(c) || http_site_cut_ns(c->x.site))
        c->keep_alive = false;
    if (!c->keep_alive)
        h1_put_text(&c->out, "connection: close\r\n");
    else if (http10)
        h1_put_text(&c->out, "connection: keep-alive\r\n");
    h1_put_text(&c->out, "\r\n");
    c->framed = true;
    http_count(&http_counters_of(c->server, c->x.worker)->responses[c->status / 100 % 6]);
    return h1_used(&c->early) ? append_early(c) : 0;
}

static void push(struct http_exchange *x)
{
    struct h1 *c = of(x);
    if (c->responded && !h1_is_refused(c) && frame(c, false, false) != 0)
        c->broken = true;
    h1_flush(c);
}

static size_t write_space(struct http_exchange *x)
{
    struct h1 *c = of(x);
    if (c->broken || h1_is_refused(c))
        return H1_OUT_SIZE; /* the write tells */
    if (c->responded && !c->framed) {
        /* Beside its head, all that may yet get a length fits; what outgrows it is sent in chunks from now on. */
        uint32_t used = h1_used(&c->out) - c->head_size + h1_used(&c->early);
        if (used + HTTP_WRITE_MIN <= H1_EARLY_SIZE)
            return H1_EARLY_SIZE - used;
        push(x);
    }
    return c->broken ? H1_OUT_SIZE : out_space(c);
}

static ssize_t write_body(struct http_exchange *x, const void *buf, size_t size)
{
    struct h1 *c = of(x);
    if (c->broken || h1_is_refused(c))
        return -EPIPE;
    ENSURE(c->responded && (buf || size == 0));
    if (c->length >= 0 && c->written + (int64_t)size > c->length)
        return -EMSGSIZE;
    c->written += (int64_t)size;
    if (c->x.head || c->no_body || size == 0)
        return (ssize_t)size;
    if (!c->framed && c->early.end + size <= H1_EARLY_SIZE && h1_room(&c->early, size) == 0) {
        h1_put(&c->early, buf, size);
        return (ssize_t)size;
    }
    if (frame(c, false, false) != 0 || h1_room(&c->out, size + HTTP_CHUNK_ROOM) != 0) {
        c->broken = true;
        h1_post(c);
        return -EPIPE;
    }
    if (c->chunked)
        h1_put_chunk(&c->out, buf, size);
    else
        h1_put(&c->out, buf, size);
    if (h1_used(&c->out) > H1_OUT_SIZE / 2)
        h1_flush(c);
    return (ssize_t)size;
}

static void end_exchange(struct h1 *c)
{
    ENSURE(c->state == H1_EXCHANGE);
    ENSURE(c->framed || c->broken); /* an answer is whole, or the client notices */
    c->x.on_event = NULL;
    /* What is left of the body is no more than H1_DRAIN_MAX if the answer promised to go on, in however many pieces it
     * comes. If not, the host drops what the client still sends. */
    if (!c->keep_alive)
        h1_enter(c, H1_CLOSING);
    else
        h1_enter(c, c->message_complete ? H1_IDLE : H1_DRAIN);
    if (c->message_complete) {
        h1_free_head(c);
        c->span_size = 0;
    }
    h1_post(c);
}

/* What has come of a body that nobody will read is looked at before it is answered: it may be broken. */
static void look_at_rest(struct h1 *c)
{
    while (!c->framed && !c->fault && !c->message_complete && c->in_start < c->in_end) {
        c->span_size = 0;
        h1_parse(c);
    }
}

static int finish(struct http_exchange *x, const struct http_field *fields, size_t count)
{
    struct h1 *c = of(x);
    int error = 0;
    look_at_rest(c);
    if (h1_is_refused(c)) {
        h1_answer_fault(c);
        error = -EPIPE;
    } else if (c->length >= 0 && c->written < c->length && !c->x.head && !c->no_body) {
        c->broken = true; /* the client must notice that something is missing */
        error = -EMSGSIZE;
    } else if (frame(c, true, count > 0) != 0) {
        c->broken = true;
        error = -ENOMEM;
    } else if (c->chunked) {
        c->broken |= h1_put_trailers(&c->out, fields, count) != 0;
    }
    end_exchange(c);
    return error;
}

/* A whole answer in place of a head that was not sent. */
static void answer_simple(struct h1 *c, int status, const char *why)
{
    char body[H1_WHY_MAX];
    int size = http_refusal_text(status, why, body);
    ENSURE(size > 0 && size < (int)H1_WHY_MAX);
    ENSURE(!c->responded || c->framed || c->head_size <= h1_used(&c->out));
    struct http_field type = {HTTP_TEXT("content-type"), HTTP_TEXT("text/plain; charset=utf-8")};
    if (c->responded && !c->framed)
        c->out.end -= c->head_size;
    c->framed = c->responded = c->chunked = false;
    c->early.start = c->early.end = 0;
    c->written = 0;
    if (put_response(c, status, &type, 1, size) != 0 || frame(c, true, false) != 0 ||
        h1_room(&c->out, (size_t)size) != 0) {
        c->broken = true;
        return;
    }
    if (!c->x.head && !c->no_body)
        h1_put(&c->out, body, (size_t)size);
}

void h1_answer_fault(struct h1 *c)
{
    char why[H1_WHY_MAX];
    const char *syntax = c->fault == H1_BAD_SYNTAX ? llhttp_get_error_reason(&c->parser) : NULL;
    h1_fault_text(c->fault, &c->server->limits, syntax, why, sizeof why);
    c->keep_alive = false;
    answer_simple(c, h1_fault_status(c->fault), why);
}

static void fail(struct http_exchange *x, int status, const char *why)
{
    struct h1 *c = of(x);
    if (c->framed)
        c->broken = true; /* a response that breaks off is cut, so that nobody takes it for complete */
    else if (c->fault)
        h1_answer_fault(c);
    else
        answer_simple(c, status, why);
    end_exchange(c);
}

const struct http_exchange_ops h1_ops = {
    .read_body = read_body,
    .body_ready = body_ready,
    .trailers = trailers,
    .respond = respond,
    .inform = inform,
    .write_space = write_space,
    .write_body = write_body,
    .push = push,
    .finish = finish,
    .fail = fail,
};
