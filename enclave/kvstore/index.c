/* See index.h. */
#include "enclave/kvstore/index.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"

/* At start-up, what the host calls storage keys need be none, and may have been chosen to meet in one place. So they
 * are hashed under keys that it does not know: a multilinear sum, which no two of its choice are likely to share, and
 * the mixing of MurmurHash3, without which keys in a row would have places in a row. */
static size_t home(const struct index *x, const uint8_t *storage_key)
{
    uint32_t words[INDEX_HASH_WORDS];
    uint64_t sum = x->hash_keys[INDEX_HASH_WORDS];
    static_assert(sizeof words == STORAGE_KEY_SIZE, "the whole of a key");
    memcpy(words, storage_key, sizeof words);
    for (size_t i = 0; i < INDEX_HASH_WORDS; i++)
        sum += x->hash_keys[i] * words[i];
    sum = (sum ^ sum >> 33) * 0xff51afd7ed558ccd;
    sum = (sum ^ sum >> 33) * 0xc4ceb9fe1a85ec53;
    return (size_t)(sum ^ sum >> 33) & (x->capacity - 1);
}

static struct index_entry *slot_for(const struct index *x, const uint8_t *storage_key)
{
    ENSURE(x->count < x->capacity); /* or the search has no end */
    size_t i = home(x, storage_key);
    while (x->entries[i].version && memcmp(x->entries[i].storage_key, storage_key, STORAGE_KEY_SIZE) != 0)
        i = (i + 1) & (x->capacity - 1);
    return &x->entries[i];
}

struct index_entry *index_find(const struct index *x, const uint8_t storage_key[STORAGE_KEY_SIZE])
{
    if (x->count == 0)
        return NULL;
    struct index_entry *e = slot_for(x, storage_key);
    return e->version ? e : NULL;
}

static bool grow(struct index *x)
{
    if (x->capacity == 0 && RAND_bytes((uint8_t *)x->hash_keys, sizeof x->hash_keys) != 1)
        return false;
    struct index bigger = {.capacity = x->capacity ? 2 * x->capacity : 256};
    memcpy(bigger.hash_keys, x->hash_keys, sizeof bigger.hash_keys);
    ENSURE(bigger.capacity > x->count);
    ENSURE((bigger.capacity & (bigger.capacity - 1)) == 0);
    bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
    if (!bigger.entries)
        return false;
    for (size_t i = 0; i < x->capacity; i++)
        if (x->entries[i].version)
            *slot_for(&bigger, x->entries[i].storage_key) = x->entries[i];
    free(x->entries);
    x->entries = bigger.entries;
    x->capacity = bigger.capacity;
    return true;
}

bool index_reserve(struct index *x, size_t more)
{
    while ((x->count + more) * 4 >= x->capacity * 3)
        if (!grow(x))
            return false;
    return true;
}

struct index_entry *index_put(struct index *x, const uint8_t storage_key[STORAGE_KEY_SIZE])
{
    if (x->count * 4 >= x->capacity * 3 && !grow(x))
        return NULL;
    struct index_entry *e = slot_for(x, storage_key);
    if (!e->version) {
        memset(e, 0, sizeof *e);
        memcpy(e->storage_key, storage_key, STORAGE_KEY_SIZE);
        e->version = UINT64_MAX; /* in use; the caller sets the real one */
        x->count++;
    }
    return e;
}

void index_remove(struct index *x, struct index_entry *entry)
{
    ENSURE(x->count > 0);
    ENSURE(entry >= x->entries && entry < x->entries + x->capacity && entry->version);
    free(entry->name);
    memset(entry, 0, sizeof *entry);
    x->count--;
    /* entries behind the gap may have been pushed past it: put them in again */
    for (size_t i = (size_t)(entry - x->entries + 1) & (x->capacity - 1); x->entries[i].version;
         i = (i + 1) & (x->capacity - 1)) {
        struct index_entry moved = x->entries[i];
        memset(&x->entries[i], 0, sizeof moved);
        *slot_for(x, moved.storage_key) = moved;
    }
}

void index_free(struct index *x)
{
    for (size_t i = 0; i < x->capacity; i++)
        free(x->entries[i].name);
    free(x->entries);
    memset(x, 0, sizeof *x);
}

void index_check(const struct index *x)
{
    size_t count = 0;
    ENSURE(x->capacity == 0 || (x->entries && (x->capacity & (x->capacity - 1)) == 0));
    for (size_t i = 0; i < x->capacity; i++) {
        const struct index_entry *e = &x->entries[i];
        if (!e->version)
            continue;
        ENSURE(index_find(x, e->storage_key) == e);
        ENSURE(e->version != UINT64_MAX); /* made, and never filled in */
        ENSURE(!index_is_nameless(e) || e->damage);
        ENSURE(e->damage <= DAMAGE_OLDER);
        ENSURE(e->ns_size <= KV_NAMESPACE_MAX);
        ENSURE(e->key_size <= KV_KEY_MAX);
        count++;
    }
    ENSURE(x->count == count);
}
