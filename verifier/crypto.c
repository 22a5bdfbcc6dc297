/*
 * SHA-256 and ECDSA P-256: all the cryptography there is in a quote.
 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <string.h>

#include "verifier/internal.h"

bool verifier__sha256(const void *data, size_t size, uint8_t out[32])
{
    return EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL) == 1;
}

EVP_PKEY *verifier__p256_key(const uint8_t xy[64])
{
    uint8_t point[65] = {4}; /* uncompressed */
    char group[] = "prime256v1";
    memcpy(point + 1, xy, 64);
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                               OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
                               OSSL_PARAM_END};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

bool verifier__is_p256(const EVP_PKEY *key)
{
    char group[32] = "";
    return key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

bool verifier__signature_holds(EVP_PKEY *key, const uint8_t rs[64], const void *data, size_t size)
{
    uint8_t *der = NULL;
    int der_size = -1;
    BIGNUM *r = BN_bin2bn(rs, 32, NULL), *s = BN_bin2bn(rs + 32, 32, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    if (key && pair && r && s && ECDSA_SIG_set0(pair, r, s)) {
        r = s = NULL; /* the pair owns them */
        der_size = i2d_ECDSA_SIG(pair, &der);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = der_size > 0 && context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(context, der, (size_t)der_size, data, size) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    BN_free(r);
    BN_free(s);
    return ok;
}
