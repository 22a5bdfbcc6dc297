/*
 * Sealed key-value storage over the untrusted host's store. Records are encrypted and authenticated here; a record
 * that was changed, swapped, removed or replaced by an older one is reported as -EBADMSG, never returned.
 *
 * Asynchronous: a call returns at once: 0, and done runs once, later, from the calling worker's loop; or -ENOMEM, and
 * done never runs (common/callbacks.h).
 * Keys and values are copied at the call; what done receives is valid only during done.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "enclave/budget/budget.h"

#define KV_KEY_MAX 512u         /* logical key, bytes */
#define KV_VALUE_MAX (4u << 20) /* value, bytes */
#define KV_NAMESPACE_MAX 160u   /* namespace name, bytes */

struct worker; /* the calling worker: one per thread, see enclave/thread/worker.h */

/* A namespace: a name that separates owners ("app:NAME:kv:BUCKET", "system"). Its keys are derived from the master
 * key and the name. Cheap to make; immutable; may be used by any worker. */
struct kv_namespace;
struct kv_namespace *kv_namespace_open(const char *name);
void kv_namespace_close(struct kv_namespace *ns);

/* status: 0; -ENOENT no such key; -EBADMSG the host's answer is not what was stored; -EIO the host failed;
 * -ENOSPC; -EINVAL key or value too long; -ENOMEM. */
typedef void (*kv_get_done)(void *user, int status, const uint8_t *value, size_t size);
typedef void (*kv_done)(void *user, int status);
struct kv_name {
    const uint8_t *data;
    size_t size;
};
/* List: called once with count keys in no particular order; cursor is opaque, 0 when the listing is complete. A key
 * that is there from the first page to the last is given exactly once, whatever else comes or goes meanwhile. -EBADMSG
 * if a record was found at start-up whose very name is damaged: then no list is known to be complete. */
typedef void (*kv_list_done)(void *user, int status, const struct kv_name *names, size_t count, uint64_t cursor);

MAY_REFUSE int kv_get(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_get_done done,
                      void *user);
MAY_REFUSE int kv_exists(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_done done,
                         void *user);
MAY_REFUSE int kv_list(struct worker *w, struct kv_namespace *ns, uint64_t cursor, kv_list_done done, void *user);

/* Every key of a namespace, at once and as acknowledged; false ends it. Only on the thread of the store's owner.
 * 0; -EBADMSG: the name of a record is damaged, and it may be one of these. */
typedef bool (*kv_visit)(void *user, const uint8_t *key, size_t size);
int kv_each(const struct kv_namespace *ns, kv_visit visit, void *user);

/* What an app stores takes memory here, too: KV_RECORD_COST and its name for each record, what is read for it and not
 * handed over yet, and what others hold in its name. Of all of it an app may hold as much as it leaves free; a commit
 * beyond is -ENOSPC, a read -ENOMEM. On disk its records may take so many bytes: a commit beyond is -ENOSPC. */
#define KV_MEMORY (256u << 20)
#define KV_RECORD_COST 256u
#define KV_OP_COST 512u /* of an operation on its way, beside its key and value */
#define KV_DISK_DEFAULT (UINT64_C(8) << 30)
/* The budget of the app that the namespace belongs to; lives for ever. NULL: no memory, or it is no app's. On the
 * thread of the store's owner. */
struct budget *kv_memory(const struct kv_namespace *ns);

/* A batch is applied whole or not at all, and is durable (synced by the host) when done is called with 0. */
enum kv_op_kind { KV_PUT = 1, KV_DELETE = 2 };
struct kv_op {
    enum kv_op_kind kind;
    struct kv_namespace *ns;
    const void *key;
    size_t key_size;
    const void *value; /* put only */
    size_t value_size;
};
MAY_REFUSE int kv_commit(struct worker *w, const struct kv_op *ops, size_t count, kv_done done, void *user);

/* Read, change, write, with nothing in between from any worker: modify gets the present value (NULL: none) and
 * returns the new one in *out (allocated with malloc, freed by the caller) or -ECANCELED to leave it. */
typedef int (*kv_modify)(void *user, const uint8_t *value, size_t size, uint8_t **out, size_t *out_size);
MAY_REFUSE int kv_update(struct worker *w, struct kv_namespace *ns, const void *key, size_t key_size, kv_modify modify,
                         kv_done done, void *user);

/* The same, turning the worker's loop until it is done: at boot only, where nothing else is under way. 0 or as done has
 * it. key ends with a zero; *value is malloc'ed, NULL where there is none. */
int kv_get_wait(struct worker *w, struct kv_namespace *ns, const char *key, uint8_t **value, size_t *size);
int kv_commit_wait(struct worker *w, const struct kv_op *ops, size_t count);

#endif
