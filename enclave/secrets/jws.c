/* See jws.h. */
#include "enclave/secrets/jws.h"

#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "common/ensure.h"
#include "common/base64url.h"
#include "common/json.h"

static json_t *decode_object(const char *text, size_t size)
{
    uint8_t buffer[JWS_MAX_SIZE];
    ssize_t length = base64url_read(text, size, buffer, sizeof buffer);
    json_t *object = length > 0 ? json_read((char *)buffer, (size_t)length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (object && !json_is_object(object)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

static int check_header(const char *text, size_t size, const char *type)
{
    json_t *header = decode_object(text, size);
    const char *algorithm = header ? json_string_value(json_object_get(header, "alg")) : NULL;
    const char *is = header ? json_string_value(json_object_get(header, "typ")) : NULL;
    int error = !algorithm ? -EINVAL : strcmp(algorithm, "ES256") == 0 ? 0 : -EACCES;
    if (error == 0 && type && (!is || strcmp(is, type) != 0))
        error = -EACCES; /* RFC 8725, section 3.11: what is signed for one purpose serves no other */
    if (header && json_object_get(header, "crit"))
        error = -EINVAL; /* RFC 7515: what is critical must be understood, and nothing is */
    json_decref(header);
    return error;
}

/* r || s (64 bytes) over the first two parts as sent. */
static int check_signature(const char *text, size_t signed_size, const uint8_t rs[64], const uint8_t *key,
                           size_t key_size)
{
    EVP_PKEY *public_key = d2i_PUBKEY(NULL, &key, (long)key_size);
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(rs, 32, NULL), *s = BN_bin2bn(rs + 32, 32, NULL);
    uint8_t *der = NULL;
    int der_size = 0;
    if (signature && r && s && ECDSA_SIG_set0(signature, r, s)) {
        r = s = NULL;
        der_size = i2d_ECDSA_SIG(signature, &der);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = public_key && der_size > 0 && ctx &&
             EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, public_key) == 1 &&
             EVP_DigestVerify(ctx, der, (size_t)der_size, (const uint8_t *)text, signed_size) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    EVP_PKEY_free(public_key);
    return ok ? 0 : -EACCES;
}

int jws_open(const char *text, size_t size, const uint8_t *key, size_t key_size, const char *type, json_t **out)
{
    ENSURE(text || size == 0);
    ENSURE(key && out);
    *out = NULL;
    if (size > JWS_MAX_SIZE)
        return -EINVAL;
    const char *first = size ? memchr(text, '.', size) : NULL;
    const char *second = first ? memchr(first + 1, '.', size - (size_t)(first + 1 - text)) : NULL;
    if (!second)
        return -EINVAL;
    uint8_t signature[64];
    size_t signature_size = size - (size_t)(second + 1 - text);
    int error = check_header(text, (size_t)(first - text), type);
    if (error == 0 && base64url_read(second + 1, signature_size, signature, sizeof signature) != (int)sizeof signature)
        error = -EINVAL;
    if (error == 0)
        error = check_signature(text, (size_t)(second - text), signature, key, key_size);
    if (error == 0 && !(*out = decode_object(first + 1, (size_t)(second - first - 1))))
        error = -EINVAL;
    return error;
}
