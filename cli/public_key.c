/* See public_key.h. */
#include "cli/public_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/pem.h"

static EVP_PKEY *parse(const char *pem, size_t size)
{
    char why[PEM_WHY_SIZE];
    char group[32] = "";
    if (pem_judge(pem, size, "PUBLIC KEY", why) != 1)
        return NULL;
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (key && (!EVP_PKEY_get_group_name(key, group, sizeof group, NULL) || strcmp(group, "prime256v1") != 0)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

bool public_key_of_text(const char *pem, size_t size, uint8_t spki[SPKI_SIZE])
{
    EVP_PKEY *key = parse(pem, size);
    uint8_t *der = NULL;
    bool ok = key && EVP_PKEY_set_utf8_string_param(key, "point-format", "uncompressed") == 1 &&
              i2d_PUBKEY(key, &der) == (int)SPKI_SIZE;
    if (ok)
        memcpy(spki, der, SPKI_SIZE);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    return ok;
}

bool public_key_thumbprint(const char *pem, size_t size, uint8_t hash[32])
{
    uint8_t spki[SPKI_SIZE];
    if (!public_key_of_text(pem, size, spki))
        return false;
    SHA256(spki, sizeof spki, hash);
    return true;
}
