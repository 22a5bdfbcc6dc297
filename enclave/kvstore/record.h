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
 *   twin:   3 || mark || the record, whole                   under twin_key = ~storage_key[0] || storage_key[1..] || 1
 *           4 || mark || version || sealed                   AAD: "EOSKT4" || storage_key || version || mark
 *           sealed: tag of the record 16, size of the record u64, name as above
 *           mark: the first 8 bytes of HMAC(marks key, owner || storage_key), where owner is "app:NAME" of an app's
 *           namespace, and else all of it
 *           of an earlier version: 1 || the record, whole; and 2 || version || sealed, AAD "EOSKT2" || storage_key ||
 *           version
 *   Each record has a twin, written and deleted with it: whole where the record is small, or not an app's and not very
 *   large; otherwise what is known of the record. So one thing that is damaged is either still there, or it is known
 *   what is lost (damage.h). The two lie far from each other in an ordered map. By the mark it is known whose a record
 *   is of which both names are damaged; to the host it says nothing.
 *
 * The digest is the sum modulo 2^256 of HMAC(digest key, storage_key || version || tag) over all records: a keyed
 * multiset hash, so one commit changes it in constant time. Nonces are random; one store stays far below 2^32 writes.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_RECORD_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/limits.h"

struct record_keys {
    uint8_t record[32], digest[32], root[32], names[32], marks[32];
};

/* Derived from the master key. 0 or -EIO. */
int record_keys_derive(const uint8_t master[32], struct record_keys *out);

struct record_name {
    const uint8_t *ns, *key;
    uint16_t ns_size, key_size;
};

int record_storage_key(const struct record_keys *k, const struct record_name *name, uint8_t out[STORAGE_KEY_SIZE]);

/* How large the record is that record_seal will make, and its twin. */
size_t record_size(const struct record_name *name, size_t value_size);
size_t record_twin_size(const struct record_name *name, size_t size_of_record);
/* What both take on the disk. */
size_t record_disk_size(const struct record_name *name, size_t size_of_record);

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

/* For whoever seals a name, too: padded, and read back. */
size_t record_padded_name_size(const struct record_name *name);
void record_write_name(const struct record_name *name, uint8_t *out);
bool record_parse_name(const uint8_t *plain, size_t size, struct record_name *out);

/* Version and tag as the record claims them. -EBADMSG if it is too short. */
int record_claims(const uint8_t *record, size_t size, uint64_t *version, uint8_t tag[16]);

/* ---- twins ------------------------------------------------------------------------------------------------------ */

void record_twin_key(const uint8_t storage_key[STORAGE_KEY_SIZE], uint8_t out[TWIN_KEY_SIZE]);
/* The storage key that it is the twin's of; false: it is no twin's. */
bool record_of_twin_key(const uint8_t *key, size_t size, uint8_t out[STORAGE_KEY_SIZE]);

/* Whose a record of this namespace is: how much of its name says that. */
size_t record_owner_size(const uint8_t *ns, size_t size);
/* 0 or -EIO. */
int record_mark(const struct record_keys *k, const uint8_t *owner, size_t size, const uint8_t storage_key[32],
                uint8_t out[MARK_SIZE]);

/* Of this record, which is whole. out has record_twin_size bytes. 0 or -EIO. */
int record_twin(const struct record_keys *k, const struct record_name *name, const uint8_t storage_key[32],
                const uint8_t *record, size_t size, uint8_t *out);

/* The record that a twin has whole, unopened; false: it has none. */
bool record_in_twin(const uint8_t *twin, size_t size, const uint8_t **record, size_t *record_size);

/* What a record or a twin says of the record. */
struct record_sight {
    uint64_t version;
    uint64_t size; /* of the record */
    uint8_t tag[16];
    bool claimed;                /* version and tag are what stands there. Else there is nothing */
    bool authentic;              /* they were written by this enclave, as was the size */
    bool whole;                  /* so is the value: it is all there */
    bool marked;                 /* of a twin: it has a mark */
    uint8_t mark[MARK_SIZE];     /* as it stands there */
    struct record_opened opened; /* plain NULL: the name, too, is not known */
};
/* Looks at what lies where the record or its twin should. 0, -ENOMEM or another error that is nobody's damage. */
int record_look(const struct record_keys *k, const uint8_t storage_key[32], bool twin, const uint8_t *bytes,
                size_t size, struct record_sight *out);
void record_sight_free(struct record_sight *sight);

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
