/*
 * Admin requests: the body is gathered within a limit, then the hook answers, now or later.
 */
#include "enclave/https/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "enclave/https/answer.h"
#include "enclave/https/fields.h"
#include "enclave/https/gather.h"

struct http_admin_reply {
    struct http_server *server;
    struct http_exchange *x; /* NULL: the client is gone */
    bool handed_over;        /* to the hook */
    char *method, *path, *publication;
    char authorization[8192];
    char *approvals; /* charged */
    size_t approval_count;
    int64_t asked_s;
    void *kept;              /* whoever answers */
    struct http_gather body; /* charged, as the structure is */
};

static void reply_free(struct http_admin_reply *r)
{
    free(r->method);
    free(r->path);
    free(r->kept);
    charged_free(r->approvals);
    free(r->publication);
    http_gather_free(&r->body);
    charged_free(r);
}

static void reply_check(const struct http_admin_reply *r)
{
    ENSURE(r->server && r->method && r->path);
    ENSURE(r->body.size <= r->body.capacity);
    ENSURE(r->x || r->handed_over); /* else it went with its client */
    if (r->x)
        http_exchange_check(r->x);
}

/* What a status calls for. */
static struct http_field field_for(const struct http_admin_reply *r, int status)
{
    if (status == 401)
        return (struct http_field){HTTP_TEXT("www-authenticate"), HTTP_TEXT(HTTP_CHALLENGE)};
    const char *methods = status == 405 ? r->server->admin->methods(r->server->admin, r->path) : NULL;
    return methods ? (struct http_field){HTTP_TEXT("allow"), {methods, strlen(methods)}} : (struct http_field){0};
}

void http_admin_reply_value(struct http_admin_reply *r, int status, json_t *value)
{
    reply_check(r);
    ENSURE(status >= 200 && status <= 599);
    if (r->x)
        http_answer_value_with(r->x, status, field_for(r, status), value);
    else
        json_decref(value);
    reply_free(r);
}

void http_admin_keep(struct http_admin_reply *r, void *kept)
{
    ENSURE(r->handed_over && !r->kept && kept);
    r->kept = kept;
}

const void *http_admin_kept(const struct http_admin_reply *r)
{
    return r->kept;
}

uint8_t *http_admin_take_body(struct http_admin_reply *r)
{
    uint8_t *body = r->body.data;
    ENSURE(body);
    r->body.data = NULL;
    r->body.size = r->body.capacity = 0;
    return body;
}

static struct http_admin_request request_of(const struct http_admin_reply *r)
{
    return (struct http_admin_request){.method = r->method,
                                       .path = r->path,
                                       .authorization = r->authorization,
                                       .approvals = r->approvals,
                                       .approval_count = r->approval_count,
                                       .publication = r->publication,
                                       .asked_s = r->asked_s,
                                       .site = r->x ? r->x->site : NULL,
                                       .body = r->body.data,
                                       .body_size = r->body.size};
}

#define NO_ADMIN_MEMORY "no memory is left for administrators' requests: others are under way"

/* The body is too long, there is no memory for it, or it broke, of which the connection knows more. */
static void refuse_body(const struct http_server *server, struct http_exchange *x, int status)
{
    char why[128];
    snprintf(why, sizeof why, "the body is longer than %llu bytes, the most that an administrator's request may have",
             (unsigned long long)server->limits.buffered_body);
    x->ops->fail(x, status, status == 413 ? why : status == 503 ? NO_ADMIN_MEMORY : "the body is broken");
}

static void refuse(struct http_admin_reply *r, int status)
{
    refuse_body(r->server, r->x, status);
    reply_free(r);
}

static void hand_over(struct http_admin_reply *r)
{
    struct http_admin_request request = request_of(r);
    reply_check(r);
    ENSURE(!r->handed_over); /* exactly once */
    r->handed_over = true;
    r->x->spared = true; /* what is changed now, who asks must hear, though it may end what this connection shows */
    r->server->admin->handle(r->server->admin, r->x->worker, &request, r);
}

static void gather(struct http_admin_reply *r)
{
    ENSURE(r->x && !r->handed_over); /* its client is there, and the hook has not heard of it */
    int status = http_gather(r->x, &r->body);
    if (status == 0)
        hand_over(r);
    else if (status != HTTP_GATHER_MORE)
        refuse(r, status);
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    struct http_admin_reply *r = user;
    if (event == HTTP_EVENT_GONE) {
        r->x = NULL;
        if (!r->handed_over)
            reply_free(r);
    } else if (event == HTTP_EVENT_BODY && !r->handed_over) {
        gather(r);
    }
}

