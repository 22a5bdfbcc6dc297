/*
 * Judging quotes: in a world where all is right the peer is described, and for each thing that can be wrong there is
 * one in which that alone is. What stands for Intel's root is the world's own, which peer_policy is made to believe.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "enclave/handover/judge.h"
#include "enclave/ratls/peer.h"
#include "enclave/service/upgrade_rule.h"
#include "sgx/trusted/bridge.h"
#include "verifier/testing/fixture.h"

static bool is_debug; /* the enclave that judges */
static const char *intel;

bool sgx_is_debug(void)
{
    return is_debug;
}

struct verifier_policy *__real_peer_policy(bool debug);
struct verifier_policy *__wrap_peer_policy(bool debug)
{
    struct verifier_policy *policy = __real_peer_policy(debug);
    if (intel)
        assert_int_equal(verifier_policy_set_roots(policy, intel, strlen(intel)), 0);
    return policy;
}

static struct fixture_options options;
static struct fixture *world;
static struct verifier_collateral *collateral;
static uint8_t report_data[64];
static int64_t now_s;
static struct upgrade_candidate candidate;
static char why[256];

enum kind { HARDWARE, SIMULATION, STRANGER };

static void build(enum kind kind)
{
    if (kind == SIMULATION)
        options.root_name = "Some SIMULATION Root CA";
    world = fixture_create(&options);
    collateral = world->collateral;
    intel = kind == HARDWARE ? world->root_pem : NULL;
    memcpy(report_data, world->quote + 48 + offsetof(struct sgx_report_body, reportdata), sizeof report_data);
    now_s = FIXTURE_NOW;
}

static int judge(void)
{
    return judge_quote(world->quote, world->quote_size, collateral, report_data, now_s, &candidate, why, sizeof why);
}

static int setup(void **state)
{
    options = fixture_defaults();
    is_debug = false;
    return 0;
}

static int teardown(void **state)
{
    if (world)
        fixture_destroy(world);
    world = NULL;
    return 0;
}

static void expect_described(bool debug, bool simulated)
{
    why[0] = '\0';
    int error = judge();
    assert_string_equal(why, "");
    assert_int_equal(error, 0);
    assert_memory_equal(candidate.mrenclave, options.body.mrenclave, 32);
    assert_memory_equal(candidate.mrsigner, options.body.mrsigner, 32);
    assert_int_equal(candidate.product, 7);
    assert_int_equal(candidate.svn, 3);
    assert_int_equal(candidate.debug, debug);
    assert_int_equal(candidate.simulated, simulated);
}

static void expect_refused(const char *word)
{
    static const struct upgrade_candidate nobody;
    memset(&candidate, 0, sizeof candidate);
    assert_int_equal(judge(), -EACCES);
    if (!strstr(why, word))
        fail_msg("'%s' is not in '%s'", word, why);
    assert_memory_equal(&candidate, &nobody, sizeof nobody);
}

static void test_good(void **state)
{
    build(HARDWARE);
    expect_described(false, false);
    is_debug = true;
    expect_described(false, false);
}

static void test_hardening_is_the_programs(void **state)
{
    options.tcb.levels[0].status = "SWHardeningNeeded";
    build(HARDWARE);
    expect_described(false, false);
}

/* ---- simulations and debug enclaves ---- */

static void test_simulation(void **state)
{
    options.body.attributes.flags |= SGX_FLAGS_DEBUG;
    build(SIMULATION);
    expect_refused("root: the chain ends in a simulation root");
    is_debug = true;
    expect_described(true, true);
    collateral = NULL;
    expect_described(true, true);
    is_debug = false;
    expect_refused("simulation");
}

static void test_debug(void **state)
{
    options.body.attributes.flags |= SGX_FLAGS_DEBUG;
    build(HARDWARE);
    expect_refused("debug: a debug enclave");
    is_debug = true;
    expect_described(true, false);
}

static void test_strangers(void **state)
{
    build(STRANGER);
    expect_refused("neither Intel's nor a simulation's");
    is_debug = true;
    expect_refused("neither Intel's nor a simulation's");
}

/* ---- collateral ---- */

/* Not even a debug enclave does without, where the platform is real and may be a broken one. */
static void test_no_collateral(void **state)
{
    static const uint8_t quoting_signer[32] = {0x8c, 0x4f, 0x57, 0x75, 0xd7, 0x96, 0x50, 0x3e, 0x96, 0x13, 0x7f,
                                               0x77, 0xc6, 0x8a, 0x82, 0x9a, 0x00, 0x56, 0xac, 0x8d, 0xed, 0x70,
                                               0x14, 0x0b, 0x08, 0x1b, 0x09, 0x44, 0x90, 0xc5, 0x7b, 0xff};
    memcpy(options.qe_body.mrsigner, quoting_signer, 32);
    memcpy(options.qe.qe_signer, quoting_signer, 32);
    build(HARDWARE);
    expect_described(false, false);
    collateral = NULL;
    expect_refused("collateral: none was given");
    is_debug = true;
    expect_refused("collateral: none was given");
    struct verifier_collateral *incomplete = verifier_collateral_create();
    collateral = incomplete;
    expect_refused("collateral: missing");
    verifier_collateral_destroy(incomplete);
}

static void each_refused(void (*const *changes)(void), const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        options = fixture_defaults();
        changes[i]();
        build(HARDWARE);
        expect_refused(words[i]);
        teardown(NULL);
    }
}

