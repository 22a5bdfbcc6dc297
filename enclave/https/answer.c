/* See answer.h. */
#include "enclave/https/answer.h"

#include <errno.h>
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

static int put_piece(const char *text, size_t size, void *exchange)
{
    struct http_exchange *x = exchange;
    return x->ops->write_body(x, text, size) == (ssize_t)size ? 0 : -1;
}

static void answer_json(struct http_exchange *x, int status, struct http_text type, struct http_field field,
                        json_t *value)
{
    const struct http_field fields[] = {
        {HTTP_TEXT("content-type"), type},
        {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")},
        field,
    };
    http_exchange_check(x);
    size_t size = value ? json_dumpb(value, NULL, 0, JSON_COMPACT) : 0;
    if (size && x->ops->respond(x, status, fields, field.name.size ? 3 : 2, (int64_t)size) == 0) {
        /* What cannot be written whole breaks off, and so does the connection: finish sees to it. */
        json_dump_callback(value, put_piece, x, JSON_COMPACT);
        x->ops->finish(x, NULL, 0);
    } else {
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
    }
    json_decref(value);
}

void http_answer_value_with(struct http_exchange *x, int status, struct http_field field, json_t *value)
{
    answer_json(x, status, (struct http_text)HTTP_TEXT("application/json"), field, value);
}

void http_answer_problem(struct http_exchange *x, int status, const char *type, const char *title)
{
    json_t *value = json_pack("{s:s,s:s}", "type", type, "title", title);
    answer_json(x, status, (struct http_text)HTTP_TEXT("application/problem+json"), (struct http_field){0}, value);
}

void http_answer_value(struct http_exchange *x, int status, json_t *value)
{
    http_answer_value_with(x, status, (struct http_field){0}, value);
}

void http_answer_options(struct http_exchange *x, const char *methods)
{
    struct http_text names = {methods, strlen(methods)};
    const struct http_field fields[] = {{HTTP_TEXT("allow"), names},
                                        {HTTP_TEXT("access-control-allow-methods"), names},
                                        {HTTP_TEXT("access-control-allow-headers"), HTTP_TEXT("content-type")},
                                        {HTTP_TEXT("access-control-max-age"), HTTP_TEXT("600")}};
    http_exchange_check(x);
    if (x->ops->respond(x, 204, fields, x->shared ? 4 : 1, 0) != 0)
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
    else
        x->ops->finish(x, NULL, 0);
}

bool http_send_pieces(struct http_exchange *x, struct http_pieces *p)
{
    http_exchange_check(x);
    ENSURE(p->data && p->sent <= p->size);
    while (p->sent < p->size) {
        size_t left = p->size - p->sent, space = x->ops->write_space(x);
        ssize_t taken =
            space ? x->ops->write_body(x, (const uint8_t *)p->data + p->sent, left < space ? left : space) : -EAGAIN;
        if (taken == -EAGAIN)
            return false;
        if (taken < 0)
            return true;
        p->sent += (size_t)taken;
    }
    return true;
}

int http_add_numbers(json_t *object, const struct http_number *numbers, size_t count)
{
    ENSURE(numbers || count == 0);
    for (size_t i = 0; i < count; i++)
        if (json_object_set_new(object, numbers[i].name, json_integer((json_int_t)numbers[i].value)) < 0)
            return -ENOMEM;
    return 0;
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
