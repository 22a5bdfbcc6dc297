/* Rules: what each lets through, and each thing that it does not. */
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "enclave/secrets/testing/jws_make.h"
#include "enclave/service/publication.h"
#include "enclave/service/rule.h"
#include "enclave/wasm/settings.h"

#define TYPED "{\"alg\":\"ES256\",\"typ\":\"enclave-os-publication\"}"
#define CODE "\"sha256\":\"1111111111111111111111111111111111111111111111111111111111111111\""
#define OTHER_CODE "\"sha256\":\"2222222222222222222222222222222222222222222222222222222222222222\""
#define ID "\"app_id\":\"07070707070707070707070707070707\""
#define OTHER_ID "\"app_id\":\"08070707070707070707070707070707\""

static EVP_PKEY *key, *stranger;
static uint8_t spki[RULE_KEY_SIZE], stranger_spki[RULE_KEY_SIZE];
static uint8_t id[RULE_ID_SIZE], code[32];
static char why[400];

static void spki_of(EVP_PKEY *of, uint8_t *out)
{
    uint8_t *at = out;
    assert_int_equal(i2d_PUBKEY(of, &at), RULE_KEY_SIZE);
}

static int setup(void **state)
{
    (void)state;
    key = EVP_EC_gen("P-256");
    stranger = EVP_EC_gen("P-256");
    spki_of(key, spki);
    spki_of(stranger, stranger_spki);
    memset(id, 7, sizeof id);
    memset(code, 0x11, sizeof code);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(stranger);
    return 0;
}

static const char *publish(EVP_PKEY *with, const char *header, const char *claims)
{
    static char jws[8192];
    jws_make(with, header, strlen(header), claims, strlen(claims), jws);
    return jws;
}

static struct rule_wish wish_for(enum rule_kind kind)
{
    struct rule_wish wish = {.given = true, .kind = kind};
    if (kind == RULE_PUBLISHER)
        memcpy(wish.publisher, spki, sizeof spki);
    return wish;
}

static int push(struct rule *old, const struct rule_wish *wish, const char *publication, struct rule **out)
{
    struct rule_push p = {"vault", code, wish, publication, publication ? strlen(publication) : 0};
    why[0] = 0;
    int error = old ? rule_next(old, &p, out, why, sizeof why) : rule_first(id, &p, out, why, sizeof why);
    assert_true((error == 0) == (why[0] == 0) && (error == 0) == (*out != NULL));
    return error;
}

static struct rule *must(struct rule *old, enum rule_kind kind, const char *claims)
{
    struct rule *rule;
    struct rule_wish wish = wish_for(kind);
    if (push(old, &wish, claims ? publish(key, TYPED, claims) : NULL, &rule) != 0)
        fail_msg("refused: %s", why);
    return rule;
}

static struct app_settings *settings(const char *json)
{
    static const uint8_t salt[SETTINGS_SALT_SIZE];
    struct app_settings *s = app_settings_parse(json, strlen(json), salt, why, sizeof why);
    if (!s)
        fail_msg("settings: %s", why);
    return s;
}

static void assert_text(const struct rule *rule, const char *expected)
{
    char *text = rule_text(rule);
    assert_string_equal(text, expected);
    struct rule *again = rule_parse(text, strlen(text), rule->kind == RULE_PUBLISHER ? rule->publisher : NULL);
    assert_non_null(again);
    char *second = rule_text(again);
    assert_string_equal(second, expected);
    free(second);
    free(text);
    rule_unref(again);
}

