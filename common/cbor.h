/*
 * As much of CBOR (RFC 8949) as certificates carry: items of known types, of definite length, in their shortest form.
 * Nothing is nested here: who reads or writes a format does it item by item, in order, on the cursors of bytes.h.
 *
 *     struct bytes_reader r = bytes_reader_make(data, size);
 *     bool ok = cbor_take(&r, CBOR_TAG) == 60000 && cbor_take(&r, CBOR_ARRAY) == 2;
 *     const uint8_t *quote = cbor_take_string(&r, CBOR_BYTES, &quote_size);
 *     ok = ok && bytes_reader_complete(&r);
 *
 * What is of another type, of indefinite length, longer than it need be, or cut short, fails the reader for good: reads
 * give 0 and NULL from then on. Freestanding.
 */
#ifndef ENCLAVE_OS_COMMON_CBOR_H
#define ENCLAVE_OS_COMMON_CBOR_H

#include "common/bytes.h"

enum cbor_type { CBOR_UNSIGNED = 0, CBOR_BYTES = 2, CBOR_TEXT = 3, CBOR_ARRAY = 4, CBOR_MAP = 5, CBOR_TAG = 6 };

/* The head of the next item, which must be of this type: the number itself, how many bytes, items or pairs follow, or
 * which tag it is. */
uint64_t cbor_take(struct bytes_reader *r, enum cbor_type type);
/* A byte or text string, in place; NULL: there is none, and *size is 0. Text may have any bytes. */
const uint8_t *cbor_take_string(struct bytes_reader *r, enum cbor_type type, size_t *size);

void cbor_append(struct bytes_writer *w, enum cbor_type type, uint64_t number);
void cbor_append_string(struct bytes_writer *w, enum cbor_type type, const void *data, size_t size);

#endif
