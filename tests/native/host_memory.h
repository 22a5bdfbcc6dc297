/*
 * The host's side of the store's RPCs, in memory: an ordered map behind rpc_call and worker_turn, for tests of
 * enclave/kvstore outside any enclave. A test may change the map, or answer in the host's place.
 */
#ifndef ENCLAVE_OS_TESTS_NATIVE_HOST_MEMORY_H
#define ENCLAVE_OS_TESTS_NATIVE_HOST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/thread/worker.h"

struct host_record {
    uint8_t *key, *value;
    size_t key_size, value_size;
};

struct host_memory {
    struct host_record *records; /* ascending by key */
    size_t count;
    int commit_status; /* answered to each commit */
    int refuse;        /* each call is refused with it, and nothing is asked (common/callbacks.h); 0: none */
    bool keep_failed;  /* a failed commit is kept all the same */
    size_t room;       /* bytes of values; a commit that needs more is -ENOSPC. What it removes is free for later ones.
                        * 0: without end */
    size_t commits;    /* seen so far */
    size_t refused;    /* so many commits from now on are not even taken: -ENOMEM */
    /* If set, asked first: true, and what it put into *status, *answer (malloc'ed) and *size is the answer. */
    bool (*answer)(uint32_t method, int *status, uint8_t **answer, size_t *size);
};
extern struct host_memory host_memory;

/* A worker whose rpc is the map. */
int host_memory_worker(struct worker *w);
struct host_record *host_memory_find(const void *key, size_t key_size);
void host_memory_put(const void *key, size_t key_size, const void *value, size_t value_size);
void host_memory_delete(const void *key, size_t key_size);
void host_memory_reset(void);

#endif
