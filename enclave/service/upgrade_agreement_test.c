/* Whose agreement to an upgrade counts, and for what: statements good and bad, over a list of the test's own apps. */
#include "enclave/service/upgrade_agreement.h"

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
#include "enclave/service/deployed.h"
#include "enclave/service/identity.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"

#define TYPED "{\"alg\":\"ES256\",\"typ\":\"enclave-os-upgrade\"}"
#define INSTANCE "\"instance\":\"7777777777777777777777777777777777777777777777777777777777777777\""
#define MEASUREMENT "\"measurement\":\"5555555555555555555555555555555555555555555555555555555555555555\""
#define FORMAT "\"format\":\"enclave-os-upgrade/1\""
#define GOOD "{" FORMAT "," INSTANCE "," MEASUREMENT "}"

struct system enclave_system;

static uint8_t instance[32], measurement[32];
static struct rule rules[4] = {
    {.kind = RULE_OPERATOR}, {.kind = RULE_PUBLISHER}, {.kind = RULE_FROZEN}, {.kind = RULE_PUBLISHER}};
static struct deployed apps[4] = {{.name = "mine", .rule = &rules[0], .next = &apps[1]},
                                  {.name = "first", .rule = &rules[1], .next = &apps[2]},
                                  {.name = "ice", .rule = &rules[2], .next = &apps[3]},
                                  {.name = "second", .rule = &rules[3]}};
static EVP_PKEY *keys[3]; /* of the two publishers, and of nobody */
static const struct upgrade_rule asks = {.kind = UPGRADE_SIGNER, .publishers = true};
static char why[200];

const uint8_t *identity_instance(void)
{
    return instance;
}

const struct deployed *deployed_first(void)
{
    return &apps[0];
}

static int setup(void **state)
{
    (void)state;
    memset(instance, 0x77, sizeof instance);
    memset(measurement, 0x55, sizeof measurement);
    for (size_t i = 0; i < 3; i++)
        keys[i] = EVP_EC_gen("P-256");
    for (size_t i = 0; i < 2; i++) {
        uint8_t *at = rules[i ? 3 : 1].publisher;
        assert_int_equal(i2d_PUBKEY(keys[i], &at), RULE_KEY_SIZE);
    }
    enclave_system.owner = &enclave_system.workers[0];
    return loop_init(&enclave_system.owner->loop, NULL);
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        EVP_PKEY_free(keys[i]);
    return 0;
}

static json_t *statement(size_t by, const char *header, const char *claims)
{
    char jws[4096];
    jws_make(keys[by], header, strlen(header), claims, strlen(claims), jws);
    return json_string(jws);
}

static bool agreed(json_t *statements)
{
    why[0] = 0;
    bool is = upgrade_agreed(&asks, statements, measurement, why, sizeof why);
    assert_true(is == (why[0] == 0));
    json_decref(statements);
    return is;
}

static void all_publishers_must_agree_and_nobody_else(void **state)
{
    (void)state;
    assert_true(agreed(json_pack("[o,o]", statement(1, TYPED, GOOD), statement(0, TYPED, GOOD))));
    assert_true(agreed(json_pack("[o,o,s]", statement(1, TYPED, GOOD), statement(0, TYPED, GOOD), "more")));
    assert_false(agreed(json_pack("[o]", statement(0, TYPED, GOOD))));
    assert_non_null(strstr(why, "second"));
    assert_false(agreed(json_pack("[o,o]", statement(1, TYPED, GOOD), statement(2, TYPED, GOOD))));
    assert_non_null(strstr(why, "first"));
    assert_false(agreed(json_array()));
    assert_false(agreed(NULL));
}

static void nobody_is_asked_where_the_rule_does_not(void **state)
{
    (void)state;
    const struct upgrade_rule alone = {.kind = UPGRADE_SIGNER};
    assert_true(upgrade_agreed(&alone, NULL, measurement, why, sizeof why));
}

static void a_statement_is_for_this_instance_and_that_measurement(void **state)
{
    (void)state;
    static const char *const claims[] = {
        "{" FORMAT "," INSTANCE
        ",\"measurement\":\"5555555555555555555555555555555555555555555555555555555555555554\"}",
        "{" FORMAT "," MEASUREMENT
        ",\"instance\":\"7777777777777777777777777777777777777777777777777777777777777778\"}",
        "{\"format\":\"enclave-os-upgrade/2\"," INSTANCE "," MEASUREMENT "}",
        "{" INSTANCE "," MEASUREMENT "}",
        "{" FORMAT "," INSTANCE "," MEASUREMENT ",\"but\":1}",
        "{" FORMAT "," INSTANCE ",\"measurement\":5}",
        "{}",
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        assert_false(agreed(json_pack("[o,o]", statement(0, TYPED, GOOD), statement(1, TYPED, claims[i]))));
    static const char publication[] = "{\"alg\":\"ES256\",\"typ\":\"enclave-os-publication\"}",
                      untyped[] = "{\"alg\":\"ES256\"}";
    assert_false(agreed(json_pack("[o,o]", statement(0, TYPED, GOOD), statement(1, publication, GOOD))));
    assert_false(agreed(json_pack("[o,o]", statement(0, TYPED, GOOD), statement(1, untyped, GOOD))));
}

/* Each costs the check of a signature. */
static void there_is_a_bound(void **state)
{
    (void)state;
    json_t *many = json_array();
    json_array_append_new(many, statement(0, TYPED, GOOD));
    json_array_append_new(many, statement(1, TYPED, GOOD));
    while (json_array_size(many) < UPGRADE_AGREEMENTS_MAX)
        json_array_append_new(many, json_string("x"));
    assert_true(agreed(json_incref(many)));
    json_array_append_new(many, json_string("x"));
    assert_false(agreed(many));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_publishers_must_agree_and_nobody_else),
        cmocka_unit_test(nobody_is_asked_where_the_rule_does_not),
        cmocka_unit_test(a_statement_is_for_this_instance_and_that_measurement),
        cmocka_unit_test(there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
