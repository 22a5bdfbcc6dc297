/*
 * What OpenSSL declares for its FIPS module alone, and its known-answer tests call: the generator that there was
 * before.
 */
#ifndef ENCLAVE_OS_TESTS_OPENSSL_GENERATOR_H
#define ENCLAVE_OS_TESTS_OPENSSL_GENERATOR_H

#include <openssl/types.h>

/* NULL: there was none, which would have to be put back. */
EVP_RAND_CTX *ossl_rand_get0_private_noncreating(OSSL_LIB_CTX *libctx);

#endif
