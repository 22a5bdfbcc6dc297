/* See cbor.h. */
#include "common/cbor.h"

/* A head: the type in three bits; then the number itself, if it is below 24, or how many bytes it has: 1, 2, 4 or 8. */
#define IN_PLACE 24u
#define SIZES 4u

uint64_t cbor_take(struct bytes_reader *r, enum cbor_type type)
{
    uint8_t head = bytes_take_u8(r);
    unsigned low = head & 31u, size = low < IN_PLACE ? 0 : 1u << (low - IN_PLACE) % SIZES;
    uint64_t number = low;
    if (head >> 5 != (unsigned)type || low >= IN_PLACE + SIZES) { /* 31: of indefinite length */
        r->failed = true;
        return 0;
    }
    const uint8_t *at = bytes_take(r, size);
    if (size > 0) {
        number = 0;
        for (unsigned i = 0; at && i < size; i++)
            number = number << 8 | at[i];
        uint64_t least = size == 1 ? IN_PLACE : 1ull << 4 * size; /* that does not fit into half as many bytes */
        r->failed = r->failed || number < least;
    }
    return r->failed ? 0 : number;
}

const uint8_t *cbor_take_string(struct bytes_reader *r, enum cbor_type type, size_t *size)
{
    uint64_t number = cbor_take(r, type);
    const uint8_t *at = number <= r->left ? bytes_take(r, (size_t)number) : NULL;
    r->failed = r->failed || !at;
    *size = at ? (size_t)number : 0;
    return at;
}

void cbor_append(struct bytes_writer *w, enum cbor_type type, uint64_t number)
{
    unsigned size = number < IN_PLACE      ? 0
                    : number <= UINT8_MAX  ? 1
                    : number <= UINT16_MAX ? 2
                    : number <= UINT32_MAX ? 4
                                           : 8;
    uint8_t low = (uint8_t)(number < IN_PLACE ? number : size == 1 ? 24 : size == 2 ? 25 : size == 4 ? 26 : 27);
    bytes_append_u8(w, (uint8_t)((unsigned)type << 5 | low));
    for (unsigned i = size; i > 0; i--)
        bytes_append_u8(w, (uint8_t)(number >> 8 * (i - 1)));
}

void cbor_append_string(struct bytes_writer *w, enum cbor_type type, const void *data, size_t size)
{
    cbor_append(w, type, size);
    bytes_append(w, data, size);
}
