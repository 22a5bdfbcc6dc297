/*
 * The ordered map that keeps the enclave's records. It sees only storage keys and ciphertext.
 *
 * get and scan may be called from any thread at any time; commit from one thread at a time.
 */
#ifndef ENCLAVE_OS_HOST_KVSTORE_KVSTORE_H
#define ENCLAVE_OS_HOST_KVSTORE_KVSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVSTORE_KEY_MAX 64u

struct kvstore;

struct kvstore_bytes {
    const void *data;
    size_t size;
};

struct kvstore_op {
    bool put; /* else delete; deleting what is not there is no error */
    struct kvstore_bytes key, value;
};

/* folder exists. One process at a time: a second one gets -EBUSY. 0 or a negative errno with one line in error. */
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
