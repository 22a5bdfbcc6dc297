/* Tokens: good ones, and each way of being bad. */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/ec.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/secrets/jwt.h"
#include "enclave/secrets/testing/jws_make.h"

#define NOW 1800000000

static EVP_PKEY *key, *stranger;
static uint8_t *spki, *stranger_spki;
static int spki_size, stranger_size;

static int setup(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    stranger = EVP_EC_gen("P-256");
    spki_size = i2d_PUBKEY(key, &spki);
    stranger_size = i2d_PUBKEY(stranger, &stranger_spki);
    return spki_size > 0 && stranger_size > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(stranger);
    OPENSSL_free(spki);
    OPENSSL_free(stranger_spki);
    return 0;
}

static size_t make(EVP_PKEY *with, const char *header, const char *claims, char *out)
{
    return jws_make(with, header, strlen(header), claims, strlen(claims), out);
}

static int verify(const char *token, size_t size, struct jwt_claims *out)
{
    struct jwt_key one = {spki, (size_t)spki_size};
    return jwt_verify(token, size, &one, 1, NOW, out);
}

#define ES256 "{\"alg\":\"ES256\",\"typ\":\"JWT\"}"
#define CLAIMS "\"aud\":\"a\",\"method\":\"GET\",\"path\":\"/x\",\"jti\":\"0123456789abcdef\""

static void test_good(void **state)
{
    (void)state;
    char token[2048];
    struct jwt_claims claims;
    size_t size = make(key, ES256, "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", token);
    assert_int_equal(verify(token, size, &claims), 0);
    assert_string_equal(claims.method, "GET");
    assert_string_equal(claims.path, "/x");
    assert_string_equal(claims.scope, "");
    assert_int_equal(claims.expires_at, 1800000060);
}

/* Within what jansson reads, beyond what we do (common/json.h). */
#define DEEP                                   \
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" \
    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *header, *claims;
        int expected;
    } cases[] = {
        {"{\"alg\":\"none\"}", "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", -EACCES},
        {"{\"alg\":\"HS256\"}", "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", -EACCES},
        {"{\"typ\":\"JWT\"}", "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", -EINVAL},
        {"{\"alg\":\"ES256\",\"crit\":[\"x\"]}", "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", -EINVAL},
        {"[]", "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", -EINVAL},
        {"{\"alg\":\"ES256\",\"x\":" DEEP "}", "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", -EINVAL},
        {ES256, "{" CLAIMS ",\"x\":" DEEP ",\"iat\":1800000000,\"exp\":1800000060}", -EINVAL},
        {ES256, "{" CLAIMS ",\"iat\":1799990000,\"exp\":1799990060}", -ETIME},
        {ES256, "{" CLAIMS ",\"iat\":1800001000,\"exp\":1800001060}", -ETIME},
        {ES256, "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800010000}", -ETIME},
        {ES256, "{" CLAIMS ",\"exp\":1800000060}", -EINVAL},
        {ES256, "{" CLAIMS ",\"iat\":\"1800000000\",\"exp\":1800000060}", -EINVAL},
        {ES256, "{" CLAIMS ",\"scope\":[\"monitoring\"],\"iat\":1800000000,\"exp\":1800000060}", -EINVAL},
        {ES256, "{" CLAIMS ",\"scope\":null,\"iat\":1800000000,\"exp\":1800000060}", -EINVAL},
        {ES256, "{" CLAIMS ",\"aud\":\"b\",\"iat\":1800000000,\"exp\":1800000060}", -EINVAL}, /* twice */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char token[2048];
        struct jwt_claims claims;
        size_t size = make(key, cases[i].header, cases[i].claims, token);
        assert_int_equal(verify(token, size, &claims), cases[i].expected);
    }
}

static void test_signature(void **state)
{
    (void)state;
    char token[2048];
    struct jwt_claims claims;
    size_t size = make(stranger, ES256, "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", token);
    assert_int_equal(verify(token, size, &claims), -EACCES);
    size = make(key, ES256, "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", token);
    for (size_t i = 0; i < size; i++) {
        char saved = token[i];
        token[i] = saved == 'A' ? 'B' : 'A';
        assert_int_not_equal(verify(token, size, &claims), 0);
        token[i] = saved;
        assert_int_not_equal(verify(token, i, &claims), 0);
    }
    assert_int_equal(verify(token, size, &claims), 0);
}

/* Of several keys, the one that signed is named; of none, and of others', nobody is. */
static void test_keys(void **state)
{
    (void)state;
    char token[2048];
    struct jwt_claims claims;
    struct jwt_key keys[] = {{spki, (size_t)spki_size}, {stranger_spki, (size_t)stranger_size}};
    size_t size = make(key, ES256, "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", token);
    assert_int_equal(jwt_verify(token, size, keys, 2, NOW, &claims), 0);
    assert_int_equal(jwt_verify(token, size, keys + 1, 1, NOW, &claims), -EACCES);
    assert_int_equal(jwt_verify(token, size, keys, 0, NOW, &claims), -EACCES);
    assert_int_equal(jwt_verify(token, size, keys, 2, NOW + 600, &claims), -ETIME);
    size = make(stranger, ES256, "{" CLAIMS ",\"iat\":1800000000,\"exp\":1800000060}", token);
    assert_int_equal(jwt_verify(token, size, keys, 2, NOW, &claims), 1);
    assert_int_equal(jwt_verify(token, size, keys, 1, NOW, &claims), -EACCES);
    size = make(stranger, ES256, "{" CLAIMS ",\"iat\":1800000000}", token); /* the second key's malformed one */
    assert_int_equal(jwt_verify(token, size, keys, 2, NOW, &claims), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_signature), cmocka_unit_test(test_keys)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
