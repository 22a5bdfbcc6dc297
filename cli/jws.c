/* See jws.h. */
#include "cli/jws.h"

#include <openssl/ec.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/es256.h"
#include "common/json.h"

char *jws_sign(EVP_PKEY *key, const char *header, const char *claims)
{
    uint8_t signature[ES256_SIZE];
    char *text = malloc((strlen(header) + strlen(claims)) * 4 / 3 + 128);
    if (!text)
        return NULL;
    char *end = base64url_text(header, strlen(header), text);
    *end++ = '.';
    end = base64url_text(claims, strlen(claims), end);
    if (!es256_sign(key, text, (size_t)(end - text), signature)) {
        free(text);
        return NULL;
    }
    *end++ = '.';
    base64url_text(signature, sizeof signature, end);
    return text;
}

/* ---- what others signed ------------------------------------------------------------------------------------------ */

/* malloc'ed, *size bytes; NULL: it is no base64url, or no memory. */
static uint8_t *decode(const char *text, size_t text_size, size_t *size)
{
    uint8_t *out = malloc(text_size + 1);
    ssize_t got = out ? base64url_read(text, text_size, out, text_size) : -1;
    if (got < 0) {
        free(out);
        return NULL;
    }
    *size = (size_t)got;
    return out;
}

static json_t *decode_object(const char *text, size_t text_size)
{
    size_t size;
    uint8_t *decoded = decode(text, text_size, &size);
    json_t *json = decoded ? json_read((char *)decoded, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    free(decoded);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static bool has_type(const char *header, size_t size, const char *type)
{
    json_t *json = decode_object(header, size);
    const char *algorithm = json_string_value(json_object_get(json, "alg"));
    const char *is = json_string_value(json_object_get(json, "typ"));
    bool has = algorithm && is && strcmp(algorithm, "ES256") == 0 && strcmp(is, type) == 0;
    json_decref(json);
    return has;
}

static bool signature_holds(EVP_PKEY *key, const char *text, size_t size, const uint8_t rs[64])
{
    uint8_t *der = NULL;
    int der_size = 0;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(rs, 32, NULL), *s = BN_bin2bn(rs + 32, 32, NULL);
    if (signature && r && s && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = s = NULL; /* its own now */
        der_size = i2d_ECDSA_SIG(signature, &der);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = der_size > 0 && context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(context, der, (size_t)der_size, (const uint8_t *)text, size) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return ok;
}

json_t *jws_open(const char *text, const char *type, EVP_PKEY *key, bool *holds)
{
    const char *claims = strchr(text, '.'), *signature = claims ? strchr(claims + 1, '.') : NULL;
    if (!signature || strchr(signature + 1, '.') || !has_type(text, (size_t)(claims - text), type))
        return NULL;
    size_t size = 0;
    uint8_t *rs = decode(signature + 1, strlen(signature + 1), &size);
    json_t *json = rs && size == 64 ? decode_object(claims + 1, (size_t)(signature - claims - 1)) : NULL;
    if (json && holds)
        *holds = signature_holds(key, text, (size_t)(signature - text), rs);
    free(rs);
    return json;
}
