/* See jwt.h. */
#include "enclave/secrets/jwt.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/secrets/jws.h"

static int copy_text(const json_t *object, const char *name, char *out, size_t capacity)
{
    const json_t *value = json_object_get(object, name);
    out[0] = 0;
    if (!value)
        return 0;
    if (!json_is_string(value) || json_string_length(value) >= capacity)
        return -EINVAL; /* not as if it were absent: a scope that cannot be read must not widen what a token is for */
    strcpy(out, json_string_value(value));
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

/* Which of the keys signed; *out: what. */
static int open_by_any(const char *token, size_t size, const struct jwt_key *keys, size_t key_count, json_t **out)
{
    int error = -EACCES;
    *out = NULL;
    for (size_t i = 0; i < key_count && error == -EACCES; i++) {
        error = jws_open(token, size, keys[i].spki, keys[i].size, NULL, out);
        if (error == 0)
            return (int)i;
    }
    return error;
}

int jwt_verify(const char *token, size_t size, const struct jwt_key *keys, size_t key_count, int64_t now_s,
               struct jwt_claims *out)
{
    json_t *claims;
    ENSURE(out);
    ENSURE(keys || key_count == 0);
    int signer = open_by_any(token, size, keys, key_count, &claims);
    int error = signer < 0 ? signer : read_claims(claims, out);
    json_decref(claims);
    if (error < 0)
        return error;
    bool in_time = out->issued_at <= now_s + JWT_LEEWAY_S && out->expires_at >= now_s - JWT_LEEWAY_S &&
                   out->expires_at >= out->issued_at && out->expires_at - out->issued_at <= JWT_LIFETIME_MAX_S;
    return in_time ? signer : -ETIME;
}
