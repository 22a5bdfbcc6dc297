/*
 * The shares that a recovery was given (recover.h): each is opened, looked at by what the host keeps beside the store,
 * and told of if it is of no use here, by its place among those that were given and its number. Any of them that fit
 * together are tried, so that a wrong one among enough right ones does no harm. What opens the store is the proof; what
 * the host says is none, and only what is told is by it.
 *
 * The owner's thread, at boot; turns the loop.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_SHARES_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_SHARES_H

#include <stddef.h>
#include <stdint.h>

#include "common/hpke.h"
#include "common/recovery_share.h"
#include "enclave/secrets/master.h"

struct store;

struct shares_opened {
    struct recovery_sharing of;
    uint8_t master[MASTER_KEY_SIZE]; /* the caller's to wipe */
    char who[112];                   /* "shares 1, 3 of 3" */
};

/* The shares of the start's arguments, sealed to this key. 0: the store is open, by out; a negative errno with a line
 * in error: it is closed, and nothing was written. */
int shares_open_store(struct store *store, const uint8_t secret[HPKE_KEY_SIZE], const uint8_t key[HPKE_KEY_SIZE],
                      struct shares_opened *out, char *error, size_t error_size);

#endif
