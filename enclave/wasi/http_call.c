/*
 * wasi:http/outgoing-handler@0.2.x, and of wasi:http/types@0.2.x the future and the incoming-response: requests that a
 * guest makes to servers elsewhere.
 *
 * Only HTTPS, only to hosts that the operator listed for the app (settings.h), only under the operator's CA bundle.
 * Redirects are the guest's business. A future's state is 1 once its response was taken, a response's once its body
 * was.
 */
#include <stdio.h>

#include "enclave/wasi/http_error_code.h"
#include "enclave/wasi/http_fields.h"
#include "enclave/wasi/http_outgoing.h"

const char *const http_methods[9] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

/* Where a request goes -------------------------------------------------------------------------------------------- */

struct destination {
    char host[256]; /* without brackets */
    uint16_t port;
};

/* "host", "host:port", "[address]", "[address]:port" (RFC 3986, section 3.2). */
static bool split_authority(const char *authority, struct destination *d)
{
    const char *host = authority, *end = authority + strcspn(authority, ":"), *rest = end;
    if (authority[0] == '[') {
        end = strchr(authority, ']');
        if (!end)
            return false;
        host++;
        rest = end + 1;
    }
    size_t size = (size_t)(end - host), digits = *rest == ':' ? strspn(rest + 1, "0123456789") : 0;
    if (size == 0 || size >= sizeof d->host || (*rest && (*rest != ':' || rest[1 + digits])) || digits > 5)
        return false;
    unsigned long port = digits ? strtoul(rest + 1, NULL, 10) : 443;
    memcpy(d->host, host, size);
    d->host[size] = 0;
    d->port = (uint16_t)port;
    return port > 0 && port <= 65535;
}

static void log_denied(struct guest *g, const char *why, const struct destination *d)
{
    char line[512];
    int size = snprintf(line, sizeof line, "a request to %s port %u is denied: %s", d->host, d->port, why);
    guest_log(g, true, line, (size_t)size);
}

/* 0 or the error that the guest gets. */
static int find_destination(struct guest *g, const struct resource *request, struct destination *d)
{
    resource_check(request);
    ENSURE(request->kind == KIND_OUTGOING_REQUEST);
    unsigned scheme = request->request.scheme;
    if (request->state == METHOD_CONNECT)
        return ERROR_REQUEST_METHOD_INVALID;
    if (!request->request.authority || !split_authority(request->request.authority, d))
        return ERROR_REQUEST_URI_INVALID;
    const char *why = scheme != SCHEME_NONE && scheme - 1 != SCHEME_HTTPS ? "only https is served"
                      : !g->app->rt->config.dialer                        ? "there are no outgoing connections"
                      : !app_settings_may_connect(g->app->settings, d->host, d->port)
                          ? "the app's setting egress does not list it"
                          : NULL;
    if (why)
        log_denied(g, why, d);
    return why ? ERROR_REQUEST_DENIED : 0;
}

void http_call_drop(struct guest *g, struct resource *part)
{
    if (part->outgoing.call)
        http_call_delete(part->outgoing.call);
    charge_give(&part->outgoing.memory);
    charge_give(&part->outgoing.slot);
}

/* Sending --------------------------------------------------------------------------------------------------------- */

static void on_event(void *user)
{
    guest_wake(user);
}

static struct http_text text_of(const char *text)
{
    return (struct http_text){text, strlen(text)};
}

/* How the body is framed: as the guest says with content-length, or by what is known. */
static int64_t body_length(const struct resource *request, int64_t declared)
{
    const struct resource *body = request->on;
    bool may_be_empty = request->state == METHOD_GET || request->state == 1 /* HEAD */;
    if (!body)
        return may_be_empty ? CALL_NO_BODY : 0;
    if (declared >= 0)
        return declared;
    return body->state == BODY_DONE ? (int64_t)body->body.early_size : CALL_CHUNKED;
}

