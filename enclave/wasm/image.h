/*
 * What the memory of a component's instances begins with, and putting one that was used back to it.
 *
 * A component that marks (wasmtime/mark/src/lib.rs) has set, for each card of IMAGE_CARD bytes that it was going to
 * write, a byte in its marks: the card's number modulo IMAGE_MARKS. What it wrote lies in marked cards, or in the first
 * IMAGE_SLACK bytes behind one. All else is as it was.
 *
 * An image is counted, and never changes. Memories and marks belong to who calls; nothing here is shared between
 * threads.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_IMAGE_H
#define ENCLAVE_OS_ENCLAVE_WASM_IMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_CARD 4096u
#define IMAGE_SLACK 1024u
#define IMAGE_MARKS 65536u /* bytes of marks: one page of memory */

enum memory_role { MEMORY_DATA = 0, MEMORY_MARKS = 1 };

struct memory_image {
    atomic_uint references;
    uint64_t memory_bytes; /* that a memory has at first: zeros, but for */
    uint64_t offset, size; /* these, within it */
    uint8_t *bytes;
    uint32_t memories; /* that instantiating makes, in their order: enum memory_role; one of them is MEMORY_DATA */
    uint8_t *roles;
};

/* Copies of all. NULL: no memory, or the numbers do not fit each other. */
struct memory_image *image_new(uint64_t memory_bytes, uint64_t offset, const uint8_t *bytes, uint64_t size,
                               const uint8_t *roles, size_t memories);
struct memory_image *image_ref(struct memory_image *image);
void image_unref(struct memory_image *image); /* NULL: nothing */

/* A new memory, zeroed. */
void image_fill(const struct memory_image *image, uint8_t *memory);
/* Put back what is marked in any of the marks, and clear them. capacity: of the memory, which may have grown; at least
 * image->memory_bytes. */
void image_restore(const struct memory_image *image, uint8_t *memory, size_t capacity, uint8_t *const *marks,
                   size_t count);
/* Whether all of it is as it was at first; what it grew by is zero. */
bool image_is(const struct memory_image *image, const uint8_t *memory, size_t capacity);

#endif
