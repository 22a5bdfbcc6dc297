/* Opening the store, making it, and closing it. See store.h. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
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
    job_queue_init(&s->unproven);
    s->allowed = UINT64_MAX;
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

int store_read_master(struct store *s, bool copy, uint8_t **blob, size_t *size)
{
    store_enter(s);
    ENSURE(!s->open);
    return read_named(s, copy ? STORE_MASTER_COPY_KEY : STORE_MASTER_KEY, blob, size);
}

int store_write_master(struct store *s, const uint8_t *blob, size_t size)
{
    store_enter(s);
    ENSURE(s->open && !s->in_flight);
    return mend_named(s, STORE_MASTER_KEY, STORE_MASTER_COPY_KEY, blob, size);
}

int store_mend_master(struct store *s, const uint8_t *blob, size_t size)
{
    int error = store_write_master(s, blob, size);
    ENSURE(blob && size <= STORE_MASTER_SIZE_MAX);
    if (error == 0 && !s->is_older) {
        s->mended++;
        rpc_log(s->owner->rpc, LOG_ERROR,
                "store: one of the two copies of the sealed master key was changed or missing: it is mended from the "
                "other");
    }
    return error;
}

/* One of the two roots, as it opens. */
struct found_root {
    int error;
    uint8_t sealed[ROOT_SIZE];
    struct root root;
};

static void read_root(struct store *s, const char *key, struct found_root *out)
{
    uint8_t *answer = NULL;
    size_t size = 0;
    *out = (struct found_root){.error = read_named(s, key, &answer, &size)};
    if (out->error == 0)
        out->error = root_open(&s->keys, answer, size, &out->root);
    if (out->error == 0)
        memcpy(out->sealed, answer, sizeof out->sealed);
    free(answer);
}

/* It was given, or there is none: so it can be told that it is not what it should be. */
static bool is_there_to_see(const struct found_root *found)
{
    return found->error == 0 || found->error == -ENOENT || found->error == -EBADMSG;
}

/* The one that counts: the later one that is authentic. Else the error of the first. *differ: the other one is to be
 * written again. */
static int choose_root(struct store *s, struct found_root *out, bool *differ)
{
    struct found_root first, copy;
    read_root(s, STORE_ROOT_KEY, &first);
    read_root(s, STORE_ROOT_COPY_KEY, &copy);
    bool takes_copy = copy.error == 0 && (first.error < 0 || copy.root.epoch > first.root.epoch);
    *out = takes_copy ? copy : first;
    *differ = is_there_to_see(&first) && is_there_to_see(&copy) &&
              (first.error < 0 || copy.error < 0 || first.root.epoch != copy.root.epoch);
    ENSURE(out->error < 0 || out->root.epoch >= (takes_copy ? copy : first).root.epoch);
    return out->error;
}

/* What is not as it should be, as far as it can be written again. */
static void mend(struct store *s, const struct found_root *root, bool roots_differ)
{
    int error = mend_all(s);
    ENSURE(!s->open && root->error == 0);
    if (error == 0 && roots_differ)
        error = mend_named(s, STORE_ROOT_KEY, STORE_ROOT_COPY_KEY, root->sealed, sizeof root->sealed);
    if (error == 0 && roots_differ && !s->is_older) {
        s->mended++;
        rpc_log(s->owner->rpc, LOG_ERROR,
                "store: one of the two copies of the sealed root was changed, missing or older: it is mended from the "
                "other, by which all records are what was acknowledged");
    }
}

static int open_existing(struct store *s, char *why, size_t why_size)
{
    struct found_root found;
    const struct root *sealed = &found.root;
    bool roots_differ;
    loop_check(&s->owner->loop);
    ENSURE(why && why_size > 0);
    int error = choose_root(s, &found, &roots_differ);
    if (error == -ENOENT || error == -EBADMSG) {
        snprintf(why, why_size, "store: the sealed root is %s, and so is its copy",
                 error == -ENOENT ? "missing" : "damaged");
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
    s->root.epoch = s->last_epoch = sealed->epoch;
    if (!load_adds_up(s, sealed)) {
        snprintf(why, why_size,
                 "store: %lu records do not match the sealed root of epoch %lu (%lu records): some were changed, are "
                 "missing, or are older than acknowledged, and so are their second copies",
                 (unsigned long)s->index.count, (unsigned long)sealed->epoch, (unsigned long)sealed->count);
        return -EBADMSG;
    }
    mend(s, &found, roots_differ);
    return 0;
}

/* As store_new made it, but for who is charged. */
static void forget(struct store *s)
{
    ENSURE(!s->jobs.first && !s->commits.first && !s->lists.first && !s->unproven.first);
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
    s->mended = 0;
    s->nameless = 0;
    nameless_forget(s);
    s->allowed = UINT64_MAX;
    s->ending = false;
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
    proven_give_up(s);
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

void store_stop_writing(struct store *s)
{
    store_enter(s);
    ENSURE(s->open);
    s->stopped = true;
}

void store_root(const struct store *s, struct store_root *out)
{
    store_enter(s);
    ENSURE(s->open && out);
    *out = (struct store_root){.epoch = s->root.epoch, .count = s->root.count};
    memcpy(out->digest, s->root.digest, sizeof out->digest);
}

int store_adopt(struct store *s, const uint8_t *sealed, size_t size)
{
    store_enter(s);
    ENSURE(s->open && !s->master);
    ENSURE(sealed && size > 0 && size <= STORE_MASTER_SIZE_MAX);
    s->master = malloc(size);
    if (!s->master)
        return -ENOMEM;
    s->master_size = size;
    memcpy(s->master, sealed, size);
    return 0;
}

bool store_has_key(const struct store *s, const uint8_t master[32])
{
    struct record_keys keys;
    store_enter(s);
    ENSURE(s->open && master);
    bool same = record_keys_derive(master, &keys) == 0 && CRYPTO_memcmp(&keys, &s->keys, sizeof keys) == 0;
    OPENSSL_cleanse(&keys, sizeof keys);
    return same;
}

uint64_t store_record_count(const struct store *s)
{
    ENSURE(s);
    return s->index.count;
}

uint64_t store_epoch(const struct store *s)
{
    ENSURE(s);
    loop_check(&s->owner->loop);
    return s->root.epoch;
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
