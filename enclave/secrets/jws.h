/*
 * JSON Web Signatures (RFC 7515), compact, with ES256 (RFC 7518 section 3.4): what tokens (jwt.h) and publications of
 * apps' code are signed as. Pure; any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SECRETS_JWS_H
#define ENCLAVE_OS_ENCLAVE_SECRETS_JWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define JWS_MAX_SIZE 4096u

/* Check form, algorithm and signature under key (DER SubjectPublicKeyInfo), and give what is signed: an object, whose
 * names differ, the caller's. type: what the header's typ must be; NULL: anything. 0; -EINVAL malformed; -EACCES wrong
 * algorithm, type or signature; *out is NULL then. */
int jws_open(const char *text, size_t size, const uint8_t *key, size_t key_size, const char *type, json_t **out);

#endif
