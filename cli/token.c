/*
 * Making tokens. See token.h.
 */
#include "cli/token.h"

#include <jansson.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/jws.h"
#include "common/hex.h"

#define LIFETIME_SECONDS 60

static json_t *make_claims(const struct token_request *r)
{
    uint8_t body[32], random[16];
    char audience[65], body_hex[65], id[33];
    if (RAND_bytes(random, sizeof random) != 1)
        return NULL;
    SHA256(r->body ? r->body : "", r->body_size, body);
    hex_text(r->spki_sha256, 32, audience);
    hex_text(r->body_sha256 ? r->body_sha256 : body, sizeof body, body_hex);
    hex_text(random, sizeof random, id);
    json_int_t now = (json_int_t)time(NULL);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s*}", "aud", audience, "method", r->method, "path", r->path,
                     "body_sha256", body_hex, "jti", id, "iat", now, "exp",
                     now + (r->lifetime_s ? r->lifetime_s : LIFETIME_SECONDS), "scope", r->scope);
}

char *token_make(EVP_PKEY *key, const struct token_request *request)
{
    json_t *claims = make_claims(request);
    char *text = claims ? json_dumps(claims, JSON_COMPACT) : NULL;
    char *token = text ? jws_sign(key, "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", text) : NULL;
    json_decref(claims);
    free(text);
    return token;
}
