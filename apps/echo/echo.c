/*
 * Sends the request's body back while it still arrives; /client says who the client proved to be, and /early sends an
 * interim response first.
 */
#include "../common/wasi_http.h"

/* result<_, error-code>, whose largest cases are 32 bytes behind the tag */
struct inform_result {
    uint8_t error;
    uint64_t rest[5];
};
IMPORT(TYPES, "[method]response-outparam.send-informational")
void send_informational(uint32_t outparam, uint32_t status, uint32_t headers, struct inform_result *result);

static void early_hints(uint32_t outparam)
{
    struct inform_result result;
    uint8_t ignored[8];
    uint32_t headers = fields_new();
    fields_append(headers, "link", 4, "</a>; rel=preload", 17, ignored);
    send_informational(outparam, 103, headers, &result);
    if (result.error)
        __builtin_trap();
    send_informational(outparam, 200, fields_new(), &result);
    if (!result.error)
        __builtin_trap(); /* not an interim one */
}

static bool copy_some(uint32_t from, uint32_t to)
{
    struct byte_list piece;
    struct stream_result written;
    uintptr_t mark = heap_mark();
    bool whole;
    if (!read_piece(from, &piece, &whole)) {
        if (!whole)
            __builtin_trap(); /* the client must not take half of it for all */
        return false;
    }
    for (size_t at = 0; at < piece.size; at += 4096) {
        size_t size = piece.size - at < 4096 ? piece.size - at : 4096;
        stream_write(to, piece.data + at, size, &written);
        if (written.error)
            return false;
    }
    heap_release(mark);
    return true;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct handle_result body, stream;
    struct option_text path;
    request_path(request, &path);
    if (text_starts(path.text, TEXT("/client"))) {
        struct text_list values;
        fields_get(request_headers(request), "x-enclave-client", 16, &values);
        respond_text(outparam, 200, values.count == 1 ? values.items[0] : TEXT("nobody\n"));
        return;
    }
    if (text_starts(path.text, TEXT("/early")))
        early_hints(outparam);
    request_consume(request, &body);
    incoming_body_stream(body.handle, &stream);
    uint32_t out, answer = respond(outparam, 200, &out);
    while (copy_some(stream.handle, out))
        ;
    input_stream_drop(stream.handle);
    incoming_body_drop(body.handle);
    finish(answer, out);
}
