/* Components of every shape that nests or multiplies, as deep or large as a test wants. */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_TESTING_SHAPES_H
#define ENCLAVE_OS_ENCLAVE_WASM_TESTING_SHAPES_H

#include "enclave/wasm/testing/bytes.h"

/* The source of all that is chosen at random: the same seed, the same components. */
void pick_seed(uint64_t seed);
unsigned pick(unsigned below);

struct shape_kind {
    const char *name;
    void (*make)(struct bytes *b, unsigned depth); /* `depth` levels of it, behind a component's head */
    unsigned within, beyond, most;                 /* levels that are fine, that are not, that are tried */
    const char *said;                              /* of those that are not */
};
extern const struct shape_kind shapes[];
extern const size_t shape_count;

/* Within the limits, and large: what compiling them takes must be known before. */
struct large_shape {
    const char *name;
    void (*make)(struct bytes *b, unsigned count);
    unsigned count;
};
extern const struct large_shape large_shapes[];
extern const size_t large_shape_count;

/* So many additions in a function. */
void many_operators(struct bytes *b, unsigned count);

#endif
