/*
 * What both sides of a hand-over said, and the keys that follow from it. Pure; any thread. 0 or a negative errno: -EIO
 * where OpenSSL fails (no memory), -EINVAL, -EBADMSG what an attacker can cause.
 *
 *     struct handover_transcript t = {0};
 *     handover_transcript_add(&t, message, size);                      each message, in its order
 *     handover_report_data(HANDOVER_NEW, &t, data);                    what its quote binds
 *     error = handover_session_make(private, peer, &t, &session);      both sides have the same keys then
 *     error = handover_seal(&session, HANDOVER_NEW, counter, plain, size, sealed);
 *
 * A counter stands in what is authenticated: an answer carries its request's. Who takes requests keeps the last one.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HANDOVER_SESSION_H
#define ENCLAVE_OS_ENCLAVE_HANDOVER_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/crypto/aead.h"
#include "enclave/handover/wire.h"

enum handover_side { HANDOVER_NEW, HANDOVER_OLD };

/* A chain of SHA-256 over the messages, each with its size. */
struct handover_transcript {
    uint8_t hash[32];
};
int handover_transcript_add(struct handover_transcript *t, const void *data, size_t size);
/* SHA-512("enclave-os hand-over new" or "... old" || the transcript's hash). */
int handover_report_data(enum handover_side side, const struct handover_transcript *t, uint8_t out[64]);

#define HANDOVER_PRIVATE_SIZE 32u
/* A fresh pair. The caller wipes the private half. */
int handover_key_make(uint8_t private_key[HANDOVER_PRIVATE_SIZE], uint8_t public_key[HANDOVER_KEY_SIZE]);
/* The recipient's name. */
void handover_recipient(const uint8_t public_key[HANDOVER_KEY_SIZE], uint8_t out[32]);

struct handover_session {
    uint8_t recipient[32];
    uint8_t keys[2][AEAD_KEY_SIZE]; /* of what each side says; wiped by the caller */
};
/* By ECDH of our private key and the peer's public one, and HKDF over the transcript: of the recipient's key and whose
 * it is. -EINVAL: the peer's key is no point of the curve. */
int handover_session_make(const uint8_t private_key[HANDOVER_PRIVATE_SIZE], const uint8_t own[HANDOVER_KEY_SIZE],
                          const uint8_t peer[HANDOVER_KEY_SIZE], const uint8_t recipient[32],
                          const struct handover_transcript *t, struct handover_session *out);

/* out has size + AEAD_OVERHEAD bytes. */
int handover_seal(const struct handover_session *s, enum handover_side from, uint64_t counter, const void *plain,
                  size_t size, uint8_t *out);
/* out has size - AEAD_OVERHEAD bytes. -EBADMSG: not what that side said with this counter. */
int handover_open(const struct handover_session *s, enum handover_side from, uint64_t counter, const uint8_t *sealed,
                  size_t size, uint8_t *out);

#endif
