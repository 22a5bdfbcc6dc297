/* Signatures as quotes and collateral have them. Private to sgx/quote. Any thread. */
#ifndef ENCLAVE_OS_SGX_QUOTE_ECDSA_H
#define ENCLAVE_OS_SGX_QUOTE_ECDSA_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

/* r || s, 32 bytes each, big-endian, over SHA-256 of data, by a P-256 key. 0 or -EIO. */
int ecdsa_sign(EVP_PKEY *key, const void *data, size_t size, uint8_t signature[64]);

#endif