static void test_wish(void **state)
{
    (void)state;
    struct rule_wish wish;
    char query[512] = "rule=publisher&key=";
    assert_int_equal(rule_wish_read(NULL, &wish, why, sizeof why), 0);
    assert_true(!wish.given && wish.kind == RULE_OPERATOR);
    assert_int_equal(rule_wish_read("rule=operator", &wish, why, sizeof why), 0);
    assert_true(wish.given && wish.kind == RULE_OPERATOR);
    assert_int_equal(rule_wish_read("rule=frozen", &wish, why, sizeof why), 0);
    assert_true(wish.given && wish.kind == RULE_FROZEN);
    hex_text(spki, sizeof spki, query + strlen(query));
    assert_int_equal(rule_wish_read(query, &wish, why, sizeof why), 0);
    assert_true(wish.given && wish.kind == RULE_PUBLISHER);
    assert_memory_equal(wish.publisher, spki, sizeof spki);
    query[strlen(query) - 1] ^= 1; /* no point of the curve */
    assert_int_equal(rule_wish_read(query, &wish, why, sizeof why), -EINVAL);
    static const char *const bad[] = {"",
                                      "rule",
                                      "rule=",
                                      "rule=Operator",
                                      "rule=open",
                                      "rule=operator&rule=frozen",
                                      "rule=publisher",
                                      "rule=publisher&key=",
                                      "rule=publisher&key=00",
                                      "key=00&rule=publisher",
                                      "rule=frozen&x=1",
                                      "x=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(rule_wish_read(bad[i], &wish, why, sizeof why), -EINVAL);
}

static void test_key(void **state)
{
    (void)state;
    uint8_t *der = NULL;
    EVP_PKEY *other = EVP_EC_gen("P-384");
    assert_true(rule_key_ok(spki, sizeof spki));
    assert_false(rule_key_ok(spki, sizeof spki - 1));
    int size = i2d_PUBKEY(other, &der);
    assert_false(rule_key_ok(der, (size_t)size));
    OPENSSL_free(der);
    EVP_PKEY_free(other);
}

static void test_operator(void **state)
{
    (void)state;
    struct rule_wish none = {0}, frozen = wish_for(RULE_FROZEN), publisher = wish_for(RULE_PUBLISHER);
    struct rule *rule, *next;
    assert_int_equal(push(NULL, &none, NULL, &rule), 0);
    assert_text(rule, "id=07070707070707070707070707070707\nrule=operator\n");
    assert_int_equal(push(rule, &none, NULL, &next), 0);
    assert_ptr_equal(next, rule);
    rule_unref(next);
    assert_int_equal(push(rule, &frozen, NULL, &next), -EACCES);
    assert_int_equal(push(rule, &publisher, publish(key, TYPED, "{\"name\":\"vault\"," CODE ",\"version\":1}"), &next),
                     -EACCES);
    /* Nothing is taken and ignored. */
    const char *publication = publish(key, TYPED, "{\"name\":\"vault\"," CODE ",\"version\":1}");
    assert_int_equal(push(rule, &none, publication, &next), -EINVAL);
    assert_int_equal(push(NULL, &none, publication, &next), -EINVAL);
    assert_int_equal(push(NULL, &frozen, publication, &next), -EINVAL);
    struct app_settings *any = settings("{\"egress\":[\"a.example\"],\"arguments\":[\"x\"]}");
    assert_int_equal(rule_allows(rule, any, why, sizeof why), 0);
    app_settings_unref(any);
    rule_unref(rule);
}

static void test_frozen(void **state)
{
    (void)state;
    struct rule_wish none = {0}, again = wish_for(RULE_FROZEN), open_rule = wish_for(RULE_OPERATOR);
    struct rule *rule = must(NULL, RULE_FROZEN, NULL), *next;
    assert_text(rule, "id=07070707070707070707070707070707\nrule=frozen\n");
    assert_int_equal(push(rule, &none, NULL, &next), -EACCES);
    assert_int_equal(push(rule, &again, NULL, &next), -EACCES);
    assert_int_equal(push(rule, &open_rule, NULL, &next), -EACCES);
    struct app_settings *nothing = settings("{}");
    assert_int_equal(rule_allows(rule, nothing, why, sizeof why), -EACCES);
    assert_int_equal(rule_fits(rule, nothing, why, sizeof why), 0);
    app_settings_unref(nothing);
    rule_unref(rule);
}

static void test_publisher(void **state)
{
    (void)state;
    struct rule *rule = must(NULL, RULE_PUBLISHER,
                             "{\"name\":\"vault\"," CODE ",\"version\":3,\"egress\":[\"b.example:8443\",\"A.example\","
                             "\"[::1]\",\"a.example:443\"],\"memory_mib\":64,\"timeout_ms\":5000,"
                             "\"settings\":[\"peers\",\"config\"]}");
    char expected[600], hash[65];
    uint8_t digest[32];
    EVP_Q_digest(NULL, "SHA256", NULL, spki, sizeof spki, digest, NULL);
    hex_text(digest, sizeof digest, hash);
    snprintf(expected, sizeof expected,
             "id=07070707070707070707070707070707\nrule=publisher\nkey=%s\nversion=3\n"
             "egress=[::1]:443,a.example:443,b.example:8443\nmemory-mib=64\ntimeout-ms=5000\nsettings=config,peers\n",
             hash);
    assert_text(rule, expected);
    struct rule *next = must(rule, RULE_PUBLISHER, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"egress\":[]}");
    snprintf(expected, sizeof expected,
             "id=07070707070707070707070707070707\nrule=publisher\nkey=%s\nversion=4\negress=\n", hash);
    assert_text(next, expected);
    rule_unref(rule);
    rule = must(next, RULE_PUBLISHER, "{\"name\":\"vault\"," CODE ",\"version\":9007199254740992," ID "}");
    snprintf(expected, sizeof expected,
             "id=07070707070707070707070707070707\nrule=publisher\nkey=%s\nversion=9007199254740992\n", hash);
    assert_text(rule, expected);
    rule_unref(rule);
    rule_unref(next);
}

/* All that somebody who is not the publisher has at hand, and what the publisher should not have signed. */
static void test_publisher_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *header, *claims;
        int expected;
        bool first; /* a first push; else one for the app at version 3 */
    } cases[] = {
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":3," ID "}", -EACCES, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":2," ID "}", -EACCES, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4}", -EACCES, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," OTHER_ID "}", -EACCES, false},
        {TYPED, "{\"name\":\"vaults\"," CODE ",\"version\":4," ID "}", -EACCES, false},
        {TYPED, "{\"name\":\"Vault\"," CODE ",\"version\":4," ID "}", -EACCES, false},
        {TYPED, "{\"name\":\"vault\"," OTHER_CODE ",\"version\":4," ID "}", -EACCES, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":1," ID "}", -EACCES, true},
        {TYPED, "{\"name\":\"vault\"," OTHER_CODE ",\"version\":1}", -EACCES, true},
        {TYPED, "{\"name\":\"other\"," CODE ",\"version\":1}", -EACCES, true},
        {"{\"alg\":\"ES256\"}", "{\"name\":\"vault\"," CODE ",\"version\":4," ID "}", -EACCES, false},
        {"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", "{\"name\":\"vault\"," CODE ",\"version\":4," ID "}", -EACCES, false},
        {"{\"alg\":\"none\",\"typ\":\"enclave-os-publication\"}", "{\"name\":\"vault\"," CODE ",\"version\":4," ID "}",
         -EACCES, false},
        {TYPED, "{" CODE ",\"version\":4," ID "}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\",\"version\":4," ID "}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE "," ID "}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"egress\":[\"https://a.example\"]}", -EINVAL,
         false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"egress\":null}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"memory_mib\":0}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"memory_mib\":1048577}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"timeout_ms\":-1}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"timeout_ms\":1.5}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"settings\":[\"egress\"]}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"settings\":[\"config\",\"config\"]}", -EINVAL,
         false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"settings\":\"config\"}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"limit\":1}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":4," ID ",\"egress_ca\":\"11\"}", -EINVAL, false},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":0}", -EINVAL, true},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":\"4\"}", -EINVAL, true},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":9007199254740993}", -EINVAL, true},
        {TYPED, "{\"name\":\"vault\"," CODE ",\"version\":1,\"app_id\":null}", -EINVAL, true},
        {TYPED, "{\"name\":\"vault\",\"sha256\":\"11\",\"version\":1}", -EINVAL, true},
        {TYPED, "[]", -EINVAL, true},
    };
    struct rule_wish wish = wish_for(RULE_PUBLISHER), none = {0}, open_rule = wish_for(RULE_OPERATOR);
    struct rule *old = must(NULL, RULE_PUBLISHER, "{\"name\":\"vault\"," CODE ",\"version\":3}"), *next;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *publication = publish(key, cases[i].header, cases[i].claims);
        int error = push(cases[i].first ? NULL : old, &wish, publication, &next);
        if (error != cases[i].expected)
            fail_msg("%s %s: %d (%s)", cases[i].header, cases[i].claims, error, why);
    }
    const char good[] = "{\"name\":\"vault\"," CODE ",\"version\":4," ID "}";
    assert_int_equal(push(old, &none, NULL, &next), -EACCES);
    assert_int_equal(push(old, &none, "", &next), -EINVAL);
    assert_int_equal(push(old, &none, "a.b.c", &next), -EINVAL);
    assert_int_equal(push(old, &none, publish(stranger, TYPED, good), &next), -EACCES);
    assert_int_equal(push(old, &open_rule, publish(key, TYPED, good), &next), -EACCES);
    memcpy(wish.publisher, stranger_spki, sizeof stranger_spki);
    assert_int_equal(push(old, &wish, publish(stranger, TYPED, good), &next), -EACCES);
    assert_int_equal(push(NULL, &wish, publish(key, TYPED, "{\"name\":\"vault\"," CODE ",\"version\":1}"), &next),
                     -EACCES);
    assert_int_equal(push(NULL, &wish, NULL, &next), -EACCES);
    assert_int_equal(push(old, &none, publish(key, TYPED, good), &next), 0); /* the one that is good */
    rule_unref(next);
    rule_unref(old);
}

