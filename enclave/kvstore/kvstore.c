/*
 * The store as callers see it (kvstore.h), and opening it (store.h).
 *
 * One thread (the owner's) runs every operation, so that the index and the root need no lock; other workers post
 * their jobs to it and get the answer posted back.
 */
#include "enclave/kvstore/kvstore.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"
#include "enclave/kvstore/store.h"
#include "enclave/thread/rpc_client.h"

struct store store;

/* ---- operations ----------------------------------------------------------------------------------------------- */

struct kv_namespace *kv_namespace_open(const char *name)
{
    size_t size = strlen(name);
    struct kv_namespace *ns = size <= KV_NAMESPACE_MAX ? calloc(1, sizeof *ns) : NULL;
    if (ns) {
        memcpy(ns->name, name, size);
        ns->size = (uint16_t)size;
    }
    return ns;
}

void kv_namespace_close(struct kv_namespace *ns)
{
    free(ns);
}

static struct job *single(struct worker *w, enum job_kind kind, struct kv_namespace *ns, const void *key,
                          size_t key_size, void *user)
{
    struct kv_op op = {.kind = KV_PUT, .ns = ns, .key = key, .key_size = key_size};
    return job_new(w, kind, &op, 1, user);
}

int kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_get_done done, void *user)
{
    struct job *j = single(w, JOB_GET, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->get_done = done;
    job_submit(j);
    return 0;
}

int kv_exists(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_done done, void *user)
{
    struct job *j = single(w, JOB_GET, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->only_exists = true;
    j->done = done;
    job_submit(j);
    return 0;
}

int kv_list(struct worker *w, struct kv_namespace *ns, uint64_t cursor, kv_list_done done, void *user)
{
    struct job *j = job_new(w, JOB_LIST, NULL, 0, user);
    if (!j)
        return -ENOMEM;
    j->list_done = done;
    j->list_ns = *ns;
    j->cursor = cursor;
    job_submit(j);
    return 0;
}

int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user)
{
    struct job *j = job_new(w, JOB_COMMIT, ops, count, user);
    if (!j)
        return -ENOMEM;
    j->done = done;
    job_submit(j);
    return 0;
}

int kv_update(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_modify modify,
              kv_done done, void *user)
{
    struct job *j = single(w, JOB_UPDATE, ns, key, key_size, user);
    if (!j)
        return -ENOMEM;
    j->modify = modify;
    j->done = done;
    job_submit(j);
    return 0;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

static int read_root(struct root *out)
{
    uint8_t request[4 + sizeof STORE_ROOT_KEY], *answer;
    uint32_t length = strlen(STORE_ROOT_KEY);
    size_t size;
    memcpy(request, &length, 4);
    memcpy(request + 4, STORE_ROOT_KEY, length);
    int result = rpc_call_wait(store.owner->rpc, RPC_KV_GET, request, 4 + length, &answer, &size);
    if (result < 0)
        return result;
    result = root_open(&store.keys, answer, size, out);
    free(answer);
    return result;
}

static int open_existing(char *error, size_t error_size)
{
    struct root sealed = {0};
    int result = read_root(&sealed);
    if (result < 0) {
        snprintf(error, error_size, "store: the sealed root is %s", result == -ENOENT ? "missing" : "damaged");
        return -EBADMSG;
    }
    result = store_load();
    if (result < 0) {
        snprintf(error, error_size, "store: a record cannot be read (error %d)", -result);
        return result;
    }
    store.root.epoch = sealed.epoch;
    if (store.root.count != sealed.count || CRYPTO_memcmp(store.root.digest, sealed.digest, 32) != 0) {
        snprintf(error, error_size,
                 "store: %lu records do not match the sealed root of epoch %lu (%lu records): some were changed, are "
                 "missing, or are older than acknowledged",
                 (unsigned long)store.root.count, (unsigned long)sealed.epoch, (unsigned long)sealed.count);
        return -EBADMSG;
    }
    return 0;
}

int store_open(struct worker *owner, const uint8_t master[32], const uint8_t *master_blob, size_t master_blob_size,
               char *error, size_t error_size)
{
    store.owner = owner;
    store.jobs_end = &store.jobs;
    store.commits_end = &store.commits;
    int result = record_keys_derive(master, &store.keys);
    if (result < 0)
        return result;
    if (!master_blob)
        return open_existing(error, error_size);
    result = store_create(master_blob, master_blob_size);
    if (result < 0)
        snprintf(error, error_size, "store: the first commit failed (error %d)", -result);
    return result;
}

void store_flush(void)
{
    loop_check(&store.owner->loop);
    loop_run_once(&store.owner->loop, store.owner->loop.now_ns); /* what was only posted arrives */
    while (store.jobs)
        worker_turn(store.owner);
}

void store_close(void)
{
    if (store.owner) /* it may never have been opened */
        loop_check(&store.owner->loop);
    index_free(&store.index);
    store_memory_reset();
    OPENSSL_cleanse(&store, sizeof store);
}

uint64_t store_record_count(void)
{
    return store.index.count;
}

uint64_t store_damaged_count(void)
{
    return store.damaged;
}
