/*
 * A gateway: passes requests on to another server over HTTPS that ends in the enclave, and its answers back, both as
 * streams. The header x-to names the server; the app's setting "egress" says which ones it may reach. An error is
 * answered as 502 with the number of the error-code; x-scheme: http and x-timeout: MILLISECONDS (for connecting, the
 * response's head, and each piece of its body) show more of them.
 */
#include "../common/wasi_http.h"

#define OUTGOING "wasi:http/outgoing-handler@0.2.12"
#define POLL "wasi:io/poll@0.2.12"

struct method {
    uint8_t which; /* get head post put delete connect options trace patch other */
    struct text other;
};
/* result<own<future-incoming-response>, error-code>: the error's case comes first of its parts. */
struct future_result {
    uint8_t error;
    _Alignas(8) uint32_t handle_or_case;
    uint64_t rest[4];
};
/* option<result<result<own<incoming-response>, error-code>, _>> */
struct response_result {
    uint8_t some;
    _Alignas(8) uint8_t gone;
    _Alignas(8) uint8_t error;
    _Alignas(8) uint32_t handle_or_case;
    uint64_t rest[4];
};
struct splice_result {
    uint8_t error;
    union {
        uint64_t count;
        struct {
            uint8_t which; /* 0: failed, 1: closed */
            uint32_t handle;
        };
    };
};
/* option<error-code> */
struct option_error {
    uint8_t some;
    _Alignas(8) uint8_t which;
    uint64_t rest[4];
};

IMPORT(TYPES, "[method]incoming-request.method") void request_method(uint32_t request, struct method *result);
IMPORT(TYPES, "[constructor]outgoing-request") uint32_t outgoing_new(uint32_t fields);
IMPORT(TYPES, "[method]outgoing-request.set-method")
uint32_t outgoing_set_method(uint32_t request, uint32_t which, const char *other, size_t size);
IMPORT(TYPES, "[method]outgoing-request.set-path-with-query")
uint32_t outgoing_set_path(uint32_t request, uint32_t some, const char *path, size_t size);
IMPORT(TYPES, "[method]outgoing-request.set-authority")
uint32_t outgoing_set_authority(uint32_t request, uint32_t some, const char *authority, size_t size);
IMPORT(TYPES, "[method]outgoing-request.set-scheme")
uint32_t outgoing_set_scheme(uint32_t request, uint32_t some, uint32_t which, const char *other, size_t size);
IMPORT(TYPES, "[method]outgoing-request.body") void outgoing_body(uint32_t request, struct handle_result *result);
IMPORT(TYPES, "[resource-drop]outgoing-body") void outgoing_body_drop(uint32_t body);
IMPORT(TYPES, "[constructor]request-options") uint32_t options_new(void);
IMPORT(TYPES, "[method]request-options.set-connect-timeout")
uint32_t set_connect(uint32_t options, uint32_t some, uint64_t ns);
IMPORT(TYPES, "[method]request-options.set-first-byte-timeout")
uint32_t set_first_byte(uint32_t options, uint32_t some, uint64_t ns);
IMPORT(TYPES, "[method]request-options.set-between-bytes-timeout")
uint32_t set_between(uint32_t options, uint32_t some, uint64_t ns);
IMPORT(OUTGOING, "handle")
void outgoing_handle(uint32_t request, uint32_t some, uint32_t options, struct future_result *result);
IMPORT(TYPES, "[method]future-incoming-response.subscribe") uint32_t future_subscribe(uint32_t future);
IMPORT(TYPES, "[method]future-incoming-response.get") void future_get(uint32_t future, struct response_result *result);
IMPORT(TYPES, "[resource-drop]future-incoming-response") void future_drop(uint32_t future);
IMPORT(POLL, "[method]pollable.block") void pollable_block(uint32_t pollable);
IMPORT(POLL, "[resource-drop]pollable") void pollable_drop(uint32_t pollable);
IMPORT(TYPES, "[method]incoming-response.status") uint32_t incoming_status(uint32_t response);
IMPORT(TYPES, "[method]incoming-response.headers") uint32_t incoming_headers(uint32_t response);
IMPORT(TYPES, "[method]incoming-response.consume")
void incoming_consume(uint32_t response, struct handle_result *result);
IMPORT(STREAMS, "[method]output-stream.blocking-splice")
void stream_splice(uint32_t to, uint32_t from, uint64_t size, struct splice_result *result);
IMPORT(TYPES, "http-error-code") void http_error_code(uint32_t error, struct option_error *result);

static struct text header(uint32_t request, struct text name)
{
    struct text_list values;
    fields_get(request_headers(request), name.data, name.size, &values);
    return values.count ? values.items[0] : (struct text){"", 0};
}