static void test_widening(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        bool fits, fits_open; /* what fixes and what leaves all open */
    } cases[] = {
        {"{}", true, true},
        {"{\"egress\":[]}", true, true},
        {"{\"egress\":[\"api.example\"]}", true, true},
        {"{\"egress\":[\"API.example:443\",\"x.wild.example:8443\",\"*.wild.example:8443\"]}", true, true},
        {"{\"egress\":[\"*.x.wild.example:8443\"]}", true, true},
        {"{\"egress\":[\"[::1]:9\"]}", true, true},
        {"{\"config\":{\"a\":\"b\"}}", true, true},
        {"{\"egress\":[\"api.example:8443\"]}", false, true},
        {"{\"egress\":[\"api.example\",\"evil.example\"]}", false, true},
        {"{\"egress\":[\"*.example\"]}", false, true},
        {"{\"egress\":[\"*.api.example\"]}", false, true},
        {"{\"egress\":[\"wild.example:8443\"]}", false, true},
        {"{\"egress\":[\"notwild.example:8443\"]}", false, true},
        {"{\"egress\":[\"*.notwild.example:8443\"]}", false, true},
        {"{\"egress\":[\"x.wild.example\"]}", false, true},
        {"{\"egress\":[\"[::2]:9\"]}", false, true},
        {"{\"environment\":{\"A\":\"b\"}}", false, false},
        {"{\"arguments\":[\"-e\",\"evil()\"]}", false, false},
        {"{\"peers\":\"request\"}", false, false},
    };
    struct rule *fixed = must(NULL, RULE_PUBLISHER,
                              "{\"name\":\"vault\"," CODE ",\"version\":1,\"egress\":[\"api.example\","
                              "\"*.wild.example:8443\",\"[::1]:9\"],\"settings\":[\"config\"]}"),
                *open_egress =
                    must(NULL, RULE_PUBLISHER, "{\"name\":\"vault\"," CODE ",\"version\":1,\"settings\":[\"config\"]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct app_settings *s = settings(cases[i].settings);
        if (rule_allows(fixed, s, why, sizeof why) != (cases[i].fits ? 0 : -EACCES) ||
            rule_fits(fixed, s, why, sizeof why) != (cases[i].fits ? 0 : -EACCES) ||
            rule_allows(open_egress, s, why, sizeof why) != (cases[i].fits_open ? 0 : -EACCES))
            fail_msg("%s", cases[i].settings);
        app_settings_unref(s);
    }
    rule_unref(fixed);
    rule_unref(open_egress);
}

