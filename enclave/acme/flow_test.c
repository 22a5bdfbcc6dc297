/* One order, with a directory that is played: as it should be, and as a host would have it. */
#include "enclave/acme/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/ec.h>

#include <cmocka.h>

#include "common/base64url.h"
#include "common/json.h"
#include "enclave/acme/jose.h"

#define DIRECTORY "https://ca.example/dir"
#define ORDER_OF(status, more)                                                        \
    "{\"status\":\"" status "\",\"authorizations\":[\"https://ca.example/authz/1\"]," \
    "\"finalize\":\"https://ca.example/finalize/1\"" more "}"
#define AUTHORIZATION_OF(status, name, challenges)                                                                    \
    "{\"status\":\"" status "\",\"identifier\":{\"type\":\"dns\",\"value\":\"" name "\"},\"challenges\":[" challenges \
    "]}"
#define CHALLENGE                                                                 \
    "{\"type\":\"http-01\",\"url\":\"https://ca.example/c/0\",\"token\":\"aa\"}," \
    "{\"type\":\"tls-alpn-01\",\"url\":\"https://ca.example/c/"                   \
    "1\",\"token\":\"LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0\"}"
#define DIRECTORY_JSON                                                                          \
    "{\"newNonce\":\"https://ca.example/nonce\",\"newAccount\":\"https://CA.example/account\"," \
    "\"newOrder\":\"https://ca.example:443/order\",\"meta\":{}}"

static const uint8_t csr[] = {1, 2, 3};

struct played {
    struct acme_flow flow;
    EVP_PKEY *key;
    json_t *contact;
    char *body; /* of the last request */
};

static int begin(void **state)
{
    struct played *p = calloc(1, sizeof *p);
    p->key = EVP_EC_gen("P-256");
    p->contact = json_pack("[s]", "mailto:a@example.com");
    const struct acme_asked asked = {DIRECTORY, p->contact, "app.example.com", p->key, csr, sizeof csr};
    acme_flow_begin(&p->flow, &asked);
    *state = p;
    return 0;
}

static int finish(void **state)
{
    struct played *p = *state;
    EVP_PKEY_free(p->key);
    json_decref(p->contact);
    free(p->body);
    free(p);
    return 0;
}

/* The next request: of this method, at this path of the authority. */
static void expect(struct played *p, const char *method, const char *path)
{
    struct acme_request r;
    free(p->body);
    p->body = NULL;
    assert_int_equal(acme_flow_request(&p->flow, &r), 0);
    assert_string_equal(r.method, method);
    assert_string_equal(r.at.path, path);
    assert_true(r.at.tls && r.at.port == 443 && strcasecmp(r.at.host, "ca.example") == 0);
    assert_int_equal(r.body != NULL, strcmp(method, "POST") == 0);
    p->body = r.body;
}

static enum acme_turn answer(struct played *p, int status, const char *location, const char *body)
{
    const struct acme_answer a = {.status = status,
                                  .nonce = "bm9uY2U",
                                  .nonce_size = 7,
                                  .location = location,
                                  .location_size = location ? strlen(location) : 0,
                                  .body = body,
                                  .size = strlen(body)};
    return acme_flow_answer(&p->flow, &a);
}

/* A part of the last request, decoded; the caller's. */
static json_t *part(const struct played *p, const char *name)
{
    uint8_t text[4096];
    json_t *message = json_read(p->body, strlen(p->body), 0, NULL);
    const char *encoded = json_string_value(json_object_get(message, name));
    assert_non_null(encoded);
    ssize_t size = base64url_read(encoded, strlen(encoded), text, sizeof text);
    assert_true(size >= 0);
    json_t *value = size ? json_read((char *)text, (size_t)size, 0, NULL) : NULL;
    json_decref(message);
    return value;
}

static bool signed_by(const struct played *p)
{
    json_t *message = json_read(p->body, strlen(p->body), 0, NULL);
    const char *header, *payload, *signature;
    char input[8192];
    uint8_t rs[64], *der = NULL;
    assert_int_equal(
        json_unpack(message, "{s:s,s:s,s:s}", "protected", &header, "payload", &payload, "signature", &signature), 0);
    assert_int_equal(base64url_read(signature, strlen(signature), rs, sizeof rs), 64);
    int size = snprintf(input, sizeof input, "%s.%s", header, payload);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(rs, 32, NULL), BN_bin2bn(rs + 32, 32, NULL));
    int der_size = i2d_ECDSA_SIG(pair, &der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, p->key) == 1 &&
              EVP_DigestVerify(ctx, der, (size_t)der_size, (uint8_t *)input, (size_t)size) == 1;
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    json_decref(message);
    return ok;
}

