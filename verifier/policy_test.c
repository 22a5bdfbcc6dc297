/*
 * Policy files: those that are right and those that are not (tests/e2e/python.sh holds the same ones against the
 * schema), what may not stand twice, and the file that is written from what was seen.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "verifier/internal.h"
#include "verifier/testing/manifests.h"

static int read_text(struct verifier_policy *p, const char *text, char error[256])
{
    error[0] = '\0';
    return verifier_policy_read(p, text, strlen(text), error, 256);
}

static void judge_file(const char *name)
{
    char path[512], text[16384], error[256];
    snprintf(path, sizeof path, POLICIES "/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    struct verifier_policy *p = verifier_policy_create();
    int result = read_text(p, text, error);
    bool good = strncmp(name, "good-", 5) == 0;
    if ((result == 0) != good)
        print_message("%s: %d %s\n", name, result, error);
    assert_int_equal(result, good ? 0 : -EINVAL);
    assert_true(good == (error[0] == '\0'));
    verifier_policy_destroy(p);
}

static void test_files(void **state)
{
    DIR *folder = opendir(POLICIES);
    size_t count = 0;
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        judge_file(entry->d_name);
        count++;
    }
    closedir(folder);
    assert_true(count > 40);
}

/* Which line a wrong policy gets: it names the place. */
static void test_errors_name_the_place(void **state)
{
    static const char *const cases[][2] = {
        {"{\"format\":\"enclave-os-policy/1\",\"mrsigner\":\"00\"}", "mrsigner: expected 64 hex digits"},
        {"{\"format\":\"enclave-os-policy/1\",\"collateral\":{\"min\":1}}", "collateral.min: there is no such member"},
        {"{\"format\":\"enclave-os-policy/1\",\"apps\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "apps: a stands twice"},
        {"{\"format\":\"enclave-os-policy/1\",\"apps\":[{\"name\":\"a\",\"id\":1}]}",
         "apps.id: expected 32 hex digits"},
        {"{\"format\":\"enclave-os-policy/1\",\"limits\":\"a\\u0000b\"}", "limits: expected a string of ASCII"},
        {"{\"format\":\"enclave-os-policy/1\",\"limits\":\"a\",\"limits\":\"b\"}", "a name that stands twice"},
        {"{\"format\":\"enclave-os-policy/1\"", "no JSON as it should be"},
        {"{\"mrsigner\":null}", "mrsigner: expected 64 hex digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[256];
        struct verifier_policy *p = verifier_policy_create();
        assert_int_equal(read_text(p, cases[i][0], error), -EINVAL);
        if (!strstr(error, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], error);
        verifier_policy_destroy(p);
    }
}

static void test_contradictions(void **state)
{
    static const uint8_t a[32] = {1}, b[32] = {2};
    const struct verifier_administrator one = {VERIFIER_ADMIN, {1}}, other = {VERIFIER_DEPLOY, {1}};
    const struct verifier_administrator twice[] = {one, other};
    struct verifier_policy *p = verifier_policy_create();
    for (int again = 0; again < 2; again++) { /* the same again is no contradiction */
        assert_int_equal(verifier_policy_expect_instance(p, a), 0);
        assert_int_equal(verifier_policy_expect_administrators(p, 1, &one, 1), 0);
        assert_int_equal(verifier_policy_expect_upgrade_rule(p, "{\"rule\":\"none\"}", 15), 0);
        assert_int_equal(verifier_policy_expect_limits(p, "x"), 0);
        assert_int_equal(verifier_policy_expect_egress_ca(p, NULL), 0);
        assert_int_equal(verifier_policy_expect_code(p, "app", a), 0);
        assert_int_equal(verifier_policy_expect_publisher(p, "app", a, 3), 0);
        assert_int_equal(verifier_policy_expect_app_id(p, "app", a), 0);
        assert_int_equal(verifier_policy_expect_settings(p, "app", a), 0);
        assert_int_equal(verifier_policy_expect_egress(p, "app", "a.example,b.example"), 0);
    }
    assert_int_equal(verifier_policy_expect_instance(p, b), -EEXIST);
    assert_int_equal(verifier_policy_expect_administrators(p, 2, &one, 1), -EEXIST);
    assert_int_equal(verifier_policy_expect_administrators(p, 1, &other, 1), -EEXIST);
    assert_int_equal(verifier_policy_expect_administrators(p, 1, NULL, 0), -EEXIST);
    assert_int_equal(verifier_policy_expect_administrators(p, 1, twice, 2), -EINVAL);
    static const char other_rule[] = "{\"rule\":\"measurements\",\"measurements\":[]}";
    assert_int_equal(verifier_policy_expect_upgrade_rule(p, other_rule, strlen(other_rule)), -EEXIST);
    assert_int_equal(verifier_policy_expect_upgrade_rule(p, "{\"rule\":\"any\"}", 14), -EINVAL);
    assert_int_equal(verifier_policy_expect_limits(p, "y"), -EEXIST);
    assert_int_equal(verifier_policy_expect_egress_ca(p, a), -EEXIST);
    assert_int_equal(verifier_policy_expect_code(p, "app", b), -EEXIST);
    assert_int_equal(verifier_policy_expect_publisher(p, "app", b, 3), -EEXIST);
    assert_int_equal(verifier_policy_expect_publisher(p, "app", a, 4), -EEXIST);
    assert_int_equal(verifier_policy_expect_app_id(p, "app", b), -EEXIST);
    assert_int_equal(verifier_policy_expect_settings(p, "app", NULL), -EEXIST);
    assert_int_equal(verifier_policy_expect_settings(p, "app", b), -EEXIST);
    assert_int_equal(verifier_policy_expect_egress(p, "app", ""), -EEXIST);
    char name[80];
    for (int i = 1; i < 256; i++) {
        snprintf(name, sizeof name, "app-%d", i);
        assert_int_equal(verifier_policy_expect_code(p, name, a), 0);
    }
    assert_int_equal(verifier_policy_expect_code(p, "one more", a), -E2BIG);
    memset(name, 'a', 65);
    name[65] = '\0';
    assert_int_equal(verifier_policy_expect_code(p, name, a), -EINVAL);
    assert_int_equal(verifier_policy_expect_code(p, "", a), -EINVAL);
    verifier_policy_destroy(p);
}

static void test_logs(void **state)
{
    static const char key[] = "enclave-os/1d02030000000000000000000000000000000000000000000000000000000000"
                              "+1585bc0a+AZsfhHkc/HZjBFhU04netcqVRJ2HXydqg4QLBgqznPxx";
    static const uint8_t root[32] = {1}, instance[32] = {0x1d, 2, 3}, another[32] = {9};
    struct made_log *other = made_log_open("other");
    struct verifier_policy *p = verifier_policy_create();
    assert_int_equal(verifier_policy_expect_log(p, "no key", 0, NULL), -EINVAL);
    assert_int_equal(verifier_policy_expect_log(p, key, 0, root), -EINVAL);
    assert_int_equal(verifier_policy_expect_log(p, key, UINT64_C(1) << 63, root), -EINVAL);
    assert_false(p->has_log || p->has_instance);
    assert_int_equal(verifier_policy_expect_instance(p, another), 0);
    assert_int_equal(verifier_policy_expect_log(p, key, 1, root), -EEXIST);
    assert_false(p->has_log);
    verifier_policy_destroy(p);
    p = verifier_policy_create();
    assert_int_equal(verifier_policy_expect_log(p, key, 0, NULL), 0);
    assert_false(verifier_policy_needs_log(p));
    assert_memory_equal(p->instance, instance, 32);
    assert_int_equal(verifier_policy_expect_log(p, made_log_key(other), 0, NULL), -EEXIST);
    for (unsigned i = 1; i <= HEADS_MAX; i++)
        assert_int_equal(verifier_policy_expect_log(p, key, i, root), 0);
    assert_int_equal(verifier_policy_expect_log(p, key, 9, root), -E2BIG);
    assert_true(verifier_policy_needs_log(p));
    verifier_policy_destroy(p);
    made_log_close(other);
}

static void test_witnesses(void **state)
{
    struct verifier_policy *p = verifier_policy_create();
    char text[NOTE_KEY_TEXT_SIZE];
    assert_int_equal(verifier_policy_add_witness(p, "no key"), -EINVAL);
    for (unsigned i = 0; i <= WITNESSES_MAX; i++) {
        const uint8_t raw[32] = {(uint8_t)i};
        struct note_key k;
        assert_int_equal(note_key_make("w", NOTE_ED25519, raw, &k), 0); /* signs, but does not witness */
        assert_int_equal(note_key_text(&k, text, sizeof text), 0);
        assert_int_equal(verifier_policy_add_witness(p, text), -EINVAL);
        assert_int_equal(note_key_make("w", NOTE_COSIGNATURE, raw, &k), 0);
        assert_int_equal(note_key_text(&k, text, sizeof text), 0);
        assert_int_equal(verifier_policy_add_witness(p, text), i < WITNESSES_MAX ? 0 : -E2BIG);
        if (i == WITNESSES_MAX)
            break;
        assert_int_equal(verifier_policy_add_witness(p, text), -EEXIST);
        assert_int_equal(note_key_make("another-name", NOTE_COSIGNATURE, raw, &k), 0); /* would count twice */
        assert_int_equal(note_key_text(&k, text, sizeof text), 0);
        assert_int_equal(verifier_policy_add_witness(p, text), -EEXIST);
    }
    verifier_policy_destroy(p);
}

static void test_egress_is_normalised(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"B.example,a.EXAMPLE", "a.example:443,b.example:443"},
        {"a.example:8443,a.example,a.example:443", "a.example:443,a.example:8443"},
        {"[2001:DB8::1],[::1]:8443,10.0.0.1", "10.0.0.1:443,[2001:db8::1]:443,[::1]:8443"},
        {"*.example.org:8443", "*.example.org:8443"},
        {",", NULL},
        {"a,", NULL},
        {",a", NULL},
        {"a,,b", NULL},
        {"a b", NULL},
        {":443", NULL},
        {"a:", NULL},
        {"a\nb", NULL},
        {"a:b", NULL},
        {"a:123456", NULL},
        {"a:0", NULL},
        {"a:65536", NULL},
        {"a:00000", NULL},
        {"a:65535,b:0443", "a:65535,b:443"},
        {"a]", NULL},
        {"[::1", NULL},
        {"[]", NULL},
        {"::1", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = verifier__normal_egress(cases[i][0]);
        if (cases[i][1])
            assert_string_equal(text ? text : "(none)", cases[i][1]);
        else
            assert_null(text);
        free(text);
    }
}

static void pin_nothing(struct made *m)
{
    made_read_policy(m, "{\"format\": \"enclave-os-policy/1\"}");
    assert_int_equal(verifier_policy_set_roots(m->policy, m->fixture->root_pem, strlen(m->fixture->root_pem)), 0);
    assert_int_equal(verifier_policy_accept_tcb(m->policy, VERIFIER_TCB_SW_HARDENING_NEEDED), 0);
}

static void verify_written(struct made *m, bool who)
{
    struct verifier_result *r = made_verify(m);
    char *text = verifier_policy_write(m->policy, r, &m->evidence, who);
    verifier_result_destroy(r);
    assert_non_null(text);
    made_read_policy(m, text);
    assert_int_equal(verifier_policy_needs_manifest(m->policy), !who);
    assert_int_equal(m->policy->app_count, who ? 0 : 2);
    r = made_verify(m);
    assert_int_equal(verifier_result_verdict(r), VERIFIER_VERIFIED);
    verifier_result_destroy(r);
    char *again = verifier_policy_write(m->policy, r = made_verify(m), &m->evidence, who);
    assert_string_equal(again, text); /* nothing is lost on the way */
    verifier_result_destroy(r);
    verifier_free(again);
    verifier_free(text);
}

/* What is written is what was seen: it verifies, and refuses as soon as anything in it has changed. */
static void test_written(void **state)
{
    struct made *m = made_open();
    made_build(m);
    verify_written(m, false);
    struct made_leaf *settings = made_find(m, "settings:hello");
    assert_true(m->policy->apps[0]->has_sha256 && m->policy->apps[0]->has_settings && m->policy->apps[0]->has_id);
    assert_memory_equal(m->policy->apps[0]->settings, settings->value, 32);
    assert_true(m->policy->apps[1]->has_publisher && !m->policy->apps[1]->has_sha256);
    assert_int_equal(m->policy->min_generation, 41);
    assert_int_equal(m->policy->heads[0].size, 7); /* what was shown, not what was known */
    assert_true(m->policy->witness_count == 2 && m->policy->quorum == 2 && m->policy->cosigned_within_s == 60);
    assert_true(m->policy->only_apps && m->policy->has_egress_ca && m->policy->administrator_count == 2);
    made_close(m);
    m = made_open();
    made_build(m);
    pin_nothing(m);
    verify_written(m, true);
    assert_true(m->policy->has_instance && m->policy->issuer && m->policy->mrenclave_count == 1);
    made_close(m);
}

/* Nothing is written of a server that was refused, or whose manifest nobody saw. */
static void test_not_written(void **state)
{
    struct made *m = made_open();
    made_build(m);
    pin_nothing(m);
    struct verifier_result *r = made_verify(m);
    struct verifier_evidence without = m->evidence;
    without.manifest = NULL;
    assert_null(verifier_policy_write(m->policy, r, &without, false));
    assert_null(verifier_policy_write(m->policy, r, &without, true)); /* nobody saw its CA */
    uint8_t *der = NULL;
    without.issuer_size = (size_t)i2d_X509(m->fixture->leaf_issuer, &der);
    without.issuer = der;
    char *text = verifier_policy_write(m->policy, r, &without, true);
    assert_true(text && strstr(text, "\"issuer\"") && strstr(text, "\"instance\""));
    verifier_free(text);
    without.issuer = without.certificate; /* which did not issue itself */
    without.issuer_size = without.certificate_size;
    assert_null(verifier_policy_write(m->policy, r, &without, true));
    OPENSSL_free(der);
    verifier_result_destroy(r);
    verifier_policy_set_min_generation(m->policy, 42);
    r = made_verify(m);
    assert_null(verifier_policy_write(m->policy, r, &m->evidence, false));
    assert_null(verifier_policy_write(m->policy, NULL, &m->evidence, false));
    verifier_result_destroy(r);
    made_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),          cmocka_unit_test(test_errors_name_the_place),
        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_egress_is_normalised),
        cmocka_unit_test(test_written),        cmocka_unit_test(test_not_written),
        cmocka_unit_test(test_logs),           cmocka_unit_test(test_witnesses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
