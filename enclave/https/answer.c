/* See answer.h. */
#include "enclave/https/answer.h"

#include <string.h>

#include "common/ensure.h"
#include "enclave/https/fields.h"
#include "enclave/https/reason.h"
#include "enclave/thread/worker.h"

void http_exchange_check(const struct http_exchange *x)
{
    loop_check(&x->worker->loop);
    ENSURE(x->ops && x->ops->respond && x->ops->finish && x->ops->fail);
    ENSURE(x->request.fields || x->request.field_count == 0);
    ENSURE(x->request.content_length >= -1);
    ENSURE(x->request.minor <= 1 && x->site);
}

/* The head of JSON so long. False: there is no memory, and the client was told. */
static bool begin_json(struct http_exchange *x, int status, struct http_field field, size_t size)
{
    const struct http_field fields[] = {
        {HTTP_TEXT("content-type"), HTTP_TEXT("application/json")},
        {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")},
        field,
    };
    http_exchange_check(x);
    if (size && x->ops->respond(x, status, fields, field.name.size ? 3 : 2, (int64_t)size) == 0)
        return true;
    x->ops->fail(x, 503, HTTP_NO_MEMORY);
    return false;
}

static int put_piece(const char *text, size_t size, void *exchange)
{
    struct http_exchange *x = exchange;
    return x->ops->write_body(x, text, size) == (ssize_t)size ? 0 : -1;
}

void http_answer_value_with(struct http_exchange *x, int status, struct http_field field, json_t *value)
{
    size_t size = value ? json_dumpb(value, NULL, 0, JSON_COMPACT) : 0;
    if (begin_json(x, status, field, size)) {
        /* What cannot be written whole breaks off, and so does the connection: finish sees to it. */
        json_dump_callback(value, put_piece, x, JSON_COMPACT);
        x->ops->finish(x, NULL, 0);
    }
    json_decref(value);
}

void http_answer_value(struct http_exchange *x, int status, json_t *value)
{
    http_answer_value_with(x, status, (struct http_field){0}, value);
}

void http_answer_json_with(struct http_exchange *x, int status, struct http_field field, const char *json, size_t size)
{
    ENSURE(json && size > 0);
    if (!begin_json(x, status, field, size))
        return;
    /* Small enough for the output buffer by construction, or it grows. */
    x->ops->write_body(x, json, size);
    x->ops->finish(x, NULL, 0);
}

void http_answer_json(struct http_exchange *x, int status, const char *json, size_t size)
{
    http_answer_json_with(x, status, (struct http_field){0}, json, size);
}

void http_header(const struct http_exchange *x, const char *name, char *out, size_t size)
{
    struct http_text value;
    ENSURE(size > 0);
    out[0] = 0;
    if (http_fields_find(x->request.fields, x->request.field_count, name, &value) && value.size < size) {
        memcpy(out, value.data, value.size);
        out[value.size] = 0;
    }
}

void http_refuse(struct http_exchange *x, int status, const char *why, struct http_field field)
{
    char body[H1_WHY_MAX];
    http_exchange_check(x);
    int size = http_refusal_text(status, why, body);
    struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("text/plain; charset=utf-8")}, field};
    if (x->ops->respond(x, status, fields, 2, size) != 0) {
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    x->ops->write_body(x, body, (size_t)size);
    x->ops->finish(x, NULL, 0);
}