/* PUT brings a component: without a length it would be taken for an empty one. */
static bool lacks_length(struct http_exchange *x)
{
    char value[32];
    http_header(x, "content-length", value, sizeof value);
    return x->request.method.size == 3 && memcmp(x->request.method.data, "PUT", 3) == 0 &&
           x->request.content_length == 0 && !value[0];
}

static bool is_approval(const struct http_field *field)
{
    return http_name_is(field->name, "enclave-approval");
}

/* The next element of the list that *at is in (RFC 9110, section 5.6.1): size 0 is none. */
static struct http_text next_approval(const char **at, const char *end)
{
    const char *from = *at, *comma = memchr(from, ',', (size_t)(end - from));
    const char *to = comma ? comma : end;
    *at = comma ? comma + 1 : end;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (from < to && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (struct http_text){from, (size_t)(to - from)};
}

/* Their texts, one behind the other, whether each has a field of its own or some share one. False: no memory. */
static bool take_approvals(struct http_admin_reply *r, const struct http_exchange *x)
{
    size_t size = 0;
    http_exchange_check(x);
    for (size_t i = 0; i < x->request.field_count; i++)
        if (is_approval(&x->request.fields[i]))
            size += x->request.fields[i].value.size + 1;
    r->approvals = size ? charged_calloc(&r->server->admin_memory, size) : NULL;
    char *out = r->approvals;
    for (size_t i = 0; i < x->request.field_count && out; i++) {
        const struct http_field *field = &x->request.fields[i];
        const char *at = field->value.data, *end = at + field->value.size;
        while (is_approval(field) && at < end) {
            struct http_text one = next_approval(&at, end);
            if (one.size == 0)
                continue;
            memcpy(out, one.data, one.size);
            out += one.size + 1;
            r->approval_count++;
        }
    }
    ENSURE(!r->approvals || (size_t)(out - r->approvals) <= size);
    return size == 0 || r->approvals;
}

/* False: there are two. */
static bool find_publication(const struct http_exchange *x, struct http_text *value)
{
    value->data = NULL;
    return http_fields_find(x->request.fields, x->request.field_count, "enclave-publication", value) <= 1;
}

void http_admin_start(struct http_server *server, struct http_exchange *x)
{
    http_exchange_check(x);
    ENSURE(!x->on_event); /* nobody answers it yet */
    if (!server->admin) {
        x->ops->fail(x, 404, "nobody administers this server");
        return;
    }
    if (x->request.content_length > 0 && (uint64_t)x->request.content_length > server->limits.buffered_body) {
        refuse_body(server, x, 413);
        return;
    }
    if (lacks_length(x)) {
        x->ops->fail(x, 411, "PUT without a Content-Length would be taken for an empty body");
        return;
    }
    struct http_text publication;
    if (!find_publication(x, &publication)) {
        x->ops->fail(x, 400, "there is more than one Enclave-Publication");
        return;
    }
    struct http_admin_reply *r = charged_calloc(&server->admin_memory, sizeof *r);
    if (r) {
        r->server = server;
        r->method = strndup(x->request.method.data, x->request.method.size);
        r->path = strndup(x->request.target.whole.data, x->request.target.whole.size);
        r->publication = publication.data ? strndup(publication.data, publication.size) : NULL;
    }
    if (!r || !r->method || !r->path || (publication.data && !r->publication) || !take_approvals(r, x)) {
        if (r)
            reply_free(r);
        refuse_body(server, x, 503);
        return;
    }
    r->x = x;
    r->body = (struct http_gather){.memory = &server->admin_memory, .most = server->limits.buffered_body};
    if (x->request.content_length > 0 && (uint64_t)x->request.content_length <= r->body.most)
        r->body.expected = (size_t)x->request.content_length;
    r->asked_s = time(NULL);
    http_header(x, "authorization", r->authorization, sizeof r->authorization);
    struct http_admin_request request = request_of(r);
    const char *why = "";
    int status = server->admin->admit(server->admin, &request, &why);
    if (status) {
        http_admin_reply_value(r, status, json_pack("{s:s}", "error", why));
        return;
    }
    x->on_event = on_event;
    x->user = r;
    gather(r);
}
