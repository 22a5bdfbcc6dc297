/* Lists of administrators: those there can be, those there cannot, and what a list is good for. */
#include "enclave/service/administrators.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "enclave/secrets/testing/jws_make.h"

#define KEYS (ADMINISTRATORS_MAX + 1)
#define NOW 1800000000

static EVP_PKEY *keys[KEYS];
static char pems[KEYS][400]; /* as they stand in JSON */
static char why[ADMINISTRATORS_WHY_SIZE];

static void pem_of(EVP_PKEY *key, char *out)
{
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    long size = BIO_get_mem_data(bio, &text);
    for (long i = 0; i < size; i++) {
        if (text[i] == '\n')
            *out++ = '\\';
        *out++ = text[i] == '\n' ? 'n' : text[i];
    }
    *out = 0;
    BIO_free(bio);
}

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        keys[i] = EVP_EC_gen("P-256");
        pem_of(keys[i], pems[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        EVP_PKEY_free(keys[i]);
    return 0;
}

/* Keys 0, 1, ... with a role for each letter: a, d, m. */
static char *order(char *out, const char *roles, const char *threshold)
{
    char *at = out + sprintf(out, "{\"threshold\":%s,\"administrators\":[", threshold);
    for (size_t i = 0; roles[i]; i++)
        at += sprintf(at, "%s{\"role\":\"%s\",\"public_key\":\"%s\"}", i ? "," : "",
                      roles[i] == 'a'   ? "admin"
                      : roles[i] == 'd' ? "deploy"
                                        : "monitor",
                      pems[i]);
    strcpy(at, "]}");
    return out;
}

static struct administrators *parse(const char *json)
{
    bool conditional;
    uint8_t replaces[32];
    why[0] = 0;
    return administrators_parse(json, strlen(json), &conditional, replaces, why);
}

static struct administrators *make(const char *roles, const char *threshold)
{
    char json[ADMINISTRATORS_JSON_MAX];
    struct administrators *a = parse(order(json, roles, threshold));
    assert_non_null(a);
    return a;
}

static void thumbprint(EVP_PKEY *key, uint8_t out[32])
{
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    assert_int_equal(size, ADMINISTRATOR_KEY_SIZE);
    SHA256(der, (size_t)size, out);
    OPENSSL_free(der);
}

static void test_list(void **state)
{
    (void)state;
    struct administrators *a = make("adma", "2");
    uint8_t name[32];
    assert_int_equal(a->count, 4);
    assert_int_equal(a->threshold, 2);
    for (size_t i = 0; i < 4; i++) {
        thumbprint(keys[i], name);
        const struct administrator *one = administrators_find(a, name);
        assert_non_null(one);
        assert_string_equal(admin_role_name(one->role), i == 1 ? "deploy" : i == 2 ? "monitor" : "admin");
        assert_true(i == 0 || memcmp(a->of[i - 1].thumbprint, a->of[i].thumbprint, 32) < 0);
    }
    thumbprint(keys[4], name);
    assert_null(administrators_find(a, name));
    administrators_unref(a);
}

static void test_most(void **state)
{
    (void)state;
    char roles[KEYS + 1], json[ADMINISTRATORS_JSON_MAX];
    memset(roles, 'a', KEYS);
    roles[KEYS] = 0;
    assert_null(parse(order(json, roles, "1")));
    assert_non_null(strstr(why, "there may be 16 administrators, not 17"));
    roles[ADMINISTRATORS_MAX] = 0;
    struct administrators *a = make(roles, "16");
    char *record = administrators_record(a);
    assert_true(strlen(record) <= ADMINISTRATORS_JSON_MAX);
    struct administrators *again = administrators_load(record, strlen(record), why);
    assert_non_null(again);
    assert_int_equal(again->threshold, 16);
    free(record);
    administrators_unref(a);
    administrators_unref(again);
}

/* What JSON says beside keys. %s: the first key. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"", "not JSON"},
        {"[]", "not a JSON object"},
        {"{}", "administrators has to be an array"},
        {"{\"threshold\":0,\"administrators\":[]}", "nobody could change anything"},
        {"{\"threshold\":1,\"administrators\":[]}", "nobody could change anything"},
        {"{\"threshold\":1,\"administrators\":{}}", "has to be an array"},
        {"{\"threshold\":1,\"administrators\":[7]}", "number 1 is no object"},
        {"{\"threshold\":1,\"threshold\":1,\"administrators\":[]}", "duplicate"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"admin\"}]}", "public_key has to be a text"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"\"}]}", "not one PUBLIC KEY"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s%s\"}]}", "not one PUBLIC KEY"},
        {"{\"threshold\":1,\"administrators\":[{\"public_key\":\"%s\"}]}", "the role has to be"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"root\",\"public_key\":\"%s\"}]}", "the role has to be"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"Admin\",\"public_key\":\"%s\"}]}", "the role has to be"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\",\"x\":1}]}", "its members"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"deploy\",\"public_key\":\"%s\"}]}", "nobody could change"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"},"
         "{\"role\":\"deploy\",\"public_key\":\"%s\"}]}",
         "number 2: the key of number 1 again"},
        {"{\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}", "threshold has to be"},
        {"{\"threshold\":\"1\",\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}",
         "threshold has to be"},
        {"{\"threshold\":1.0,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}", "threshold has to be"},
        {"{\"threshold\":0,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}", "from 1 to 1"},
        {"{\"threshold\":2,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}", "from 1 to 1"},
        {"{\"threshold\":-1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}", "from 1 to 1"},
        {"{\"threshold\":4294967297,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}", "from 1 to 1"},
        {"{\"threshold\":1,\"treshold\":1,\"administrators\":[]}", "treshold: there is no such member"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}],\"replaces\":7}",
         "replaces"},
        {"{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}],\"replaces\":\"ab\"}",
         "replaces"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[2048];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(json, sizeof json, cases[i].json, pems[0], pems[0]);
#pragma GCC diagnostic pop
        assert_null(parse(json));
        if (!strstr(why, cases[i].why))
            fail_msg("%s: %s", cases[i].json, why);
    }
}

static void test_large(void **state)
{
    (void)state;
    static char json[ADMINISTRATORS_JSON_MAX + 2];
    memset(json, ' ', sizeof json - 1);
    assert_null(parse(json));
    assert_non_null(strstr(why, "more than"));
}

/* One key has one thumbprint, however its point was written; another curve has none. */
static void test_keys(void **state)
{
    (void)state;
    char json[2048], pem[400];
    EVP_PKEY *other = EVP_PKEY_dup(keys[0]);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(other, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
                     1);
    pem_of(other, pem);
    assert_string_not_equal(pem, pems[0]);
    snprintf(json, sizeof json, "{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}",
             pem);
    struct administrators *compressed = parse(json), *plain = make("a", "1");
    assert_non_null(compressed);
    assert_memory_equal(compressed->sha256, plain->sha256, 32);
    snprintf(json, sizeof json,
             "{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"},"
             "{\"role\":\"deploy\",\"public_key\":\"%s\"}]}",
             pem, pems[0]);
    assert_null(parse(json));
    assert_non_null(strstr(why, "again"));
    EVP_PKEY_free(other);
    other = EVP_EC_gen("secp256k1");
    pem_of(other, pem);
    snprintf(json, sizeof json, "{\"threshold\":1,\"administrators\":[{\"role\":\"admin\",\"public_key\":\"%s\"}]}",
             pem);
    assert_null(parse(json));
    assert_non_null(strstr(why, "not a P-256 public key"));
    EVP_PKEY_free(other);
    administrators_unref(compressed);
    administrators_unref(plain);
}

