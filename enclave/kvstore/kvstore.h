/*
 * Sealed key-value storage over the untrusted host's store. Records are encrypted and authenticated in here; a record
 * that was changed, swapped, removed or replaced by an older one is reported as -EBADMSG, never returned.
 *
 *     struct kv_namespace *ns = kv_namespace_open(store, "app:counter:kv:default");
 *     struct kv_op op = {KV_PUT, ns, "hits", 4, "17", 2};
 *     int error = kv_commit(worker, &op, 1, on_done, user);
 *     if (error < 0)
 *         ...                       refused: on_done never runs
 *     static void on_done(void *user, int error)      later, from worker's loop; 0: it is on disk
 *
 * Asynchronous. A call returns at once: 0, and done runs once, later, from the calling worker's loop; or -ENOMEM, and
 * done never runs (common/callbacks.h). So done never runs inside the call that took it, which is asserted
 * (enclave/thread/errand.h). done may be NULL where it is said.
 *
 * Threads. Any worker may call, on its own thread, for itself; one thread, the worker's that store_new was given, runs
 * every operation, so that there is no lock. What is marked as the owner's stops the enclave when called elsewhere.
 * What else that worker does, operations wait for: so it had better run no guests (proto_first_serving of
 * common/protocol.h). A value is decrypted on the thread of the worker that asked for it.
 *
 * Order. Operations on one key run in the order in which they came to the owner's thread, others at once; a read whose
 * record did not open counts as asked again (read.c). A listing shows what is acknowledged.
 *
 * Memory. Keys and values are copied at the call; what done receives is valid only during done. Namespaces belong to
 * who opened them, and must outlive the calls made with them, not the operations. What apps' records take is charged
 * to the apps (below).
 *
 * Errors are negative errno values:
 *     -ENOENT    there is no such key
 *     -EBADMSG   what the host gives is not what was stored
 *     -EIO       the host failed; of a commit: it was not made
 *     -ENOSPC    the host's disk is full, or the app's share of it, or of memory
 *     -EINVAL    a key or value is too long, or a batch does not fit into one transaction (COMMIT_PAYLOAD_MAX)
 *     -ESTALE    all of this app's records are being removed, or were (kv_namespace_remove)
 *     -ENOMEM
 *     -ENOTRECOVERABLE    nothing is written any more before the next start (store_has_stopped)
 *
 * Outcomes. A commit that the host has not said to be made may have been made: an answer can be lost. So the sealed
 * root is read back, again and again if need be, and nothing else is written meanwhile. It shows the commit, and done
 * gets 0; or the root before it, and done gets the error, which then means that it was not made. If the root is
 * neither, or is not to be had, that commit gets -ENOTRECOVERABLE (it may be there after the next start, or not), and
 * so does whatever is to be written after it (it will not); reading goes on. A host that never answers keeps what waits
 * for ever, unless the root shows that the commit was made. See outcome.c.
 *
 * A caller's mistake (a wrong thread, a NULL, a store that is not open) stops the enclave.
 *
 * Limits are in limits.h, the sealed form of records in record.h, opening and closing in store.h.
 *
 * Known weaknesses. All names are in the enclave's memory, and every record is opened at start-up. All operations run
 * on one thread, which also encrypts what is written. The host sees sizes, access patterns and times; names' lengths
 * only in steps. A host that puts back the whole store as it was at some earlier time is not noticed at the next start;
 * nor is one that lies about the root of a commit, stops, and comes back with it made.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_KVSTORE_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_KVSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "enclave/budget/budget.h"
#include "enclave/kvstore/limits.h"

struct worker; /* the calling worker: one per thread, see enclave/thread/worker.h */
struct store;  /* store.h */

/* A namespace: a name that separates owners ("app:NAME:kv:BUCKET", "system"). Its keys are derived from the master
 * key and the name. Cheap to make; immutable; may be used by any worker. NULL: no memory, or the name is longer than
 * KV_NAMESPACE_MAX. Any thread. */
struct kv_namespace;
struct kv_namespace *kv_namespace_open(struct store *store, const char *name);
void kv_namespace_close(struct kv_namespace *ns);

