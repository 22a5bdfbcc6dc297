/*
 * The certificate authorities that servers are believed by, when apps make requests: one PEM bundle, given by the
 * operator, kept sealed, and shown to everyone by its hash (OID 1.3.6.1.4.1.65230.2.1). Without it nothing connects.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_TRUST_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_TRUST_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EGRESS_BUNDLE_MAX (1u << 20) /* bytes of PEM */

/* Boot: put the bundle of the store in force, if there is one. 0 or a negative errno, with a line in error. */
int egress_trust_load(char *error, size_t error_size);

/* A bundle, read and judged. context NULL: none at all. */
struct egress_bundle {
    SSL_CTX *context;
    uint8_t sha256[32];
    size_t count; /* of certificates */
};
/* 0; -EINVAL (the bundle) or -ENOMEM, with a line in error and nothing in *b. Any thread. */
int egress_bundle_make(struct egress_bundle *b, const void *pem, size_t size, char *error, size_t error_size);
/* It is in force from now on, for connections that begin; *b is taken over. Any thread. */
void egress_bundle_install(struct egress_bundle *b);
#define EGRESS_BUNDLE_KEY "egress-ca" /* its PEM, in the enclave's own namespace of the store */

/* A client context that requires TLS 1.2 or 1.3 and a chain to the bundle; a reference of the caller's own. NULL: there
 * is no bundle. Any thread. */
SSL_CTX *egress_trust_context(void);
/* SHA-256 of the bundle's bytes; false: there is none. Any thread. */
bool egress_trust_sha256(uint8_t out[32]);

#endif
