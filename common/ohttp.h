/*
 * Oblivious HTTP's encapsulation (RFC 9458): one request sealed to a key, and the answer sealed to that request.
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, and AES-128-GCM or ChaCha20Poly1305.
 *
 *     ohttp_keys_read(keys, size, &to);                            the client
 *     ohttp_request_seal(&to, plain, size, out, &answer);
 *     ohttp_request_open(secret, data, size, &plain, &size, &answer);      the server, once it has found the key
 *     ohttp_answer_seal(&answer, data, size);
 *     ohttp_answer_open(&answer, data, size, &plain, &size);       the client
 *
 * Anybody can seal to a public key; only who has opened the request, or made it, can seal its answer. Keys are bytes,
 * for the reason that common/hpke.h gives, and the same OpenSSL is needed. Any thread.
 */
#ifndef ENCLAVE_OS_COMMON_OHTTP_H
#define ENCLAVE_OS_COMMON_OHTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OHTTP_KEY_SIZE 32u
#define OHTTP_KEYS_MEDIA_TYPE "application/ohttp-keys"
#define OHTTP_REQUEST_MEDIA_TYPE "message/ohttp-req"
#define OHTTP_ANSWER_MEDIA_TYPE "message/ohttp-res"
#define OHTTP_KEY_PROBLEM "https://iana.org/assignments/http-problem-types#ohttp-key"
#define OHTTP_DATE_PROBLEM "https://iana.org/assignments/http-problem-types#date"

/* ---- key configurations ------------------------------------------------------------------------------------------ */

/* A list (application/ohttp-keys) of one configuration with both ciphers. */
#define OHTTP_KEYS_SIZE 47u
void ohttp_keys_write(uint8_t id, const uint8_t public_key[OHTTP_KEY_SIZE], uint8_t out[OHTTP_KEYS_SIZE]);

struct ohttp_key {
    uint8_t id;
    uint8_t public_key[OHTTP_KEY_SIZE];
    uint16_t cipher; /* HPKE's number */
};

/* The first configuration of a list that can be used, with its first cipher that can. 0; -EBADMSG: it is no such list;
 * -ENOTSUP: it has none. */
int ohttp_keys_read(const uint8_t *list, size_t size, struct ohttp_key *out);

/* ---- messages ---------------------------------------------------------------------------------------------------- */

#define OHTTP_ENCAPSULATED_SIZE 32u
#define OHTTP_TAG_SIZE 16u
#define OHTTP_REQUEST_OVERHEAD (7u + OHTTP_ENCAPSULATED_SIZE + OHTTP_TAG_SIZE)
#define OHTTP_NONCE_MAX 32u

/* What the answer to a request is sealed with; a secret, to be wiped. */
struct ohttp_answer {
    uint8_t encapsulated[OHTTP_ENCAPSULATED_SIZE]; /* of the request: no other honest one has the same */
    uint8_t secret[32];
    uint16_t cipher;
};

/* size > 0; out has OHTTP_REQUEST_OVERHEAD bytes more. 0; -EINVAL: that is no key that can be sealed to; -EIO: OpenSSL
 * fails. */
int ohttp_request_seal(const struct ohttp_key *to, const void *plain, size_t size, uint8_t *out,
                       struct ohttp_answer *answer);
/* Which key a request is for; false: for none of ours, whatever its id, or it is cut short. */
bool ohttp_request_key_id(const uint8_t *data, size_t size, uint8_t *id);
/* In place: plain points into data. 0; -EBADMSG: it was not sealed to this key, or was changed; data is lost then. */
int ohttp_request_open(const uint8_t secret[OHTTP_KEY_SIZE], uint8_t *data, size_t size, uint8_t **plain,
                       size_t *plain_size, struct ohttp_answer *answer);

/* The bytes of a response's nonce, which stands in front of it. */
size_t ohttp_nonce_size(const struct ohttp_answer *answer);
/* In place: data begins with a nonce of random bytes, and has OHTTP_TAG_SIZE bytes of room at its end. 0 or -EIO. */
int ohttp_answer_seal(const struct ohttp_answer *answer, uint8_t *data, size_t size);
/* In place. 0 or -EBADMSG: it is not the answer to that request, or was changed. */
int ohttp_answer_open(const struct ohttp_answer *answer, uint8_t *data, size_t size, uint8_t **plain,
                      size_t *plain_size);

#endif
