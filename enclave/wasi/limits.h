/*
 * What the functions of WASI take at most, in bytes; what guests may have altogether is in enclave/wasm/limits.h.
 * docs/limits.md lists what an app can meet.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_WASI_LIMITS_H

#include <assert.h>

#include "enclave/https/limits.h"
#include "enclave/wasm/limits.h"

#define EARLY_SIZE 32768u /* of a body that is written before its response is set, and of what a command prints */
#define WRITE_MAX 4096u   /* what blocking-write-and-flush must take, says the WIT */
#define TEXT_MAX 8192u    /* of a path, an authority, a method */
/* Of a field beside its texts: its place in the array, which may be twice as large as needed, and malloc's. */
#define FIELD_COST 96u

static_assert(WRITE_MAX <= HTTP_WRITE_MIN, "where there is room for anything there is room for that");
static_assert(EARLY_SIZE <= H1_EARLY_SIZE, "what was written early fits what waits for its framing");

#endif
