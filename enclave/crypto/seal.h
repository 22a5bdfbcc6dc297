/*
 * Sealing to this image on this CPU: AES-256-GCM under a key that EGETKEY derives for MRENCLAVE (SDM 3D 38.17).
 *
 * A blob carries the whole KEYREQUEST that made its key, authenticated: random KEYID, the ISVSVN and CPUSVN of the
 * time, and the masks, so that the same enclave can derive the key again after a microcode update. DEBUG counts in
 * the key: a debug enclave cannot open what a production one sealed.
 *
 * An update is made because keys of the version before may have leaked: what is older than the processor's present
 * version should be sealed again, and the old blob destroyed (seal_is_current).
 */
#ifndef ENCLAVE_OS_ENCLAVE_CRYPTO_SEAL_H
#define ENCLAVE_OS_ENCLAVE_CRYPTO_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/crypto/aead.h"

#define SEAL_HEADER_SIZE (8u + 512u) /* magic and version, KEYREQUEST */
#define SEAL_OVERHEAD (SEAL_HEADER_SIZE + AEAD_OVERHEAD)

/* out has size + SEAL_OVERHEAD bytes. 0 or -EIO. */
int seal(const void *plain, size_t size, uint8_t *out);
/* out has size - SEAL_OVERHEAD bytes. -EBADMSG: not a blob of ours or changed; -EACCES: sealed by another image, or on
 * another CPU; -ENOKEY: under a newer version of this CPU's microcode, or of another CPU's; -EKEYEXPIRED: by this image
 * with a higher ISVSVN. The last two are what the blob claims: a host that changed it can make them. */
int unseal(const uint8_t *blob, size_t size, uint8_t *out);

/* Of a blob that was unsealed: whether it was made under this very CPUSVN and ISVSVN. If not, under lower ones. */
bool seal_is_current(const uint8_t *blob, size_t size);

#endif
