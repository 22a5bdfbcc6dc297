/*
 * What a generation is made of, item by item: the leaves of its Merkle tree (RFC 9162), whose root the certificate
 * carries. docs/attestation.md lists them, in their order. Nothing in it is a secret: everybody may have all of it.
 *
 *     struct manifest m = {0};
 *     manifest_add(&m, "limits", text, size);       in order; and so on
 *     manifest_root(&m, root);
 *     manifest_free(&m);
 *
 * Filled by one thread, and only read, by any, once it is part of a generation.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_MANIFEST_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_MANIFEST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/merkle/merkle.h"

struct manifest_leaf {
    char *label;
    uint8_t *value;
    size_t size;
};

struct manifest {
    struct merkle merkle;
    struct manifest_leaf *leaves;
    size_t count, capacity;
};

/* The leaf is label NUL value; both are copied. 0 or -ENOMEM. */
int manifest_add(struct manifest *m, const char *label, const void *value, size_t size);
void manifest_root(const struct manifest *m, uint8_t root[MERKLE_HASH_SIZE]);
/* Of the tree of one app's leaves alone, in their order here: its code, settings, egress, rule and hostnames. 0 or
 * -ENOMEM. */
int manifest_app_root(const struct manifest *m, const char *app, uint8_t root[MERKLE_HASH_SIZE]);
void manifest_free(struct manifest *m); /* empties it */

/* {"leaf_index":N,"tree_size":N,"path":["hex", ...]}: the proof (RFC 9162, section 2.1.3) that the leaf of
 * this label is under the root. A label that no leaf has, but an app's name, stands for that app's code. NULL with
 * *error -ENOENT or -ENOMEM. */
json_t *manifest_proof_json(const struct manifest *m, const char *label, size_t label_size, int *error);
/* {"format":...,"generation":N,"instance":"hex","merkle_root":"hex","leaves":[{"label","value"}]}, malloc'ed, *size
 * bytes. NULL: no memory. */
char *manifest_json(const struct manifest *m, uint64_t generation, const uint8_t instance[32], size_t *size);

#endif
