/*
 * The room's manual. What an operator sees, over all the other rooms:
 *
 *     system.h        the enclave as a whole: its workers, and what they share
 *     identity.h      who it is: the CA, the instance, this boot's key
 *     generation.h    what it serves, as one value that never changes; manifest.h: item by item, with proofs
 *     chronicle.h     what of it goes into the history (history/history.h)
 *     attest.h        the certificate that shows a generation; quote.h: the quote in it
 *     generations.h   which of them is in force, and how the next one comes to be
 *     apps.h          the apps that the store has; deployed.h: the sealed list of them
 *     change.h        how what runs is changed: one at a time, attested, durable, served, answered
 *     app_changes.h, trust_change.h, administrators_change.h, upgrade_rule_change.h, recovery_change.h,
 *     witness_change.h
 *                     the changes there are
 *     upgrade_rule.h  which enclave may have the instance next; upgrade_agreement.h: what publishers say to that;
 *                     lineage.h: which have had it; image_record.h: which has it
 *     recovery.h      who can recover it where none has it any more
 *     compiler.h      the thread on which components are compiled; optimiser.h: the one where that takes long
 *     salvage.h       what of the store is lost, and going on without it
 *     trust.h         the CA bundle of outgoing requests; dial.h: their connections
 *     public.h        what everybody may see: the manifest, proofs; log_public.h: the history; page_public.h: a page
 *     router.h        which request is for whom; admin.h: the administrators'; administrators.h: who those are;
 *                     authority.h: whether they asked for it
 *
 *     enclave_system.owner = &enclave_system.workers[0];      boot, main.c
 *     ...
 *     error = apps_load(parts.apps, why, sizeof why);
 *     error = generations_boot(&parts, why, sizeof why);
 *     change_ask(&push->change, &asker);                      later, on any worker
 *
 * Threads. What is durable belongs to the owner's thread, worker 0's: the sealed list, changes from their write on.
 * What all workers read is in a generation: immutable, counted, and theirs by the connection that a request came on.
 *
 * enclave_system is filled in by boot, before the first connection, and not written afterwards. It lives for ever.
 *
 * Errors: int, negative errno, with a sentence for people where there is somebody to read it; status is HTTP's.
 *
 * Known weakness: all of it is one enclave_system: tests of a part bring the whole.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_SYSTEM_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_SYSTEM_H

#include "enclave/ratls/connections.h"
#include "enclave/thread/worker.h"

struct http_site;
struct wasm_runtime;
struct kv_namespace;
struct store;
struct fs_home;
struct history;
struct json_t;

struct system {
    struct worker workers[PROTO_MAX_WORKERS];
    struct connections connections[PROTO_MAX_WORKERS]; /* each worker's */
    uint32_t worker_count;
    struct worker *owner; /* worker 0: store, identity and app list live on its thread */
    struct wasm_runtime *wasm;
    struct store *store;
    struct fs_home *files;
    struct kv_namespace *settings; /* the enclave's own namespace in the store */
    struct history *history;       /* from boot on */
    uint64_t started_ns;
};
extern struct system enclave_system;

/* Boot only: a record of the enclave's own namespace. As kv_get_wait and kv_commit_wait. */
int system_get(const char *key, uint8_t **value, size_t *size);
int system_put(const char *key, const void *value, size_t size);

/* For http_server's hooks of these names. */
bool system_not_ready(void *user, char *why, size_t size);
int system_status(void *user, const struct http_site *site, struct json_t *into);
int system_metrics(void *user, const struct http_site *site, struct json_t *into);

#endif
