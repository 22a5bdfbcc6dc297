/* See jws_make.h. */
#include "enclave/secrets/testing/jws_make.h"

#include <openssl/ecdsa.h>
#include <stdint.h>

#include "common/ensure.h"

static size_t encode(const void *data, size_t size, char *out)
{
    size_t length = (size_t)EVP_EncodeBlock((uint8_t *)out, data, (int)size);
    while (length > 0 && out[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    out[length] = 0;
    return length;
}

size_t jws_make(EVP_PKEY *key, const void *header, size_t header_size, const void *claims, size_t claims_size,
                char *out)
{
    size_t size = encode(header, header_size, out);
    out[size++] = '.';
    size += encode(claims, claims_size, out + size);
    uint8_t der[80], rs[64];
    size_t der_size = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ENSURE(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
    ENSURE(EVP_DigestSign(ctx, der, &der_size, (const uint8_t *)out, size) == 1);
    EVP_MD_CTX_free(ctx);
    const uint8_t *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der_size);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), rs, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), rs + 32, 32);
    ECDSA_SIG_free(signature);
    out[size++] = '.';
    return size + encode(rs, sizeof rs, out + size);
}
