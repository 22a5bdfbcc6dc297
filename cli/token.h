/*
 * The administrator's token: a JWT signed with ES256 that authorises one request to one enclave, for a minute,
 * or as long as its request says.
 */
#ifndef ENCLAVE_OS_CLI_TOKEN_H
#define ENCLAVE_OS_CLI_TOKEN_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

struct token_request {
    const uint8_t *spki_sha256; /* 32 bytes: the enclave that was verified */
    const char *method, *path;
    const char *scope; /* "monitoring", or NULL: none */
    const void *body;
    size_t body_size;
    const uint8_t *body_sha256; /* instead of the body; NULL: not given */
    unsigned lifetime_s;        /* 0: a minute */
};

#define TOKEN_LIFETIME_MAX_S 600u /* what servers take */

/* malloc'ed text, or NULL. */
char *token_make(EVP_PKEY *key, const struct token_request *request);

#endif
