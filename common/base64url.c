/* See base64url.h. */
#include "common/base64url.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *base64url_text(const void *data, size_t size, char *out)
{
    const uint8_t *at = data;
    uint32_t bits = 0, count = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | at[i];
        for (count += 8; count >= 6; count -= 6)
            *out++ = alphabet[bits >> (count - 6) & 63];
    }
    if (count)
        *out++ = alphabet[bits << (6 - count) & 63];
    *out = 0;
    return out;
}

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ssize_t base64url_read(const char *text, size_t size, uint8_t *out, size_t capacity)
{
    uint32_t bits = 0, count = 0;
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        int value = sextet(text[i]);
        if (value < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            if (written == capacity)
                return -EINVAL;
            count -= 8;
            out[written++] = (uint8_t)(bits >> count);
        }
    }
    /* left-over bits must be fewer than a sextet, and zero: one encoding for one value */
    return count < 6 && (bits & ((1u << count) - 1)) == 0 ? (ssize_t)written : -EINVAL;
}
