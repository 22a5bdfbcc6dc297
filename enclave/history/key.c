/* See key.h. */
#include "enclave/history/key.h"

#include <errno.h>
#include <openssl/evp.h>

#include "sgx/trusted/bridge.h"

void history_key_make(uint8_t key[HISTORY_KEY_SIZE])
{
    sgx_random(key, HISTORY_KEY_SIZE);
}

static EVP_PKEY *key_of(const uint8_t key[HISTORY_KEY_SIZE])
{
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, HISTORY_KEY_SIZE);
}

int history_key_public(const uint8_t key[HISTORY_KEY_SIZE], uint8_t public_key[32])
{
    EVP_PKEY *k = key_of(key);
    size_t size = 32;
    int ok = k && EVP_PKEY_get_raw_public_key(k, public_key, &size) == 1 && size == 32;
    EVP_PKEY_free(k);
    return ok ? 0 : -EIO;
}

int history_key_sign(const uint8_t key[HISTORY_KEY_SIZE], const void *text, size_t size, uint8_t signature[64])
{
    EVP_PKEY *k = key_of(key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t made = 64;
    int ok = k && context && EVP_DigestSignInit(context, NULL, NULL, NULL, k) == 1 &&
             EVP_DigestSign(context, signature, &made, text, size) == 1 && made == 64;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(k);
    return ok ? 0 : -EIO;
}