static void test_bundle(void **state)
{
    (void)state;
    uint8_t bundle[32], other[32];
    memset(bundle, 0x11, sizeof bundle);
    memset(other, 0x12, sizeof other);
    struct rule *fixed = must(NULL, RULE_PUBLISHER,
                              "{\"name\":\"vault\"," CODE ",\"version\":1,\"egress_ca\":"
                              "\"1111111111111111111111111111111111111111111111111111111111111111\"}"),
                *any = must(NULL, RULE_OPERATOR, NULL);
    assert_int_equal(rule_trusts(fixed, bundle, why, sizeof why), 0);
    assert_int_equal(rule_trusts(fixed, NULL, why, sizeof why), 0);
    assert_int_equal(rule_trusts(fixed, other, why, sizeof why), -EACCES);
    assert_int_equal(rule_trusts(any, other, why, sizeof why), 0);
    char *text = rule_text(fixed);
    assert_non_null(strstr(text, "version=1\negress-ca=1111111111111111"));
    struct rule *again = rule_parse(text, strlen(text), spki);
    assert_int_equal(rule_trusts(again, other, why, sizeof why), -EACCES);
    rule_unref(again);
    free(text);
    rule_unref(fixed);
    rule_unref(any);
}

static void test_limits(void **state)
{
    (void)state;
    struct rule *fixed = must(NULL, RULE_PUBLISHER,
                              "{\"name\":\"vault\"," CODE ",\"version\":1,\"memory_mib\":64,\"timeout_ms\":5000}"),
                *open_limits = must(NULL, RULE_OPERATOR, NULL);
    assert_int_equal(rule_memory_mib(fixed, 256), 64);
    assert_int_equal(rule_memory_mib(fixed, 32), 32);
    assert_int_equal(rule_timeout_ms(fixed, 30000), 5000);
    assert_int_equal(rule_timeout_ms(fixed, 1000), 1000);
    assert_int_equal(rule_memory_mib(open_limits, 256), 256);
    assert_int_equal(rule_timeout_ms(open_limits, 1), 1);
    rule_unref(fixed);
    rule_unref(open_limits);
}

