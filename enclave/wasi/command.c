/*
 * wasi:cli/run@0.2.x: a command answers one request each time it runs, as a CGI program does (RFC 3875): the body comes
 * on stdin, what it prints is the answer, and its environment says what was asked for. Unlike CGI, stdout is the body
 * alone: a program that was not written for the web need not know that it is there.
 */
#include <errno.h>
#include <stdio.h>

#include "common/ensure.h"
#include "enclave/https/fields.h"
#include "enclave/https/transport.h"
#include "enclave/wasi/internal.h"

/* The answer ---------------------------------------------------------------------------------------------------- */

/* The head, and what was printed before it. length: of the whole body; -1: nobody knows yet. exit_code: the
 * command's. */
static int begin_answer(struct guest *g, int http, int64_t length, int exit_code)
{
    char number[8];
    int digits = snprintf(number, sizeof number, "%d", exit_code);
    const struct http_field fields[] = {
        {HTTP_TEXT("content-type"), HTTP_TEXT("text/plain; charset=utf-8")},
        {HTTP_TEXT("x-exit-status"), {number, (size_t)digits}},
    };
    ENSURE(g->x && !g->responded);
    ENSURE(g->printed || g->printed_size == 0);
    g->responded = true;
    int result = g->x->ops->respond(g->x, http, fields, exit_code ? 2 : 1, length);
    if (result == 0 && g->printed_size > 0)
        result = g->x->ops->write_body(g->x, g->printed, g->printed_size) < 0 ? -EPIPE : 0;
    charged_free(g->printed);
    g->printed = NULL;
    g->printed_size = 0;
    return result;
}

void command_flush(struct guest *g)
{
    if (g->x && !g->responded && g->printed_size > 0)
        begin_answer(g, 200, -1, 0); /* if it fails, writing does as well */
}

void command_make_room(struct guest *g, size_t size)
{
    ENSURE(g->printed_size <= EARLY_SIZE);
    if (size > EARLY_SIZE - g->printed_size)
        command_flush(g);
}

size_t command_space(struct guest *g)
{
    if (g->x && !g->responded && g->printed_size < EARLY_SIZE)
        return EARLY_SIZE - g->printed_size;
    command_flush(g);
    return g->x ? g->x->ops->write_space(g->x) : SCRATCH_SIZE;
}

/* Kept back as long as the command may still fail: then all that it printed comes with the failure. */
static bool keep_back(struct guest *g, const void *data, size_t size)
{
    if (size > EARLY_SIZE - g->printed_size)
        return false;
    if (!g->printed)
        g->printed = charged_alloc(&g->app->memory, EARLY_SIZE);
    if (!g->printed)
        return false;
    memcpy(g->printed + g->printed_size, data, size);
    g->printed_size += size;
    return true;
}

ssize_t command_write(struct guest *g, const void *data, size_t size)
{
    if (!g->x)
        return -EPIPE;
    if (!g->responded && keep_back(g, data, size))
        return (ssize_t)size;
    if (!g->responded && begin_answer(g, 200, -1, 0) != 0)
        return -EPIPE;
    return g->x->ops->write_body(g->x, data, size);
}

void command_end(struct guest *g, int exit_code, int http)
{
    struct http_exchange *x = g->x;
    bool begun = g->responded;
    ENSURE(g->app->command && !g->polling);
    ENSURE(http == 500 || http == 504);
    if (!x)
        return;
    int result = begun ? 0 : begin_answer(g, exit_code ? http : 200, (int64_t)g->printed_size, exit_code);
    g->x = NULL;
    g->finished = true;
    if (result == 0 && (exit_code == 0 || !begun))
        x->ops->finish(x, NULL, 0);
    else
        x->ops->fail(x, 503,
                     "no memory is left for the answer"); /* what was begun is cut, so that nobody takes it for whole */
}

/* The environment ----------------------------------------------------------------------------------------------- */

struct variables {
    struct guest *g;
    char *at, *end; /* where texts are made */
    size_t count;
};

