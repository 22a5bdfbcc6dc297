/* The member hostnames of an app's settings (settings.h). */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_SETTINGS_HOSTNAMES_H
#define ENCLAVE_OS_ENCLAVE_WASM_SETTINGS_HOSTNAMES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "enclave/wasm/settings.h"

/* out is zero. False: why says which of them is wrong and how; out is to be freed in any case. */
bool settings_hostnames_take(const json_t *array, struct app_hostnames *out, char *why, size_t why_size);
void settings_hostnames_free(struct app_hostnames *h);

#endif
