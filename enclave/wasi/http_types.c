/*
 * wasi:http/types@0.2.x: what a guest answers with, and the table of all of the package. The incoming side is in
 * http_incoming.c, requests to elsewhere in http_outgoing.c and http_call.c.
 *
 * Outgoing bodies have states of their own (internal.h).
 */
#include <errno.h>

#include "enclave/wasi/http_error_code.h"
#include "enclave/wasi/http_fields.h"
#include "enclave/wasi/http_incoming.h"
#include "enclave/wasi/http_outgoing.h"
#include "enclave/wasi/internal.h"

struct resource *http_outparam_new(struct guest *g)
{
    return resource_new(g, KIND_RESPONSE_OUTPARAM);
}

/* outgoing-response --------------------------------------------------------------------------------------------- */

static HOST_FUNC(response_new)
{
    struct resource *headers = resource_get(g, &args[0], KIND_FIELDS);
    struct resource *response = resource_new(g, KIND_OUTGOING_RESPONSE);
    if (!headers || !response)
        return guest_trap(g, "not fields");
    response->response.headers = headers; /* the guest's handle moves here */
    response->response.status = 200;
    reply_own(g, response);
    return HOST_DONE;
}

static HOST_FUNC(response_status)
{
    struct resource *response = resource_get(g, &args[0], KIND_OUTGOING_RESPONSE);
    if (!response)
        return guest_trap(g, "not a response");
    reply_word(g, response->response.status);
    return HOST_DONE;
}

static HOST_FUNC(response_set_status)
{
    struct resource *response = resource_get(g, &args[0], KIND_OUTGOING_RESPONSE);
    if (!response)
        return guest_trap(g, "not a response");
    if (args[1].word < 200 || args[1].word > 599)
        return http_failed(g);
    response->response.status = (uint16_t)args[1].word;
    reply_word(g, 0);
    return HOST_DONE;
}

static HOST_FUNC(response_headers)
{
    struct resource *response = resource_get(g, &args[0], KIND_OUTGOING_RESPONSE);
    struct resource *copy = response ? fields_immutable(g, &response->response.headers->fields) : NULL;
    if (!copy)
        return guest_trap(g, "not a response");
    reply_own(g, copy);
    return HOST_DONE;
}

static HOST_FUNC(response_body)
{
    struct resource *response = resource_get(g, &args[0], KIND_OUTGOING_RESPONSE);
    if (!response)
        return guest_trap(g, "not a response");
    if (response->on)
        return http_failed(g);
    struct resource *body = resource_new(g, KIND_OUTGOING_BODY);
    if (!body)
        return HOST_TRAP;
    response->on = resource_keep(body);
    reply_word(g, 0);
    reply_own(g, body);
    return HOST_DONE;
}

/* response-outparam --------------------------------------------------------------------------------------------- */

static void finish_exchange(struct guest *g, const struct fields *trailers)
{
    struct http_exchange *x = g->x;
    ENSURE(x && g->responded && !g->finished);
    g->finished = true;
    g->x = NULL;
    x->ops->finish(x, trailers ? trailers->items : NULL, trailers ? trailers->count : 0);
}

/* The response is set: hand it to the connection, with what the guest has already written of its body. */
static enum host_result respond(struct guest *g, struct resource *response)
{
    struct resource *body = response->on;
    ENSURE(g->x && !g->responded);
    ENSURE(!body || body->kind == KIND_OUTGOING_BODY);
    struct fields *fields = &response->response.headers->fields;
    int64_t length = fields_declared_length(fields);
    if (length == -2)
        return guest_trap(g, "invalid content-length");
    size_t kept = fields_without_length(fields);
    if (length < 0 && (!body || body->state == BODY_DONE))
        length = body ? (int64_t)body->body.early_size : 0;
    if (g->x->ops->respond(g->x, response->response.status, fields->items, kept, length) != 0)
        return guest_trap(g, "no memory for the response");
    g->responded = true;
    if (body && body->body.early_size)
        g->x->ops->write_body(g->x, body->body.early, body->body.early_size);
    if (!body || body->state == BODY_DONE)
        finish_exchange(g, NULL);
    else
        body->state = BODY_LIVE;
    return HOST_DONE;
}

static HOST_FUNC(outparam_set)
{
    struct resource *outparam = resource_get(g, &args[0], KIND_RESPONSE_OUTPARAM);
    if (!outparam)
        return guest_trap(g, "not an outparam");
    resource_put(g, outparam);
    if (!g->x)
        return HOST_DONE; /* the client is gone */
    if (args[1].word != 0) {
        struct http_exchange *x = g->x;
        g->x = NULL;
        g->finished = true;
        x->ops->fail(x, http_error_status(args[2].word), "the app answered with an error-code");
        return HOST_DONE;
    }
    struct resource *response = resource_get(g, &args[2], KIND_OUTGOING_RESPONSE);
    if (!response)
        return guest_trap(g, "not a response");
    enum host_result result = respond(g, response);
    resource_put(g, response);
    return result;
}

