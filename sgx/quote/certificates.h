/* Making the simulation PKI's certificates and CRLs. Private to sgx/quote. */
#ifndef ENCLAVE_OS_SGX_QUOTE_CERTIFICATES_H
#define ENCLAVE_OS_SGX_QUOTE_CERTIFICATES_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

/* What a PCK certificate's SGX extension says. */
struct platform_description {
    uint8_t fmspc[6], pce_id[2], components[16];
    uint16_t pce_svn;
    bool multi_package; /* of a Platform CA: with platform instance and configuration */
};

struct certificate_options {
    const char *common_name;
    EVP_PKEY *key; /* the subject's */
    X509 *issuer;  /* NULL: self-signed */
    EVP_PKEY *issuer_key;
    bool authority;                              /* CA:TRUE with keyCertSign and cRLSign */
    int path_length;                             /* of an authority; -1: none */
    int64_t from_s, until_s;                     /* 0: yesterday, in twenty years */
    const struct platform_description *platform; /* a PCK certificate; else NULL */
    const EVP_MD *digest;                        /* NULL: SHA-256, as it should be */
};

/* NULL on failure. */
X509 *certificate_make(const struct certificate_options *options);

struct crl_options {
    X509 *issuer;
    EVP_PKEY *key;
    int64_t from_s, until_s;
    X509 *const *revoked; /* certificates of the issuer */
    int revoked_count;
    bool partial; /* with a critical issuingDistributionPoint: for tests of clients */
};

/* A version 2 CRL; its number is from_s, so that later ones have higher numbers. NULL on failure. */
X509_CRL *certificate_crl(const struct crl_options *options);

#endif
