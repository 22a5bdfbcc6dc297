/*
 * The operations that who answers has, and the answer as a binary message of known length: the room for a nonce, the
 * status, the fields, the content, whose length is filled in at the end, and the trailers. Nothing of it goes before it
 * is whole, so that any of it can be replaced until then.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/bhttp.h"
#include "common/container.h"
#include "enclave/https/answer.h"
#include "enclave/https/date.h"
#include "enclave/https/fields.h"
#include "enclave/https/head.h"
#include "enclave/https/reason.h"
#include "enclave/ohttp/internal.h"

#define OUT_FIRST 1024u
#define OUT_MOST (OHTTP_ANSWER_MAX + 1024u)
#define WRITTEN_AT_ONCE 32768u /* as over TLS */
#define KNOWN_RESPONSE 1u

static const char too_large[] = "the answer is larger than an encrypted one may be";

static struct inner *of(struct http_exchange *x)
{
    struct inner *i = CONTAINER_OF(x, struct inner, x);
    ENSURE(x->ops == &inner_ops);
    inner_check(i);
    ENSURE(i->state == INNER_ANSWERS);
    return i;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static ssize_t read_body(struct http_exchange *x, void *buf, size_t size)
{
    struct inner *i = of(x);
    if (x->body_max && i->content_size > x->body_max)
        inner_refuse_later(i, 413, "this app takes no body that is so large");
    if (i->refused)
        return i->refused == 413 ? -EMSGSIZE : -EPIPE;
    size_t left = i->content_size - i->content_read;
    size = size < left ? size : left;
    if (size)
        memcpy(buf, i->content + i->content_read, size);
    i->content_read += size;
    return (ssize_t)size;
}

static bool body_ready(struct http_exchange *x)
{
    of(x);
    return true;
}

static size_t trailers(struct http_exchange *x, const struct http_field **fields)
{
    struct inner *i = of(x);
    bool complete = i->content_read == i->content_size;
    *fields = complete ? i->trailers : NULL;
    return complete ? i->trailer_count : 0;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Room for so many bytes more, and for a tag behind them. */
static bool make_room(struct inner *i, size_t size)
{
    size_t wanted = i->out_size + size + OHTTP_TAG_SIZE;
    ENSURE(i->out_size <= i->out_capacity);
    ENSURE(i->out || i->out_capacity == 0);
    if (wanted <= i->out_capacity)
        return true;
    size_t capacity = i->out_capacity ? i->out_capacity : OUT_FIRST;
    while (capacity < wanted)
        capacity *= 2;
    if (capacity > OUT_MOST && wanted <= OUT_MOST)
        capacity = OUT_MOST; /* old and new are charged while one becomes the other */
    uint8_t *grown = charged_realloc(&i->memory, i->out, capacity);
    if (!grown)
        return false;
    i->out = grown;
    i->out_capacity = capacity;
    return true;
}

static size_t lines_size(const struct http_field *fields, size_t count)
{
    size_t size = 0;
    for (size_t k = 0; k < count; k++)
        size += fields[k].name.size + fields[k].value.size + BHTTP_LINE_ROOM;
    return size;
}

static void put_line(struct bytes_writer *w, struct http_text name, struct http_text value)
{
    bhttp_put_line(w, name.data, name.size, value.data, value.size);
}

/* The section's length has four bytes in front, whatever it is. */
static void end_section(struct bytes_writer *w, size_t at)
{
    ENSURE(!w->failed && at + BHTTP_LATER_SIZE <= w->size);
    bhttp_put_later(w->data + at, (uint32_t)(w->size - at - BHTTP_LATER_SIZE));
}

/* What says how long the content is, which over TLS is the framing: for HEAD there is nothing else that does. */
static void put_length(struct bytes_writer *w, int64_t length)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%lld", (long long)length);
    put_line(w, (struct http_text)HTTP_TEXT("content-length"), (struct http_text){text, (size_t)size});
}

static int respond(struct http_exchange *x, int status, const struct http_field *fields, size_t count,
                   int64_t content_length)
{
    struct inner *i = of(x);
    ENSURE(status >= 200 && status <= 599 && !i->responded);
    ENSURE(content_length >= -1 && (fields || count == 0));
    size_t nonce = ohttp_nonce_size(&i->answer), size = nonce + lines_size(fields, count) + 256;
    i->out_size = 0;
    if (size > OHTTP_ANSWER_MAX || !make_room(i, size))
        return -ENOMEM;
    i->out_size = nonce;
    struct bytes_writer w = bytes_writer_make(i->out, i->out_capacity - OHTTP_TAG_SIZE);
    w.size = i->out_size;
    bhttp_put_int(&w, KNOWN_RESPONSE);
    bhttp_put_int(&w, (unsigned)status);
    size_t section = w.size;
    bytes_add(&w, BHTTP_LATER_SIZE);
    for (size_t k = 0; k < count; k++)
        put_line(&w, fields[k].name, fields[k].value);
    struct http_field own[HTTP_HEAD_OWN];
    size_t own_count = http_head_own(x, fields, count, own);
    for (size_t k = 0; k < own_count; k++)
        put_line(&w, own[k].name, own[k].value);
    if (x->head && content_length >= 0)
        put_length(&w, content_length);
    end_section(&w, section);
    i->content_at = w.size;
    bytes_add(&w, BHTTP_LATER_SIZE);
    ENSURE(!w.failed);
    i->out_size = w.size;
    i->responded = true;
    i->no_body = x->head || status == 204 || status == 205 || status == 304;
    i->length = content_length;
    i->written = 0;
    return 0;
}

/* They would come with the answer. */
static int inform(struct http_exchange *x, int status, const struct http_field *fields, size_t count)
{
    (void)fields, (void)count;
    return of(x)->responded || status < 100 || status == 101 || status > 199 ? -EINVAL : 0;
}

static size_t write_space(struct http_exchange *x)
{
    of(x);
    return WRITTEN_AT_ONCE; /* what is too much, the write tells */
}

/* It fits, and there is memory. */
static bool put_content(struct inner *i, const void *data, size_t size)
{
    if (i->no_body || size == 0)
        return true;
    if (!make_room(i, size))
        return false;
    memcpy(i->out + i->out_size, data, size);
    i->out_size += size;
    return true;
}

static ssize_t write_body(struct http_exchange *x, const void *buf, size_t size)
{
    struct inner *i = of(x);
    ENSURE(i->responded && (buf || size == 0));
    if (i->refused)
        return -EPIPE;
    if (i->length >= 0 && i->written + (int64_t)size > i->length)
        return -EMSGSIZE;
    i->written += (int64_t)size;
    bool fits = i->no_body || (size <= OHTTP_ANSWER_MAX && i->out_size + size <= OHTTP_ANSWER_MAX);
    if (fits && put_content(i, buf, size))
        return (ssize_t)size;
    inner_refuse_later(i, fits ? 503 : 502, fits ? HTTP_NO_MEMORY : too_large);
    return -EPIPE;
}

static void push(struct http_exchange *x)
{
    of(x);
}

/* ---- its end ----------------------------------------------------------------------------------------------------- */

/* Content and trailers have their lengths, and a tag its room. False: no memory. */
static bool complete(struct inner *i, const struct http_field *fields, size_t count)
{
    size_t room = lines_size(fields, count) + BHTTP_LINE_ROOM;
    ENSURE(i->responded && i->content_at + BHTTP_LATER_SIZE <= i->out_size);
    if (i->out_size + room > OHTTP_ANSWER_MAX + OHTTP_NONCE_MAX + BHTTP_LINE_ROOM || !make_room(i, room))
        return false;
    bhttp_put_later(i->out + i->content_at, (uint32_t)(i->out_size - i->content_at - BHTTP_LATER_SIZE));
    struct bytes_writer w = bytes_writer_make(i->out, i->out_capacity - OHTTP_TAG_SIZE);
    w.size = i->out_size;
    size_t section = w.size;
    bytes_add(&w, BHTTP_LATER_SIZE);
    for (size_t k = 0; k < count; k++)
        if (!http_is_no_trailer(fields[k].name))
            put_line(&w, fields[k].name, fields[k].value);
    end_section(&w, section);
    ENSURE(!w.failed);
    i->out_size = w.size + OHTTP_TAG_SIZE;
    return true;
}

/* As RFC 9457 has it, for what RFC 9458 gives a type. */
static int problem_text(const struct inner_refusal *refusal, char out[H1_WHY_MAX])
{
    json_t *body = json_pack("{s:s,s:s}", "type", refusal->problem, "title", refusal->why);
    size_t size = body ? json_dumpb(body, out, H1_WHY_MAX, JSON_COMPACT) : 0;
    json_decref(body);
    return size <= H1_WHY_MAX ? (int)size : 0;
}

static void drop_answer(struct inner *i)
{
    charged_free(i->out);
    i->out = NULL;
    i->out_size = i->out_capacity = 0;
    i->responded = false;
}

void inner_refuse(struct inner *i, const struct inner_refusal *refusal)
{
    char body[H1_WHY_MAX], date[HTTP_DATE_SIZE];
    struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("text/plain; charset=utf-8")},
                                  {HTTP_TEXT("date"), {date, HTTP_DATE_SIZE - 1}}};
    inner_check(i);
    ENSURE(refusal->status >= 400 && refusal->why);
    int size = refusal->problem ? problem_text(refusal, body) : http_refusal_text(refusal->status, refusal->why, body);
    if (refusal->problem)
        fields[0].value = (struct http_text)HTTP_TEXT("application/problem+json");
    http_date_text(refusal->problem ? refusal->clock_s : time(NULL), date);
    drop_answer(i);
    i->refused = 0;
    bool ok = respond(&i->x, refusal->status, fields, 2, size) == 0;
    i->written = size;
    if (!ok || !put_content(i, body, (size_t)size) || !complete(i, NULL, 0))
        drop_answer(i); /* inner_send says so in the clear */
}

static int finish(struct http_exchange *x, const struct http_field *fields, size_t count)
{
    struct inner *i = of(x);
    struct inner_refusal refusal = {.status = i->refused, .why = i->refused_why};
    int error = i->refused ? -EPIPE : 0;
    ENSURE(i->responded);
    if (!i->refused && i->length >= 0 && i->written < i->length && !i->no_body) {
        refusal = (struct inner_refusal){.status = 502, .why = "the answer is shorter than it says"};
        error = -EMSGSIZE;
    } else if (!i->refused && !complete(i, fields, count)) {
        refusal = (struct inner_refusal){.status = 503, .why = HTTP_NO_MEMORY};
        error = -ENOMEM;
    }
    if (refusal.status)
        inner_refuse(i, &refusal);
    inner_send(i);
    return error;
}

static void fail(struct http_exchange *x, int status, const char *why)
{
    struct inner *i = of(x);
    struct inner_refusal refusal = {.status = i->refused ? i->refused : status,
                                    .why = i->refused ? i->refused_why : why};
    inner_refuse(i, &refusal);
    inner_send(i);
}

const struct http_exchange_ops inner_ops = {
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
