/*
 * Private keys that the user named: of a file in PEM, or by a PKCS#11 URI (RFC 7512) of something that signs and does
 * not give the key away.
 */
#ifndef ENCLAVE_OS_CLI_KEY_H
#define ENCLAVE_OS_CLI_KEY_H

#include <openssl/evp.h>

struct key_options {
    const char *option; /* "--key" */
    const char *name;   /* FILE or pkcs11:URI */
    const char *module; /* the PKCS#11 library; NULL: as OpenSSL is configured */
};

/* P-256, and the only key there is under that name. NULL: why was told. */
EVP_PKEY *key_open(const struct key_options *o);

#endif
