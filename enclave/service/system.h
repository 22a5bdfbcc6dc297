/*
 * The room's manual. What an operator sees, over all the other rooms:
 *
 *     system.h        the enclave as a whole: its workers, and what they share
 *     identity.h      the CA, this boot's key, and the certificate that shows the configuration
 *     proof.h         that an app is part of it
 *     apps.h          which apps run; deployed.h: the sealed list of them
 *     change.h        how what runs is changed: one at a time, durable, shown, answered
 *     app_changes.h, trust_change.h    the changes there are
 *     trust.h         the CA bundle of outgoing requests; dial.h: their connections
 *     router.h        which request is for whom; admin.h: the administrator's
 *
 *     enclave_system.owner = &enclave_system.workers[0];      boot, main.c
 *     ...
 *     error = apps_load(why, sizeof why);
 *     change_ask(&push->change, worker, done, user);          later, on any worker
 *
 * Threads. What is durable belongs to the owner's thread, worker 0's: identity, the sealed list, changes from their
 * commit on. What all workers read (the table of apps, the root, the bundle, proofs) is published under a lock of its
 * own and counted, so that it may be replaced while requests use it.
 *
 * enclave_system is filled in by boot, before the first connection, and not written afterwards. It lives for ever.
 *
 * Errors: int, negative errno, with a sentence for people where there is somebody to read it; status is HTTP's.
 *
 * Known weaknesses: a change is in force before the certificate shows it, and a request that began under the old
 * certificate may be answered by the new code (docs/apps.md, "Changes"). All of it is one enclave_system: tests of a
 * part bring the whole.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_SYSTEM_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_SYSTEM_H

#include "enclave/ratls/connections.h"
#include "enclave/thread/worker.h"

struct app_table;
struct wasm_runtime;
struct kv_namespace;
struct store;
struct fs_home;

struct system {
    struct worker workers[PROTO_MAX_WORKERS];
    struct connections connections[PROTO_MAX_WORKERS]; /* each worker's */
    uint32_t worker_count;
    struct worker *owner; /* worker 0: store, identity and app list live on its thread */
    struct app_table *apps;
    struct wasm_runtime *wasm;
    struct store *store;
    struct fs_home *files;
    struct kv_namespace *settings; /* the enclave's own namespace in the store */
    uint64_t started_ns;
};
extern struct system enclave_system;

/* Boot only: a record of the enclave's own namespace. As kv_get_wait and kv_commit_wait. */
int system_get(const char *key, uint8_t **value, size_t *size);
int system_put(const char *key, const void *value, size_t size);

/* For http_server.more_metrics. */
int system_metrics(void *user, char *buf, size_t size);

#endif
