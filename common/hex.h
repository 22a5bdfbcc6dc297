/* Bytes as hexadecimal text, and back. Any thread. */
#ifndef ENCLAVE_OS_COMMON_HEX_H
#define ENCLAVE_OS_COMMON_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2 * size lower-case digits and a NUL; returns where the NUL stands. */
static inline char *hex_text(const uint8_t *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = 0;
    return out;
}

/* Exactly size bytes from 2 * size digits of either case; nothing else may stand there. out is unspecified if false. */
static inline bool hex_read(const char *text, size_t text_size, uint8_t *out, size_t size)
{
    if (text_size / 2 != size || text_size % 2 != 0)
        return false;
    for (size_t i = 0; i < text_size; i++) {
        unsigned letter = (unsigned char)text[i] | 0x20u;
        bool decimal = text[i] >= '0' && text[i] <= '9';
        if (!decimal && (letter < 'a' || letter > 'f'))
            return false;
        unsigned value = decimal ? (unsigned)text[i] - '0' : letter - 'a' + 10;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : out[i / 2] | value);
    }
    return true;
}

#endif
