/*
 * Sealing to the holder of a key: HPKE (RFC 9180) in base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM,
 * one message for each encapsulation, no further data. What is sealed is the encapsulated key, 32 bytes, and the
 * ciphertext. Anybody can seal to a public key: what opens says nothing about who sealed it.
 *
 * It is OpenSSL's of 3.5 (OSSL_HPKE_*), on both sides. Programs that have another OpenSSL link it as an object of its
 * own (cli/CMakeLists.txt), which is why keys are bytes here. Any thread.
 */
#ifndef ENCLAVE_OS_COMMON_HPKE_H
#define ENCLAVE_OS_COMMON_HPKE_H

#include <stddef.h>
#include <stdint.h>

#define HPKE_KEY_SIZE 32u
#define HPKE_OVERHEAD (32u + 16u)

/* out has size + HPKE_OVERHEAD bytes. 0; -EINVAL: to is no key that can be sealed to; -EIO: OpenSSL fails. */
int hpke_seal(const uint8_t to[HPKE_KEY_SIZE], const void *info, size_t info_size, const void *plain, size_t size,
              uint8_t *out);
/* The same bytes each time, for the same of all of these. seed: HPKE_KEY_SIZE bytes that nobody else can know, of this
 * recipient, info and plain alone. */
int hpke_seal_same(const uint8_t to[HPKE_KEY_SIZE], const void *info, size_t info_size, const void *plain, size_t size,
                   const uint8_t seed[HPKE_KEY_SIZE], uint8_t *out);
/* out has size - HPKE_OVERHEAD bytes. 0; -EBADMSG: it was not sealed to this key with this info, or was changed. */
int hpke_open(const uint8_t secret[HPKE_KEY_SIZE], const void *info, size_t info_size, const uint8_t *sealed,
              size_t size, uint8_t *out);
/* The public half of a secret key. 0 or -EIO. */
int hpke_public(const uint8_t secret[HPKE_KEY_SIZE], uint8_t out[HPKE_KEY_SIZE]);

#endif
