/*
 * Opening and closing the store, for whoever boots; its operations are in kvstore.h, which also says what it is.
 *
 *     struct store *store = store_new(worker);
 *     if (store_open(store, master, why, sizeof why) < 0) ...
 *     ...
 *     store_flush(store);      every accepted operation is done
 *     store_close(store);      keys are wiped
 *     store_free(store);
 *
 * The first time there is nothing to open. What must be there from then on goes with the store's beginning, in one
 * commit: whoever is killed before it finds nothing the next time, and begins again; whoever is killed behind it
 * finds all of it.
 *
 *     store_begin(store, master, sealed, sizeof sealed);
 *     ...
 *     if (store_create(store, ops, count, why, sizeof why) < 0) ...
 *
 * All of it on the owner's thread, except what is at the end.
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

/* Whether the host has no record at all: 1 or 0; negative errno. Before it is opened. Turns the loop. */
int store_is_empty(struct store *s);
/* The sealed master key as the host gives it, malloc'ed: a claim. 0; -ENOENT: there is none; other negative errno.
 * Before it is opened. Turns the loop. */
int store_read_master(struct store *s, uint8_t **blob, size_t *size);
/* Once, or again after store_close; turns the loop until all records are read. master is 32 bytes, not kept.
 * 0; -EBADMSG: the store is not what this enclave left (a line in why says how); -ENOMEM; -EIO or what else the host
 * says. After an error it is closed, as before. */
int store_open(struct store *s, const uint8_t master[32], char *why, size_t why_size);
/* Instead of store_open, over a host that has nothing: the keys of a new store, and what the host will keep of them,
 * the sealed master key (copied; at most STORE_MASTER_SIZE_MAX). Nothing is written, and no operation may be asked
 * for, before store_create; namespaces may be opened. 0; -ENOMEM; -EIO. After an error it is closed, as before. */
int store_begin(struct store *s, const uint8_t master[32], const uint8_t *sealed, size_t size);
/* Ends what store_begin began: one commit with the sealed master key, the root and these operations (none: count is 0),
 * waited for. Turns the loop. 0: all of it is on disk, and the store is open. After an error (kvstore.h's, with a line
 * in why) it is closed, nothing is kept in here, and the host has all of it or nothing. */
int store_create(struct store *s, const struct kv_op *ops, size_t count, char *why, size_t why_size);
/* Wait until every accepted operation is done; a removal ends after the commit that it is at (kv_namespace_remove).
 * Answers may still be on their way. */
void store_flush(struct store *s);
/* Forget everything and wipe the keys. No operation may be under way. */
void store_close(struct store *s);

/* How many bytes on disk the records of one app may take, now and from now on (KV_DISK_DEFAULT). */
void store_limit_disk(struct store *s, uint64_t bytes);

/* Stops unless all of it is in order: the table, the queues, the sums of charges, and that the records add up to the
 * root. For tests, after each step: it computes an HMAC for each record. */
void store_check(struct store *s);

/* Whether it was not to be learned what became of a commit, so that nothing is written any more (-ENOTRECOVERABLE)
 * before the next start. Any thread. */
bool store_has_stopped(const struct store *s);
/* Of records, and of those that did not open at start-up and were not written since. Any thread. */
uint64_t store_record_count(const struct store *s);
uint64_t store_damaged_count(const struct store *s);

#endif
