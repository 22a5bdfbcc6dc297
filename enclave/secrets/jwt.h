/*
 * JSON Web Tokens (RFC 7519) signed with ES256 (RFC 7518 section 3.4), as administrators send them.
 *
 * Expiry rests on the host's clock and proves nothing against the host; what a token can do is bound by the other
 * claims: the audience is this boot's key, method, path and body are named, and jti is accepted once (admin.c).
 */
#ifndef ENCLAVE_OS_ENCLAVE_SECRETS_JWT_H
#define ENCLAVE_OS_ENCLAVE_SECRETS_JWT_H

#include <stddef.h>
#include <stdint.h>

#include "enclave/secrets/jws.h"

#define JWT_LEEWAY_S 30
#define JWT_LIFETIME_MAX_S 600

struct jwt_claims {
    char audience[65]; /* hex SHA-256 of the leaf's SubjectPublicKeyInfo */
    char method[16];
    char path[512];
    char body_sha256[65]; /* hex; "" if absent */
    char scope[32];       /* "" or "monitoring" */
    char jti[65];
    int64_t issued_at, expires_at; /* seconds since the epoch */
};

/* A public key that may have signed: DER SubjectPublicKeyInfo. */
struct jwt_key {
    const uint8_t *spki;
    size_t size;
};

/* Check form, algorithm, signature under one of the keys, and times, and read the claims. Returns which key signed,
 * from 0 on; -EINVAL malformed; -EACCES wrong algorithm, or signed by none of them; -ETIME expired, from the future, or
 * valid for too long. Each key costs the check of a signature: callers bound how many there are. */
int jwt_verify(const char *token, size_t size, const struct jwt_key *keys, size_t key_count, int64_t now_s,
               struct jwt_claims *out);

#endif