/* value: NULL, and size 0, where there is an error. */
typedef void (*kv_get_done)(void *user, int error, const uint8_t *value, size_t size);
typedef void (*kv_done)(void *user, int error);
struct kv_name {
    const uint8_t *data;
    size_t size;
};
/* List: called once with count keys, up to KV_LIST_MAX, in no particular order; cursor is opaque, 0 when the listing is
 * complete. A key that is there from the first page to the last is given exactly once, whatever else comes or goes
 * meanwhile. -EBADMSG if a record was found at start-up whose very name is damaged, and which may be one of these: then
 * this list is not known to be complete (damage.h). */
typedef void (*kv_list_done)(void *user, int error, const struct kv_name *names, size_t count, uint64_t cursor);

MAY_REFUSE int kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_get_done done,
                      void *user);
/* 0: it is there. Says nothing of whether the host still has it. */
MAY_REFUSE int kv_exists(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_done done,
                         void *user);
/* cursor: 0, or what the page before gave. */
MAY_REFUSE int kv_list(struct worker *w, struct kv_namespace *ns, uint64_t cursor, kv_list_done done, void *user);

/* Every key of a namespace, at once and as acknowledged; false ends it. visit runs inside the call, and may not call
 * back. The owner's thread. 0; -EBADMSG: the name of a record is damaged, and it may be one of these. */
typedef bool (*kv_visit)(void *user, const uint8_t *key, size_t size);
int kv_each(const struct kv_namespace *ns, kv_visit visit, void *user);

/* What an app stores takes memory here, too: KV_RECORD_COST and its name for each record, what is read for it and not
 * handed over yet, and what others hold in its name. Of all of it an app may hold as much as it leaves free; a commit
 * beyond is -ENOSPC, a read -ENOMEM. On disk its records may take KV_DISK_DEFAULT, or what store_limit_disk says.
 * This is the budget of the app that the namespace belongs to; it lives as long as the store. NULL: no memory, or it is
 * no app's. The owner's thread. */
struct budget *kv_memory(const struct kv_namespace *ns);

/* A batch is applied whole or not at all, and is durable (synced by the host) when done is called with 0. Of several
 * operations on one key the last counts. All of one store. done may be NULL. */
enum kv_op_kind {
    KV_PUT = 1,
    KV_DELETE = 2,
    KV_GIVE_UP = 3 /* key is the id of a record that is lost (damage.h): deleted, if it still is */
};
struct kv_op {
    enum kv_op_kind kind;
    struct kv_namespace *ns;
    const void *key;
    size_t key_size;
    const void *value; /* put only */
    size_t value_size;
};
MAY_REFUSE int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user);

/* Read, change, write, with nothing in between from any worker: modify, on the owner's thread, gets the present value
 * (NULL: none) and gives the new one in *out (allocated with malloc, freed by the store), or a negative errno, which
 * done gets, to leave it. done may be NULL. */
typedef int (*kv_modify)(void *user, const uint8_t *value, size_t size, uint8_t **out, size_t *out_size);
MAY_REFUSE int kv_update(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_modify modify,
                         kv_done done, void *user);

/* Remove every record of an app: ns is all of it ("app:NAME", without a bucket), and with it go "app:NAME:kv:BUCKET"
 * and "app:NAME:fs". It does so in commits of KV_REMOVE_STEP records, between which others run, and may take long. From
 * the moment at which it comes to the owner's thread nothing can be stored there any more, by whomever (-ESTALE), until
 * the store is opened again; what was on its way is waited for. done gets
 *     0            nothing is left, on disk or here
 *     -EBADMSG     nothing is left, unless one of the records whose very name is damaged was one of these
 *     -ECANCELED   store_flush came in between (shutdown), and some are left
 *     other        the commit's error, and some are left
 * Nothing in the store says that a removal has begun: whoever wants it to go on after a restart remembers it in a
 * record of his own, and asks again. Where nothing is left that costs nothing. */
MAY_REFUSE int kv_namespace_remove(struct worker *w, struct kv_namespace *ns, kv_done done, void *user);

/* As kv_get and kv_commit, turning the worker's loop until it is done: at boot only, where nothing else is under way.
 * 0 or as done has it. key ends with a zero; *value is malloc'ed, NULL where there is none. */
int kv_get_wait(struct worker *w, struct kv_namespace *ns, const char *key, uint8_t **value, size_t *size);
int kv_commit_wait(struct worker *w, const struct kv_op *ops, size_t count);

#endif
