/* Which engine this image has: see runtime.h. */
#include "enclave/wasm/engine_id.h"
#include "enclave/wasm/runtime.h"

const uint8_t wasm_engine_id[WASM_ENGINE_ID_SIZE] = {WASM_ENGINE_ID};
