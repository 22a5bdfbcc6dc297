/*
 * Opening and closing the store, for whoever boots; its operations are in kvstore.h, which also says what it is.
 *
 *     struct store *store = store_new(worker);
 *     if (store_open(store, master, NULL, 0, why, sizeof why) < 0) ...
 *     ...
 *     store_flush(store);      every accepted operation is done
 *     store_close(store);      keys are wiped
 *     store_free(store);
 *
 * All of it on the owner's thread, except the two counts at the end.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_STORE_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/kvstore/kvstore.h"

/* Where the host keeps the sealed master key, and the root. Records have 32-byte keys. */
#define STORE_MASTER_KEY "master"
#define STORE_ROOT_KEY "root"

/* Over owner's control channel; owner, which must outlive it, becomes the worker on whose thread every operation runs.
 * NULL: no memory. */
struct store *store_new(struct worker *owner);
/* NULL: nothing. It must be closed, and nothing may be charged any more to what kv_memory gave. Nobody may have a
 * namespace of it. */
void store_free(struct store *s);

/* Whether the host has no record at all: 1 or 0; negative errno. Before store_open. Turns the loop. */
int store_is_empty(struct store *s);
/* The sealed master key as the host gives it, malloc'ed: a claim. 0; -ENOENT: there is none; other negative errno.
 * Before store_open. Turns the loop. */
int store_read_master(struct store *s, uint8_t **blob, size_t *size);
/* Once, or again after store_close; turns the loop until all records are read. master is 32 bytes, not kept.
 * master_blob: at first boot the sealed master key, committed together with the empty store's root; NULL afterwards.
 * 0; -EBADMSG: the store is not what this enclave left (a line in why says how); -ENOMEM; -EIO or what else the host
 * says. After an error it is closed, as before. */
int store_open(struct store *s, const uint8_t master[32], const uint8_t *master_blob, size_t master_blob_size,
               char *why, size_t why_size);
/* Wait until every accepted operation is done. Answers may still be on their way. */
void store_flush(struct store *s);
/* Forget everything and wipe the keys. No operation may be under way. */
void store_close(struct store *s);

/* How many bytes on disk the records of one app may take, now and from now on (KV_DISK_DEFAULT). */
void store_limit_disk(struct store *s, uint64_t bytes);

/* Stops unless all of it is in order: the table, the queues, the sums of charges, and that the records add up to the
 * root. For tests, after each step: it computes an HMAC for each record. */
void store_check(struct store *s);

/* Of records, and of those that did not open at start-up and were not written since. Any thread. */
uint64_t store_record_count(const struct store *s);
uint64_t store_damaged_count(const struct store *s);

#endif
