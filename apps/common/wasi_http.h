/*
 * The part of wasi:http/incoming-handler@0.2.12 that the C examples use, as the canonical ABI has it: each import is
 * one core function, results that do not fit one value are written to memory.
 */
#ifndef APPS_COMMON_WASI_HTTP_H
#define APPS_COMMON_WASI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))
#define TYPES "wasi:http/types@0.2.12"
#define STREAMS "wasi:io/streams@0.2.12"

struct text {
    const char *data;
    size_t size;
};
#define TEXT(literal) ((struct text){literal, sizeof literal - 1})

static inline bool text_starts(struct text text, struct text with)
{
    for (size_t i = 0; i < with.size; i++)
        if (i >= text.size || text.data[i] != with.data[i])
            return false;
    return true;
}

struct byte_list {
    uint8_t *data;
    size_t size;
};
/* result<own, _>: tag, handle */
struct handle_result {
    uint8_t error;
    uint32_t handle;
};
/* result<_, stream-error>: tag, variant tag, error handle */
struct stream_result {
    uint8_t error;
    _Alignas(4) uint8_t which; /* 0: failed, 1: closed */
    uint32_t handle;
};
struct read_result {
    uint8_t error;
    union {
        struct byte_list bytes;
        struct {
            uint8_t which;
            uint32_t handle;
        };
    };
};

IMPORT(TYPES, "[constructor]fields") uint32_t fields_new(void);
IMPORT(TYPES, "[method]fields.set")
void fields_set(uint32_t fields, const char *name, size_t name_size, const struct text *values, size_t count,
                uint8_t *result);
IMPORT(TYPES, "[method]fields.append")
void fields_append(uint32_t fields, const char *name, size_t name_size, const char *value, size_t value_size,
                   uint8_t *result);
IMPORT(TYPES, "[method]incoming-request.consume") void request_consume(uint32_t request, struct handle_result *result);
struct option_text {
    uint8_t some;
    struct text text;
};
IMPORT(TYPES, "[method]incoming-request.headers") uint32_t request_headers(uint32_t request);
struct text_list {
    const struct text *items;
    size_t count;
};
IMPORT(TYPES, "[method]fields.get")
void fields_get(uint32_t fields, const char *name, size_t name_size, struct text_list *result);
IMPORT(TYPES, "[method]incoming-request.path-with-query")
void request_path(uint32_t request, struct option_text *result);
IMPORT(TYPES, "[resource-drop]incoming-request") void request_drop(uint32_t request);
IMPORT(TYPES, "[method]incoming-body.stream") void incoming_body_stream(uint32_t body, struct handle_result *result);
IMPORT(TYPES, "[resource-drop]incoming-body") void incoming_body_drop(uint32_t body);
IMPORT(TYPES, "[constructor]outgoing-response") uint32_t response_new(uint32_t fields);
IMPORT(TYPES, "[method]outgoing-response.set-status-code")
uint32_t response_set_status(uint32_t response, uint32_t status);
IMPORT(TYPES, "[method]outgoing-response.body") void response_body(uint32_t response, struct handle_result *result);
IMPORT(TYPES, "[method]outgoing-body.write") void outgoing_body_write(uint32_t body, struct handle_result *result);
IMPORT(TYPES, "[static]outgoing-body.finish")
void outgoing_body_finish(uint32_t body, uint32_t has_trailers, uint32_t trailers, void *result);
/* set(outparam, result<response, error-code>): the error's parts are flattened behind the tag. */
IMPORT(TYPES, "[static]response-outparam.set")
void outparam_set(uint32_t outparam, uint32_t is_error, uint32_t response, uint32_t e1, uint64_t e2, uint32_t e3,
                  uint32_t e4, uint32_t e5, uint32_t e6);
IMPORT(STREAMS, "[method]input-stream.blocking-read")
void stream_read(uint32_t stream, uint64_t size, struct read_result *result);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void stream_write(uint32_t stream, const void *data, size_t size, struct stream_result *result);
IMPORT(STREAMS, "[resource-drop]input-stream") void input_stream_drop(uint32_t stream);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_stream_drop(uint32_t stream);

#ifndef __wasi__ /* with a C library it is cabi_realloc.c's */
/* Memory for what the host returns: freed all at once, with the instance. */
extern unsigned char __heap_base;
static uintptr_t heap_at;
EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    if (!heap_at)
        heap_at = (uintptr_t)&__heap_base;
    heap_at = (heap_at + align - 1) & ~(uintptr_t)(align - 1);
    void *made = (void *)heap_at;
    heap_at += size;
    while (heap_at > (uintptr_t)__builtin_wasm_memory_size(0) * 65536)
        if (__builtin_wasm_memory_grow(0, 1) == (size_t)-1)
            __builtin_trap();
    for (size_t i = 0; i < old_size && i < size; i++)
        ((char *)made)[i] = ((char *)old)[i];
    return made;
}
static inline uintptr_t heap_mark(void)
{
    return heap_at;
}
static inline void heap_release(uintptr_t mark)
{
    heap_at = mark;
}
#endif

/* The next piece of a body, which cabi_realloc has made. False: there is none, and *whole says whether that is its end:
 * the rest of a body that broke off never comes, and what came is not what was sent. */
static inline bool read_piece(uint32_t stream, struct byte_list *piece, bool *whole)
{
    struct read_result read;
    stream_read(stream, 65536, &read);
    *whole = read.error && read.which == 1;
    if (!read.error)
        *piece = read.bytes;
    return !read.error;
}

/* A response with a text/plain head; returns the body, its stream in *stream. */
static inline uint32_t respond(uint32_t outparam, unsigned status, uint32_t *stream)
{
    uint8_t ignored[8];
    struct handle_result body, out;
    uint32_t fields = fields_new();
    fields_append(fields, "content-type", 12, "text/plain", 10, ignored);
    uint32_t response = response_new(fields);
    if (status != 200)
        response_set_status(response, status);
    response_body(response, &body);
    outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
    outgoing_body_write(body.handle, &out);
    *stream = out.handle;
    return body.handle;
}

static inline void finish(uint32_t body, uint32_t stream)
{
    uint64_t result[6];
    output_stream_drop(stream);
    outgoing_body_finish(body, 0, 0, result);
}

static inline void respond_text(uint32_t outparam, unsigned status, struct text text)
{
    uint32_t stream, body = respond(outparam, status, &stream);
    struct stream_result result;
    stream_write(stream, text.data, text.size, &result);
    finish(body, stream);
}

#endif