/* One text for one rule. */
static void test_parse_refuses(void **state)
{
    (void)state;
    struct rule *rule = must(NULL, RULE_PUBLISHER,
                             "{\"name\":\"vault\"," CODE ",\"version\":3,\"egress\":[\"a.example\"],\"memory_mib\":64,"
                             "\"settings\":[\"config\",\"peers\"]}");
    char *text = rule_text(rule);
    size_t size = strlen(text);
    struct rule *again = rule_parse(text, size, spki);
    assert_non_null(again);
    rule_unref(again);
    assert_null(rule_parse(text, size, NULL));
    assert_null(rule_parse(text, size, stranger_spki));
    for (size_t i = 0; i < size; i++) {
        char saved = text[i];
        bool whole_lines = i > 0 && text[i - 1] == '\n'; /* which may be a rule that fixes less */
        assert_true(whole_lines || !rule_parse(text, i, spki));
        text[i] = saved == 'A' ? 'B' : 'A';
        assert_null(rule_parse(text, size, spki));
        text[i] = '\n';
        assert_true(saved == '\n' || !rule_parse(text, size, spki));
        text[i] = saved;
    }
    free(text);
    rule_unref(rule);
    static const char operators[] = "id=07070707070707070707070707070707\nrule=operator\n";
    assert_null(rule_parse(operators, strlen(operators), spki));
    static const char *const bad[] = {"",
                                      "\n",
                                      "id=07070707070707070707070707070707\n",
                                      "id=07070707070707070707070707070707\nrule=operators\n",
                                      "id=07070707070707070707070707070707\nrule=\n",
                                      "id=0707070707070707070707070707070707\nrule=frozen\n",
                                      "id=07070707070707070707070707070707\nrule=frozen\nversion=1\n",
                                      "id=07070707070707070707070707070707\nrule=frozen\nrule=frozen\n",
                                      "rule=frozen\nid=07070707070707070707070707070707\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(rule_parse(bad[i], strlen(bad[i]), NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wish),      cmocka_unit_test(test_key),
        cmocka_unit_test(test_operator),  cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_publisher), cmocka_unit_test(test_publisher_refuses),
        cmocka_unit_test(test_widening),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bundle),    cmocka_unit_test(test_parse_refuses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
