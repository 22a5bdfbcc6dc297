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

#include "enclave/kvstore/limits.h"

struct index_entry {
    uint8_t storage_key[STORAGE_KEY_SIZE];
    uint64_t version; /* 0: the slot is empty */
    uint8_t tag[16];  /* of the record, for the digest */
    bool damaged;     /* did not open at start-up: every read is -EBADMSG */
    uint16_t ns_size, key_size;
    uint32_t size; /* of the record, on the host's disk */
    uint8_t *name; /* namespace name, then logical key; owned. NULL: damaged, and nobody knows */
};

/* Its place costs that much at most where the table has just grown to twice its size, name and malloc's own beside. */
static_assert(sizeof(struct index_entry) * 8 / 3 <= KV_RECORD_COST, "what a record is charged for");

/* Open addressing, linear probing; storage keys are HMACs, so their bytes are the hash. Zero-initialise. */
struct index {
    struct index_entry *entries;
    size_t capacity;      /* 0, or a power of two */
    _Atomic size_t count; /* metrics read it on other threads */
};

struct index_entry *index_find(const struct index *x, const uint8_t storage_key[STORAGE_KEY_SIZE]);
/* The entry for this key, made if missing (version 0 then: the caller fills it in at once). NULL: out of memory. */
struct index_entry *index_put(struct index *x, const uint8_t storage_key[STORAGE_KEY_SIZE]);
/* Room for so many more entries: that many index_put cannot fail. */
bool index_reserve(struct index *x, size_t more);
void index_remove(struct index *x, struct index_entry *entry);
void index_free(struct index *x);
/* Stops unless every entry is whole and can be found, and count says how many there are. Walks all of it. */
void index_check(const struct index *x);

#endif
