/* Bytes as hexadecimal text. */
#ifndef ENCLAVE_OS_COMMON_HEX_H
#define ENCLAVE_OS_COMMON_HEX_H

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

#endif
