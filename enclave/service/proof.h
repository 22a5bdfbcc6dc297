/*
 * Proofs that an app is part of the configuration which the served certificate carries the root of (RFC 9162, section
 * 2.1.3). The tree is made with each new certificate, on the owner's thread; every worker answers from it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_PROOF_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_PROOF_H

#include <stddef.h>

#include "enclave/merkle/merkle.h"
#include "enclave/wasm/app.h"

struct proof_tree {
    struct merkle merkle;
    size_t first_app; /* the leaf of names[0]; the others follow */
    char (*names)[APP_NAME_MAX + 1];
    size_t name_count;
};

/* The app whose leaf was added last has that name. 0 or -ENOMEM. */
int proof_tree_name(struct proof_tree *tree, const char *name);
void proof_tree_free(struct proof_tree *tree);

/* From now on this is the served certificate's tree; the contents are taken over and *tree is emptied. */
void proof_publish(struct proof_tree *tree);

/* {"leaf_index":N,"tree_size":N,"path":["hex", ...]} for the app of that name: the number of bytes written to json,
 * -ENOENT, or -ENOSPC. PROOF_JSON_MAX is always enough. user is not used (http_server.inclusion_proof). Any thread. */
#define PROOF_JSON_MAX 8192u
int proof_json(void *user, const char *name, size_t name_size, char *json, size_t capacity);

#endif
