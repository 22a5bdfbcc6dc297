/*
 * Signing as JWS (RFC 7515), compact, with ES256: what tokens and publications are.
 */
#ifndef ENCLAVE_OS_CLI_JWS_H
#define ENCLAVE_OS_CLI_JWS_H

#include <openssl/evp.h>

/* header and claims are JSON. malloc'ed text; NULL: the key (which may be in a token of hardware) did not sign, or no
 * memory. */
char *jws_sign(EVP_PKEY *key, const char *header, const char *claims);

#endif
