/*
 * wasi:http/outgoing-handler@0.2.x and what it needs of wasi:http/types: requests that a guest makes.
 *
 * There is no egress yet: a request can be built, and its answer is the error connection-refused.
 */
#include "enclave/wasm/http_outgoing.h"

#include "enclave/wasm/http_error_code.h"
#include "enclave/wasm/http_fields.h"

enum { METHOD_OTHER = 9, METHOD_GET = 0 };
enum { SCHEME_NONE = 0 }; /* else the scheme's position + 1 */

static struct resource *request_of(struct guest *g, const struct slot *handle)
{
    return resource_get(g, handle, KIND_OUTGOING_REQUEST);
}

static enum host_status ok(struct guest *g)
{
    reply_word(g, 0);
    return HOST_DONE;
}

OUTGOING_FUNC(outgoing_new)
{
    struct resource *headers = resource_get(g, &args[0], KIND_FIELDS);
    struct resource *request = resource_new(g, KIND_OUTGOING_REQUEST);
    if (!headers || !request)
        return guest_trap(g, "not fields");
    request->request.headers = headers; /* the guest's handle moves here */
    reply_own(g, request);
    return HOST_DONE;
}

OUTGOING_FUNC(outgoing_body)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    if (request->on) {
        reply_word(g, 1);
        return HOST_DONE;
    }
    struct resource *body = resource_new(g, KIND_OUTGOING_BODY);
    if (!body)
        return HOST_TRAP;
    request->on = resource_keep(body);
    reply_word(g, 0);
    reply_own(g, body);
    return HOST_DONE;
}

OUTGOING_FUNC(outgoing_method)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    reply_word(g, request->state);
    return HOST_DONE;
}

OUTGOING_FUNC(outgoing_set_method)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    if (args[1].word == METHOD_OTHER) { /* not until there is egress */
        reply_word(g, 1);
        return HOST_DONE;
    }
    request->state = (uint8_t)args[1].word;
    return ok(g);
}

static enum host_status get_text(struct guest *g, struct resource *request, const char *text)
{
    if (!request)
        return guest_trap(g, "not a request");
    reply_word(g, text != NULL);
    if (text)
        reply_text(g, text, strlen(text));
    return HOST_DONE;
}

static enum host_status set_text(struct guest *g, char **text, const struct slot *option)
{
    char *copy = NULL;
    if (option->word) {
        copy = option[1].size <= 8192 ? strndup(slot_text(&option[1]), option[1].size) : NULL;
        if (!copy)
            return guest_trap(g, "text too long");
    }
    free(*text);
    *text = copy;
    return ok(g);
}

OUTGOING_FUNC(outgoing_path)
{
    struct resource *request = request_of(g, &args[0]);
    return get_text(g, request, request ? request->request.path : NULL);
}

OUTGOING_FUNC(outgoing_set_path)
{
    struct resource *request = request_of(g, &args[0]);
    return request ? set_text(g, &request->request.path, &args[1]) : guest_trap(g, "not a request");
}

OUTGOING_FUNC(outgoing_authority)
{
    struct resource *request = request_of(g, &args[0]);
    return get_text(g, request, request ? request->request.authority : NULL);
}

OUTGOING_FUNC(outgoing_set_authority)
{
    struct resource *request = request_of(g, &args[0]);
    return request ? set_text(g, &request->request.authority, &args[1]) : guest_trap(g, "not a request");
}

OUTGOING_FUNC(outgoing_scheme)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    reply_word(g, request->request.scheme != SCHEME_NONE);
    if (request->request.scheme != SCHEME_NONE)
        reply_word(g, request->request.scheme - 1u);
    return HOST_DONE;
}

OUTGOING_FUNC(outgoing_set_scheme)
{
    struct resource *request = request_of(g, &args[0]);
    if (!request)
        return guest_trap(g, "not a request");
    if (args[1].word && args[2].word == SCHEME_OTHER) {
        reply_word(g, 1);
        return HOST_DONE;
    }
    request->request.scheme = args[1].word ? (uint8_t)(args[2].word + 1) : SCHEME_NONE;
    return ok(g);
}

OUTGOING_FUNC(outgoing_headers)
{
    struct resource *request = request_of(g, &args[0]);
    struct resource *copy = request ? fields_immutable(g, &request->request.headers->fields) : NULL;
    if (!copy)
        return guest_trap(g, "not a request");
    reply_own(g, copy);
    return HOST_DONE;
}

/* request-options: kept, so that a guest reads back what it set. */

OUTGOING_FUNC(options_new)
{
    struct resource *options = resource_new(g, KIND_REQUEST_OPTIONS);
    if (!options)
        return HOST_TRAP;
    for (int i = 0; i < 3; i++)
        options->timeouts[i] = UINT64_MAX;
    reply_own(g, options);
    return HOST_DONE;
}

static enum host_status get_timeout(struct guest *g, const struct slot *args, int which)
{
    struct resource *options = resource_get(g, &args[0], KIND_REQUEST_OPTIONS);
    if (!options)
        return guest_trap(g, "not options");
    reply_word(g, options->timeouts[which] != UINT64_MAX);
    if (options->timeouts[which] != UINT64_MAX)
        reply_word(g, options->timeouts[which]);
    return HOST_DONE;
}

static enum host_status set_timeout(struct guest *g, const struct slot *args, int which)
{
    struct resource *options = resource_get(g, &args[0], KIND_REQUEST_OPTIONS);
    if (!options)
        return guest_trap(g, "not options");
    options->timeouts[which] = args[1].word ? args[2].word : UINT64_MAX;
    return ok(g);
}

OUTGOING_FUNC(options_get_connect)
{
    return get_timeout(g, args, 0);
}
OUTGOING_FUNC(options_set_connect)
{
    return set_timeout(g, args, 0);
}
OUTGOING_FUNC(options_get_first)
{
    return get_timeout(g, args, 1);
}
OUTGOING_FUNC(options_set_first)
{
    return set_timeout(g, args, 1);
}
OUTGOING_FUNC(options_get_between)
{
    return get_timeout(g, args, 2);
}
OUTGOING_FUNC(options_set_between)
{
    return set_timeout(g, args, 2);
}

OUTGOING_FUNC(future_subscribe)
{
    struct resource *future = resource_get(g, &args[0], KIND_FUTURE_INCOMING_RESPONSE);
    struct resource *pollable = future ? pollable_on(g, future) : NULL;
    if (!pollable)
        return guest_trap(g, "not a future");
    reply_own(g, pollable);
    return HOST_DONE;
}

OUTGOING_FUNC(future_get)
{
    struct resource *future = resource_get(g, &args[0], KIND_FUTURE_INCOMING_RESPONSE);
    if (!future)
        return guest_trap(g, "not a future");
    reply_word(g, 1);
    reply_word(g, future->state); /* a second get is an error */
    if (future->state == 0) {
        reply_word(g, 1);
        reply_word(g, ERROR_CONNECTION_REFUSED);
    }
    future->state = 1;
    return HOST_DONE;
}

OUTGOING_FUNC(outgoing_handle)
{
    struct resource *request = request_of(g, &args[0]);
    struct resource *options = args[1].word ? resource_get(g, &args[2], KIND_REQUEST_OPTIONS) : NULL;
    struct resource *future = resource_new(g, KIND_FUTURE_INCOMING_RESPONSE);
    if (!request || !future)
        return guest_trap(g, "not a request");
    if (request->on && request->on->state == BODY_EARLY)
        request->on->state = BODY_REFUSED;
    resource_put(g, request);
    resource_put(g, options);
    reply_word(g, 0);
    reply_own(g, future);
    return HOST_DONE;
}
