/*
 * JWS (RFC 7515), compact, with ES256: what tokens and publications are.
 */
#ifndef ENCLAVE_OS_CLI_JWS_H
#define ENCLAVE_OS_CLI_JWS_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdbool.h>

/* header and claims are JSON. malloc'ed text; NULL: the key (which may be in a token of hardware) did not sign, or no
 * memory. */
char *jws_sign(EVP_PKEY *key, const char *header, const char *claims);

/* What is signed: an object, the caller's; NULL: it is no such text, or not of this type (the header's typ). *holds:
 * whether key signed it; NULL: nobody asks. */
json_t *jws_open(const char *text, const char *type, EVP_PKEY *key, bool *holds);

#endif
