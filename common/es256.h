/*
 * ES256 (RFC 7518, section 3.4): ECDSA over P-256 and SHA-256, as JOSE writes it, r and s of 32 bytes each. Any thread.
 */
#ifndef ENCLAVE_OS_COMMON_ES256_H
#define ENCLAVE_OS_COMMON_ES256_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ES256_SIZE 64u

/* False: the key, which may be in a token of hardware, did not sign, or is no such key. */
static inline bool es256_sign(EVP_PKEY *key, const void *text, size_t size, uint8_t out[ES256_SIZE])
{
    uint8_t der[128];
    const uint8_t *next = der;
    size_t der_size = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, der, &der_size, (const uint8_t *)text, size) == 1;
    EVP_MD_CTX_free(context);
    ECDSA_SIG *pair = ok ? d2i_ECDSA_SIG(NULL, &next, (long)der_size) : NULL;
    ok = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) == 32 &&
         BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    return ok;
}

#endif
