/* The master key: made from the CPU's generator at first boot, sealed to MRENCLAVE, unsealed ever after. */
#ifndef ENCLAVE_OS_ENCLAVE_SECRETS_MASTER_H
#define ENCLAVE_OS_ENCLAVE_SECRETS_MASTER_H

#include <stddef.h>
#include <stdint.h>

struct store; /* enclave/kvstore/store.h */

#define MASTER_KEY_SIZE 32u

/* Open the store that the host keeps, making the master key if the store is new; turns the owner's loop, and is for
 * its thread. The key is wiped before this returns: what is derived from it stays in the store's own keys. 0, or a
 * negative errno with a line in why: -EACCES another image's (or another CPU's) store: nothing was touched; -EBADMSG
 * damaged. After an error the store is closed. first_boot tells whether the store is new. */
int master_open_store(struct store *store, int *first_boot, char *why, size_t why_size);

#endif
