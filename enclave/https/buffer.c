/* See buffer.h. */
#include "enclave/https/buffer.h"

#include <stdio.h>

#include "enclave/https/fields.h"

int h1_room(struct h1_buffer *b, size_t size)
{
    h1_buffer_check(b);
    if (b->capacity - b->end >= size)
        return 0;
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
        if (b->capacity - b->end >= size)
            return 0;
    }
    size_t capacity = b->capacity ? b->capacity : HTTP_BUFFER_FIRST;
    while (capacity - b->end < size && capacity < HTTP_BUFFER_DOUBLED)
        capacity *= 2;
    if (capacity - b->end < size)
        capacity = (b->end + size + HTTP_BUFFER_DOUBLED / 8) & ~(size_t)(HTTP_BUFFER_FIRST - 1);
    ENSURE(capacity - b->end >= size);
    char *grown = capacity <= UINT32_MAX ? charged_realloc(b->memory, b->data, capacity) : NULL;
    if (!grown)
        return -ENOMEM;
    b->data = grown;
    b->capacity = (uint32_t)capacity;
    return 0;
}

size_t h1_fields_size(const struct http_field *fields, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += fields[i].name.size + fields[i].value.size + 4; /* ": " and a line end */
    return size;
}

void h1_put_chunk(struct h1_buffer *b, const void *data, size_t size)
{
    char line[16];
    snprintf(line, sizeof line, "%x\r\n", (unsigned)size);
    h1_put_text(b, line);
    h1_put(b, data, size);
    h1_put_text(b, "\r\n");
}

int h1_put_trailers(struct h1_buffer *b, const struct http_field *fields, size_t count)
{
    if (h1_room(b, 8 + h1_fields_size(fields, count)) != 0)
        return -ENOMEM;
    h1_put_text(b, "0\r\n");
    for (size_t i = 0; i < count; i++)
        if (!http_is_no_trailer(fields[i].name))
            h1_put_field(b, &fields[i]);
    h1_put_text(b, "\r\n");
    return 0;
}
