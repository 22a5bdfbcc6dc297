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

#include "enclave/kvstore/damage.h"
#include "enclave/kvstore/kvstore.h"

/* Where the host keeps the sealed master key, and the root, each twice. Records have keys of 32 bytes, their twins
 * (record.h) of 33. */
#define STORE_MASTER_KEY "master"
#define STORE_ROOT_KEY "root"
#define STORE_MASTER_COPY_KEY "master-copy"
#define STORE_ROOT_COPY_KEY "root-copy"

/* Over owner's control channel; owner, which must outlive it, becomes the worker on whose thread every operation runs.
 * NULL: no memory. */
struct store *store_new(struct worker *owner);
/* NULL: nothing. It must be closed, and nothing may be charged any more to what kv_memory gave. Nobody may have a
 * namespace of it. */
void store_free(struct store *s);

/* Whether the host has no record at all: 1 or 0; negative errno. Before it is opened. Turns the loop. */
int store_is_empty(struct store *s);
/* The sealed master key as the host gives it, malloc'ed: a claim. copy: the other one of the two. 0; -ENOENT: there is
 * none; other negative errno. Before it is opened. Turns the loop. */
int store_read_master(struct store *s, bool copy, uint8_t **blob, size_t *size);
/* This one (at most STORE_MASTER_SIZE_MAX) from now on, both times, in one transaction of its own; when it returns with
 * 0 the host has no other any more. After another error it has this one or the one before, and after -ENOMEM that.
 * Open, at boot, with nothing else under way. Turns the loop. */
int store_write_master(struct store *s, const uint8_t *blob, size_t size);
/* The same, where one of the two was not what was written: told and counted. */
int store_mend_master(struct store *s, const uint8_t *blob, size_t size);
/* Once, or again after store_close; turns the loop until all records are read. master is 32 bytes, not kept.
 * What is damaged and can be mended is (damage.h). 0; -EBADMSG: the store is not what this enclave left (a line in why
 * says how); -ENOMEM; -EIO or what else the host
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
/* Forget everything and wipe the keys. No operation may be under way, and no other worker have an answer to come. */
void store_close(struct store *s);

/* ---- giving it away ---------------------------------------------------------------------------------------- */

/* As kv_commit, and the last one: once it is on disk nothing is written any more before the next start
 * (store_has_stopped), and what is asked for gets -ENOTRECOVERABLE. If it fails, all is as before. */
MAY_REFUSE int store_commit_last(struct store *s, const struct kv_op *ops, size_t count, kv_done done, void *user);
/* The same without a commit. */
void store_stop_writing(struct store *s);

/* What all records add up to: a host cannot make other records that do. */
struct store_root {
    uint64_t epoch, count;
    uint8_t digest[32];
};
void store_root(const struct store *s, struct store_root *out); /* of an open one */
/* An open store that the host has no sealed master key for gets this one with its next commit. Copied; at most
 * STORE_MASTER_SIZE_MAX. 0 or -ENOMEM. */
int store_adopt(struct store *s, const uint8_t *sealed, size_t size);
/* Whether it is open under this master key. */
bool store_has_key(const struct store *s, const uint8_t master[32]);

/* As kv_commit of the owner's thread, and in the same transaction what the host keeps beside the store (raw.h), which
 * none of the store's own keys may name: both are made, or neither. */
struct raw_op;
MAY_REFUSE int store_commit_beside(struct store *s, const struct kv_op *ops, size_t count, const struct raw_op *beside,
                                   size_t beside_count, kv_done done, void *user);

/* How many bytes on disk the records of one app may take, now and from now on (KV_DISK_DEFAULT). */
void store_limit_disk(struct store *s, uint64_t bytes);

/* ---- what a host may take back ----------------------------------------------------------------------------- */

/* No transaction with a later epoch than this carries what apps commit; they wait, and what is the enclave's own goes
 * on. UINT64_MAX, as at first: nothing waits. From store_flush on nothing waits, either: nobody is answered any
 * more. */
void store_allow(struct store *s, uint64_t epoch);
/* What this app (its namespace as kv_namespace_remove has it) commits from now on is acknowledged, and seen by others
 * who read it, only once its epoch is proven. 0 or -ENOMEM. Until the store is opened again. */
int store_acknowledge_proven(struct store *s, const struct kv_namespace *app, bool only);
/* All transactions up to this epoch are proven. */
void store_proven(struct store *s, uint64_t epoch);
/* fn runs after each transaction that is on disk, from its answer, and must not call the store. waited: somebody's
 * commit waits until it is proven. One watcher; NULL: none. */
void store_watch(struct store *s, void (*fn)(void *user, bool waited), void *user);

/* Stops unless all of it is in order: the table, the queues, the sums of charges, and that the records add up to the
 * root. For tests, after each step: it computes an HMAC for each record. */
void store_check(struct store *s);

/* Of the newest commit that is known to be made: one more than that of the one before it, or some more, since commits
 * that fail have theirs, too. The owner's thread. */
uint64_t store_epoch(const struct store *s);

/* Whether it was not to be learned what became of a commit, so that nothing is written any more (-ENOTRECOVERABLE)
 * before the next start. Any thread. */
bool store_has_stopped(const struct store *s);
/* Of records, and of those that are lost (damage.h). Any thread. */
uint64_t store_record_count(const struct store *s);
uint64_t store_damaged_count(const struct store *s);

#endif
