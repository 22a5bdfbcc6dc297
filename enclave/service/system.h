/*
 * The enclave as a whole: its workers, and the pieces that all of them share. Filled in by boot (main.c) before the
 * first connection, and not changed afterwards, except where a field's own module says so.
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
