/*
 * Just enough DER to write the SGX extension of a PCK certificate, back to front: inner values first, so that each
 * length is known when its header is written.
 */
#ifndef ENCLAVE_OS_SGX_QUOTE_DER_H
#define ENCLAVE_OS_SGX_QUOTE_DER_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DER_BOOLEAN 0x01
#define DER_INTEGER 0x02
#define DER_OCTET_STRING 0x04
#define DER_OID 0x06
#define DER_ENUMERATED 0x0a
#define DER_SEQUENCE 0x30

struct der {
    uint8_t bytes[1024];
    size_t start; /* what is written lies in bytes[start ..] */
};

static inline void der_init(struct der *d)
{
    d->start = sizeof d->bytes;
}

static inline size_t der_size(const struct der *d)
{
    return sizeof d->bytes - d->start;
}

static inline void der_prepend(struct der *d, const void *data, size_t size)
{
    assert(size <= d->start); /* our own constant input */
    d->start -= size;
    memcpy(d->bytes + d->start, data, size);
}

/* Put a header before the last content_size bytes. */
static inline void der_header(struct der *d, uint8_t tag, size_t content_size)
{
    uint8_t h[4] = {tag, (uint8_t)content_size};
    size_t size = 2;
    if (content_size >= 256) {
        h[1] = 0x82;
        h[2] = (uint8_t)(content_size >> 8);
        h[3] = (uint8_t)content_size;
        size = 4;
    } else if (content_size >= 128) {
        h[1] = 0x81;
        h[2] = (uint8_t)content_size;
        size = 3;
    }
    der_prepend(d, h, size);
}

static inline void der_value(struct der *d, uint8_t tag, const void *content, size_t size)
{
    der_prepend(d, content, size);
    der_header(d, tag, size);
}

/* An unsigned INTEGER or ENUMERATED below 2^15. */
static inline void der_small(struct der *d, uint8_t tag, uint16_t v)
{
    uint8_t bytes[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    if (v < 128)
        der_value(d, tag, bytes + 1, 1);
    else
        der_value(d, tag, bytes, 2);
}

#endif
