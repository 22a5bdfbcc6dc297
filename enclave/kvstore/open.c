/* Opening the store, making it, and closing it. See store.h. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"
#include "enclave/thread/rpc_client.h"

struct store *store_new(struct worker *owner)
{
    ENSURE(owner);
    loop_check(&owner->loop);
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->owner = owner;
    s->proceed = schedule_proceed;
    s->submit = schedule_submit;
    job_queue_init(&s->jobs);
    job_queue_init(&s->commits);
    job_queue_init(&s->lists);
    memory_init(s);
    return s;
}

/* One of the records whose keys are names. */
static int read_named(struct store *s, const char *key, uint8_t **value, size_t *value_size)
{
    uint8_t request[4 + STORAGE_KEY_SIZE];
    uint32_t length = (uint32_t)strlen(key);
    ENSURE(length < STORAGE_KEY_SIZE); /* so that it is no record's */
    memcpy(request, &length, 4);
    memcpy(request + 4, key, length);
    return rpc_call_wait(s->owner->rpc, RPC_KV_GET, request, 4 + length, value, value_size);
}

int store_read_master(struct store *s, uint8_t **blob, size_t *size)
{
    store_enter(s);
    ENSURE(!s->open);
    return read_named(s, STORE_MASTER_KEY, blob, size);
}

static int read_root(struct store *s, struct root *out)
{
    uint8_t *answer;
    size_t size;
    int error = read_named(s, STORE_ROOT_KEY, &answer, &size);
    if (error < 0)
        return error;
    error = root_open(&s->keys, answer, size, out);
    free(answer);
    return error;
}

static int open_existing(struct store *s, char *why, size_t why_size)
{
    struct root sealed = {0};
    loop_check(&s->owner->loop);
    ENSURE(why && why_size > 0);
    int error = read_root(s, &sealed);
    if (error == -ENOENT || error == -EBADMSG) {
        snprintf(why, why_size, "store: the sealed root is %s", error == -ENOENT ? "missing" : "damaged");
        return -EBADMSG;
    }
    if (error < 0) {
        snprintf(why, why_size, "store: the sealed root cannot be read (error %d)", -error);
        return error;
    }
    error = load_all(s);
    if (error < 0) {
        snprintf(why, why_size, "store: a record cannot be read (error %d)", -error);
        return error;
    }
    s->root.epoch = s->last_epoch = sealed.epoch;
    if (s->root.count != sealed.count || CRYPTO_memcmp(s->root.digest, sealed.digest, 32) != 0) {
        snprintf(why, why_size,
                 "store: %lu records do not match the sealed root of epoch %lu (%lu records): some were changed, are "
                 "missing, or are older than acknowledged",
                 (unsigned long)s->root.count, (unsigned long)sealed.epoch, (unsigned long)sealed.count);
        return -EBADMSG;
    }
    return 0;
}

/* As store_new made it, but for who is charged. */
static void forget(struct store *s)
{
    ENSURE(!s->jobs.first && !s->commits.first && !s->lists.first);
    ENSURE(!s->in_flight);
    index_free(&s->index);
    memory_reset(s);
    OPENSSL_cleanse(&s->keys, sizeof s->keys);
    s->root = (struct root){0};
    s->last_epoch = 0;
    s->stopped = false;
    free(s->master);
    s->master = NULL;
    s->damaged = 0;
    s->nameless = 0;
    s->listed = (struct kv_namespace){0};
    s->open = false;
}

int store_open(struct store *s, const uint8_t master[32], char *why, size_t why_size)
{
    store_enter(s);
    ENSURE(!s->open && !s->master);
    ENSURE(master && why);
    int error = record_keys_derive(master, &s->keys);
    if (error == 0)
        error = open_existing(s, why, why_size);
    if (error < 0)
        forget(s);
    else
        s->open = true;
    return error;
}

int store_begin(struct store *s, const uint8_t master[32], const uint8_t *sealed, size_t size)
{
    store_enter(s);
    ENSURE(!s->open && !s->master);
    ENSURE(master && sealed);
    ENSURE(size > 0 && size <= STORE_MASTER_SIZE_MAX);
    s->master = malloc(size);
    s->master_size = size;
    int error = s->master ? record_keys_derive(master, &s->keys) : -ENOMEM;
    if (error < 0)
        forget(s);
    else
        memcpy(s->master, sealed, size);
    return error;
}

int store_create(struct store *s, const struct kv_op *ops, size_t count, char *why, size_t why_size)
{
    store_enter(s);
    ENSURE(!s->open && s->master);
    ENSURE(why);
    s->open = true;
    int error = commit_first(s, ops, count);
    if (error < 0) {
        snprintf(why, why_size, "store: the first commit failed (error %d)", -error);
        forget(s);
    }
    return error;
}

void store_flush(struct store *s)
{
    store_enter(s);
    loop_run_once(&s->owner->loop, s->owner->loop.now_ns); /* what was only posted arrives */
    s->flushing = true;
    while (s->jobs.first)
        worker_turn(s->owner);
    s->flushing = false;
}

void store_close(struct store *s)
{
    store_enter(s);
    forget(s);
}

void store_free(struct store *s)
{
    if (!s)
        return;
    store_enter(s);
    ENSURE(!s->open);
    memory_deinit(s);
    free(s);
}

uint64_t store_record_count(const struct store *s)
{
    ENSURE(s);
    return s->index.count;
}

bool store_has_stopped(const struct store *s)
{
    ENSURE(s);
    return s->stopped;
}

uint64_t store_damaged_count(const struct store *s)
{
    ENSURE(s);
    return s->damaged;
}
