/*
 * The certificate authorities that servers are believed by, when apps make requests: one PEM bundle, given by the
 * operator, kept sealed, and shown to everyone by its hash (OID 1.3.6.1.4.1.65230.2.1). Without it nothing connects.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_TRUST_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_TRUST_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/service/limits.h"

#define EGRESS_BUNDLE_KEY "egress-ca" /* its PEM, in the enclave's own namespace of the store */

/* A bundle, read and judged: part of a generation. Immutable and counted. Any thread. */
struct egress_trust {
    atomic_uint references;
    SSL_CTX *context; /* a client's that requires TLS 1.2 or 1.3 and a chain to the bundle */
    uint8_t sha256[32];
    size_t count; /* of certificates */
};
/* How TLS is spoken to servers elsewhere, whoever is believed. */
bool egress_context_configure(SSL_CTX *ctx);
/* 0, and one reference in *out; -EINVAL (the bundle) or -ENOMEM, with a line in error. */
int egress_trust_make(struct egress_trust **out, const void *pem, size_t size, char *error, size_t error_size);
/* NULL, which is to trust nobody, is nothing. */
struct egress_trust *egress_trust_ref(struct egress_trust *t);
void egress_trust_unref(struct egress_trust *t);

/* Boot: the bundle of the store, NULL if there is none. 0 or a negative errno, with a line in error. */
int egress_trust_load(struct egress_trust **out, char *error, size_t error_size);

#endif
