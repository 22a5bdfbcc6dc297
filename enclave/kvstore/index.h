/*
 * What the enclave itself remembers of every record: its storage key, its version, its logical name. The host can
 * neither bring back an older record nor drop one without this table noticing. One owner thread: the store's,
 * whose doors assert it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_INDEX_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/damage.h"
#include "enclave/kvstore/limits.h"

/* What start-up has found of a record and its twin (load.c). */
enum {
    FOUND_RECORD = 1,      /* something lies where the record should */
    FOUND_AUTHENTIC = 2,   /* version and tag were written by this enclave */
    FOUND_WHOLE = 4,       /* the record is whole, and of this version and tag */
    FOUND_TWIN = 8,        /* so is its twin: it is as it should be */
    FOUND_TWIN_WHOLE = 16, /* and has the value, too */
    FOUND_OLDER = 32,      /* one of the two is older than the other */
    FOUND_OWNER = 64       /* of its name only whose it is: name has the owner (record.h), and no key */
};

struct index_entry {
    uint8_t storage_key[STORAGE_KEY_SIZE];
    uint64_t version; /* 0: the slot is empty */
    uint8_t tag[16];  /* of the record, for the digest */
    uint8_t damage;   /* enum record_damage: but for DAMAGE_NONE every read is -EBADMSG */
    uint8_t found;    /* at start-up */
    uint16_t ns_size, key_size;
    uint32_t size; /* of the record and its twin, on the host's disk */
    uint8_t *name; /* namespace name, then logical key; owned. NULL: damaged, and nobody knows whose */
};

/* Whether its very name is damaged. */
static inline bool index_is_nameless(const struct index_entry *e)
{
    return !e->name || (e->found & FOUND_OWNER);
}

/* Its place costs that much at most where the table has just grown to twice its size, name and malloc's own beside. */
static_assert(sizeof(struct index_entry) * 8 / 3 <= KV_RECORD_COST, "what a record is charged for");

#define INDEX_HASH_WORDS 8

/* Open addressing, linear probing. Zero-initialise. */
struct index {
    uint64_t hash_keys[INDEX_HASH_WORDS + 1]; /* random, from the first entry on */
    struct index_entry *entries;
    size_t capacity;      /* 0, or a power of two */
    _Atomic size_t count; /* metrics read it on other threads */
};

struct index_entry *index_find(const struct index *x, const uint8_t storage_key[STORAGE_KEY_SIZE]);
/* The entry for this key, made if missing (version 0 then: the caller fills it in at once). NULL: out of memory, or of
 * randomness. */
struct index_entry *index_put(struct index *x, const uint8_t storage_key[STORAGE_KEY_SIZE]);
/* Room for so many more entries: that many index_put cannot fail. */
bool index_reserve(struct index *x, size_t more);
void index_remove(struct index *x, struct index_entry *entry);
void index_free(struct index *x);
/* Stops unless every entry is whole and can be found, and count says how many there are. Walks all of it. */
void index_check(const struct index *x);

#endif
