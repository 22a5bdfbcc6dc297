/*
 * Little-endian integers in byte buffers, and two cursors that cannot run past their end.
 *
 * A cursor that was asked for more than it holds fails for good: reads give zero, writes do nothing. A parser
 * reads all its fields and asks once at the end. Freestanding.
 */
#ifndef ENCLAVE_OS_COMMON_BYTES_H
#define ENCLAVE_OS_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* x86-64 is the only target; the casts through memcpy are for alignment. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is the machine's byte order");

static inline uint16_t bytes_u16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t bytes_u32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t bytes_u64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void bytes_put_u16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void bytes_put_u32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void bytes_put_u64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

/* Big endian, as what clients see has it. */
static inline void bytes_put_be64(uint8_t out[8], uint64_t v)
{
    for (size_t i = 0; i < 8; i++)
        out[i] = (uint8_t)(v >> (56 - 8 * i));
}

static inline uint64_t bytes_be64(const uint8_t in[8])
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | in[i];
    return v;
}

/* ---- reading: a view, the caller keeps the buffer alive --------------------------------------------------- */

struct bytes_reader {
    const uint8_t *next;
    size_t left;
    bool failed;
};

static inline struct bytes_reader bytes_reader_make(const void *data, size_t size)
{
    return (struct bytes_reader){.next = data, .left = size, .failed = false};
}

/* The next size bytes in place, or NULL. */
static inline const uint8_t *bytes_take(struct bytes_reader *r, size_t size)
{
    if (r->failed || size > r->left) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->next;
    r->next += size;
    r->left -= size;
    return p;
}

static inline uint8_t bytes_take_u8(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 1);
    return p ? *p : 0;
}

static inline uint16_t bytes_take_u16(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 2);
    return p ? bytes_u16(p) : 0;
}

static inline uint32_t bytes_take_u32(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 4);
    return p ? bytes_u32(p) : 0;
}

static inline uint64_t bytes_take_u64(struct bytes_reader *r)
{
    const uint8_t *p = bytes_take(r, 8);
    return p ? bytes_u64(p) : 0;
}

/* The protocol's "blob": u32 length, then that many bytes. NULL if it does not fit; *size is then 0. */
static inline const uint8_t *bytes_take_blob(struct bytes_reader *r, size_t *size)
{
    uint32_t length = bytes_take_u32(r);
    const uint8_t *p = bytes_take(r, length);
    *size = p ? length : 0;
    return p;
}

/* True if every read fitted and nothing is left over. */
static inline bool bytes_reader_complete(const struct bytes_reader *r)
{
    return !r->failed && r->left == 0;
}

/* ---- writing into a buffer of the caller's ----------------------------------------------------------------- */

struct bytes_writer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool failed;
};

static inline struct bytes_writer bytes_writer_make(void *data, size_t capacity)
{
    return (struct bytes_writer){.data = data, .size = 0, .capacity = capacity, .failed = false};
}

/* Room for size bytes that the caller fills, or NULL. */
static inline uint8_t *bytes_add(struct bytes_writer *w, size_t size)
{
    if (w->failed || size > w->capacity - w->size) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->data + w->size;
    w->size += size;
    return p;
}

static inline void bytes_append(struct bytes_writer *w, const void *data, size_t size)
{
    uint8_t *p = bytes_add(w, size);
    if (p && size != 0)
        memcpy(p, data, size);
}

static inline void bytes_append_u8(struct bytes_writer *w, uint8_t v)
{
    bytes_append(w, &v, sizeof v);
}

static inline void bytes_append_u16(struct bytes_writer *w, uint16_t v)
{
    bytes_append(w, &v, sizeof v);
}

static inline void bytes_append_u32(struct bytes_writer *w, uint32_t v)
{
    bytes_append(w, &v, sizeof v);
}

static inline void bytes_append_u64(struct bytes_writer *w, uint64_t v)
{
    bytes_append(w, &v, sizeof v);
}

static inline void bytes_append_blob(struct bytes_writer *w, const void *data, size_t size)
{
    if (size > UINT32_MAX)
        w->failed = true;
    bytes_append_u32(w, (uint32_t)size);
    bytes_append(w, data, size);
}

#endif
