/*
 * wasi:cli/run@0.2.x: a command answers one request each time it runs, as a CGI program does (RFC 3875): the body comes
 * on stdin, what it prints is the answer, and its environment says what was asked for. Unlike CGI, stdout is the body
 * alone: a program that was not written for the web need not know that it is there.
 */
#include <errno.h>

#include "enclave/wasm/internal.h"

/* The answer ---------------------------------------------------------------------------------------------------- */

static int begin_answer(struct guest *g, int64_t length)
{
    static const struct http_field type = {HTTP_TEXT("content-type"), HTTP_TEXT("text/plain; charset=utf-8")};
    if (g->responded)
        return 0;
    g->responded = true;
    return g->x->ops->respond(g->x, 200, &type, 1, length);
}

size_t command_space(struct guest *g)
{
    return g->x ? g->x->ops->write_space(g->x) : SCRATCH_SIZE;
}

ssize_t command_write(struct guest *g, const void *data, size_t size)
{
    if (!g->x || begin_answer(g, -1) != 0)
        return -EPIPE;
    return g->x->ops->write_body(g->x, data, size);
}

void command_finish(struct guest *g)
{
    struct http_exchange *x = g->x;
    if (!x)
        return;
    int status = begin_answer(g, 0);
    g->x = NULL;
    g->finished = true;
    if (status == 0)
        x->ops->finish(x, NULL, 0);
    else
        x->ops->fail(x, 503);
}

/* The environment ----------------------------------------------------------------------------------------------- */

struct variables {
    struct guest *g;
    char *at, *end; /* where names are made */
    size_t count;
};

static bool is_text(struct http_text value)
{
    for (size_t i = 0; i < value.size; i++)
        if ((unsigned char)value.data[i] < ' ' || (unsigned char)value.data[i] >= 0x7f)
            return false;
    return true;
}

static void add(struct variables *v, const char *name, size_t name_size, struct http_text value)
{
    if (!is_text(value))
        return;
    reply_text(v->g, name, name_size);
    reply_text(v->g, value.data, value.size);
    v->count++;
}

/* HTTP_ and the header's name in capitals (RFC 3875, section 4.1.18). "Proxy" would be taken for a setting by many
 * programs' HTTP clients. */
static void add_header(struct variables *v, const struct http_field *field)
{
    size_t size = field->name.size + 5;
    bool proxy = field->name.size == 5 && memcmp(field->name.data, "proxy", 5) == 0;
    if (proxy || size > (size_t)(v->end - v->at))
        return;
    char *name = v->at;
    memcpy(name, "HTTP_", 5);
    for (size_t i = 0; i < field->name.size; i++) {
        char c = field->name.data[i];
        name[5 + i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c == '-' ? '_' : c;
    }
    v->at += size;
    bool content = size == 17 && memcmp(name + 5, "CONTENT_TYPE", 12) == 0;
    if (content || (size == 19 && memcmp(name + 5, "CONTENT_LENGTH", 14) == 0))
        add(v, name + 5, size - 5, field->value);
    else
        add(v, name, size, field->value);
}

#define ADD(v, name, value) add(v, name, sizeof(name) - 1, value)

size_t command_variables(struct guest *g)
{
    char *names = guest_scratch(g);
    if (!g->x || !names)
        return 0;
    const struct http_request *request = &g->x->request;
    struct variables v = {.g = g, .at = names, .end = names + SCRATCH_SIZE};
    ADD(&v, "REQUEST_METHOD", request->method);
    ADD(&v, "SCRIPT_NAME", ((struct http_text){g->app->path, strlen(g->app->path)}));
    ADD(&v, "PATH_INFO", request->target.path); /* as sent: not decoded */
    ADD(&v, "QUERY_STRING", request->target.query);
    ADD(&v, "SERVER_PROTOCOL", HTTP_TEXT("HTTP/1.1"));
    ADD(&v, "SERVER_NAME", request->target.authority);
    ADD(&v, "HTTPS", HTTP_TEXT("on"));
    for (size_t i = 0; i < request->field_count; i++)
        add_header(&v, &request->fields[i]);
    return v.count;
}