static HOST_FUNC(outparam_inform)
{
    struct resource *headers = resource_get(g, &args[2], KIND_FIELDS);
    if (!resource_get(g, &args[0], KIND_RESPONSE_OUTPARAM) || !headers)
        return guest_trap(g, "not an outparam");
    const struct fields *fields = &headers->fields;
    int error = g->x ? g->x->ops->inform(g->x, (int)args[1].word, fields->items, fields->count) : 0;
    if (error == -EAGAIN)
        return guest_wait(g, WAITS_ROOM);
    resource_put(g, headers);
    reply_word(g, error != 0);
    if (error)
        reply_error_code(g, error == -ENOMEM ? ERROR_INTERNAL : ERROR_HTTP_PROTOCOL);
    return HOST_DONE;
}

/* outgoing-body ------------------------------------------------------------------------------------------------- */

size_t outgoing_body_space(struct guest *g, const struct resource *body)
{
    if (body->state == BODY_EARLY)
        return EARLY_SIZE - body->body.early_size;
    if (body->state != BODY_LIVE)
        return SCRATCH_SIZE;
    if (call_of(body))
        return http_call_space(call_of(body));
    return g->x ? g->x->ops->write_space(g->x) : SCRATCH_SIZE;
}

static ssize_t write_early(struct guest *g, struct resource *body, const void *data, size_t size)
{
    if (!body->body.early)
        body->body.early = charged_alloc(&g->app->memory, EARLY_SIZE);
    if (!body->body.early || size > EARLY_SIZE - body->body.early_size)
        return -EPIPE;
    memcpy(body->body.early + body->body.early_size, data, size);
    body->body.early_size += (uint32_t)size;
    return (ssize_t)size;
}

ssize_t outgoing_body_write(struct guest *g, struct resource *body, const void *data, size_t size)
{
    if (body->state == BODY_EARLY)
        return write_early(g, body, data, size);
    if (body->state != BODY_LIVE || size == 0)
        return body->state == BODY_LIVE ? 0 : -EPIPE;
    if (call_of(body))
        return http_call_write(call_of(body), data, size);
    return g->x ? g->x->ops->write_body(g->x, data, size) : -EPIPE;
}

static HOST_FUNC(body_write)
{
    struct resource *body = resource_get(g, &args[0], KIND_OUTGOING_BODY);
    if (!body)
        return guest_trap(g, "not a body");
    if (body->body.stream_taken)
        return http_failed(g);
    struct resource *stream = resource_new(g, KIND_OUTPUT_STREAM);
    if (!stream)
        return HOST_TRAP;
    body->body.stream_taken = true;
    stream->state = STREAM_BODY;
    stream->on = resource_keep(body);
    reply_word(g, 0);
    reply_own(g, stream);
    return HOST_DONE;
}

static enum host_result finish_live(struct guest *g, const struct resource *body, const struct fields *trailers)
{
    resource_check(body);
    ENSURE(body->kind == KIND_OUTGOING_BODY);
    int error = 0;
    const struct http_field *items = trailers ? trailers->items : NULL;
    size_t count = trailers ? trailers->count : 0;
    struct http_call *call = call_of(body);
    if (call) {
        error = http_call_finish(call, items, count);
    } else {
        struct http_exchange *x = g->x;
        g->x = NULL;
        g->finished = true;
        error = x ? x->ops->finish(x, items, count) : 0;
    }
    reply_word(g, error == -EMSGSIZE);
    if (error == -EMSGSIZE)
        guest_note(g, "the guest finished a body that is shorter than its content-length");
    if (error == -EMSGSIZE)
        reply_error_code(g, call ? ERROR_REQUEST_BODY_SIZE : ERROR_RESPONSE_BODY_SIZE);
    return HOST_DONE;
}

static HOST_FUNC(body_finish_out)
{
    struct resource *body = resource_get(g, &args[0], KIND_OUTGOING_BODY);
    struct resource *trailers = args[1].word ? resource_get(g, &args[2], KIND_FIELDS) : NULL;
    if (!body || (args[1].word && !trailers))
        return guest_trap(g, "not a body");
    bool live = body->state == BODY_LIVE;
    if (body->state != BODY_REFUSED)
        body->state = BODY_DONE;
    enum host_result result = HOST_DONE;
    if (live)
        result = finish_live(g, body, trailers ? &trailers->fields : NULL);
    else
        reply_word(g, 0);
    resource_put(g, trailers);
    resource_put(g, body);
    return result;
}