static void text_is(json_t *object, const char *member, const char *wanted)
{
    const char *text = json_string_value(json_object_get(object, member));
    assert_non_null(text);
    assert_string_equal(text, wanted);
}

/* Up to where an order is made. */
static void to_order(struct played *p)
{
    expect(p, "GET", "/dir");
    const struct acme_answer a = {.status = 200, .body = DIRECTORY_JSON, .size = strlen(DIRECTORY_JSON)};
    assert_int_equal(acme_flow_answer(&p->flow, &a), ACME_ASK);
    expect(p, "HEAD", "/nonce");
    assert_int_equal(answer(p, 200, NULL, ""), ACME_ASK);
    expect(p, "POST", "/account");
    json_t *header = part(p, "protected"), *payload = part(p, "payload");
    assert_true(signed_by(p));
    text_is(header, "alg", "ES256");
    text_is(header, "nonce", "bm9uY2U");
    text_is(header, "url", "https://CA.example/account");
    assert_null(json_object_get(header, "kid"));
    text_is(json_object_get(header, "jwk"), "crv", "P-256");
    assert_true(json_is_true(json_object_get(payload, "termsOfServiceAgreed")));
    assert_int_equal(json_array_size(json_object_get(payload, "contact")), 1);
    json_decref(header);
    json_decref(payload);
    assert_int_equal(answer(p, 201, "https://ca.example/account/7", "{\"status\":\"valid\"}"), ACME_ASK);
    expect(p, "POST", "/order");
}

static void to_authorization(struct played *p)
{
    to_order(p);
    json_t *header = part(p, "protected"), *payload = part(p, "payload");
    text_is(header, "kid", "https://ca.example/account/7");
    assert_null(json_object_get(header, "jwk"));
    json_t *identifier = json_array_get(json_object_get(payload, "identifiers"), 0);
    text_is(identifier, "type", "dns");
    text_is(identifier, "value", "app.example.com");
    json_decref(header);
    json_decref(payload);
    assert_int_equal(answer(p, 201, "https://ca.example/order/1", ORDER_OF("pending", "")), ACME_ASK);
    expect(p, "POST", "/authz/1");
}

/* Up to where the key is to be certified. */
static void to_finalize(struct played *p)
{
    uint8_t digest[32];
    to_authorization(p);
    assert_null(part(p, "payload")); /* it only reads */
    assert_int_equal(answer(p, 200, NULL, AUTHORIZATION_OF("pending", "APP.example.com", CHALLENGE)), ACME_CHALLENGE);
    assert_int_equal(acme_key_authorization(p->key, "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0", digest), 0);
    assert_memory_equal(p->flow.digest, digest, 32);
    expect(p, "POST", "/c/1");
    json_t *payload = part(p, "payload");
    assert_true(json_is_object(payload) && json_object_size(payload) == 0);
    json_decref(payload);
    assert_int_equal(answer(p, 200, NULL, "{}"), ACME_WAIT);
    expect(p, "POST", "/authz/1");
    assert_int_equal(answer(p, 200, NULL, AUTHORIZATION_OF("pending", "app.example.com", CHALLENGE)), ACME_WAIT);
    expect(p, "POST", "/authz/1");
    assert_int_equal(answer(p, 200, NULL, AUTHORIZATION_OF("valid", "app.example.com", CHALLENGE)), ACME_ASK);
    expect(p, "POST", "/order/1");
    assert_int_equal(answer(p, 200, NULL, ORDER_OF("ready", "")), ACME_ASK);
    expect(p, "POST", "/finalize/1");
}

static void test_all_of_it(void **state)
{
    struct played *p = *state;
    to_finalize(p);
    json_t *payload = part(p, "payload");
    text_is(payload, "csr", "AQID");
    json_decref(payload);
    assert_int_equal(answer(p, 200, NULL, ORDER_OF("processing", "")), ACME_WAIT);
    assert_int_equal(p->flow.wait_s, ACME_POLL_S);
    expect(p, "POST", "/order/1");
    assert_int_equal(answer(p, 200, NULL, ORDER_OF("valid", ",\"certificate\":\"https://ca.example/cert/1\"")),
                     ACME_ASK);
    expect(p, "POST", "/cert/1");
    assert_true(signed_by(p));
    assert_int_equal(answer(p, 200, NULL, "a chain"), ACME_DONE);
}

/* Whoever was authorized before need not show it again. */
static void test_ready_at_once(void **state)
{
    struct played *p = *state;
    to_order(p);
    assert_int_equal(answer(p, 201, "https://ca.example/order/1", ORDER_OF("ready", "")), ACME_ASK);
    expect(p, "POST", "/finalize/1");
}

