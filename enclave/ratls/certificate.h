/*
 * X.509 for RA-TLS: the CA that lives in the enclave, and the leaf that carries the quote. Formats: shared wire facts,
 * restated in docs/attestation.md.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_CERTIFICATE_H
#define ENCLAVE_OS_ENCLAVE_RATLS_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdint.h>

#define LEAF_LIFETIME_S 86400 /* deterministic mode: NotAfter is NotBefore plus this */

/* ECDSA P-256 from the enclave's generator. NULL if OpenSSL fails. */
EVP_PKEY *certificate_make_key(void);

/* A self-signed issuing CA: CA:TRUE, pathlen 0, keyCertSign and cRLSign, ten years. NULL if OpenSSL fails. */
X509 *certificate_make_ca(EVP_PKEY *key, int64_t now_s);

/* REPORTDATA of the deterministic mode: SHA-512(SHA-256(SPKI DER) || "YYYY-MM-DDTHH:MMZ"). 0 or -EIO. */
int certificate_report_data(EVP_PKEY *key, int64_t not_before_s, uint8_t out[64]);

struct leaf_content {
    int64_t not_before_s; /* whole minutes */
    const char *names;    /* DNS names and IP addresses, separated by commas: the subject alternative names */
    const uint8_t *quote;
    size_t quote_size;
    const uint8_t *merkle_root;    /* 32 bytes */
    const uint8_t *runtime_hash;   /* 32 bytes */
    const uint8_t *workloads_hash; /* 32 bytes, or NULL: no app */
    const uint8_t *egress_hash;    /* 32 bytes, or NULL: no CA bundle for outgoing requests */
};
X509 *certificate_make_leaf(EVP_PKEY *key, EVP_PKEY *ca_key, X509 *ca, const struct leaf_content *content);

#endif
