/*
 * wasi:http/types@0.2.x: incoming-request, incoming-body and its trailers, for the table in http_types.c.
 *
 * States: an incoming-request is 1 once consumed, an incoming-body once its stream was taken, a future of trailers once
 * they were.
 */
#include "enclave/wasi/http_incoming.h"

#include <errno.h>

#include "enclave/wasi/http_error_code.h"
#include "enclave/wasi/http_fields.h"
#include "enclave/wasi/http_outgoing.h"

struct resource *http_request_new(struct guest *g)
{
    return resource_new(g, KIND_INCOMING_REQUEST);
}

/* incoming-request ---------------------------------------------------------------------------------------------- */

static bool is_request(struct guest *g, const struct slot *handle)
{
    return g->x && resource_get(g, handle, KIND_INCOMING_REQUEST);
}

HOST_FUNC(incoming_request_method)
{
    if (!is_request(g, &args[0]))
        return guest_trap(g, "the request is over");
    http_exchange_check(g->x);
    struct http_text method = g->x->request.method;
    for (size_t i = 0; i < METHOD_OTHER; i++) {
        if (strlen(http_methods[i]) == method.size && memcmp(http_methods[i], method.data, method.size) == 0) {
            reply_word(g, i);
            return HOST_DONE;
        }
    }
    reply_word(g, METHOD_OTHER);
    reply_text(g, method.data, method.size);
    return HOST_DONE;
}

static enum host_result option_text(struct guest *g, struct http_text text)
{
    reply_word(g, text.size > 0);
    if (text.size > 0)
        reply_text(g, text.data, text.size);
    return HOST_DONE;
}

HOST_FUNC(incoming_request_path)
{
    return is_request(g, &args[0]) ? option_text(g, g->x->request.target.whole) : guest_trap(g, "the request is over");
}

HOST_FUNC(incoming_request_authority)
{
    return is_request(g, &args[0]) ? option_text(g, g->x->request.target.authority)
                                   : guest_trap(g, "the request is over");
}

HOST_FUNC(incoming_request_scheme)
{
    reply_word(g, 1);
    reply_word(g, SCHEME_HTTPS);
    return HOST_DONE;
}

HOST_FUNC(incoming_request_headers)
{
    if (!is_request(g, &args[0]))
        return guest_trap(g, "the request is over");
    struct resource *headers = fields_received(g, g->x->request.fields, g->x->request.field_count);
    if (!headers)
        return HOST_TRAP;
    reply_own(g, headers);
    return HOST_DONE;
}

HOST_FUNC(incoming_request_consume)
{
    struct resource *request = resource_get(g, &args[0], KIND_INCOMING_REQUEST);
    if (!request)
        return guest_trap(g, "not a request");
    if (request->state)
        return http_failed(g);
    struct resource *body = resource_new(g, KIND_INCOMING_BODY);
    if (!body)
        return HOST_TRAP;
    request->state = 1;
    reply_word(g, 0);
    reply_own(g, body);
    return HOST_DONE;
}

/* incoming-body, future-trailers -------------------------------------------------------------------------------- */

HOST_FUNC(incoming_body_stream)
{
    struct resource *body = resource_get(g, &args[0], KIND_INCOMING_BODY);
    if (!body)
        return guest_trap(g, "not a body");
    if (body->state)
        return http_failed(g);
    struct resource *stream = resource_new(g, KIND_INPUT_STREAM);
    if (!stream)
        return HOST_TRAP;
    body->state = 1;
    stream->state = STREAM_BODY;
    stream->on = resource_keep(body);
    reply_word(g, 0);
    reply_own(g, stream);
    return HOST_DONE;
}

HOST_FUNC(incoming_body_finish)
{
    struct resource *body = resource_get(g, &args[0], KIND_INCOMING_BODY);
    struct resource *future = resource_new(g, KIND_FUTURE_TRAILERS);
    if (!body || !future)
        return guest_trap(g, "not a body");
    if (call_of(body))
        future->on = resource_keep(body->on);
    resource_put(g, body);
    reply_own(g, future);
    return HOST_DONE;
}

HOST_FUNC(incoming_trailers_subscribe)
{
    struct resource *future = resource_get(g, &args[0], KIND_FUTURE_TRAILERS);
    struct resource *pollable = future ? pollable_on(g, future) : NULL;
    if (!pollable)
        return guest_trap(g, "not trailers");
    reply_own(g, pollable);
    return HOST_DONE;
}

ssize_t incoming_body_read(struct guest *g, struct http_call *call, void *buf, size_t size)
{
    if (call)
        return http_call_read(call, buf, size);
    return g->x ? g->x->ops->read_body(g->x, buf, size) : -ECONNRESET;
}

/* What the guest left of the body is read and dropped: trailers come behind it. */
static ssize_t drain(struct guest *g, struct http_call *call)
{
    void *buf = guest_scratch(g);
    if (!buf)
        return -ENOMEM;
    for (;;) {
        ssize_t got = incoming_body_read(g, call, buf, SCRATCH_SIZE);
        if (got <= 0)
            return got;
    }
}

HOST_FUNC(incoming_trailers_get)
{
    struct resource *future = resource_get(g, &args[0], KIND_FUTURE_TRAILERS);
    if (!future)
        return guest_trap(g, "not trailers");
    struct http_call *call = call_of(future);
    ssize_t left = future->state ? 0 : drain(g, call);
    reply_word(g, left != -EAGAIN);
    if (left == -EAGAIN)
        return HOST_DONE;
    reply_word(g, future->state); /* a second get is an error */
    if (future->state)
        return HOST_DONE;
    future->state = 1;
    reply_word(g, left < 0);
    if (left < 0 && call)
        reply_call_failure(g, call);
    else if (left < 0)
        reply_error_code(g, ERROR_CONNECTION_TERMINATED);
    if (left < 0)
        return HOST_DONE;
    const struct http_field *items;
    size_t found = call ? http_call_trailers(call, &items) : g->x ? g->x->ops->trailers(g->x, &items) : 0;
    reply_word(g, found > 0);
    if (found == 0)
        return HOST_DONE;
    struct resource *trailers = fields_received(g, items, found);
    if (!trailers)
        return HOST_TRAP;
    reply_own(g, trailers);
    return HOST_DONE;
}
