/* One component, judged or compiled on a stack as small as the enclave's. */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_TESTING_JOB_H
#define ENCLAVE_OS_ENCLAVE_WASM_TESTING_JOB_H

#include <stdbool.h>

#include "enclave/wasm/runtime.h"
#include "enclave/wasm/shim.h"
#include "enclave/wasm/testing/bytes.h"

#define CHECK_STACK (256u << 10) /* far below what recursion over the input would take */
#define COMPILE_STACK (8u << 20) /* the enclave's compiler thread */

struct job {
    struct wasm_runtime *runtime; /* for compiling */
    struct bytes wasm;
    bool compile; /* else it is only judged */
    int refused;
    char error[512]; /* why */
};

/* A runtime for guests that import nothing. memory_left: as in its configuration. */
struct wasm_runtime *job_runtime(uint64_t (*memory_left)(void));
void job_run(struct job *job, size_t stack);

struct taken {
    struct component_needs needs;
    uint64_t expected_mib, took_mib;
    double seconds;
};
/* In a process that compiled nothing larger before: what counts is how far its memory grew. */
void job_measure(struct job *job, struct taken *taken);

#endif
