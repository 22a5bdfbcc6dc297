/*
 * Requests of an ACME client, signed (RFC 8555, section 6.2): flattened JWS (RFC 7515) of ES256, with the account's key
 * or its URL in front. Pure; any thread. Texts are malloc'ed; NULL: the key is not of P-256, or no memory.
 */
#ifndef ENCLAVE_OS_ENCLAVE_ACME_JOSE_H
#define ENCLAVE_OS_ENCLAVE_ACME_JOSE_H

#include <openssl/evp.h>
#include <stdint.h>

struct acme_signing {
    EVP_PKEY *key;       /* the account's */
    const char *account; /* its URL; NULL: the key itself stands there, as for newAccount */
    const char *nonce, *url;
    const char *payload; /* JSON, or "" (POST-as-GET) */
};
char *acme_sign(const struct acme_signing *s);

/* Section 8.1: token, a dot, the thumbprint of the account's key (RFC 7638): its SHA-256, which the certificate of a
 * challenge shows (RFC 8737). 0 or -ENOMEM. */
int acme_key_authorization(EVP_PKEY *key, const char *token, uint8_t sha256[32]);

#endif
