/* The member limits of an app's settings (settings.h). */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_SETTINGS_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_WASM_SETTINGS_LIMITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "enclave/wasm/admission.h"

/* out is zero. False: why says which member is wrong and how. */
bool settings_limits_take(const json_t *object, struct app_limits *out, char *why, size_t why_size);

#endif
