/* See jwt.h. */
#include "enclave/secrets/jwt.h"

#include <errno.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/json.h"

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* base64url without padding (RFC 7515 section 2). Returns bytes written, or -EINVAL. */
static int decode(const char *text, size_t size, uint8_t *out, size_t capacity)
{
    uint32_t bits = 0, count = 0;
    size_t written = 0;
    for (size_t i = 0; i < size; i++) {
        int value = sextet(text[i]);
        if (value < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            if (written == capacity)
                return -EINVAL;
            count -= 8;
            out[written++] = (uint8_t)(bits >> count);
        }
    }
    /* left-over bits must be fewer than a sextet, and zero: one encoding for one value */
    return count < 6 && (bits & ((1u << count) - 1)) == 0 ? (int)written : -EINVAL;
}

static json_t *decode_object(const char *text, size_t size)
{
    uint8_t buffer[JWT_MAX_SIZE];
    int length = decode(text, size, buffer, sizeof buffer);
    json_t *object = length > 0 ? json_read((char *)buffer, (size_t)length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (object && !json_is_object(object)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

static int copy_text(const json_t *object, const char *name, char *out, size_t capacity)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (!text || json_string_length(json_object_get(object, name)) >= capacity) {
        out[0] = 0;
        return text ? -EINVAL : 0;
    }
    strcpy(out, text);
    return 0;
}

static int check_header(const char *text, size_t size)
{
    json_t *header = decode_object(text, size);
    const char *algorithm = header ? json_string_value(json_object_get(header, "alg")) : NULL;
    int error = !algorithm ? -EINVAL : strcmp(algorithm, "ES256") == 0 ? 0 : -EACCES;
    if (header && json_object_get(header, "crit"))
        error = -EINVAL; /* RFC 7515: what is critical must be understood, and nothing is */
    json_decref(header);
    return error;
}

/* r || s (64 bytes) over the first two parts as sent. */
static int check_signature(const char *token, size_t signed_size, const uint8_t rs[64], const uint8_t *key,
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
             EVP_DigestVerify(ctx, der, (size_t)der_size, (const uint8_t *)token, signed_size) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    EVP_PKEY_free(public_key);
    return ok ? 0 : -EACCES;
}

static int read_claims(const char *text, size_t size, struct jwt_claims *out)
{
    json_t *claims = decode_object(text, size);
    if (!claims)
        return -EINVAL;
    memset(out, 0, sizeof *out);
    int error = 0;
    error |= copy_text(claims, "aud", out->audience, sizeof out->audience);
    error |= copy_text(claims, "method", out->method, sizeof out->method);
    error |= copy_text(claims, "path", out->path, sizeof out->path);
    error |= copy_text(claims, "body_sha256", out->body_sha256, sizeof out->body_sha256);
    error |= copy_text(claims, "scope", out->scope, sizeof out->scope);
    error |= copy_text(claims, "jti", out->jti, sizeof out->jti);
    const json_t *iat = json_object_get(claims, "iat"), *exp = json_object_get(claims, "exp");
    if (!json_is_integer(iat) || !json_is_integer(exp))
        error = -EINVAL;
    out->issued_at = json_integer_value(iat);
    out->expires_at = json_integer_value(exp);
    json_decref(claims);
    return error < 0 ? -EINVAL : 0;
}

int jwt_verify(const char *token, size_t size, const uint8_t *key, size_t key_size, int64_t now_s,
               struct jwt_claims *out)
{
    ENSURE(token || size == 0);
    ENSURE(key && out);
    if (size > JWT_MAX_SIZE)
        return -EINVAL;
    const char *first = memchr(token, '.', size);
    const char *second = first ? memchr(first + 1, '.', size - (size_t)(first + 1 - token)) : NULL;
    if (!second)
        return -EINVAL;
    uint8_t signature[64];
    size_t signature_size = size - (size_t)(second + 1 - token);
    int error = check_header(token, (size_t)(first - token));
    if (error == 0 && decode(second + 1, signature_size, signature, sizeof signature) != (int)sizeof signature)
        error = -EINVAL;
    if (error == 0)
        error = check_signature(token, (size_t)(second - token), signature, key, key_size);
    if (error == 0)
        error = read_claims(first + 1, (size_t)(second - first - 1), out);
    if (error < 0)
        return error;
    bool in_time = out->issued_at <= now_s + JWT_LEEWAY_S && out->expires_at >= now_s - JWT_LEEWAY_S &&
                   out->expires_at >= out->issued_at && out->expires_at - out->issued_at <= JWT_LIFETIME_MAX_S;
    return in_time ? 0 : -ETIME;
}
