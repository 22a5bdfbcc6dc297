/*
 * WASI 0.2 for guests: all that they may import, as a world for the engine (wasm_runtime_config.world). docs/wasi.md
 * lists it, made from these tables.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASI_WASI_H
#define ENCLAVE_OS_ENCLAVE_WASI_WASI_H

struct host_world;

extern const struct host_world wasi_world;

#endif
