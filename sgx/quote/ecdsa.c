/* OpenSSL's signatures, which are DER, in the form that quotes have. See ecdsa.h. */
#include "sgx/quote/ecdsa.h"

#include <errno.h>
#include <openssl/ec.h>
#include <stdbool.h>

int ecdsa_sign(EVP_PKEY *key, const void *data, size_t size, uint8_t signature[64])
{
    uint8_t der[128];
    size_t der_size = sizeof der;
    const uint8_t *next = der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, der, &der_size, data, size) == 1;
    EVP_MD_CTX_free(context);
    ECDSA_SIG *pair = ok ? d2i_ECDSA_SIG(NULL, &next, (long)der_size) : NULL;
    ok = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32 &&
         BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    return ok ? 0 : -EIO;
}
