/*
 * DICE evidence for a leaf (common/dice.h): it binds to this enclave not only the key, as the leaf's first quote does,
 * but its times and all its other extensions. So the leaf says by itself what is attested, whoever hands it over.
 *
 *     dice_claims_make(key, ca, &content, &claims)       of a leaf that has all but this
 *     dice_report_data(&claims, report_data)             a quote over that ...
 *     size = dice_evidence_make(&claims, quote, quote_size, evidence)
 *     content.dice = evidence, content.dice_size = size  ... and the leaf is made
 *
 * Any thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_DICE_H
#define ENCLAVE_OS_ENCLAVE_RATLS_DICE_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/dice.h"

struct leaf_content;

/* CBOR. What there is of it is public. */
struct dice_made_claims {
    uint8_t text[DICE_CLAIMS_MAX];
    size_t size;
};

/* 0; -EIO: OpenSSL fails. content's quote is in it already. */
int dice_claims_make(EVP_PKEY *key, X509 *ca, const struct leaf_content *content, struct dice_made_claims *out);

/* REPORTDATA: SHA-256(claims), then zeros. */
void dice_report_data(const struct dice_made_claims *claims, uint8_t out[64]);

/* The extension's value; its size; -E2BIG: the quote is so long that other verifiers would refuse what it is in. */
ssize_t dice_evidence_make(const struct dice_made_claims *claims, const uint8_t *quote, size_t size,
                           uint8_t out[DICE_SIZE_MAX]);

#endif
