/* See jwt.h. */
#include "enclave/secrets/jwt.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/secrets/jws.h"

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

static int read_claims(const json_t *claims, struct jwt_claims *out)
{
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
    return error < 0 ? -EINVAL : 0;
}

int jwt_verify(const char *token, size_t size, const uint8_t *key, size_t key_size, int64_t now_s,
               struct jwt_claims *out)
{
    json_t *claims;
    ENSURE(out);
    int error = jws_open(token, size, key, key_size, NULL, &claims);
    if (error == 0)
        error = read_claims(claims, out);
    json_decref(claims);
    if (error < 0)
        return error;
    bool in_time = out->issued_at <= now_s + JWT_LEEWAY_S && out->expires_at >= now_s - JWT_LEEWAY_S &&
                   out->expires_at >= out->issued_at && out->expires_at - out->issued_at <= JWT_LIFETIME_MAX_S;
    return in_time ? 0 : -ETIME;
}