static struct http_call *start(struct guest *g, struct resource *request, const struct resource *options,
                               const struct destination *d, int64_t declared)
{
    resource_check(request);
    ENSURE(!options || options->kind == KIND_REQUEST_OPTIONS);
    static const uint64_t none[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
    const uint64_t *timeouts = options ? options->timeouts : none;
    struct fields *fields = &request->request.headers->fields;
    const char *path = request->request.path, *method = request->request.method;
    char *target = NULL;
    if (path && path[0] == '?' && asprintf(&target, "/%s", path) < 0)
        return NULL;
    struct http_call_request r = {
        .worker = g->worker,
        .dialer = g->app->rt->config.dialer,
        .site = g->site,
        .keeper = &g->app->keeper,
        .host = d->host,
        .port = d->port,
        .method = text_of(request->state == METHOD_OTHER ? method : http_methods[request->state]),
        .target = text_of(target ? target
                          : path ? path
                                 : "/"),
        .authority = text_of(request->request.authority),
        .fields = fields->items,
        .field_count = fields_without_length(fields),
        .content_length = body_length(request, declared),
        .connect_ns = timeouts[0],
        .first_byte_ns = timeouts[1],
        .between_ns = timeouts[2],
        .on_event = on_event,
        .user = g,
    };
    struct http_call *call = http_call_start(&r);
    free(target);
    return call;
}

/* What was written before the request was sent, and from now on directly. */
static void adopt_body(struct guest *g, struct resource *body, struct resource *part)
{
    struct http_call *call = part->outgoing.call;
    bool whole = body->state == BODY_DONE;
    body->on = resource_keep(part);
    body->state = whole ? BODY_DONE : BODY_LIVE;
    if (body->body.early_size)
        http_call_write(call, body->body.early, body->body.early_size);
    if (whole)
        http_call_finish(call, NULL, 0);
}

static struct resource *call_new(struct guest *g, struct resource *request, const struct resource *options,
                                 const struct destination *d, int64_t declared)
{
    struct resource *part = resource_new(g, KIND_HTTP_CALL);
    if (!part)
        return NULL;
    if (charge_take(&part->outgoing.memory, &g->app->memory, CALL_COST) &&
        charge_take(&part->outgoing.slot, &g->app->calls_out, 1))
        part->outgoing.call = start(g, request, options, d, declared);
    if (part->outgoing.call)
        return part;
    resource_put(g, part);
    return NULL;
}

HOST_FUNC(outgoing_handle)
{
    struct destination d;
    struct resource *request = resource_get(g, &args[0], KIND_OUTGOING_REQUEST), *part = NULL;
    struct resource *options = args[1].word ? resource_get(g, &args[2], KIND_REQUEST_OPTIONS) : NULL;
    if (!request || (args[1].word && !options))
        return guest_trap(g, "not a request");
    int64_t declared = fields_declared_length(&request->request.headers->fields);
    int error = declared == -2 ? ERROR_REQUEST_BODY_SIZE : find_destination(g, request, &d);
    if (!error && !(part = call_new(g, request, options, &d, declared)))
        error = ERROR_CONNECTION_LIMIT;
    struct resource *future = part ? resource_new(g, KIND_FUTURE_INCOMING_RESPONSE) : NULL;
    if (g->trap)
        return HOST_TRAP;
    if (part && request->on)
        adopt_body(g, request->on, part);
    else if (request->on && request->on->state == BODY_EARLY)
        request->on->state = BODY_REFUSED;
    resource_put(g, request);
    resource_put(g, options);
    reply_word(g, error != 0);
    if (error) {
        reply_error_code(g, (enum http_error)error);
        return HOST_DONE;
    }
    future->on = part; /* the future's own reference */
    reply_own(g, future);
    return HOST_DONE;
}

/* The future ------------------------------------------------------------------------------------------------------ */

HOST_FUNC(future_subscribe)
{
    struct resource *future = resource_get(g, &args[0], KIND_FUTURE_INCOMING_RESPONSE);
    struct resource *pollable = future ? pollable_on(g, future) : NULL;
    if (!pollable)
        return guest_trap(g, "not a future");
    reply_own(g, pollable);
    return HOST_DONE;
}

HOST_FUNC(future_get)
{
    struct resource *future = resource_get(g, &args[0], KIND_FUTURE_INCOMING_RESPONSE);
    if (!future)
        return guest_trap(g, "not a future");
    const struct http_call *call = call_of(future);
    bool came = http_call_status(call) != 0;
    reply_word(g, came || http_call_failure(call));
    if (!came && !http_call_failure(call))
        return HOST_DONE;
    reply_word(g, future->state); /* a second get is an error */
    if (future->state)
        return HOST_DONE;
    future->state = 1;
    reply_word(g, !came);
    if (!came) {
        reply_call_failure(g, call);
        return HOST_DONE;
    }
    struct resource *response = resource_new(g, KIND_INCOMING_RESPONSE);
    if (!response)
        return HOST_TRAP;
    response->on = resource_keep(future->on);
    reply_own(g, response);
    return HOST_DONE;
}

/* The response ---------------------------------------------------------------------------------------------------- */

static struct resource *response_of(struct guest *g, const struct slot *handle)
{
    return resource_get(g, handle, KIND_INCOMING_RESPONSE);
}

HOST_FUNC(incoming_response_status)
{
    struct resource *response = response_of(g, &args[0]);
    if (!response)
        return guest_trap(g, "not a response");
    reply_word(g, (uint64_t)http_call_status(call_of(response)));
    return HOST_DONE;
}

HOST_FUNC(incoming_response_headers)
{
    const struct http_field *items;
    struct resource *response = response_of(g, &args[0]);
    if (!response)
        return guest_trap(g, "not a response");
    size_t size = http_call_fields(call_of(response), &items);
    struct resource *headers = fields_received(g, items, size);
    if (!headers)
        return HOST_TRAP;
    reply_own(g, headers);
    return HOST_DONE;
}

HOST_FUNC(incoming_response_consume)
{
    struct resource *response = response_of(g, &args[0]);
    if (!response)
        return guest_trap(g, "not a response");
    reply_word(g, response->state);
    if (response->state)
        return HOST_DONE;
    struct resource *body = resource_new(g, KIND_INCOMING_BODY);
    if (!body)
        return HOST_TRAP;
    response->state = 1;
    body->on = resource_keep(response->on);
    reply_own(g, body);
    return HOST_DONE;
}

enum host_result reply_broken_response(struct guest *g, const struct http_call *call)
{
    struct resource *error = reply_new_error(g, "the response broke off");
    if (!error)
        return HOST_TRAP;
    error->error.http = (uint8_t)(http_error_of(http_call_failure(call)) + 1);
    return HOST_DONE;
}
