/*
 * Judging a component before it is compiled, and saying in one sentence why it is refused.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_COMPONENT_H
#define ENCLAVE_OS_ENCLAVE_WASM_COMPONENT_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/wasm/shim.h"

/* Read the component without recursion and without compiling: what it needs, or -EINVAL and one sentence in why
 * that names what is wrong and what to do about it. Bytes from a stranger. */
int component_check(const uint8_t *wasm, size_t size, struct component_needs *needs, char *why, size_t why_size);
/* How much memory compiling takes at most, beside the component's own bytes. */
uint64_t component_compile_memory(size_t size, const struct component_needs *needs);
/* Whether optimising its code takes so long that it is worth serving with quick code until then. */
bool component_takes_long(const struct component_needs *needs);
/* wasmtime's reason for refusing a component, in a sentence of ours where we know it. Takes failed. */
void component_refusal(wasmtime_error_t *failed, char *why, size_t why_size);
/* Whether instances stay within a guest's limits. 0, or -EINVAL and one sentence in why. */
int component_fits(const wasmtime_component_t *component, uint64_t memory_limit, char *why, size_t why_size);

#endif
