/*
 * The key that signs a log's checkpoints: Ed25519 (RFC 8032), made once, kept sealed in the store beside what else
 * first boot fixes, and shown to everybody in the certificate and the manifest.
 *
 *     uint8_t key[HISTORY_KEY_SIZE];
 *     history_key_make(key);                 the private half: a secret
 *     history_key_public(key, public_key);
 *
 * Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HISTORY_KEY_H
#define ENCLAVE_OS_ENCLAVE_HISTORY_KEY_H

#include <stddef.h>
#include <stdint.h>

#define HISTORY_KEY "log-key" /* its record, in the enclave's own namespace of the store */
#define HISTORY_KEY_SIZE 32u

/* From the enclave's own generator. */
void history_key_make(uint8_t key[HISTORY_KEY_SIZE]);
/* 0; -EIO: OpenSSL cannot. */
int history_key_public(const uint8_t key[HISTORY_KEY_SIZE], uint8_t public_key[32]);
int history_key_sign(const uint8_t key[HISTORY_KEY_SIZE], const void *text, size_t size, uint8_t signature[64]);

#endif
