/* See buffer.h. */
#include "enclave/https/buffer.h"

int h1_room(struct h1_buffer *b, size_t size)
{
    if (b->capacity - b->end >= size)
        return 0;
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
        if (b->capacity - b->end >= size)
            return 0;
    }
    size_t capacity = b->capacity ? b->capacity : 1024;
    while (capacity - b->end < size)
        capacity *= 2;
    char *grown = capacity <= UINT32_MAX ? realloc(b->data, capacity) : NULL;
    if (!grown)
        return -ENOMEM;
    b->data = grown;
    b->capacity = (uint32_t)capacity;
    return 0;
}
