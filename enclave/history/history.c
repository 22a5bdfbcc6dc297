/* See history.h. */
#include "enclave/history/history.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/history/internal.h"
#include "enclave/thread/worker.h"

static void on_grown(struct loop_task *task)
{
    struct history *h = CONTAINER_OF(task, struct history, grown);
    if (h->watch)
        h->watch(h->watch_user);
}

struct history *history_new(const struct history_config *config)
{
    struct history *h = calloc(1, sizeof *h);
    ENSURE(config->owner && config->store);
    loop_check(&config->owner->loop);
    if (!h)
        return NULL;
    pthread_mutex_init(&h->lock, NULL);
    h->owner = config->owner;
    h->store = config->store;
    h->turns_end = &h->turns;
    h->reads_end = &h->reads;
    h->grown.fn = on_grown;
    h->reads_turn.fn = reads_go_on;
    memcpy(h->key, config->key, sizeof h->key);
    hex_text(config->instance, 32, stpcpy(h->origin, HISTORY_ORIGIN));
    h->end = end_new();
    h->ns = kv_namespace_open(h->store, HISTORY_NAMESPACE);
    if (h->end && h->ns && history_key_public(h->key, h->public_key) == 0)
        return h;
    history_free(h);
    return NULL;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    ENSURE(!h->turn && !h->append && !h->reads && h->reading == 0);
    ENSURE(!atomic_load(&h->grown.queued));
    end_free(h->end);
    kv_namespace_close(h->ns);
    pthread_mutex_destroy(&h->lock);
    OPENSSL_cleanse(h->key, sizeof h->key);
    free(h);
}

void history_watch(struct history *h, void (*fn)(void *user), void *user)
{
    loop_check(&h->owner->loop);
    h->watch = fn;
    h->watch_user = user;
}

/* ---- what any thread may see ------------------------------------------------------------------------------------ */

void head_publish(struct history *h, const struct history_head *head, const char *note, size_t note_size)
{
    ENSURE(note_size <= sizeof h->note);
    pthread_mutex_lock(&h->lock);
    ENSURE(head->size >= h->head.size);
    h->head = *head;
    memcpy(h->note, note, note_size);
    h->note_size = note_size;
    h->cosignatures_size = 0;
    pthread_mutex_unlock(&h->lock);
}

struct history_head history_head(struct history *h)
{
    pthread_mutex_lock(&h->lock);
    struct history_head head = h->head;
    pthread_mutex_unlock(&h->lock);
    return head;
}

const char *history_origin(const struct history *h)
{
    return h->origin;
}

const uint8_t *history_public_key(const struct history *h)
{
    return h->public_key;
}

size_t history_checkpoint(struct history *h, char text[HISTORY_CHECKPOINT_MAX], struct history_head *head)
{
    ENSURE(h->open); /* the owner has written it before there was another thread */
    pthread_mutex_lock(&h->lock);
    size_t size = h->note_size;
    ENSURE(size <= sizeof h->note && h->cosignatures_size < sizeof h->cosignatures);
    memcpy(text, h->note, size);
    if (size > 0) {
        memcpy(text + size, h->cosignatures, h->cosignatures_size);
        size += h->cosignatures_size;
    }
    if (head)
        *head = h->head;
    pthread_mutex_unlock(&h->lock);
    text[size] = 0;
    return size;
}

bool history_cosigned(struct history *h, uint64_t size, const char *lines, size_t lines_size)
{
    loop_check(&h->owner->loop);
    ENSURE(lines || lines_size == 0);
    pthread_mutex_lock(&h->lock);
    bool fits = size == h->head.size && size > 0 && lines_size < sizeof h->cosignatures;
    if (fits && lines_size)
        memcpy(h->cosignatures, lines, lines_size);
    if (fits)
        h->cosignatures_size = lines_size;
    pthread_mutex_unlock(&h->lock);
    return fits;
}