static void test_nonces(void **state)
{
    static const char bad[] = "{\"type\":\"urn:ietf:params:acme:error:badNonce\",\"detail\":\"old\"}";
    struct played *p = *state;
    to_order(p);
    for (unsigned i = 0; i < ACME_NONCES_MAX; i++) {
        assert_int_equal(answer(p, 400, NULL, bad), ACME_ASK);
        expect(p, "POST", "/order");
        json_t *header = part(p, "protected");
        text_is(header, "nonce", "bm9uY2U");
        json_decref(header);
    }
    const struct acme_answer without = {.status = 201,
                                        .location = "https://ca.example/order/1",
                                        .location_size = 26,
                                        .nonce = "not a nonce",
                                        .nonce_size = 11,
                                        .body = ORDER_OF("pending", ""),
                                        .size = sizeof ORDER_OF("pending", "") - 1};
    assert_int_equal(acme_flow_answer(&p->flow, &without), ACME_ASK);
    expect(p, "HEAD", "/nonce");
    assert_int_equal(answer(p, 204, NULL, ""), ACME_ASK);
    expect(p, "POST", "/authz/1");
    assert_int_equal(answer(p, 400, NULL, bad), ACME_FAILED); /* one too many */
    assert_non_null(strstr(p->flow.why, "the authorization: badNonce: old"));
}

static void test_no_nonce_at_all(void **state)
{
    struct played *p = *state;
    expect(p, "GET", "/dir");
    const struct acme_answer a = {.status = 200, .body = DIRECTORY_JSON, .size = strlen(DIRECTORY_JSON)};
    assert_int_equal(acme_flow_answer(&p->flow, &a), ACME_ASK);
    expect(p, "HEAD", "/nonce");
    const struct acme_answer none = {.status = 200, .body = ""};
    assert_int_equal(acme_flow_answer(&p->flow, &none), ACME_FAILED);
    assert_non_null(strstr(p->flow.why, "a nonce: there is none"));
}

static void test_rate_limits(void **state)
{
    static const char body[] = "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too\\nmany\"}";
    struct played *p = *state;
    to_order(p);
    const struct acme_answer a = {.status = 429, .retry_after_s = 3600, .body = body, .size = sizeof body - 1};
    assert_int_equal(acme_flow_answer(&p->flow, &a), ACME_FAILED);
    assert_int_equal(p->flow.wait_s, 3600);
    assert_string_equal(p->flow.why, "the order: rateLimited: too?many");
}

/* An order that never becomes ready. */
static void test_for_ever(void **state)
{
    struct played *p = *state;
    enum acme_turn turn = ACME_WAIT;
    unsigned asked = 0;
    to_finalize(p);
    while (turn == ACME_WAIT) {
        const struct acme_answer a = {.status = 200,
                                      .nonce = "bm9uY2U",
                                      .nonce_size = 7,
                                      .retry_after_s = UINT32_MAX,
                                      .body = ORDER_OF("processing", ""),
                                      .size = sizeof ORDER_OF("processing", "") - 1};
        turn = acme_flow_answer(&p->flow, &a);
        if (turn == ACME_WAIT) {
            assert_int_equal(p->flow.wait_s, ACME_POLL_MAX_S);
            expect(p, "POST", "/order/1");
        }
        assert_true(++asked <= ACME_REQUESTS_MAX);
    }
    assert_int_equal(turn, ACME_FAILED);
    assert_non_null(strstr(p->flow.why, "it has not come in 64 requests"));
}

struct wrong {
    int status;
    const char *location, *body, *why;
};

static void refuse_all(void **state, void (*to)(struct played *p), const struct wrong *wrongs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *fresh = NULL;
        begin(&fresh);
        struct played *p = fresh;
        to(p);
        assert_int_equal(answer(p, wrongs[i].status, wrongs[i].location, wrongs[i].body), ACME_FAILED);
        if (!strstr(p->flow.why, wrongs[i].why))
            fail_msg("%zu: %s, not %s", i, p->flow.why, wrongs[i].why);
        finish(&fresh);
    }
    (void)state;
}

static void to_directory(struct played *p)
{
    expect(p, "GET", "/dir");
}

#define MEMBERS(nonce, account, order) "{\"newNonce\":" nonce ",\"newAccount\":" account ",\"newOrder\":" order "}"
#define GOOD "\"https://ca.example/x\""

