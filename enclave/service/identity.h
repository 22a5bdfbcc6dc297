/*
 * Who this enclave is, whatever it serves: the CA that lives in it, the instance that its first boot made,
 * and the key of this boot. generation.h puts them before clients, attest.h into certificates.
 *
 * All of it is there from identity_open on and does not change; any thread. The CA is made at first boot and sealed;
 * the leaf key is made at every boot and never leaves memory.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_IDENTITY_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_IDENTITY_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

/* At first boot, with the master key (secrets/master.h): the instance's name, and what it has of the key. */
int identity_begin(const uint8_t master[32], char *error, size_t error_size);

/* Boot, on the owner's thread: load the CA and the instance; at first boot make them, and the store with them,
 * the first administrators and the log's key (store_create). 0 or a negative errno, a line in error. */
int identity_open(int first_boot, char *error, size_t error_size);

/* Borrowed, all of them. */
EVP_PKEY *identity_ca_key(void);
X509 *identity_ca(void);
EVP_PKEY *identity_key(void);                /* of this boot's certificates */
const uint8_t *identity_ca_key_sha256(void); /* of its DER */
const uint8_t *identity_instance(void);      /* 32 random bytes of first boot */

/* SHA-256 of the leaf key's SubjectPublicKeyInfo: what admin tokens must name as their audience. */
const uint8_t *identity_spki_sha256(void);

#endif