static HOST_FUNC(error_code_of)
{
    struct resource *error = resource_get(g, &args[0], KIND_ERROR);
    if (!error)
        return guest_trap(g, "not an error");
    reply_word(g, error->error.http != 0);
    if (error->error.http)
        reply_error_code(g, (enum http_error)(error->error.http - 1));
    return HOST_DONE;
}

#define METHOD "variant{get,head,post,put,delete,connect,options,trace,patch,other:string}"
#define SCHEME "variant{HTTP,HTTPS,other:string}"
#define HEADER_ERROR "variant{invalid-syntax,forbidden,immutable}"
#define REQ "[method]incoming-request."
#define OREQ "[method]outgoing-request."
#define OPT "[method]request-options."
#define FLD "[method]fields."

static const struct host_func type_funcs[] = {
    {"[constructor]fields", "()->(own<fields>)", fields_new, SHAPE_NEW, false},
    {"[static]fields.from-list", "(list<tuple<string,list<u8>>>)->(result<own<fields>," HEADER_ERROR ">)",
     fields_from_list, SHAPE_FIELDS_FROM_LIST, false},
    {FLD "get", "(borrow<fields>,string)->(list<list<u8>>)", fields_get, SHAPE_FIELDS_GET, false},
    {FLD "has", "(borrow<fields>,string)->(bool)", fields_has, SHAPE_ANY, false},
    {FLD "set", "(borrow<fields>,string,list<list<u8>>)->(result<_," HEADER_ERROR ">)", fields_set, SHAPE_FIELDS_SET,
     false},
    {FLD "delete", "(borrow<fields>,string)->(result<_," HEADER_ERROR ">)", fields_delete, SHAPE_ANY, false},
    {FLD "append", "(borrow<fields>,string,list<u8>)->(result<_," HEADER_ERROR ">)", fields_append_call,
     SHAPE_FIELDS_APPEND, false},
    {FLD "entries", "(borrow<fields>)->(list<tuple<string,list<u8>>>)", fields_entries, SHAPE_FIELDS_ENTRIES, false},
    {FLD "clone", "(borrow<fields>)->(own<fields>)", fields_clone, SHAPE_HANDLE, false},
    {REQ "method", "(borrow<incoming-request>)->(" METHOD ")", incoming_request_method, SHAPE_ANY, false},
    {REQ "path-with-query", "(borrow<incoming-request>)->(option<string>)", incoming_request_path, SHAPE_OPTION_TEXT,
     false},
    {REQ "scheme", "(borrow<incoming-request>)->(option<" SCHEME ">)", incoming_request_scheme, SHAPE_ANY, false},
    {REQ "authority", "(borrow<incoming-request>)->(option<string>)", incoming_request_authority, SHAPE_OPTION_TEXT,
     false},
    {REQ "headers", "(borrow<incoming-request>)->(own<fields>)", incoming_request_headers, SHAPE_HANDLE, false},
    {REQ "consume", "(borrow<incoming-request>)->(result<own<incoming-body>,_>)", incoming_request_consume,
     SHAPE_TRY_HANDLE, false},
    {"[method]incoming-body.stream", "(borrow<incoming-body>)->(result<own<input-stream>,_>)", incoming_body_stream,
     SHAPE_TRY_HANDLE, false},
    {"[static]incoming-body.finish", "(own<incoming-body>)->(own<future-trailers>)", incoming_body_finish, SHAPE_HANDLE,
     false},
    {"[method]future-trailers.subscribe", "(borrow<future-trailers>)->(own<pollable>)", incoming_trailers_subscribe,
     SHAPE_HANDLE, false},
    {"[method]future-trailers.get",
     "(borrow<future-trailers>)->(option<result<result<option<own<fields>>," ERROR_CODE ">,_>>)", incoming_trailers_get,
     SHAPE_ANY, false},
    {"[static]response-outparam.set", "(own<response-outparam>,result<own<outgoing-response>," ERROR_CODE ">)->()",
     outparam_set, SHAPE_ANY, false},
    {"[method]response-outparam.send-informational",
     "(borrow<response-outparam>,u16,own<fields>)->(result<_," ERROR_CODE ">)", outparam_inform, SHAPE_ANY, true},
    {"[constructor]outgoing-response", "(own<fields>)->(own<outgoing-response>)", response_new, SHAPE_HANDLE, false},
    {"[method]outgoing-response.status-code", "(borrow<outgoing-response>)->(u16)", response_status, SHAPE_ANY, false},
    {"[method]outgoing-response.set-status-code", "(borrow<outgoing-response>,u16)->(result<_,_>)", response_set_status,
     SHAPE_SET_U16, false},
    {"[method]outgoing-response.headers", "(borrow<outgoing-response>)->(own<fields>)", response_headers, SHAPE_HANDLE,
     false},
    {"[method]outgoing-response.body", "(borrow<outgoing-response>)->(result<own<outgoing-body>,_>)", response_body,
     SHAPE_TRY_HANDLE, false},
    {"[method]outgoing-body.write", "(borrow<outgoing-body>)->(result<own<output-stream>,_>)", body_write,
     SHAPE_TRY_HANDLE, false},
    {"[static]outgoing-body.finish", "(own<outgoing-body>,option<own<fields>>)->(result<_," ERROR_CODE ">)",
     body_finish_out, SHAPE_ANY, false},
    {"http-error-code", "(borrow<error>)->(option<" ERROR_CODE ">)", error_code_of, SHAPE_ANY, false},

    {"[constructor]outgoing-request", "(own<fields>)->(own<outgoing-request>)", outgoing_new, SHAPE_HANDLE, false},
    {OREQ "body", "(borrow<outgoing-request>)->(result<own<outgoing-body>,_>)", outgoing_body, SHAPE_TRY_HANDLE, false},
    {OREQ "method", "(borrow<outgoing-request>)->(" METHOD ")", outgoing_method, SHAPE_ANY, false},
    {OREQ "set-method", "(borrow<outgoing-request>," METHOD ")->(result<_,_>)", outgoing_set_method, SHAPE_ANY, false},
    {OREQ "path-with-query", "(borrow<outgoing-request>)->(option<string>)", outgoing_path, SHAPE_OPTION_TEXT, false},
    {OREQ "set-path-with-query", "(borrow<outgoing-request>,option<string>)->(result<_,_>)", outgoing_set_path,
     SHAPE_ANY, false},
    {OREQ "scheme", "(borrow<outgoing-request>)->(option<" SCHEME ">)", outgoing_scheme, SHAPE_ANY, false},
    {OREQ "set-scheme", "(borrow<outgoing-request>,option<" SCHEME ">)->(result<_,_>)", outgoing_set_scheme, SHAPE_ANY,
     false},
    {OREQ "authority", "(borrow<outgoing-request>)->(option<string>)", outgoing_authority, SHAPE_OPTION_TEXT, false},
    {OREQ "set-authority", "(borrow<outgoing-request>,option<string>)->(result<_,_>)", outgoing_set_authority,
     SHAPE_ANY, false},
    {OREQ "headers", "(borrow<outgoing-request>)->(own<fields>)", outgoing_headers, SHAPE_HANDLE, false},
    {"[constructor]request-options", "()->(own<request-options>)", options_new, SHAPE_NEW, false},
    {OPT "connect-timeout", "(borrow<request-options>)->(option<u64>)", options_get_connect, SHAPE_ANY, false},
    {OPT "set-connect-timeout", "(borrow<request-options>,option<u64>)->(result<_,_>)", options_set_connect, SHAPE_ANY,
     false},
    {OPT "first-byte-timeout", "(borrow<request-options>)->(option<u64>)", options_get_first, SHAPE_ANY, false},
    {OPT "set-first-byte-timeout", "(borrow<request-options>,option<u64>)->(result<_,_>)", options_set_first, SHAPE_ANY,
     false},
    {OPT "between-bytes-timeout", "(borrow<request-options>)->(option<u64>)", options_get_between, SHAPE_ANY, false},
    {OPT "set-between-bytes-timeout", "(borrow<request-options>,option<u64>)->(result<_,_>)", options_set_between,
     SHAPE_ANY, false},
    {"[method]future-incoming-response.subscribe", "(borrow<future-incoming-response>)->(own<pollable>)",
     future_subscribe, SHAPE_HANDLE, false},
    {"[method]future-incoming-response.get",
     "(borrow<future-incoming-response>)->(option<result<result<own<incoming-response>," ERROR_CODE ">,_>>)",
     future_get, SHAPE_ANY, false},
    {"[method]incoming-response.status", "(borrow<incoming-response>)->(u16)", incoming_response_status, SHAPE_ANY,
     false},
    {"[method]incoming-response.headers", "(borrow<incoming-response>)->(own<fields>)", incoming_response_headers,
     SHAPE_HANDLE, false},
    {"[method]incoming-response.consume", "(borrow<incoming-response>)->(result<own<incoming-body>,_>)",
     incoming_response_consume, SHAPE_TRY_HANDLE, false},
};

static const struct host_func outgoing_funcs[] = {
    {"handle",
     "(own<outgoing-request>,option<own<request-options>>)->(result<own<future-incoming-response>," ERROR_CODE ">)",
     outgoing_handle, SHAPE_ANY, false},
};

const struct host_interface wasi_http[2] = {
    INTERFACE("wasi:http/types", "0.2", type_funcs),
    INTERFACE("wasi:http/outgoing-handler", "0.2", outgoing_funcs),
};