static size_t digits(char *out, uint32_t number)
{
    char reversed[10];
    size_t size = 0, count = 0;
    do
        reversed[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        out[size++] = reversed[--count];
    return size;
}

static void respond_error(uint32_t outparam, uint32_t which)
{
    char text[32] = "error ";
    size_t size = 6 + digits(text + 6, which);
    text[size++] = '\n';
    respond_text(outparam, 502, (struct text){text, size});
}

/* New fields with what goes on as it came. */
static uint32_t copy_headers(uint32_t from)
{
    static const struct text passed[] = {TEXT("content-type"), TEXT("content-length"), TEXT("accept"), TEXT("location"),
                                         TEXT("x-test")};
    uint8_t ignored[8];
    uint32_t fields = fields_new();
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        struct text_list values;
        fields_get(from, passed[i].data, passed[i].size, &values);
        if (values.count)
            fields_append(fields, passed[i].data, passed[i].size, values.items[0].data, values.items[0].size, ignored);
    }
    return fields;
}

static uint32_t make_options(uint32_t request)
{
    struct text timeout = header(request, TEXT("x-timeout"));
    uint32_t options = options_new();
    uint64_t ns = 0;
    for (size_t i = 0; i < timeout.size; i++)
        ns = ns * 10 + (uint64_t)(timeout.data[i] - '0');
    ns *= 1000000;
    if (timeout.size) {
        set_connect(options, 1, ns);
        set_first_byte(options, 1, ns);
        set_between(options, 1, ns);
    }
    return options;
}

/* All that comes from one stream into the other. False: it broke; *which then tells how, if it is HTTP's business. */
static bool pass_on(uint32_t to, uint32_t from, uint32_t *which)
{
    for (;;) {
        struct splice_result r;
        stream_splice(to, from, 65536, &r);
        if (!r.error)
            continue;
        if (r.which == 1)
            return true; /* closed: the end */
        struct option_error error;
        http_error_code(r.handle, &error);
        *which = error.some ? error.which : 99;
        return false;
    }
}

static uint32_t make_request(uint32_t request)
{
    struct method method;
    struct option_text path;
    struct text to = header(request, TEXT("x-to")), scheme = header(request, TEXT("x-scheme"));
    uint32_t made = outgoing_new(copy_headers(request_headers(request)));
    request_method(request, &method);
    request_path(request, &path);
    outgoing_set_method(made, method.which, method.other.data, method.other.size);
    outgoing_set_path(made, 1, path.text.data, path.text.size);
    outgoing_set_authority(made, 1, to.data, to.size);
    outgoing_set_scheme(made, 1, scheme.size == 4 ? 0 : 1, 0, 0);
    return made;
}

static void send_body(uint32_t request, uint32_t body)
{
    struct handle_result from, stream, to;
    uint64_t ignored[6];
    uint32_t which;
    request_consume(request, &from);
    incoming_body_stream(from.handle, &stream);
    outgoing_body_write(body, &to);
    bool whole = pass_on(to.handle, stream.handle, &which);
    output_stream_drop(to.handle);
    input_stream_drop(stream.handle);
    if (whole)
        outgoing_body_finish(body, 0, 0, ignored);
    else
        outgoing_body_drop(body); /* the server must not take it for whole */
}

static void answer(uint32_t outparam, uint32_t response)
{
    uint64_t result[6];
    struct handle_result body, from, mine, to;
    uint32_t which = 0, made = response_new(copy_headers(incoming_headers(response)));
    response_set_status(made, incoming_status(response));
    response_body(made, &mine);
    incoming_consume(response, &body);
    incoming_body_stream(body.handle, &from);
    outparam_set(outparam, 0, made, 0, 0, 0, 0, 0, 0);
    outgoing_body_write(mine.handle, &to);
    if (!pass_on(to.handle, from.handle, &which))
        __builtin_trap(); /* the client must not take it for whole */
    output_stream_drop(to.handle);
    outgoing_body_finish(mine.handle, 0, 0, result);
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct method method;
    struct handle_result body = {.error = 1};
    struct future_result future;
    struct response_result response;
    uint32_t made = make_request(request), options = make_options(request);
    request_method(request, &method);
    if (method.which >= 2)
        outgoing_body(made, &body);
    outgoing_handle(made, 1, options, &future);
    if (future.error) {
        respond_error(outparam, future.handle_or_case & 0xff);
        return;
    }
    if (!body.error)
        send_body(request, body.handle);
    uint32_t pollable = future_subscribe(future.handle_or_case);
    pollable_block(pollable);
    pollable_drop(pollable);
    future_get(future.handle_or_case, &response);
    future_drop(future.handle_or_case);
    if (response.error)
        respond_error(outparam, response.handle_or_case & 0xff);
    else
        answer(outparam, response.handle_or_case);
}
