/*
 * The sealed form of records (version 2) and of the root (version 1).
 *
 *   record: version u64 || size of the sealed name u16 || sealed name || sealed value
 *                                                            under storage_key = HMAC-SHA-256(namespace key, key)
 *           sealed: nonce 12 || ciphertext || tag 16
 *           name:   namespace size u8, key size u16, namespace, key, zeros to a multiple of 32
 *                   AAD: "EOSKN2" || storage_key || version
 *           value:  AAD: "EOSKV2" || storage_key || version
 *   The name is sealed apart: of a record whose value was damaged it is known what is lost. Its length is hidden within
 *   32 bytes, the value's is not.
 *   root:   nonce || ciphertext || tag, plaintext: epoch u64, record count u64, digest 32; AAD: "EOSROOT1"
 *
 * The digest is the sum modulo 2^256 of HMAC(digest key, storage_key || version || tag) over all records: a keyed
 * multiset hash, so one commit changes it in constant time. Nonces are random; one store stays far below 2^32 writes.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_RECORD_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/limits.h"

struct record_keys {
    uint8_t record[32], digest[32], root[32], names[32];
};

/* Derived from the master key. 0 or -EIO. */
int record_keys_derive(const uint8_t master[32], struct record_keys *out);

struct record_name {
    const uint8_t *ns, *key;
    uint16_t ns_size, key_size;
};

int record_storage_key(const struct record_keys *k, const struct record_name *name, uint8_t out[STORAGE_KEY_SIZE]);

/* out has room for value_size + RECORD_OVERHEAD bytes; returns the record's size or a negative errno. */
int64_t record_seal(const struct record_keys *k, const struct record_name *name, const uint8_t storage_key[32],
                    uint64_t version, const void *value, size_t value_size, uint8_t *out);

struct record_opened {
    uint8_t *plain; /* malloc'ed: name and value; to be freed by the caller, also of a damaged record. NULL: nothing */
    size_t plain_size;
    struct record_name name;
    const uint8_t *value; /* NULL: damaged */
    size_t value_size;
};
/* -EBADMSG: not the record of this key and version; if plain is set, it is so but for the value. The version in the
 * record must be the one given. */
int record_open(const struct record_keys *k, const uint8_t storage_key[32], uint64_t version, const uint8_t *record,
                size_t size, struct record_opened *out);
void record_opened_free(struct record_opened *opened); /* wipes */

/* Version and tag as the record claims them. -EBADMSG if it is too short. */
int record_claims(const uint8_t *record, size_t size, uint64_t *version, uint8_t tag[16]);

struct root {
    uint64_t epoch, count;
    uint8_t digest[32];
};
int root_seal(const struct record_keys *k, const struct root *root, uint8_t out[ROOT_SIZE]);
int root_open(const struct record_keys *k, const uint8_t *sealed, size_t size, struct root *out);
/* Add (or take away) one record's share. */
int root_digest(const struct record_keys *k, struct root *root, const uint8_t storage_key[32], uint64_t version,
                const uint8_t tag[16], int add);

#endif
