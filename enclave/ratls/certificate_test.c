/* Certificates: the names that the host may give, and the times. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/x509v3.h>

#include "enclave/ratls/certificate.h"

#define NOW 1800000059

static const uint8_t thirty_two[32] = {1, 2, 3};

static X509 *make_leaf(EVP_PKEY *key, EVP_PKEY *ca_key, X509 *ca, const char *names)
{
    struct leaf_content content = {.not_before_s = certificate_not_before(NOW),
                                   .names = names,
                                   .quote = thirty_two,
                                   .quote_size = sizeof thirty_two,
                                   .merkle_root = thirty_two,
                                   .instance = thirty_two,
                                   .log_root = thirty_two,
                                   .log_key = thirty_two,
                                   .runtime_hash = thirty_two};
    return certificate_make_leaf(key, ca_key, ca, &content);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"localhost", "localhost,127.0.0.1,::1", "a.example,*.b.example,2001:db8::1"};
    static const char *const bad[] = {
        "",     ",",         "a,",         ",a",    "a,,b",  "a, b", "a b", "b\xc3\xbc.example",
        "a\nb", "https://a", "a.example.", "[::1]", "1.2.3", "*"};
    char error[200], many[200] = "a";
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(certificate_check_names(good[i], error, sizeof error), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(certificate_check_names(bad[i], error, sizeof error), -EINVAL);
    for (size_t i = 1; i < CERTIFICATE_NAMES_MAX; i++)
        strcat(many, ",a");
    assert_int_equal(certificate_check_names(many, error, sizeof error), 0);
    assert_int_equal(certificate_check_names(strcat(many, ",a"), error, sizeof error), -EINVAL);
}

static void test_leaf(void **state)
{
    (void)state;
    EVP_PKEY *key = certificate_make_key(), *ca_key = certificate_make_key();
    X509 *ca = certificate_make_ca(ca_key, NOW), *leaf = make_leaf(key, ca_key, ca, "a.example,10.1.2.3,::1");
    assert_non_null(leaf);
    /* ten minutes before the minute, both: a chain is as young as its youngest certificate */
    time_t from = 1800000000 - 600, until = from + 86400, before = from - 1, after = until + 1;
    assert_int_equal(X509_cmp_time(X509_get0_notBefore(leaf), &before), 1);
    assert_int_equal(X509_cmp_time(X509_get0_notBefore(leaf), &from), -1); /* "at or before" */
    assert_int_equal(X509_cmp_time(X509_get0_notBefore(ca), &from), -1);
    assert_int_equal(X509_cmp_time(X509_get0_notAfter(leaf), &after), -1);
    assert_int_equal(X509_check_host(leaf, "a.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "10.1.2.3", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
    assert_int_equal(X509_check_host(leaf, "b.example", 0, 0, NULL), 0);
    assert_int_equal(X509_verify(leaf, ca_key), 1);
    /* ReportData binds the minute that stands in the certificate */
    uint8_t now[64], then[64];
    assert_int_equal(certificate_report_data(key, certificate_not_before(NOW), then), 0);
    assert_int_equal(certificate_report_data(key, NOW, now), 0);
    assert_memory_not_equal(now, then, 64);
    assert_null(make_leaf(key, ca_key, ca, "a b"));
    assert_null(make_leaf(key, ca_key, ca, ""));
    X509_free(leaf);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

static int size_of(X509 *leaf, const char *text)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(text, 1);
    int at = X509_get_ext_by_OBJ(leaf, oid, -1);
    ASN1_OBJECT_free(oid);
    return at < 0 ? -1 : ASN1_STRING_length(X509_EXTENSION_get_data(X509_get_ext(leaf, at)));
}

/* The same, said by the numbers of either version: a leaf without a quote has no number that means something else. */
static void test_versions(void **state)
{
    static const struct {
        const char *oid;
        int v1, v2;
    } extensions[] = {{"1.2.840.113741.1.13.1.0", 32, -1}, {"1.3.6.1.4.1.65230.1.1", 32, 32},
                      {"1.3.6.1.4.1.65230.2.1", 32, 32},   {"1.3.6.1.4.1.65230.2.2", -1, 32},
                      {"1.3.6.1.4.1.65230.2.4", 32, 32},   {"1.3.6.1.4.1.65230.2.5", 32, -1},
                      {"1.3.6.1.4.1.65230.4.1", 8, -1},    {"1.3.6.1.4.1.65230.4.2", 32, -1},
                      {"1.3.6.1.4.1.65230.4.3", 40, 40},   {"1.3.6.1.4.1.65230.4.4", 32, 32}};
    EVP_PKEY *key = certificate_make_key(), *ca_key = certificate_make_key();
    X509 *ca = certificate_make_ca(ca_key, NOW);
    for (int version = 1; version <= 2; version++) {
        struct leaf_content content = {.not_before_s = certificate_not_before(NOW),
                                       .names = "localhost",
                                       .quote = version == 1 ? thirty_two : NULL,
                                       .quote_size = sizeof thirty_two,
                                       .merkle_root = thirty_two,
                                       .instance = thirty_two,
                                       .log_root = thirty_two,
                                       .log_key = thirty_two,
                                       .runtime_hash = thirty_two,
                                       .workloads_hash = thirty_two,
                                       .egress_hash = thirty_two};
        X509 *leaf = certificate_make_leaf(key, ca_key, ca, &content);
        for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
            assert_int_equal(size_of(leaf, extensions[i].oid), version == 1 ? extensions[i].v1 : extensions[i].v2);
        X509_free(leaf);
    }
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

static void test_versions_of_apps(void **state)
{
    static const struct {
        const char *v1, *v2;
        int size;
    } extensions[] = {{"1.3.6.1.4.1.65230.3.1", "1.3.6.1.4.1.65230.5.1", 32},
                      {"1.3.6.1.4.1.65230.3.2", "1.3.6.1.4.1.65230.4.2", 32},
                      {"1.3.6.1.4.1.65230.3.4", "1.3.6.1.4.1.65230.6.1", 9},
                      {"1.3.6.1.4.1.65230.3.5", "1.3.6.1.4.1.65230.5.2", 32},
                      {"1.3.6.1.4.1.65230.3.6", "1.3.6.1.4.1.65230.4.1", 16}};
    EVP_PKEY *key = certificate_make_key(), *ca_key = certificate_make_key();
    X509 *ca = certificate_make_ca(ca_key, NOW);
    const struct leaf_app app = {.root = thirty_two, .code = thirty_two, .settings = thirty_two, .id = thirty_two};
    for (int version = 1; version <= 2; version++) {
        struct leaf_content content = {.not_before_s = certificate_not_before(NOW),
                                       .names = "localhost",
                                       .app = &app,
                                       .quote = version == 1 ? thirty_two : NULL,
                                       .quote_size = sizeof thirty_two,
                                       .merkle_root = thirty_two,
                                       .instance = thirty_two,
                                       .log_root = thirty_two,
                                       .log_key = thirty_two};
        X509 *leaf = certificate_make_leaf(key, ca_key, ca, &content);
        for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
            assert_int_equal(size_of(leaf, version == 1 ? extensions[i].v1 : extensions[i].v2), extensions[i].size);
            assert_int_equal(size_of(leaf, version == 1 ? "1.3.6.1.4.1.65230.6.1" : extensions[i].v1), -1);
        }
        assert_int_equal(size_of(leaf, "1.3.6.1.4.1.65230.2.4"), -1);
        X509_free(leaf);
    }
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_leaf),
                                       cmocka_unit_test(test_versions), cmocka_unit_test(test_versions_of_apps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