/* What an environment can hold: text in UTF-8, without control characters but tabs. */
static bool is_text(struct http_text value)
{
    const unsigned char *at = (const unsigned char *)value.data, *end = at + value.size;
    while (at < end) {
        unsigned char c = *at++;
        size_t more = c < 0x80                ? 0
                      : c >= 0xc2 && c < 0xe0 ? 1
                      : c >= 0xe0 && c < 0xf0 ? 2
                      : c >= 0xf0 && c < 0xf5 ? 3
                                              : 4;
        if (more > 3 || more > (size_t)(end - at) || (c < ' ' && c != '\t') || c == 0x7f)
            return false;
        /* Too long a form, a surrogate, or beyond the last character: the second byte tells. */
        if ((c == 0xe0 && *at < 0xa0) || (c == 0xed && *at > 0x9f) || (c == 0xf0 && *at < 0x90) ||
            (c == 0xf4 && *at > 0x8f))
            return false;
        for (; more; more--)
            if ((*at++ & 0xc0) != 0x80)
                return false;
    }
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

#define ADD(v, name, value) add(v, name, sizeof name - 1, value)

static void put(struct variables *v, const void *data, size_t size)
{
    ENSURE(size <= (size_t)(v->end - v->at)); /* command_variables has made room for all */
    memcpy(v->at, data, size);
    v->at += size;
}

static int hex(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The target's percent-encodings are whole: it was parsed. At most path.size bytes. */
static struct http_text decoded(struct http_text path, char *to)
{
    size_t size = 0;
    for (size_t i = 0; i < path.size; i++, size++) {
        bool encoded = path.data[i] == '%';
        to[size] = encoded ? (char)(hex(path.data[i + 1]) * 16 + hex(path.data[i + 2])) : path.data[i];
        i += encoded ? 2 : 0;
    }
    return (struct http_text){to, size};
}

const char *command_refuses(const struct http_exchange *x)
{
    struct http_text path = x->request.target.path;
    char *copy = malloc(path.size);
    bool takes = copy && is_text(decoded(path, copy));
    free(copy);
    return takes ? NULL : "a command's path must be UTF-8 without control characters";
}

/* A name that a program could take for another field's is none here: '_' and '-' become the same, and what other
 * characters become is the program's guess. "Proxy" would be taken for a setting by many programs' HTTP clients. */
static bool is_variable(struct http_text name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return !http_name_is(name, "proxy") && !http_name_is(name, "content-length") && !http_name_is(name, "content-type");
}

static bool is_first(const struct http_request *request, size_t at)
{
    struct http_text name = request->fields[at].name, other;
    for (size_t i = 0; i < at; i++) {
        other = request->fields[i].name;
        if (other.size == name.size && memcmp(other.data, name.data, name.size) == 0)
            return false;
    }
    return true;
}

/* HTTP_ and the field's name in capitals; what came in several lines is one value (RFC 3875, section 4.1.18). */
static void add_field(struct variables *v, const struct http_request *request, size_t at)
{
    struct http_text field = request->fields[at].name, name = {v->at, field.size + 5};
    const char *between = http_name_is(field, "cookie") ? "; " : ", ";
    put(v, "HTTP_", 5);
    for (size_t i = 0; i < field.size; i++) {
        char c = field.data[i];
        c = c >= 'a' && c <= 'z' ? (char)(c - 32) : c == '-' ? '_' : c;
        put(v, &c, 1);
    }
    struct http_text value = {v->at, 0};
    for (size_t i = at; i < request->field_count; i++) {
        const struct http_field *same = &request->fields[i];
        if (same->name.size != field.size || memcmp(same->name.data, field.data, field.size) != 0)
            continue;
        if (i > at)
            put(v, between, 2);
        put(v, same->value.data, same->value.size);
    }
    value.size = (size_t)(v->at - value.data);
    add(v, name.data, name.size, value);
}

/* Who was asked, as the client said it, or as a server without a name says it. */
static void add_server(struct variables *v, struct http_text authority)
{
    struct http_text name = HTTP_TEXT("localhost"), port = HTTP_TEXT("443");
    const char *end = authority.data + authority.size, *at = end;
    while (at > authority.data && at[-1] >= '0' && at[-1] <= '9')
        at--;
    bool with_port = at > authority.data && at[-1] == ':';
    if (authority.size)
        name = (struct http_text){authority.data, (size_t)((with_port ? at - 1 : end) - authority.data)};
    if (with_port && at < end)
        port = (struct http_text){at, (size_t)(end - at)};
    ADD(v, "SERVER_NAME", name);
    ADD(v, "SERVER_PORT", port);
}

/* The host's word for who connected; an IPv4 address comes mapped into IPv6. */
static void add_peer(struct variables *v, const char *peer)
{
    static const char mapped[] = "::ffff:";
    bool is_v4 = strncmp(peer, mapped, sizeof mapped - 1) == 0 && strchr(peer, '.');
    peer += is_v4 ? sizeof mapped - 1 : 0;
    ADD(v, "REMOTE_ADDR", ((struct http_text){peer, strlen(peer)}));
}

static void add_content(struct variables *v, const struct http_request *request)
{
    struct http_text type;
    if (http_fields_find(request->fields, request->field_count, "content-type", &type))
        ADD(v, "CONTENT_TYPE", type);
    if (request->content_length <= 0)
        return; /* no body, or one whose length nobody knows yet */
    char digits[24];
    struct http_text length = {v->at,
                               (size_t)snprintf(digits, sizeof digits, "%lld", (long long)request->content_length)};
    put(v, digits, length.size);
    ADD(v, "CONTENT_LENGTH", length);
}

static size_t room_for(const struct http_request *request)
{
    size_t size = request->target.path.size + 24;
    for (size_t i = 0; i < request->field_count; i++)
        size += 5 + request->fields[i].name.size + 2 + request->fields[i].value.size;
    return size;
}

size_t command_variables(struct guest *g)
{
    if (!g->x)
        return 0;
    const struct http_request *request = &g->x->request;
    size_t room = room_for(request);
    struct variables v = {.g = g, .at = guest_buffer(g, room)};
    if (!v.at)
        return 0;
    v.end = v.at + room;
    struct http_text path = decoded(request->target.path, v.at);
    ENSURE(path.size <= room);
    v.at += path.size;
    ADD(&v, "GATEWAY_INTERFACE", HTTP_TEXT("CGI/1.1"));
    ADD(&v, "SERVER_SOFTWARE", HTTP_TEXT("enclave-os"));
    ADD(&v, "SERVER_PROTOCOL", request->minor ? HTTP_TEXT("HTTP/1.1") : HTTP_TEXT("HTTP/1.0"));
    ADD(&v, "REQUEST_METHOD", request->method);
    bool at_root = g->x->transport && g->x->transport->app; /* nothing of the path was cut off */
    ADD(&v, "SCRIPT_NAME", ((struct http_text){g->app->path, at_root ? 0 : strlen(g->app->path)}));
    ADD(&v, "PATH_INFO", path);
    ADD(&v, "QUERY_STRING", request->target.query);
    ADD(&v, "HTTPS", HTTP_TEXT("on"));
    add_server(&v, request->target.authority);
    if (g->x->peer)
        add_peer(&v, g->x->peer);
    add_content(&v, request);
    for (size_t i = 0; i < request->field_count; i++)
        if (is_variable(request->fields[i].name) && is_first(request, i))
            add_field(&v, request, i);
    ENSURE(v.at <= v.end);
    return v.count;
}
