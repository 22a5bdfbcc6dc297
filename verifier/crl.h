/*
 * Revocation lists. Private to the verifier.
 */
#ifndef ENCLAVE_VERIFIER_CRL_H
#define ENCLAVE_VERIFIER_CRL_H

#include "verifier/internal.h"

/* From DER, hexadecimal of DER (as a PCCS gives the root's), or PEM. NULL: none of these. To be freed. */
X509_CRL *verifier__read_crl(const void *data, size_t size);
/* Whether it is issuer's complete list. NULL, or what is wrong (static). */
const char *verifier__crl_problem(X509_CRL *crl, X509 *issuer);
/* Whether the list of x's issuer has x. */
bool verifier__is_revoked(X509_CRL *crl, X509 *x);

#endif
