/*
 * The master key of a store that is open, for who gives it away or shares it: as its host has it, sealed, twice; and
 * only if it is the one by which this store is open. Nobody keeps it but he who asked for it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SECRETS_FIND_H
#define ENCLAVE_OS_ENCLAVE_SECRETS_FIND_H

#include <stdint.h>

#include "common/callbacks.h"
#include "enclave/secrets/master.h"

struct worker;

/* master: during the call; NULL where there is an error: -EBADMSG, or what the host said. */
typedef void (*master_found)(void *user, int error, const uint8_t master[MASTER_KEY_SIZE]);
/* On the owner's thread. 0: found runs once, later, from its loop; -ENOMEM. */
MAY_REFUSE int master_find(struct worker *owner, struct store *store, master_found found, void *user);

#endif
