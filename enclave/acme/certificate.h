/*
 * Certificates and what asks for them: the request for one, the certificate of a challenge, and a chain that came.
 * Pure; any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_ACME_CERTIFICATE_H
#define ENCLAVE_OS_ENCLAVE_ACME_CERTIFICATE_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "enclave/acme/limits.h"

/* A request (PKCS #10) for the name and key: its DER, and how long it is; 0: OpenSSL fails. */
size_t acme_csr(EVP_PKEY *key, const char *name, uint8_t out[ACME_CSR_MAX]);

/* RFC 8737, section 3: signed by its own key, for the name alone, with the digest as acmeIdentifier, critical. NULL if
 * OpenSSL fails. */
X509 *acme_challenge_certificate(EVP_PKEY *key, const char *name, const uint8_t digest[32], int64_t now_s);

struct acme_chain {
    STACK_OF(X509) * certificates; /* the name's own first; owned */
    int64_t from_s, until_s;       /* the first one's time */
};
/* PEM that a server gave (RFC 8555, section 9.1). Nothing of it is believed but what clients will see: the first is of
 * this key and this name, for servers, and of a time that is now (0: of any); each is signed by the next. Who the last
 * one is, clients judge. 0; -EINVAL, and why says what is wrong; -ENOMEM. */
int acme_chain_read(struct acme_chain *out, const char *pem, size_t size, EVP_PKEY *key, const char *name,
                    int64_t now_s, char why[ACME_WHY_SIZE]);
void acme_chain_free(struct acme_chain *chain);

#endif
