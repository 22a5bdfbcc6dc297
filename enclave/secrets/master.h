/* The master key: made from the CPU's generator at first boot, sealed to MRENCLAVE, unsealed ever after; and sealed
 * again when the processor's microcode (CPUSVN) or the image (ISVSVN) has a higher version than when it was sealed
 * last. */
#ifndef ENCLAVE_OS_ENCLAVE_SECRETS_MASTER_H
#define ENCLAVE_OS_ENCLAVE_SECRETS_MASTER_H

#include <stddef.h>
#include <stdint.h>

struct store; /* enclave/kvstore/store.h */

#define MASTER_KEY_SIZE 32u

/* A first boot's key, for what is made of it once: valid during the call. 0 or a negative errno, with a line in why,
 * which ends the boot. */
typedef int (*master_begun)(const uint8_t master[MASTER_KEY_SIZE], char *why, size_t why_size);

/* Open the store that the host keeps; or, if it has none, make the master key of a new one: then first_boot is 1,
 * nothing has been written, begun has had the key, and store_create must come before anything else. Turns the owner's
 * loop, and is for its thread. The key is wiped before this returns: what is derived from it stays in the store's own
 * keys. 0, or a negative errno with a line in why: -EACCES another image's (or another CPU's) store, -ENOKEY one of
 * newer microcode, -EKEYEXPIRED one of a higher ISVSVN: nothing was touched; -EBADMSG damaged. After an error the store
 * is closed.
 *
 * renewed: 1 if the key was sealed again, and the older blob is gone; 0 if there was no need; a negative errno if there
 * was, and it could not be written: the older blob opens as before, and the next start tries again. */
int master_open_store(struct store *store, int *first_boot, int *renewed, master_begun begun, char *why,
                      size_t why_size);

#endif
