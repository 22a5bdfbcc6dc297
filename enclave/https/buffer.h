/* A growing byte buffer with a consumed beginning, for HTTP's heads and bodies. Its memory is charged. */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_BUFFER_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_BUFFER_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/budget/budget.h"
#include "enclave/https/exchange.h"
#include "enclave/https/limits.h"

struct h1_buffer {
    struct budget *memory; /* who is charged; stays the same when the buffer is released */
    char *data;
    uint32_t start, end, capacity;
};

static inline void h1_buffer_check(const struct h1_buffer *b)
{
    ENSURE(b->start <= b->end);
    ENSURE(b->end <= b->capacity);
}

/* Make room for size more bytes: 0, or -ENOMEM, also where the budget has no more. */
int h1_room(struct h1_buffer *b, size_t size);

static inline uint32_t h1_used(const struct h1_buffer *b)
{
    return b->end - b->start;
}

/* Append; the room was made. */
static inline void h1_put(struct h1_buffer *b, const void *data, size_t size)
{
    ENSURE(size <= b->capacity - b->end);
    if (size) {
        memcpy(b->data + b->end, data, size);
        b->end += (uint32_t)size;
    }
}

static inline void h1_put_text(struct h1_buffer *b, const char *text)
{
    h1_put(b, text, strlen(text));
}

/* "name: value" and a line end. */
static inline void h1_put_field(struct h1_buffer *b, const struct http_field *field)
{
    h1_put(b, field->name.data, field->name.size);
    h1_put(b, ": ", 2);
    h1_put(b, field->value.data, field->value.size);
    h1_put(b, "\r\n", 2);
}

/* What fields take at most, in a head or as trailers. */
size_t h1_fields_size(const struct http_field *fields, size_t count);
/* Bytes of a chunked body, with what stands around them; the room was made, HTTP_CHUNK_ROOM more than size. */
void h1_put_chunk(struct h1_buffer *b, const void *data, size_t size);
/* The end of a chunked body, with those of the fields that may be trailers. Makes its room: 0 or -ENOMEM. */
int h1_put_trailers(struct h1_buffer *b, const struct http_field *fields, size_t count);

static inline void h1_release(struct h1_buffer *b)
{
    charged_free(b->data);
    *b = (struct h1_buffer){.memory = b->memory};
}

#endif
