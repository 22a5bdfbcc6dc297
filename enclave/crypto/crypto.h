/*
 * The room's manual. What is encrypted, derived and sealed in the enclave goes through these three, over OpenSSL:
 *
 *     aead.h         AES-256-GCM under a key that somebody holds; HKDF and HMAC over SHA-256
 *     seal.h         the same under a key that only this image on this CPU can derive
 *     processor.h    whether OpenSSL has the instructions that keep secrets out of its timing
 *
 *     uint8_t key[AEAD_KEY_SIZE], sealed[5 + AEAD_OVERHEAD], plain[5];
 *     error = kdf(master, sizeof master, "greetings", NULL, 0, key);
 *     error = aead_seal(key, aad, aad_size, "hello", 5, sealed);
 *     error = aead_open(key, aad, aad_size, sealed, sizeof sealed, plain);      -EBADMSG: not what was sealed
 *
 * Everything belongs to the caller; nothing is kept, nothing is global. Any thread, once OpenSSL is initialised. Sizes
 * are bytes. 0 or a negative errno: -EBADMSG and -EACCES are what an attacker can cause, -EIO that OpenSSL failed (no
 * memory, no randomness), -EINVAL a size that is beyond what the function takes. A NULL stops the enclave. What is
 * secret and not the caller's is wiped before a function returns, on every path.
 *
 * Limits: a message has up to INT_MAX bytes. Nonces are random, so that one key is good for some 2^32 messages; the
 * store's comes nowhere near. Known weaknesses: lengths are not hidden; sealing says nothing of what is newest, so who
 * keeps blobs may give back an old one.
 */
#ifndef ENCLAVE_OS_ENCLAVE_CRYPTO_CRYPTO_H
#define ENCLAVE_OS_ENCLAVE_CRYPTO_CRYPTO_H

#include "enclave/crypto/aead.h"
#include "enclave/crypto/processor.h"
#include "enclave/crypto/seal.h"

#endif
