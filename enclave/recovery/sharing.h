/*
 * A sharing (common/recovery_share.h): a secret of its own, in shares, each sealed to its holder, and the master key
 * sealed under that secret, while the key is at hand. The secret and its shares are wiped before this returns. What is
 * left is public but for the wrapped key, which is for nobody but the host to keep: it opens with the shares of this
 * sharing, and those of no other.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RECOVERY_SHARING_H
#define ENCLAVE_OS_ENCLAVE_RECOVERY_SHARING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/recovery_share.h"
#include "enclave/crypto/aead.h"

#define SHARING_TEXT_MAX 8192u /* bytes, with 16 holders */
#define SHARING_WHY_SIZE 128u
#define SHARING_KEY_SIZE 32u /* of the master key */
#define SHARING_WRAPPED_SIZE (SHARING_KEY_SIZE + AEAD_OVERHEAD)

/* Holder i's key is holders[i], X25519; s->count of them, all different; random fills what it is given. malloc'ed text,
 * and the wrapped key; NULL with a line in why. Any thread. */
char *sharing_make(const uint8_t master[SHARING_KEY_SIZE], const struct recovery_sharing *s,
                   const uint8_t (*holders)[32], void (*random)(void *bytes, size_t size),
                   uint8_t wrapped[SHARING_WRAPPED_SIZE], char why[SHARING_WHY_SIZE]);
/* By the secret that shares of s gave. 0; -EBADMSG: it is another secret, or another sharing's key. */
int sharing_unwrap(const struct recovery_sharing *s, const uint8_t secret[RECOVERY_SHARE_SIZE], const uint8_t *wrapped,
                   size_t size, uint8_t master[SHARING_KEY_SIZE]);

#endif
