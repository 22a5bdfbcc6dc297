/*
 * Deploying: which apps this enclave runs, kept sealed, changed one at a time.
 *
 * A change is compiled and checked on the compiler's own thread (nothing that takes seconds runs on a worker), then
 * made durable, then put in force, then shown in a new certificate; only then is it answered.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_APPS_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_APPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"

struct worker;

/* Boot: load every deployed app from the store. 0 or a negative errno, a line in error naming the app. */
int apps_load(char *error, size_t error_size);

/* The body of the compiler thread, started at boot. */
void *apps_compiler(void *unused);
/* Worker 0, once: no change begins any more. Those that wait, and one that is being compiled, are answered with 503;
 * what is durable or about to be goes on. The compiler's thread ends when it has nothing to compile: nothing can
 * interrupt what it does, which may take a minute, and whose memory is never freed. */
void apps_stop(void);
/* Any thread. After apps_stop it only ever becomes false. */
bool apps_are_compiling(void);
uint32_t apps_waiting(void); /* changes that have not begun */

/* status is an HTTP status; json is a complete body, valid during the call. Runs on origin's loop. */
typedef void (*apps_done)(void *user, int status, const char *json);

/* The three changes: 0; or -ENOMEM, and done never runs (common/callbacks.h). wasm, a charged block (budget.h), is
 * taken in any case. */
MAY_REFUSE int apps_push(struct worker *origin, const char *name, uint8_t *wasm, size_t size, apps_done done,
                         void *user);
/* New settings (wasm/settings.h), which live until the app is removed or gets others; json is copied. -EINVAL, too:
 * error says which member is wrong and how. */
MAY_REFUSE int apps_set(struct worker *origin, const char *name, const char *json, size_t size, apps_done done,
                        void *user, char *error, size_t error_size);
MAY_REFUSE int apps_remove(struct worker *origin, const char *name, apps_done done, void *user);
/* malloc'ed JSON: {"settings","salt","sha256"}, the last two as docs/attestation.md has them. NULL: there is no such
 * app, or no memory. Any worker. */
char *apps_settings_json(const char *name);
/* malloc'ed JSON: {"apps":[{"name","sha256"}],"merkle_root"}. NULL: out of memory. Any worker. */
char *apps_list_json(void);

#endif
