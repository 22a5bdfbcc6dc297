/*
 * Putting a DCAP v3 ECDSA quote together from its parts. Private to sgx/quote and to tests that need odd quotes.
 */
#ifndef ENCLAVE_OS_SGX_QUOTE_ASSEMBLE_H
#define ENCLAVE_OS_SGX_QUOTE_ASSEMBLE_H

#include <openssl/evp.h>

#include "sgx/include/arch.h"

struct quote_parts {
    struct sgx_report_body body;    /* of the enclave */
    struct sgx_report_body qe_body; /* of the quoting enclave; its ReportData is filled in */
    EVP_PKEY *attestation_key;      /* signs the enclave's */
    EVP_PKEY *pck_key;              /* signs the quoting enclave's */
    uint16_t qe_svn, pce_svn;
    const char *chain; /* PEM: PCK, PCK CA, root */
};

/* 0, -ENOSPC or -EIO. */
int quote_assemble(const struct quote_parts *parts, uint8_t *out, size_t capacity, size_t *size);

#endif
