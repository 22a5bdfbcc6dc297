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

/* What becomes of one call. */
enum host_fate {
    FATE_HONEST,
    FATE_NOT_TAKEN,      /* rpc_call itself fails: -ENOMEM */
    FATE_FAILS,          /* nothing is done, and the answer is -EIO */
    FATE_DONE_BUT_FAILS, /* it is done, and the answer is -EIO */
    FATE_ANSWER_LOST,    /* it is done, and there is no answer before host_memory_reset */
    FATE_ANSWER_DELAYED, /* it is done, and the answer waits for host_memory_release */
    FATE_DELAYED,        /* it waits for host_memory_release */
    FATES
};

struct host_call;

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
    enum host_fate (*fate)(uint32_t method); /* if set, asked at each call */
    void (*seen)(uint32_t method);           /* if set, called before and behind what a call does */
    void (*idle)(void);                      /* if set, called by worker_turn when nothing is ready to run */
    struct host_call *withheld, *lost;
    char last_log[512];
};
extern struct host_memory host_memory;

/* A worker whose rpc is the map. */
int host_memory_worker(struct worker *w);
struct host_record *host_memory_find(const void *key, size_t key_size);
void host_memory_put(const void *key, size_t key_size, const void *value, size_t value_size);
void host_memory_delete(const void *key, size_t key_size);
void host_memory_reset(void);

/* The oldest call that is withheld: done as asked, or not done and failed. False: there is none. */
bool host_memory_release(bool fails);

/* What a host that is killed now would find again. Freed when it is restored. */
struct host_image;
struct host_image *host_memory_keep(void);
void host_memory_restore(struct host_image *image); /* instead of what is there */
void host_memory_drop(struct host_image *image);
const struct host_record *host_image_find(const struct host_image *image, const void *key, size_t size);

#endif
