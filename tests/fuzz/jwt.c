/* Tokens: the input as it is, and the input as header and claims ("header\nclaims") under a good signature. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enclave/secrets/jwt.h"
#include "enclave/secrets/testing/jws_make.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1800000000

static EVP_PKEY *key;
static uint8_t *spki, *other; /* the signer's, and another administrator's */
static size_t spki_size, other_size;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    key = EVP_EC_gen("P-256");
    spki_size = (size_t)i2d_PUBKEY(key, &spki);
    EVP_PKEY *another = EVP_EC_gen("P-256");
    other_size = (size_t)i2d_PUBKEY(another, &other);
    EVP_PKEY_free(another);
    return 0;
}

static void check_claims(const struct jwt_claims *c)
{
    MUST(memchr(c->audience, 0, sizeof c->audience) && memchr(c->method, 0, sizeof c->method));
    MUST(memchr(c->path, 0, sizeof c->path) && memchr(c->body_sha256, 0, sizeof c->body_sha256));
    MUST(memchr(c->scope, 0, sizeof c->scope) && memchr(c->jti, 0, sizeof c->jti));
    MUST(c->expires_at + JWT_LEEWAY_S >= NOW && c->expires_at - c->issued_at <= JWT_LIFETIME_MAX_S);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jwt_key keys[] = {{other, other_size}, {spki, spki_size}};
    struct jwt_claims claims;
    MUST(jwt_verify((const char *)data, size, keys, 2, NOW, &claims) < 0); /* no forgery is that lucky */
    const uint8_t *split = size <= 2500 ? memchr(data, '\n', size) : NULL;
    if (!split)
        return 0;
    char token[4096];
    size_t length = jws_make(key, data, (size_t)(split - data), split + 1, (size_t)(data + size - split - 1), token);
    int signer = jwt_verify(token, length, keys, 2, NOW, &claims);
    MUST(signer < 0 || signer == 1);
    if (signer == 1)
        check_claims(&claims);
    return 0;
}
