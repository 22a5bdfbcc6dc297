/* JWSs for tests, good ones and bad ones. */
#ifndef ENCLAVE_OS_ENCLAVE_SECRETS_TESTING_JWS_MAKE_H
#define ENCLAVE_OS_ENCLAVE_SECRETS_TESTING_JWS_MAKE_H

#include <openssl/evp.h>
#include <stddef.h>

/* header and claims, whatever they are, signed with ES256; returns the size, without the NUL behind it. out has room
 * for 4 / 3 of both and 100 more. */
size_t jws_make(EVP_PKEY *key, const void *header, size_t header_size, const void *claims, size_t claims_size,
                char *out);

#endif
