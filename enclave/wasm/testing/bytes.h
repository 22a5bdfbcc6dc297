/* Binary WebAssembly, put together piece by piece. For tests: a program without memory ends. */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_TESTING_BYTES_H
#define ENCLAVE_OS_ENCLAVE_WASM_TESTING_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *data; /* to be freed by who has it at last */
    size_t size, capacity;
};

void put(struct bytes *b, const void *data, size_t size);
#define PUT(b, text) put(b, text, sizeof text - 1)
void put_times(struct bytes *b, unsigned times, const void *data, size_t size);
void put_number(struct bytes *b, uint32_t n);
/* A section with content, which is freed. */
void put_section(struct bytes *b, uint8_t id, struct bytes *content);
/* What a component begins with. */
void put_head(struct bytes *b);

/* The end of a module, whose sections up to the code are there: so many functions, each of this one's variables and
 * body. The module becomes a section of b; both are freed. */
void put_module(struct bytes *b, struct bytes *module, unsigned count, struct bytes *function);
/* A module with so many functions, each with this type (behind its leading byte), variables and body; body is freed. */
void put_functions(struct bytes *b, unsigned count, const char *type, unsigned variables, struct bytes *body);

/* A file, or the end. */
struct bytes read_file(const char *path);

#endif