#define CHANGE(name, ...)    \
    static void name(void)   \
    {                        \
        options.__VA_ARGS__; \
    }
CHANGE(revoke_platform, pck_revoked = true)
CHANGE(revoke_ca, ca_revoked = true)
CHANGE(revoke_signer, signer_revoked = true)
CHANGE(revoke_level, tcb.levels[0].status = "Revoked")
CHANGE(old_level, tcb.levels[0].status = "OutOfDate")
CHANGE(old_quoting_enclave, qe.levels[0].status = "OutOfDate")
CHANGE(old_processor, platform.components[3] = 2)
CHANGE(bad_configuration, tcb.levels[0].status = "ConfigurationNeeded")
CHANGE(stale_level, tcb.next_update_s = FIXTURE_NOW - 1)
CHANGE(stale_identity, qe.next_update_s = FIXTURE_NOW - 1)
CHANGE(stale_root_list, root_crl_until_s = FIXTURE_NOW - 1)
CHANGE(stale_platform_list, pck_crl_until_s = FIXTURE_NOW - 1)
CHANGE(forged_platform, forged_pck = true)
CHANGE(forged_level, forged_signer = true)
CHANGE(other_platform, info_platform.fmspc[0] = 9)

static void test_platforms(void **state)
{
    static void (*const changes[])(void) = {revoke_platform, revoke_ca,      revoke_signer,     revoke_level,
                                            old_level,       old_processor,  bad_configuration, old_quoting_enclave,
                                            stale_level,     stale_identity, stale_root_list,   stale_platform_list,
                                            forged_platform, forged_level,   other_platform};
    static const char *const words[] = {"the PCK certificate is revoked",
                                        "the PCK CA's certificate is revoked",
                                        "the signer of the TCB info is revoked",
                                        "Revoked, which the caller does not accept",
                                        "OutOfDate, which the caller does not accept",
                                        "OutOfDate, which the caller does not accept",
                                        "ConfigurationNeeded, which the caller does not accept",
                                        "OutOfDate, which the caller does not accept",
                                        "tcb info time",
                                        "qe identity time",
                                        "root crl time",
                                        "pck crl time",
                                        "pck chain",
                                        "tcb info",
                                        "FMSPC"};
    each_refused(changes, words, sizeof words / sizeof words[0]);
}

static void test_clock(void **state)
{
    build(HARDWARE);
    now_s = 0;
    expect_refused("clock");
    now_s = -1;
    expect_refused("clock");
    now_s = FIXTURE_NOW - 2 * FIXTURE_DAY;
    expect_refused("time");
    now_s = FIXTURE_NOW + 30 * FIXTURE_DAY;
    expect_refused("time");
}

/* ---- the quote ---- */

static void test_report_data(void **state)
{
    build(HARDWARE);
    for (size_t i = 0; i < sizeof report_data; i++) {
        report_data[i] ^= 1;
        expect_refused("report data: not what the caller expects");
        report_data[i] ^= 1;
    }
    expect_described(false, false);
}

static void test_no_quote(void **state)
{
    build(HARDWARE);
    for (size_t size = 0; size < world->quote_size; size += size < 1400 ? 1 : 97) {
        assert_int_equal(judge_quote(world->quote, size, collateral, report_data, now_s, &candidate, why, sizeof why),
                         -EACCES);
        assert_true(why[0]);
    }
    world->quote[48 + offsetof(struct sgx_report_body, mrenclave)] ^= 1;
    expect_refused("quote signature");
}

/* ---- how collateral is written ---- */

static uint8_t blobs[1 << 16];

static size_t write_collateral(void)
{
    struct bytes_writer w = bytes_writer_make(blobs, sizeof blobs);
    for (int i = 0; i < VERIFIER_DOCUMENTS; i++) {
        size_t size;
        const void *document = verifier_collateral_get(world->collateral, (enum verifier_document)i, &size);
        bytes_append_blob(&w, document, size);
    }
    assert_false(w.failed);
    return w.size;
}

static void test_written(void **state)
{
    build(HARDWARE);
    size_t size = write_collateral();
    collateral = judge_read_collateral(blobs, size);
    assert_non_null(collateral);
    expect_described(false, false);
    verifier_collateral_destroy(collateral);
    for (size_t cut = 0; cut < size; cut++)
        assert_null(judge_read_collateral(blobs, cut));
    assert_null(judge_read_collateral(blobs, size + 1));
}

static void test_too_long(void **state)
{
    static uint8_t large[VERIFIER_DOCUMENTS * 4 + VERIFIER_DOCUMENT_SIZE_MAX + 1];
    bytes_put_u32(large, VERIFIER_DOCUMENT_SIZE_MAX);
    struct verifier_collateral *c = judge_read_collateral(large, sizeof large - 1);
    assert_non_null(c);
    verifier_collateral_destroy(c);
    bytes_put_u32(large, VERIFIER_DOCUMENT_SIZE_MAX + 1);
    assert_null(judge_read_collateral(large, sizeof large));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_good),        TEST(test_hardening_is_the_programs),
                                       TEST(test_simulation),  TEST(test_debug),
                                       TEST(test_strangers),   TEST(test_no_collateral),
                                       TEST(test_platforms),   TEST(test_clock),
                                       TEST(test_report_data), TEST(test_no_quote),
                                       TEST(test_written),     TEST(test_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