static void test_first_boot(void **state)
{
    (void)state;
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(keys[0], &der);
    struct administrators *one = administrators_of_key(der, (size_t)size, why), *same = make("a", "1");
    assert_non_null(one);
    assert_memory_equal(one->sha256, same->sha256, 32);
    assert_null(administrators_of_key(der, (size_t)size - 1, why));
    struct administrators *nobody = administrators_of_key(NULL, 0, why);
    assert_non_null(nobody);
    assert_int_equal(nobody->threshold, 0);
    char *record = administrators_record(nobody);
    struct administrators *again = administrators_load(record, strlen(record), why);
    assert_non_null(again);
    assert_int_equal(again->count, 0);
    assert_null(parse(record)); /* an operator cannot order it */
    free(record);
    OPENSSL_free(der);
    administrators_unref(one);
    administrators_unref(same);
    administrators_unref(nobody);
    administrators_unref(again);
}

/* What is stored comes back, in one text for one list in whatever order it was given; a damaged record does not. */
static void test_record(void **state)
{
    (void)state;
    char json[4096], swapped[4096];
    struct administrators *a = parse(order(json, "ad", "1"));
    snprintf(swapped, sizeof swapped,
             "{\"administrators\":[{\"role\":\"deploy\",\"public_key\":\"%s\"},"
             "{\"public_key\":\"comment\\n%s\",\"role\":\"admin\"}],\"threshold\":1}",
             pems[1], pems[0]);
    struct administrators *b = parse(swapped);
    assert_non_null(a);
    assert_non_null(b);
    assert_memory_equal(a->sha256, b->sha256, 32);
    char *record = administrators_record(a);
    size_t size = strlen(record);
    struct administrators *c = administrators_load(record, size, why);
    assert_memory_equal(a->sha256, c->sha256, 32);
    for (size_t i = 0; i < size; i++)
        assert_null(administrators_load(record, i, why));
    record[0] = '[';
    assert_null(administrators_load(record, size, why));
    free(record);
    administrators_unref(c);
    c = make("da", "1"); /* the roles the other way round: another list */
    assert_memory_not_equal(a->sha256, c->sha256, 32);
    administrators_unref(a);
    administrators_unref(b);
    administrators_unref(c);
}

