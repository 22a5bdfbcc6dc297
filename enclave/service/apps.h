/*
 * Which apps this enclave runs, as they were deployed: made of what the store has at boot, and shown to the
 * administrator. app_changes.h changes them.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_APPS_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_APPS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app;
struct app_table;
struct deployed;
struct generation;
struct wasm_component;

/* Boot: load every deployed app from the store into apps. 0 or a negative errno, a line in error naming the app. */
int apps_load(struct app_table *apps, char *error, size_t error_size);

/* As the list has it, of its compiled code, which is taken in any case; closed (wasm/app.h) or not. NULL, with a line
 * in error. Any thread. */
struct app *app_make(const struct deployed *d, struct wasm_component *component, bool closed, char *error,
                     size_t error_size);

/* Values of jansson's, the caller's; NULL: no memory. Any worker. */

/* {"settings","salt","sha256"}, the last two as docs/attestation.md has them; *error is -ENOENT where there is no such
 * app, or -ENOMEM. */
json_t *apps_settings_json(const struct generation *g, const char *name, int *error);
/* {"apps":[{"name","sha256","id","rule"}],"merkle_root","generation"} */
json_t *apps_list_json(const struct generation *g);

#endif
