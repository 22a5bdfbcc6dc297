/* Opening the store at boot; everything else is kvstore.h. */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_STORE_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/kvstore.h"

/* Where the host keeps the sealed master key, and the root. Records have 32-byte keys. */
#define STORE_MASTER_KEY "master"
#define STORE_ROOT_KEY "root"

/* Open over owner's control channel; owner becomes the thread that runs every operation. master_blob: at first boot
 * the sealed master key, committed together with the empty store's root; NULL afterwards.
 * 0; -EBADMSG: the store is not what this enclave left (a line in error says how); other negative errno. */
int store_open(struct worker *owner, const uint8_t master[32], const uint8_t *master_blob, size_t master_blob_size,
               char *error, size_t error_size);
/* Whether the host has no record at all: 1 or 0; negative errno. Before store_open. */
int store_is_empty(struct worker *owner);
/* Wait until every accepted operation is done. */
void store_flush(void);
/* Forget everything and wipe the keys. No operation may be under way. */
void store_close(void);

/* How many bytes on disk the records of one app may take, now and from now on (KV_DISK_DEFAULT). */
void store_limit_disk(uint64_t bytes);

uint64_t store_record_count(void);
uint64_t store_damaged_count(void);

#endif
