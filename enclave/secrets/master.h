/* The master key: made from the CPU's generator at first boot, sealed to MRENCLAVE, unsealed ever after. */
#ifndef ENCLAVE_OS_ENCLAVE_SECRETS_MASTER_H
#define ENCLAVE_OS_ENCLAVE_SECRETS_MASTER_H

#include <stddef.h>
#include <stdint.h>

struct store; /* enclave/kvstore/store.h */

#define MASTER_KEY_SIZE 32u

/* Open the store that the host keeps; or, if it has none, make the master key of a new one: then first_boot is 1,
 * nothing has been written, and store_create must come before anything else. Turns the owner's loop, and is for its
 * thread. The key is wiped before this returns: what is derived from it stays in the store's own keys. 0, or a negative
 * errno with a line in why: -EACCES another image's (or another CPU's) store: nothing was touched; -EBADMSG damaged.
 * After an error the store is closed. */
int master_open_store(struct store *store, int *first_boot, char *why, size_t why_size);

#endif
