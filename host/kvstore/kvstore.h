/*
 * The ordered map that keeps the enclave's records. It sees only storage keys and ciphertext.
 *
 *     struct kvstore_op ops[] = {{.put = true, .key = {"k", 1}, .value = {"v", 1}}, {.key = {"old", 3}}};
 *     kvstore_open("/var/lib/app", &kv, error, sizeof error);
 *     kvstore_commit(kv, ops, 2);                                  both are on disk, or neither
 *     kvstore_get(kv, (struct kvstore_bytes){"k", 1}, &value, &size);
 *     free(value);
 *     kvstore_close(kv);
 *
 * Bytes that are passed in are borrowed for the call; so are those that a visit gets. get and scan may be called from
 * any thread at any time; commit from one thread at a time; close when nobody else is inside.
 *
 * Limits: keys of 1 to KVSTORE_KEY_MAX bytes, values of up to KVSTORE_VALUE_MAX; 64 GiB in all, of address space, of
 * which the file takes what it needs. A commit's operations are applied in their order. Errors are negative errno: -EIO
 * also where the disk is broken, after which what was committed before still stands.
 *
 * What somebody else has put into the file and is beyond these limits is passed over, as if it were not there. So is a
 * table of its own (LMDB's named databases), but that it looks like a record with its name; it goes where a record of
 * that name is written or deleted.
 *
 * Backups are copy.h's.
 *
 * Known weaknesses: it keeps what it is given, and nothing proves that it is the latest: the enclave sees to that.
 * Space that deleted records had is used again, but never given back to the file system.
 */
#ifndef ENCLAVE_OS_HOST_KVSTORE_KVSTORE_H
#define ENCLAVE_OS_HOST_KVSTORE_KVSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVSTORE_KEY_MAX 64u
#define KVSTORE_VALUE_MAX ((4u << 20) + 4096u)

struct kvstore;

struct kvstore_bytes {
    const void *data;
    size_t size;
};

struct kvstore_op {
    bool put; /* else delete; deleting what is not there is no error */
    struct kvstore_bytes key, value;
};

/* folder exists, and is the store's alone. One process at a time: a second one gets -EBUSY. 0 or a negative errno with
 * one line in error. */
int kvstore_open(const char *folder, struct kvstore **out, char *error, size_t error_size);
void kvstore_close(struct kvstore *kv);

/* *value is a copy that the caller frees. 0; -ENOENT; -EINVAL for a key that is empty or too long; negative errno. */
int kvstore_get(struct kvstore *kv, struct kvstore_bytes key, void **value, size_t *size);

/* All of it or nothing; on disk when 0 is returned. -EINVAL, -ENOSPC, another negative errno. */
int kvstore_commit(struct kvstore *kv, const struct kvstore_op *ops, size_t count);

/* Called for each record in key order; false ends the scan. The bytes are valid during the call. */
typedef bool (*kvstore_visit)(void *user, struct kvstore_bytes key, struct kvstore_bytes value);
/* The records whose key begins with prefix and is greater than after (size 0: from the start). */
int kvstore_scan(struct kvstore *kv, struct kvstore_bytes prefix, struct kvstore_bytes after, kvstore_visit visit,
                 void *user);

#endif
