/*
 * Which apps this enclave runs, as they were deployed: made of what the store has at boot, and shown to the
 * administrator. app_changes.h changes them.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_APPS_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_APPS_H

#include <stddef.h>
#include <stdint.h>

struct app;
struct app_table;
struct deployed;
struct generation;
struct wasm_component;

/* Boot: load every deployed app from the store into apps. 0 or a negative errno, a line in error naming the app. */
int apps_load(struct app_table *apps, char *error, size_t error_size);

/* As the list has it, of its compiled code, which is taken in any case. NULL, with a line in error. Any thread. */
struct app *app_make(const struct deployed *d, struct wasm_component *component, char *error, size_t error_size);

/* malloc'ed JSON: {"settings","salt","sha256"}, the last two as docs/attestation.md has them. NULL: there is no such
 * app, or no memory. Any worker. */
char *apps_settings_json(const struct generation *g, const char *name);
/* malloc'ed JSON: {"apps":[{"name","sha256","id","rule"}],"merkle_root","generation"}. NULL: out of memory. Any
 * worker. */
char *apps_list_json(const struct generation *g);

#endif
