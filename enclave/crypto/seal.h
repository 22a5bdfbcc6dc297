/*
 * Sealing to this image on this CPU: AES-256-GCM under a key that EGETKEY derives for MRENCLAVE (SDM 3D 38.17).
 *
 * A blob carries the whole KEYREQUEST that made its key, authenticated: random KEYID, the ISVSVN and CPUSVN of the
 * time, and the masks, so that the same enclave can derive the key again after a microcode update. DEBUG counts in
 * the key: a debug enclave cannot open what a production one sealed.
 */
#ifndef ENCLAVE_OS_ENCLAVE_CRYPTO_SEAL_H
#define ENCLAVE_OS_ENCLAVE_CRYPTO_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/crypto/aead.h"

#define SEAL_HEADER_SIZE (8u + 512u) /* magic and version, KEYREQUEST */
#define SEAL_OVERHEAD (SEAL_HEADER_SIZE + AEAD_OVERHEAD)

/* out has size + SEAL_OVERHEAD bytes. 0 or -EIO. */
int seal(const void *plain, size_t size, uint8_t *out);
/* out has size - SEAL_OVERHEAD bytes. -EBADMSG: not a blob of ours or changed; -EACCES: sealed by another image, on
 * another CPU, or by a newer version of either (the key cannot be derived, or does not open it). */
int unseal(const uint8_t *blob, size_t size, uint8_t *out);

#endif
