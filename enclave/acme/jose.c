/* See jose.h. */
#include "enclave/acme/jose.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/ensure.h"
#include "common/es256.h"
#include "enclave/acme/limits.h"

#define COORDINATE_TEXT_SIZE (BASE64URL_SIZE(32) + 1)
#define JWK_SIZE 192u

static bool coordinate(EVP_PKEY *key, const char *which, char out[COORDINATE_TEXT_SIZE])
{
    uint8_t bytes[32];
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, which, &number) == 1 &&
              BN_bn2binpad(number, bytes, sizeof bytes) == (int)sizeof bytes;
    BN_free(number);
    if (ok)
        base64url_text(bytes, sizeof bytes, out);
    return ok;
}

/* As RFC 7638 wants it to be hashed: members sorted, without blanks. */
static bool jwk_text(EVP_PKEY *key, char out[JWK_SIZE])
{
    char x[COORDINATE_TEXT_SIZE], y[COORDINATE_TEXT_SIZE];
    if (!coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, x) || !coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, y))
        return false;
    int size = snprintf(out, JWK_SIZE, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
    return size > 0 && (size_t)size < JWK_SIZE;
}

static json_t *header_of(const struct acme_signing *s)
{
    char jwk[JWK_SIZE];
    if (s->account)
        return json_pack("{s:s,s:s,s:s,s:s}", "alg", "ES256", "kid", s->account, "nonce", s->nonce, "url", s->url);
    return jwk_text(s->key, jwk) ? json_pack("{s:s,s:o,s:s,s:s}", "alg", "ES256", "jwk", json_loads(jwk, 0, NULL),
                                             "nonce", s->nonce, "url", s->url)
                                 : NULL;
}

static char *base64url_new(const char *text)
{
    char *out = text ? malloc(BASE64URL_SIZE(strlen(text)) + 1) : NULL;
    if (out)
        base64url_text(text, strlen(text), out);
    return out;
}

char *acme_sign(const struct acme_signing *s)
{
    ENSURE(s->key && s->nonce && s->url && s->payload);
    uint8_t signature[ES256_SIZE];
    char signature_text[BASE64URL_SIZE(ES256_SIZE) + 1], *out = NULL, *input = NULL;
    json_t *header = header_of(s), *message = NULL;
    char *header_json = header ? json_dumps(header, JSON_COMPACT) : NULL;
    char *header_text = base64url_new(header_json), *payload = base64url_new(s->payload);
    if (header_text && payload && asprintf(&input, "%s.%s", header_text, payload) < 0)
        input = NULL;
    if (input && es256_sign(s->key, input, strlen(input), signature)) {
        base64url_text(signature, sizeof signature, signature_text);
        message = json_pack("{s:s,s:s,s:s}", "protected", header_text, "payload", payload, "signature", signature_text);
        out = message ? json_dumps(message, JSON_COMPACT) : NULL;
    }
    json_decref(message);
    json_decref(header);
    free(header_json);
    free(header_text);
    free(payload);
    free(input);
    return out;
}

int acme_key_authorization(EVP_PKEY *key, const char *token, uint8_t sha256[32])
{
    char jwk[JWK_SIZE], text[ACME_TOKEN_MAX + 1 + BASE64URL_SIZE(32) + 1];
    uint8_t thumbprint[32];
    size_t size = strlen(token);
    ENSURE(size <= ACME_TOKEN_MAX);
    if (!jwk_text(key, jwk))
        return -ENOMEM;
    SHA256((const uint8_t *)jwk, strlen(jwk), thumbprint);
    memcpy(text, token, size);
    text[size] = '.';
    const char *end = base64url_text(thumbprint, sizeof thumbprint, text + size + 1);
    SHA256((const uint8_t *)text, (size_t)(end - text), sha256);
    return 0;
}
