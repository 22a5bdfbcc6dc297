/*
 * Who this enclave is towards clients: the CA that lives in it, the key of this boot, and the certificate whose quote
 * binds that key to this image and to the configuration's Merkle root.
 *
 * Lives on the owner's thread, which its entry points assert. The CA is made at first boot and sealed; the leaf key is
 * made at every boot and never leaves memory; the certificate is renewed when the configuration changes and every
 * twelve hours.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_IDENTITY_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"

/* Load or make the CA and the settings that first boot fixes (admin key). 0 or a negative errno, a line in error. */
int identity_open(int first_boot, char *error, size_t error_size);

/* Make a certificate for the configuration as it is now and give it to all workers. done (which may be NULL) runs on
 * the owner's loop, unless it is refused (common/callbacks.h); until then, and after a failure, new connections get the
 * certificate before. On the owner's thread. */
MAY_REFUSE int identity_refresh(void (*done)(void *user, int error), void *user);

/* SHA-256 of the leaf key's SubjectPublicKeyInfo: what admin tokens must name as their audience. */
const uint8_t *identity_spki_sha256(void);

/* The administrator's public key (DER SubjectPublicKeyInfo, P-256); size 0: nobody may administer. */
const uint8_t *identity_admin_key(size_t *size);

/* The root that the current certificate carries, whole: never half of one and half of the next. Any thread. */
void identity_merkle_root(uint8_t out[32]);

#endif
