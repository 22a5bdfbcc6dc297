/* See hpke.h. */
#include "common/hpke.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hpke.h>
#include <stdbool.h>

#define ENCAPSULATED 32u
#define TAG 16u

static const OSSL_HPKE_SUITE suite = {OSSL_HPKE_KEM_ID_X25519, OSSL_HPKE_KDF_ID_HKDF_SHA256,
                                      OSSL_HPKE_AEAD_ID_AES_GCM_256};

/* seed NULL: the encapsulated key is a random one. */
static int seal_from(const uint8_t to[HPKE_KEY_SIZE], const void *info, size_t info_size, const void *plain,
                     size_t size, const uint8_t *seed, uint8_t *out)
{
    OSSL_HPKE_CTX *ctx = OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, suite, OSSL_HPKE_ROLE_SENDER, NULL, NULL);
    size_t encapsulated = ENCAPSULATED, sealed = size + TAG;
    int error = ctx ? 0 : -EIO;
    if (error == 0 && seed && OSSL_HPKE_CTX_set1_ikme(ctx, seed, HPKE_KEY_SIZE) != 1)
        error = -EIO;
    if (error == 0 && (OSSL_HPKE_encap(ctx, out, &encapsulated, to, HPKE_KEY_SIZE, info, info_size) != 1 ||
                       encapsulated != ENCAPSULATED))
        error = -EINVAL;
    if (error == 0 &&
        (OSSL_HPKE_seal(ctx, out + ENCAPSULATED, &sealed, NULL, 0, plain, size) != 1 || sealed != size + TAG))
        error = -EIO;
    OSSL_HPKE_CTX_free(ctx);
    return error;
}

int hpke_seal(const uint8_t to[HPKE_KEY_SIZE], const void *info, size_t info_size, const void *plain, size_t size,
              uint8_t *out)
{
    return seal_from(to, info, info_size, plain, size, NULL, out);
}

int hpke_seal_same(const uint8_t to[HPKE_KEY_SIZE], const void *info, size_t info_size, const void *plain, size_t size,
                   const uint8_t seed[HPKE_KEY_SIZE], uint8_t *out)
{
    return seal_from(to, info, info_size, plain, size, seed, out);
}

int hpke_open(const uint8_t secret[HPKE_KEY_SIZE], const void *info, size_t info_size, const uint8_t *sealed,
              size_t size, uint8_t *out)
{
    if (size < HPKE_OVERHEAD)
        return -EBADMSG;
    OSSL_HPKE_CTX *ctx = OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, suite, OSSL_HPKE_ROLE_RECEIVER, NULL, NULL);
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, HPKE_KEY_SIZE);
    size_t plain = size - HPKE_OVERHEAD;
    bool ok = ctx && key && OSSL_HPKE_decap(ctx, sealed, ENCAPSULATED, key, info, info_size) == 1 &&
              OSSL_HPKE_open(ctx, out, &plain, NULL, 0, sealed + ENCAPSULATED, size - ENCAPSULATED) == 1 &&
              plain == size - HPKE_OVERHEAD;
    EVP_PKEY_free(key);
    OSSL_HPKE_CTX_free(ctx);
    return ok ? 0 : -EBADMSG;
}

int hpke_public(const uint8_t secret[HPKE_KEY_SIZE], uint8_t out[HPKE_KEY_SIZE])
{
    size_t size = HPKE_KEY_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, HPKE_KEY_SIZE);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, out, &size) == 1 && size == HPKE_KEY_SIZE;
    EVP_PKEY_free(key);
    return ok ? 0 : -EIO;
}
