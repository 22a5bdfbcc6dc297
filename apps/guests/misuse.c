/*
 * A guest that uses WASI wrongly, or as few do. The path says how; each mistake must be named at once.
 */
#include "../common/wasi_http.h"

IMPORT(STREAMS, "[method]output-stream.check-write") void stream_check(uint32_t stream, void *result);
IMPORT(STREAMS, "[method]output-stream.write-zeroes")
void stream_zeroes(uint32_t stream, uint64_t size, struct stream_result *result);
IMPORT(STREAMS, "[method]output-stream.subscribe") uint32_t stream_subscribe(uint32_t stream);
IMPORT("wasi:io/poll@0.2.12", "[method]pollable.block") void pollable_block(uint32_t pollable);
IMPORT(TYPES, "[resource-drop]response-outparam") void outparam_drop(uint32_t outparam);
IMPORT(TYPES, "[resource-drop]outgoing-body") void outgoing_body_drop(uint32_t body);
IMPORT(TYPES, "[constructor]outgoing-request") uint32_t request_new(uint32_t fields);
IMPORT(TYPES, "[method]outgoing-request.body")
void outgoing_request_body(uint32_t request, struct handle_result *result);

static char part[4096];
static struct stream_result result;

struct check_result {
    uint8_t error;
    _Alignas(8) uint64_t allowed;
};

static bool is(struct text path, struct text wanted)
{
    return path.size == wanted.size && text_starts(path, wanted);
}

/* More of a body than is kept for it before anybody can read it. */
static void fill(uint32_t body, bool poll)
{
    struct handle_result out;
    struct check_result check;
    outgoing_body_write(body, &out);
    for (int i = 0; i < 768; i++) {
        stream_check(out.handle, &check);
        if (poll && check.allowed == 0)
            pollable_block(stream_subscribe(out.handle));
        stream_write(out.handle, part, sizeof part, &result);
    }
}

static void fill_response(bool poll)
{
    struct handle_result body;
    response_body(response_new(fields_new()), &body);
    fill(body.handle, poll);
}

static void fill_request(void)
{
    struct handle_result body;
    outgoing_request_body(request_new(fields_new()), &body);
    fill(body.handle, false);
}

/* A response that announces 100 bytes; what was given instead is in the body of another one. */
static void announce(uint32_t outparam, unsigned bytes)
{
    uint8_t ignored[8];
    uint64_t finished[6];
    struct handle_result body, out;
    uint32_t fields = fields_new();
    fields_append(fields, "content-length", 14, "100", 3, ignored);
    uint32_t response = response_new(fields);
    response_body(response, &body);
    outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
    outgoing_body_write(body.handle, &out);
    stream_write(out.handle, part, bytes, &result);
    output_stream_drop(out.handle);
    outgoing_body_finish(body.handle, 0, 0, finished);
}

/* Of the stream that failed nothing more can be had but that it is closed. */
static void fail_twice(uint32_t outparam)
{
    uint8_t ignored[8];
    struct handle_result body, out;
    struct stream_result second;
    uint32_t fields = fields_new();
    fields_append(fields, "content-length", 14, "10", 2, ignored);
    uint32_t response = response_new(fields);
    response_body(response, &body);
    outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
    outgoing_body_write(body.handle, &out);
    stream_write(out.handle, part, 100, &result);
    stream_write(out.handle, part, 1, &second);
    bool right = result.error && result.which == 0 && second.error && second.which == 1;
    if (!right)
        __builtin_trap(); /* the log says unreachable instead of what is expected */
    output_stream_drop(out.handle);
    outgoing_body_drop(body.handle);
}

/* As many as check-write allows, at once. */
static void zeroes(uint32_t outparam)
{
    struct check_result check;
    uint32_t stream, body = respond(outparam, 200, &stream);
    stream_check(stream, &check);
    stream_zeroes(stream, check.allowed < 20000 ? check.allowed : 20000, &result);
    finish(body, stream);
}

static void drop_body(uint32_t outparam)
{
    uint32_t stream, body = respond(outparam, 200, &stream);
    stream_write(stream, "part", 4, &result);
    output_stream_drop(stream);
    outgoing_body_drop(body);
}

/* A body, its stream and its trailers can each be had once; the second attempt is an error that the guest sees. */
static void read_twice(uint32_t request, uint32_t outparam)
{
    struct handle_result body, second_body, in, second_in;
    request_consume(request, &body);
    request_consume(request, &second_body);
    incoming_body_stream(body.handle, &in);
    incoming_body_stream(body.handle, &second_in);
    bool right = !body.error && second_body.error && !in.error && second_in.error;
    uint32_t stream, answer = respond(outparam, right ? 200 : 500, &stream);
    finish(answer, stream);
}

/* Trailers that are no fields, or that a body has already. */
static void bad_trailers(uint32_t outparam, uint32_t trailers)
{
    uint64_t finished[6];
    uint32_t stream, body = respond(outparam, 200, &stream);
    output_stream_drop(stream);
    outgoing_body_finish(body, 1, trailers ? trailers : body, finished);
}

static void trailers_twice(uint32_t outparam)
{
    uint64_t finished[6];
    struct handle_result other;
    uint32_t fields = fields_new();
    response_body(response_new(fields_new()), &other);
    outgoing_body_finish(other.handle, 1, fields, finished);
    bad_trailers(outparam, fields);
}

/* Makes the component import the interface that has the type of a point, and nothing else. */
EXPORT("area") uint32_t area(uint32_t x, uint32_t y)
{
    return x * y;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text path;
    request_path(request, &path);
    if (is(path.text, TEXT("/early")))
        fill_response(false);
    else if (is(path.text, TEXT("/early-poll")))
        fill_response(true);
    else if (is(path.text, TEXT("/early-request")))
        fill_request();
    else if (is(path.text, TEXT("/no-response")))
        return;
    else if (is(path.text, TEXT("/drop-outparam")))
        outparam_drop(outparam);
    else if (is(path.text, TEXT("/drop-body")))
        drop_body(outparam);
    else if (is(path.text, TEXT("/short")))
        announce(outparam, 10);
    else if (is(path.text, TEXT("/long")))
        announce(outparam, 200);
    else if (is(path.text, TEXT("/fail-twice")))
        fail_twice(outparam);
    else if (is(path.text, TEXT("/zeroes")))
        zeroes(outparam);
    else if (is(path.text, TEXT("/read-twice")))
        read_twice(request, outparam);
    else if (is(path.text, TEXT("/no-trailers")))
        bad_trailers(outparam, 0);
    else if (is(path.text, TEXT("/trailers-twice")))
        trailers_twice(outparam);
    else if (is(path.text, TEXT("/set-twice"))) {
        outparam_set(outparam, 0, response_new(fields_new()), 0, 0, 0, 0, 0, 0);
        outparam_set(outparam, 0, response_new(fields_new()), 0, 0, 0, 0, 0, 0);
    } else if (is(path.text, TEXT("/finish-twice"))) {
        uint32_t stream, body = respond(outparam, 200, &stream);
        finish(body, stream);
        uint64_t finished[6];
        outgoing_body_finish(body, 0, 0, finished);
    } else if (is(path.text, TEXT("/unfinished"))) {
        uint32_t stream;
        respond(outparam, 200, &stream);
    }
}
