/* Making the simulation PKI's certificates and CRLs. Private to sgx/quote. */
#ifndef ENCLAVE_OS_SGX_QUOTE_CERTIFICATES_H
#define ENCLAVE_OS_SGX_QUOTE_CERTIFICATES_H

#include <openssl/x509.h>
#include <stdbool.h>

struct certificate_options {
    const char *common_name;
    EVP_PKEY *key; /* the subject's */
    X509 *issuer;  /* NULL: self-signed */
    EVP_PKEY *issuer_key;
    bool authority;     /* CA:TRUE with keyCertSign and cRLSign */
    int path_length;    /* of an authority; -1: none */
    bool sgx_extension; /* a PCK certificate */
};

/* NULL on failure. */
X509 *certificate_make(const struct certificate_options *options);

/* An empty version 2 CRL of the issuer. NULL on failure. */
X509_CRL *certificate_crl(X509 *issuer, EVP_PKEY *key);

#endif
