/* SIGSTRUCT: the enclave's certificate, SDM 3D 35.14. RSA-3072, exponent 3, PKCS#1 v1.5 with SHA-256. */
#ifndef ENCLAVE_OS_SGX_SIGN_SIGSTRUCT_H
#define ENCLAVE_OS_SGX_SIGN_SIGSTRUCT_H

#include <openssl/evp.h>

#include "sgx/sign/image.h"

/* Fill in and sign. date is BCD yyyymmdd. production: DEBUG enters the attribute mask. 0 or a negative errno
 * (-EINVAL: the key is not RSA-3072 with exponent 3). */
int sigstruct_make(const struct image_config *config, const uint8_t mrenclave[32], uint32_t date, int production,
                   EVP_PKEY *key, struct sgx_sigstruct *out);

/* Sign what stands in s: fills in modulus, signature, Q1 and Q2. 0 or -EINVAL as above. */
int sigstruct_sign(struct sgx_sigstruct *s, EVP_PKEY *key);

/* What EINIT checks of SIGSTRUCT alone: fixed fields, exponent, Q1 and Q2, signature. Returns an SGX error code. */
enum sgx_error sigstruct_check(const struct sgx_sigstruct *s);

/* MRSIGNER: SHA-256 of the modulus. */
void sigstruct_mrsigner(const struct sgx_sigstruct *s, uint8_t mrsigner[32]);

#endif
