/* See buffer.h. */
#include "enclave/https/buffer.h"

#define START 1024u
#define DOUBLED_MAX 32768u /* beyond, what is needed and a little more: others must live, too */

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
    size_t capacity = b->capacity ? b->capacity : START;
    while (capacity - b->end < size && capacity < DOUBLED_MAX)
        capacity *= 2;
    if (capacity - b->end < size)
        capacity = (b->end + size + DOUBLED_MAX / 8) & ~(size_t)(START - 1);
    char *grown = capacity <= UINT32_MAX ? charged_realloc(b->memory, b->data, capacity) : NULL;
    if (!grown)
        return -ENOMEM;
    b->data = grown;
    b->capacity = (uint32_t)capacity;
    return 0;
}
