/*
 * Making tokens. See token.h.
 */
#include "cli/token.h"

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/hex.h"

#define LIFETIME_SECONDS 60

/* base64url without padding; returns the end of what was written. */
static char *append_base64url(char *out, const void *data, size_t size)
{
    int written = EVP_EncodeBlock((uint8_t *)out, data, (int)size);
    for (int i = 0; i < written; i++) {
        if (out[i] == '=') {
            written = i;
            break;
        }
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    out[written] = '\0';
    return out + written;
}

static json_t *make_claims(const struct token_request *r)
{
    uint8_t body[32], random[16];
    char audience[65], body_hex[65], id[33];
    if (RAND_bytes(random, sizeof(random)) != 1)
        return NULL;
    SHA256(r->body ? r->body : "", r->body_size, body);
    hex_text(r->spki_sha256, 32, audience);
    hex_text(body, sizeof(body), body_hex);
    hex_text(random, sizeof(random), id);
    json_int_t now = (json_int_t)time(NULL);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s*}", "aud", audience, "method", r->method, "path", r->path,
                     "body_sha256", body_hex, "jti", id, "iat", now, "exp", now + LIFETIME_SECONDS, "scope", r->scope);
}

/* r || s as JWS wants it. */
static bool sign(EVP_PKEY *key, const char *text, size_t size, uint8_t out[64])
{
    uint8_t der[128];
    const uint8_t *next = der;
    size_t der_size = sizeof(der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, der, &der_size, (const uint8_t *)text, size) == 1;
    EVP_MD_CTX_free(context);
    ECDSA_SIG *pair = ok ? d2i_ECDSA_SIG(NULL, &next, (long)der_size) : NULL;
    ok = pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) == 32 &&
         BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    return ok;
}

char *token_make(EVP_PKEY *key, const struct token_request *request)
{
    static const char header[] = "{\"alg\":\"ES256\",\"typ\":\"JWT\"}";
    json_t *claims = make_claims(request);
    char *text = claims ? json_dumps(claims, JSON_COMPACT) : NULL;
    json_decref(claims);
    char *token = text ? malloc(strlen(text) * 4 / 3 + 256) : NULL;
    if (token) {
        uint8_t signature[64];
        char *end = append_base64url(token, header, sizeof(header) - 1);
        *end++ = '.';
        end = append_base64url(end, text, strlen(text));
        if (sign(key, token, (size_t)(end - token), signature)) {
            *end++ = '.';
            append_base64url(end, signature, sizeof(signature));
        } else {
            free(token);
            token = NULL;
        }
    }
    free(text);
    return token;
}
