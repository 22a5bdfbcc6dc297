/* AES-256-GCM and HKDF-SHA-256 (RFC 5869), over OpenSSL. All return 0 or a negative errno. */
#ifndef ENCLAVE_OS_ENCLAVE_CRYPTO_AEAD_H
#define ENCLAVE_OS_ENCLAVE_CRYPTO_AEAD_H

#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY_SIZE 32u
#define AEAD_NONCE_SIZE 12u
#define AEAD_TAG_SIZE 16u
#define AEAD_OVERHEAD (AEAD_NONCE_SIZE + AEAD_TAG_SIZE)

/* out: nonce (random) || ciphertext || tag, size + AEAD_OVERHEAD bytes. -EIO if OpenSSL fails. */
int aead_seal(const uint8_t key[AEAD_KEY_SIZE], const void *aad, size_t aad_size, const void *plain, size_t size,
              uint8_t *out);
/* The reverse; out has size - AEAD_OVERHEAD bytes. -EBADMSG: not what was sealed. -EIO if OpenSSL
 * fails, which says nothing of that. out is wiped after an error. */
int aead_open(const uint8_t key[AEAD_KEY_SIZE], const void *aad, size_t aad_size, const uint8_t *sealed, size_t size,
              uint8_t *out);

/* HKDF-SHA-256 without salt; label is the info input, a string literal that names the use, context may be empty. */
int kdf(const uint8_t *secret, size_t secret_size, const char *label, const void *context, size_t context_size,
        uint8_t out[32]);

int hmac_sha256(const uint8_t key[32], const void *data, size_t size, uint8_t out[32]);

#endif