static void test_condition(void **state)
{
    (void)state;
    char json[2048], hex[65];
    bool conditional;
    uint8_t replaces[32], expected[32];
    memset(expected, 0xab, sizeof expected);
    hex_text(expected, 32, hex);
    order(json, "a", "1");
    size_t size = strlen(json), end = size - 1; /* of what stands before the last brace */
    struct administrators *a = administrators_parse(json, size, &conditional, replaces, why);
    assert_non_null(a);
    assert_false(conditional);
    administrators_unref(a);
    sprintf(json + end, ",\"replaces\":\"%s\"}", hex);
    a = administrators_parse(json, strlen(json), &conditional, replaces, why);
    assert_non_null(a);
    assert_true(conditional);
    assert_memory_equal(replaces, expected, 32);
    administrators_unref(a);
    sprintf(json + end, ",\"replaces\":\"%s\"}", hex + 2);
    assert_null(parse(json));
    assert_non_null(strstr(why, "64 hex digits"));
}

static void test_json(void **state)
{
    (void)state;
    struct administrators *a = make("d"
                                    "a",
                                    "1");
    json_t *shown = administrators_json(a);
    char *json = json_dumps(shown, JSON_COMPACT), hex[65];
    for (size_t i = 0; i < 2; i++) {
        uint8_t name[32];
        thumbprint(keys[i], name);
        hex_text(name, 32, hex);
        assert_non_null(strstr(json, hex));
        assert_non_null(strstr(json, pems[i]));
    }
    hex_text(a->sha256, 32, hex);
    assert_non_null(strstr(json, hex));
    assert_non_null(strstr(json, "\"threshold\":1"));
    json_decref(shown);
    free(json);
    administrators_unref(a);
}

static void test_signer(void **state)
{
    (void)state;
    static const char header[] = "{\"alg\":\"ES256\"}",
                      text[] = "{\"jti\":\"0123456789abcdef\",\"iat\":1800000000,\"exp\":1800000060}";
    struct administrators *a = make("adm", "1");
    for (size_t i = 0; i < 4; i++) {
        char token[512];
        struct jwt_claims claims;
        int error = 1;
        uint8_t name[32];
        size_t size = jws_make(keys[i], header, strlen(header), text, strlen(text), token);
        thumbprint(keys[i], name);
        const struct administrator *one = administrators_signer(a, token, size, NOW, &claims, &error);
        assert_ptr_equal(one, administrators_find(a, name));
        assert_int_equal(error, i < 3 ? 0 : -EACCES);
        one = administrators_signer(a, token, size, NOW + 1000, &claims, &error);
        assert_null(one);
        assert_int_equal(error, i < 3 ? -ETIME : -EACCES);
    }
    administrators_unref(a);
}

static void test_admins(void **state)
{
    (void)state;
    struct administrators *a = make("aadm", "2");
    uint8_t names[5][32];
    for (size_t i = 0; i < 5; i++)
        thumbprint(keys[i], names[i]);
    assert_int_equal(administrators_admins(a, (const uint8_t(*)[32])names, 5), 2);
    assert_int_equal(administrators_admins(a, (const uint8_t(*)[32])names, 1), 1);
    assert_int_equal(administrators_admins(a, (const uint8_t(*)[32])names + 2, 3), 0);
    administrators_unref(a);
}

struct leaves {
    size_t count, fails_at;
    char last[80];
};

static int add_leaf(void *user, const char *label, const void *value, size_t size)
{
    struct leaves *l = user;
    assert_true(l->count == 0 || strcmp(l->last, label) < 0); /* also: "administrators" is behind "admin:" */
    snprintf(l->last, sizeof l->last, "%s", label);
    if (strcmp(label, "administrators") == 0) {
        assert_int_equal(size, strlen("threshold=2"));
        assert_memory_equal(value, "threshold=2", size);
    } else {
        const char *role = value;
        uint8_t name[32];
        char hex[65];
        assert_int_equal(strlen(role) + 1 + ADMINISTRATOR_KEY_SIZE, size);
        SHA256((const uint8_t *)value + strlen(role) + 1, ADMINISTRATOR_KEY_SIZE, name);
        hex_text(name, 32, hex);
        assert_memory_equal(label, "admin:", 6);
        assert_string_equal(label + 6, hex);
    }
    return l->count++ == l->fails_at ? -ENOMEM : 0;
}

static void test_leaves(void **state)
{
    (void)state;
    struct administrators *a = make("adma", "2");
    for (size_t fails_at = 0; fails_at < 6; fails_at++) {
        struct leaves l = {.fails_at = fails_at};
        assert_int_equal(administrators_leaves(a, add_leaf, &l), fails_at < 5 ? -ENOMEM : 0);
        assert_int_equal(l.count, fails_at < 5 ? fails_at + 1 : 5);
    }
    administrators_unref(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),   cmocka_unit_test(test_most),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_large),  cmocka_unit_test(test_keys),      cmocka_unit_test(test_first_boot),
        cmocka_unit_test(test_record), cmocka_unit_test(test_condition), cmocka_unit_test(test_json),
        cmocka_unit_test(test_signer), cmocka_unit_test(test_admins),    cmocka_unit_test(test_leaves),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
