/* What is asked for, member by member; and the bytes that quotes are over, against values that OpenSSL's command made.
 * */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base64url.h"
#include "enclave/evidence/request.h"

#define ZEROES "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static int reads(const char *text, struct evidence_request *request, char *why)
{
    why[0] = 0;
    return evidence_request_read(text, strlen(text), 2, request, why);
}

static void both_modes_are_read(void **state)
{
    struct evidence_request request;
    char why[EVIDENCE_WHY_SIZE], text[512], leaf[64], context[64];
    uint8_t bytes[2][32];
    memset(bytes[0], 0xa5, 32);
    memset(bytes[1], 0x5a, 32);
    base64url_text(bytes[0], 32, leaf);
    base64url_text(bytes[1], 32, context);
    snprintf(text, sizeof text, "{\"v\":2,\"mode\":\"challenge\",\"leaf\":\"%s\",\"context\":\"%s\"}", leaf, context);
    assert_int_equal(reads(text, &request, why), 0);
    assert_int_equal(request.mode, EVIDENCE_CHALLENGE);
    assert_memory_equal(request.leaf, bytes[0], 32);
    assert_memory_equal(request.context, bytes[1], 32);
    snprintf(text, sizeof text, "{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"%s\"}", leaf);
    assert_int_equal(reads(text, &request, why), 0);
    assert_int_equal(request.mode, EVIDENCE_DETERMINISTIC);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "no JSON object"},
        {"[2]", "no JSON object"},
        {"{\"v\":2,\"v\":2}", "no JSON object"},
        {"{\"v\":1,\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "\"}", "v: "},
        {"{\"v\":\"2\",\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "\"}", "v: "},
        {"{\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "\"}", "v: "},
        {"{\"v\":2,\"mode\":\"deterministic\"}", "leaf: "},
        {"{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "A\"}", "leaf: "},
        {"{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "=\"}", "leaf: "},
        {"{\"v\":2,\"mode\":\"deterministic\",\"leaf\":7}", "leaf: "},
        {"{\"v\":2,\"mode\":\"both\",\"leaf\":\"" ZEROES "\"}", "mode: "},
        {"{\"v\":2,\"leaf\":\"" ZEROES "\"}", "mode: "},
        {"{\"v\":2,\"mode\":\"challenge\",\"leaf\":\"" ZEROES "\"}", "context: "},
        {"{\"v\":2,\"mode\":\"challenge\",\"leaf\":\"" ZEROES "\",\"context\":\"AAAA\"}", "context: "},
        {"{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "\",\"context\":\"" ZEROES "\"}", "context: "},
        {"{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "\",\"nonce\":\"x\"}", "nonce: "},
        {"{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "\",\"n\u00e4\":1}", "other characters: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct evidence_request request;
        char why[EVIDENCE_WHY_SIZE];
        assert_int_equal(reads(cases[i].text, &request, why), -EINVAL);
        if (!strstr(why, cases[i].says))
            fail_msg("%s: '%s', not '%s'", cases[i].text, why, cases[i].says);
    }
}

/* python3 -c "import hashlib; print(hashlib.sha512(b'\1'*32 + b'2026-11-27T21:59Z').hexdigest())", and of
 * b'\1'*32 + b'\2'*32 + b'\3'*32 */
static void report_data_is_what_it_says(void **state)
{
    static const uint8_t deterministic[8] = {0x5f, 0xa5, 0xb8, 0x8f, 0xd7, 0x2c, 0x65, 0x26},
                         challenge[8] = {0xac, 0x99, 0x4a, 0x51, 0x3c, 0x80, 0x88, 0x60};
    struct evidence_request request = {.mode = EVIDENCE_DETERMINISTIC};
    char time[EVIDENCE_TIME_SIZE];
    uint8_t exported[32], data[64];
    memset(request.leaf, 1, 32);
    memset(request.context, 2, 32);
    memset(exported, 3, 32);
    evidence_time(1795816799, time);
    assert_string_equal(time, "2026-11-27T21:59Z");
    evidence_report_data(&request, time, NULL, exported, data);
    assert_memory_equal(data, deterministic, 8);
    request.mode = EVIDENCE_CHALLENGE;
    evidence_report_data(&request, time, NULL, exported, data);
    assert_memory_equal(data, challenge, 8);
}

static void each_form_has_its_version(void **state)
{
    static const char two[] = "{\"v\":2,\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "\"}",
                      one[] = "{\"v\":1,\"mode\":\"deterministic\",\"leaf\":\"" ZEROES "\"}";
    struct evidence_request request;
    char why[EVIDENCE_WHY_SIZE];
    assert_int_equal(evidence_request_read(two, sizeof two - 1, 2, &request, why), 0);
    assert_int_equal(evidence_request_read(one, sizeof one - 1, 1, &request, why), 0);
    assert_int_equal(evidence_request_read(two, sizeof two - 1, 1, &request, why), -EINVAL);
    assert_string_equal(why, "v: only version 1 is known here");
    assert_int_equal(evidence_request_read(one, sizeof one - 1, 2, &request, why), -EINVAL);
    assert_string_not_equal(evidence_forms[0].exporter, evidence_forms[1].exporter);
}

/* The text is what it says; python3 -c "import hashlib; c = hashlib.sha256(b'...').digest();
 * print(hashlib.sha512(b'\1'*32 + c).hexdigest(), hashlib.sha512(b'\1'*32 + b'\2'*32 + b'\3'*32 + c).hexdigest())" */
static void claims_are_in_the_quote(void **state)
{
    static const uint8_t deterministic[8] = {0xb2, 0x0f, 0xee, 0x4b, 0xac, 0x65, 0x74, 0x39},
                         challenge[8] = {0x8d, 0x06, 0x48, 0x41, 0xa3, 0xf3, 0x63, 0xc2};
    uint8_t instance[32], root[32], log_root[32], exported[32], data[64];
    memset(instance, 0xaa, 32);
    memset(root, 0xbb, 32);
    memset(log_root, 0xcc, 32);
    memset(exported, 3, 32);
    const struct evidence_claims claims = {.generation = 7,
                                           .log_size = 12,
                                           .instance = instance,
                                           .root = root,
                                           .log_root = log_root,
                                           .not_after_s = 1795816799,
                                           .time = "2026-11-27T20:00Z"};
    char *text = evidence_claims_text(&claims);
#define EIGHT(x) x x x x x x x x
#define HEX32(x) EIGHT(x) EIGHT(x) EIGHT(x) EIGHT(x)
    assert_string_equal(
        text, "{\"generation\":7,\"instance\":\"" HEX32("aa") "\",\"log\":{\"root\":\"" HEX32(
                  "cc") "\",\"size\":12},\"merkle_root\":\"" HEX32("bb") "\",\"not_after\":\"2026-11-27T21:59:59Z\","
                                                                         "\"time\":\"2026-11-27T20:00Z\"}");
    struct evidence_request request = {.mode = EVIDENCE_DETERMINISTIC};
    memset(request.leaf, 1, 32);
    memset(request.context, 2, 32);
    evidence_report_data(&request, claims.time, text, exported, data);
    assert_memory_equal(data, deterministic, 8);
    request.mode = EVIDENCE_CHALLENGE;
    evidence_report_data(&request, claims.time, text, exported, data);
    assert_memory_equal(data, challenge, 8);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_modes_are_read),         cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(report_data_is_what_it_says), cmocka_unit_test(each_form_has_its_version),
        cmocka_unit_test(claims_are_in_the_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
