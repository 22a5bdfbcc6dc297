/* Tokens: the input as it is, and the input as header and claims ("header\nclaims") under a good signature. */
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "enclave/secrets/jwt.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1800000000

static EVP_PKEY *key;
static uint8_t *spki;
static size_t spki_size;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    key = EVP_EC_gen("P-256");
    spki_size = (size_t)i2d_PUBKEY(key, &spki);
    return 0;
}

static size_t encode(const uint8_t *data, size_t size, char *out)
{
    size_t length = (size_t)EVP_EncodeBlock((uint8_t *)out, data, (int)size);
    while (length > 0 && out[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    return length;
}

static size_t sign(char *token, size_t size)
{
    uint8_t der[80], rs[64];
    size_t der_size = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    MUST(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
    MUST(EVP_DigestSign(ctx, der, &der_size, (uint8_t *)token, size) == 1);
    EVP_MD_CTX_free(ctx);
    const uint8_t *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der_size);
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), rs, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), rs + 32, 32);
    ECDSA_SIG_free(signature);
    token[size] = '.';
    return size + 1 + encode(rs, 64, token + size + 1);
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
    struct jwt_claims claims;
    MUST(jwt_verify((const char *)data, size, spki, spki_size, NOW, &claims) < 0); /* no forgery is that lucky */
    const uint8_t *split = size <= 2500 ? memchr(data, '\n', size) : NULL;
    if (!split)
        return 0;
    char token[4096];
    size_t length = encode(data, (size_t)(split - data), token);
    token[length++] = '.';
    length += encode(split + 1, (size_t)(data + size - split - 1), token + length);
    length = sign(token, length);
    if (jwt_verify(token, length, spki, spki_size, NOW, &claims) == 0)
        check_claims(&claims);
    return 0;
}