static void test_directories(void **state)
{
    static const struct wrong wrongs[] = {
        {200, NULL, "", "the directory is no JSON object"},
        {200, NULL, "[]", "the directory is no JSON object"},
        {200, NULL, "{\"newNonce\":1,\"newNonce\":2}", "the directory is no JSON object"},
        {200, NULL, "{}", "newNonce: it is no https:// URL"},
        {200, NULL, MEMBERS("\"http://ca.example/x\"", GOOD, GOOD), "newNonce: it is no https:// URL"},
        {200, NULL, MEMBERS(GOOD, "\"https://other.example/x\"", GOOD), "newAccount: it is no https:// URL"},
        {200, NULL, MEMBERS(GOOD, "\"https://ca.example:444/x\"", GOOD), "newAccount: it is no https:// URL"},
        {200, NULL, MEMBERS(GOOD, GOOD, "\"https://ca.example@evil.example/\""), "newOrder: it is no https:// URL"},
        {200, NULL, MEMBERS(GOOD, GOOD, "\"https://ca.example/x\\r\\nHost: y\""), "newOrder: it is no https:// URL"},
        {301, "https://evil.example/dir", "", "the directory: status 301"},
        {500, NULL, "<html>", "the directory: status 500"},
        {404, NULL, "{\"type\":7,\"detail\":\"none\"}", "the directory: none"}};
    refuse_all(state, to_directory, wrongs, sizeof wrongs / sizeof *wrongs);
}

static void test_orders(void **state)
{
    static const char here[] = "https://ca.example/order/1";
    static const struct wrong wrongs[] = {
        {201, NULL, ORDER_OF("pending", ""), "the order has no URL"},
        {201, "https://evil.example/order/1", ORDER_OF("pending", ""), "the order has no URL"},
        {201, here, "{", "the order is no JSON object"},
        {201, here, ORDER_OF("done", ""), "the order's status"},
        {201, here, ORDER_OF("valid", ",\"certificate\":\"https://ca.example/cert/1\""),
         "valid before a key was given"},
        {201, here, ORDER_OF("valid", ""), "certificate: it is no https:// URL"},
        {201, here, ORDER_OF("invalid", ",\"error\":{\"type\":\"urn:ietf:params:acme:error:caa\",\"detail\":\"no\"}"),
         "the order has failed: caa: no"},
        {201, here, ORDER_OF("invalid", ""), "does not say why"},
        {201, here, "{\"status\":\"pending\",\"authorizations\":[],\"finalize\":" GOOD "}", "it is not one"},
        {201, here, "{\"status\":\"pending\",\"authorizations\":[" GOOD "," GOOD "],\"finalize\":" GOOD "}",
         "it is not one"},
        {201, here, "{\"status\":\"pending\",\"authorizations\":[" GOOD "],\"finalize\":\"http://ca.example/f\"}",
         "finalize: it is no https:// URL"},
        {403, NULL, "{\"type\":\"urn:ietf:params:acme:error:userActionRequired\"}", "the order: userActionRequired"}};
    refuse_all(state, to_order, wrongs, sizeof wrongs / sizeof *wrongs);
}

static void test_authorizations(void **state)
{
    static const struct wrong wrongs[] = {
        {200, NULL, "null", "the authorization is no JSON object"},
        {200, NULL, AUTHORIZATION_OF("soon", "app.example.com", CHALLENGE), "the authorization's status"},
        {200, NULL, AUTHORIZATION_OF("pending", "bank.example.com", CHALLENGE), "for another name"},
        {200, NULL,
         "{\"status\":\"pending\",\"wildcard\":true,\"identifier\":{\"type\":\"dns\",\"value\":\"app.example.com\"}}",
         "for another name"},
        {200, NULL, AUTHORIZATION_OF("pending", "app.example.com", "{\"type\":\"dns-01\"}"),
         "no challenge tls-alpn-01"},
        {200, NULL,
         AUTHORIZATION_OF("pending", "app.example.com",
                          "{\"type\":\"tls-alpn-01\",\"url\":\"https://ca.example/c\",\"token\":\"a.b\"}"),
         "token: it is no base64url"},
        {200, NULL,
         AUTHORIZATION_OF("pending", "app.example.com",
                          "{\"type\":\"tls-alpn-01\",\"url\":\"https://evil.example/c\",\"token\":\"ab\"}"),
         "challenge: it is no https:// URL"},
        {200, NULL,
         AUTHORIZATION_OF("invalid", "app.example.com",
                          "{\"type\":\"tls-alpn-01\",\"error\":{\"detail\":\"nobody answers\"}}"),
         "the name is not authorized: nobody answers"},
        {200, NULL, AUTHORIZATION_OF("revoked", "app.example.com", ""), "the name is not authorized"}};
    refuse_all(state, to_authorization, wrongs, sizeof wrongs / sizeof *wrongs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_of_it, begin, finish),
        cmocka_unit_test_setup_teardown(test_ready_at_once, begin, finish),
        cmocka_unit_test_setup_teardown(test_nonces, begin, finish),
        cmocka_unit_test_setup_teardown(test_no_nonce_at_all, begin, finish),
        cmocka_unit_test_setup_teardown(test_rate_limits, begin, finish),
        cmocka_unit_test_setup_teardown(test_for_ever, begin, finish),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_authorizations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
