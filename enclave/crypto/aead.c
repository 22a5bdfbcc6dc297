/* See aead.h. */
#include "enclave/crypto/aead.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/ensure.h"

int aead_seal(const uint8_t key[AEAD_KEY_SIZE], const void *aad, size_t aad_size, const void *plain, size_t size,
              uint8_t *out)
{
    ENSURE(key && out);
    ENSURE((aad || aad_size == 0) && (plain || size == 0));
    if (size > INT_MAX || aad_size > INT_MAX)
        return -EINVAL;
    uint8_t *nonce = out, *body = out + AEAD_NONCE_SIZE;
    int length;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int ok = ctx && RAND_bytes(nonce, AEAD_NONCE_SIZE) == 1 &&
             EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
             EVP_EncryptUpdate(ctx, NULL, &length, aad, (int)aad_size) == 1 &&
             (size == 0 || EVP_EncryptUpdate(ctx, body, &length, plain, (int)size) == 1) &&
             EVP_EncryptFinal_ex(ctx, body + size, &length) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, AEAD_TAG_SIZE, body + size) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? 0 : -EIO;
}

int aead_open(const uint8_t key[AEAD_KEY_SIZE], const void *aad, size_t aad_size, const uint8_t *sealed, size_t size,
              uint8_t *out)
{
    ENSURE(key && sealed && out);
    ENSURE(aad || aad_size == 0);
    if (size < AEAD_OVERHEAD || size > INT_MAX || aad_size > INT_MAX)
        return -EBADMSG;
    size_t plain_size = size - AEAD_OVERHEAD;
    const uint8_t *body = sealed + AEAD_NONCE_SIZE;
    int length, error = -EIO;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
        EVP_DecryptUpdate(ctx, NULL, &length, aad, (int)aad_size) == 1 &&
        (plain_size == 0 || EVP_DecryptUpdate(ctx, out, &length, body, (int)plain_size) == 1) &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, AEAD_TAG_SIZE, (void *)(body + plain_size)) == 1)
        error = EVP_DecryptFinal_ex(ctx, out + plain_size, &length) == 1 ? 0 : -EBADMSG; /* the tag: nothing else */
    EVP_CIPHER_CTX_free(ctx);
    if (error < 0)
        OPENSSL_cleanse(out, plain_size);
    return error;
}

int kdf(const uint8_t *secret, size_t secret_size, const char *label, const void *context, size_t context_size,
        uint8_t out[32])
{
    uint8_t info[256];
    ENSURE(secret && label && out);
    ENSURE(context || context_size == 0);
    size_t label_size = strlen(label) + 1; /* its NUL separates it from the context */
    if (label_size + context_size > sizeof info)
        return -EINVAL;
    memcpy(info, label, label_size);
    if (context_size)
        memcpy(info + label_size, context, context_size);
    EVP_KDF *algorithm = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(algorithm);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_size),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, label_size + context_size),
        OSSL_PARAM_END,
    };
    int ok = ctx && EVP_KDF_derive(ctx, out, 32, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(algorithm);
    return ok ? 0 : -EIO;
}

int hmac_sha256(const uint8_t key[32], const void *data, size_t size, uint8_t out[32])
{
    unsigned int length = 32;
    return HMAC(EVP_sha256(), key, 32, data, size, out, &length) ? 0 : -EIO;
}
