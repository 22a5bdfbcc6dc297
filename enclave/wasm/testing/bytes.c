/* See bytes.h. */
#include "enclave/wasm/testing/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void put(struct bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = (b->size + size) * 2;
        b->data = realloc(b->data, b->capacity);
        if (!b->data)
            abort();
    }
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

void put_number(struct bytes *b, uint32_t n)
{
    do {
        uint8_t low = (n & 0x7f) | (n > 0x7f ? 0x80 : 0);
        put(b, &low, 1);
        n >>= 7;
    } while (n);
}

void put_section(struct bytes *b, uint8_t id, struct bytes *content)
{
    put(b, &id, 1);
    put_number(b, (uint32_t)content->size);
    put(b, content->data, content->size);
    free(content->data);
    *content = (struct bytes){0};
}

void put_head(struct bytes *b)
{
    PUT(b, "\0asm\x0d\0\1\0");
}

void put_times(struct bytes *b, unsigned times, const void *data, size_t size)
{
    while (times-- > 0)
        put(b, data, size);
}

void put_module(struct bytes *b, struct bytes *module, unsigned count, struct bytes *function)
{
    struct bytes code = {0};
    put_number(&code, count);
    for (unsigned i = 0; i < count; i++) {
        put_number(&code, (uint32_t)function->size);
        put(&code, function->data, function->size);
    }
    free(function->data);
    *function = (struct bytes){0};
    put_section(module, 10, &code);
    put_section(b, 1, module);
}

void put_functions(struct bytes *b, unsigned count, const char *type, unsigned variables, struct bytes *body)
{
    struct bytes module = {0}, types = {0}, functions = {0}, one = {0};
    PUT(&module, "\0asm\1\0\0\0");
    PUT(&types, "\1\x60\0");
    put(&types, type, strlen(type));
    if (!*type)
        PUT(&types, "\0");
    put_section(&module, 1, &types);
    put_number(&functions, count);
    put_times(&functions, count, "", 1);
    put_section(&module, 3, &functions);
    put_number(&one, variables ? 1 : 0);
    if (variables) {
        put_number(&one, variables);
        PUT(&one, "\x7f");
    }
    put(&one, body->data, body->size);
    free(body->data);
    put_module(b, &module, count, &one);
}

struct bytes read_file(const char *path)
{
    struct bytes out = {0};
    uint8_t part[65536];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;)
        put(&out, part, got);
    fclose(file);
    return out;
}
