/*
 * A text that grows. See text.h. And the characters of others' texts.
 */
#include "verifier/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_append(struct text *t, const char *data, size_t size)
{
    if (t->failed)
        return;
    if (t->capacity - t->size <= size) {
        size_t capacity = 2 * (t->capacity + size) + 1024;
        char *grown = realloc(t->data, capacity);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->data = grown;
        t->capacity = capacity;
    }
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

void text_put(struct text *t, const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof line)
        t->failed = true;
    else
        text_append(t, line, (size_t)size);
}

void text_string(struct text *t, const char *s)
{
    text_append(t, "\"", 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            text_put(t, "\\%c", c);
        else if (c == '\n')
            text_put(t, "\\n");
        else if (c < 0x20 || c >= 0x7f)
            text_put(t, "\\u%04x", c);
        else
            text_append(t, s, 1);
    }
    text_append(t, "\"", 1);
}

char *text_take(struct text *t)
{
    if (!t->failed)
        return t->data;
    free(t->data);
    return NULL;
}

uint32_t verifier__utf8_size(const uint8_t *s, uint32_t left)
{
    uint32_t size = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (size > left)
        return 0;
    for (uint32_t i = 1; i < size; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return size;
}
