/*
 * The verifier's parsers of times, JSON, addresses and HTTP answers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <cmocka.h>

#include "verifier/crl.h"
#include "verifier/http_get.h"
#include "verifier/internal.h"
#include "verifier/json.h"
#include "verifier/testing/fixture.h"

static void test_time(void **state)
{
    static const struct {
        const char *text;
        int64_t unix_s;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2027-01-15T08:00:00Z", 1800000000},
                {"2000-02-29T23:59:59Z", 951868799},
                {"2024-12-31T00:00:01Z", 1735603201},
                {"9999-12-31T23:59:59Z", 253402300799}};
    static const char *const bad[] = {"",
                                      "2027-01-15T08:00:00",
                                      "2027-01-15T08:00:00z",
                                      "2027-01-15 08:00:00Z",
                                      "2027-01-15T08:00:00+00:00",
                                      "2027-13-15T08:00:00Z",
                                      "2027-00-15T08:00:00Z",
                                      "2027-02-29T08:00:00Z",
                                      "2100-02-29T08:00:00Z",
                                      "2027-04-31T08:00:00Z",
                                      "2027-01-15T24:00:00Z",
                                      "2027-01-15T08:60:00Z",
                                      "2027-01-15T08:00:60Z",
                                      "1969-12-31T23:59:59Z",
                                      "+027-01-15T08:00:00Z"};
    int64_t t;
    char text[24];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(verifier__parse_time(good[i].text, strlen(good[i].text), &t));
        assert_int_equal(t, good[i].unix_s);
        verifier__format_time(t, text);
        assert_string_equal(text, good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(verifier__parse_time(bad[i], strlen(bad[i]), &t));
    for (int64_t day = 0; day < 60000; day++) { /* every day of 164 years, there and back */
        verifier__format_time(day * 86400 + 3661, text);
        assert_true(verifier__parse_time(text, strlen(text), &t));
        assert_int_equal(t, day * 86400 + 3661);
    }
}

static void test_json_good(void **state)
{
    static const char text[] = " {\"a\":[1,-2.5e+3,0,true,false,null,\"x\\u00e9\\n\"],\"b\":{\"c\":{},\"d\":[[]]},"
                               "\"e\":\"\xc3\xa9\",\"f\":\"00ff\"} ";
    struct json j;
    char out[16];
    uint8_t bytes[2];
    uint64_t number;
    assert_null(verifier__json_parse(&j, text, strlen(text)));
    uint32_t a = verifier__json_member(&j, 0, "a", JSON_ARRAY), b = verifier__json_member(&j, 0, "b", JSON_OBJECT);
    assert_true(a && b && j.values[a].count == 7 && j.values[b].count == 2);
    assert_true(verifier__json_number(&j, JSON_FIRST(a), 1, &number) && number == 1);
    assert_false(verifier__json_number(&j, JSON_FIRST(a), 0, &number));
    assert_false(verifier__json_number(&j, JSON_NEXT(&j, JSON_FIRST(a)), 9999, &number));
    uint32_t last = JSON_FIRST(a);
    while (JSON_NEXT(&j, last) != JSON_END(&j, a))
        last = JSON_NEXT(&j, last);
    assert_false(verifier__json_text(&j, last, out, sizeof out)); /* has escapes */
    assert_true(verifier__json_member(&j, b, "c", JSON_OBJECT));
    assert_int_equal(verifier__json_member(&j, b, "c", JSON_ARRAY), 0);
    assert_int_equal(verifier__json_member(&j, 0, "c", JSON_OBJECT), 0); /* not its own */
    assert_int_equal(verifier__json_member(&j, a, "c", JSON_OBJECT), 0); /* an array has none */
    uint32_t f = verifier__json_member(&j, 0, "f", JSON_STRING);
    assert_true(verifier__json_hex(&j, f, bytes, 2) && bytes[1] == 0xff);
    assert_false(verifier__json_hex(&j, f, bytes, 1));
    assert_true(verifier__json_text(&j, f, out, 5));
    assert_false(verifier__json_text(&j, f, out, 4));
    verifier__json_free(&j);
}

static void refuse_json(const char *text, size_t size)
{
    struct json j;
    const char *wrong = verifier__json_parse(&j, text, size);
    if (!wrong)
        print_message("taken: %s\n", text);
    assert_non_null(wrong);
    assert_null(j.values);
}

static void test_json_bad(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "[1 2]",
                                      "{a:1}",
                                      "{'a':1}",
                                      "[01]",
                                      "[1.]",
                                      "[.5]",
                                      "[-]",
                                      "[1e]",
                                      "[+1]",
                                      "[tru]",
                                      "[nul",
                                      "[\"]",
                                      "[\"\\x\"]",
                                      "[\"\\u12\"]",
                                      "[\"\\u12G4\"]",
                                      "[\"\x01\"]",
                                      "[\"\xff\"]",
                                      "[\"\xc0\x80\"]",
                                      "[\"\xed\xa0\x80\"]",
                                      "[\"\xf4\x90\x80\x80\"]",
                                      "[\"\xc3\"]",
                                      "{\"a\":1,\"a\":2}",
                                      "{\"\\u0061\":1}",
                                      "[1]]",
                                      "{} {}",
                                      "[}",
                                      "{]",
                                      "{\"a\":1 \"b\":2}",
                                      "[NaN]",
                                      "/**/[]",
                                      "[\"a\nb\"]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuse_json(bad[i], strlen(bad[i]));
    refuse_json("[\0]", 3);
    refuse_json("[1]\0", 4);

    char *deep = malloc(200001);
    memset(deep, '[', 100000);
    memset(deep + 100000, ']', 100000);
    refuse_json(deep, 200000); /* no recursion: it only costs JSON_DEPTH_MAX */
    struct json j;
    assert_null(verifier__json_parse(&j, deep + 100000 - JSON_DEPTH_MAX, 2 * JSON_DEPTH_MAX));
    verifier__json_free(&j);
    refuse_json(deep + 100000 - JSON_DEPTH_MAX - 1, 2 * JSON_DEPTH_MAX + 2);
    for (int i = 0; i < 200000; i += 2)
        memcpy(deep + i, "1,", 2);
    deep[0] = '[';
    deep[1] = '0';
    deep[199999] = ']';
    deep[200000] = '\0';
    refuse_json(deep, 200000); /* too many values */
    size_t size = 1;
    for (int i = 0; i <= (int)JSON_MEMBERS_MAX; i++)
        size += (size_t)sprintf(deep + size, "%s\"m%d\":0", i ? "," : "", i);
    deep[0] = '{';
    deep[size++] = '}';
    refuse_json(deep, size);
    free(deep);
}

static void test_urls(void **state)
{
    struct http_url u;
    assert_true(verifier__parse_url("https://pccs.example/sgx?x=1", &u));
    assert_true(u.tls && !strcmp(u.host, "pccs.example") && !strcmp(u.port, "443") && !strcmp(u.path, "/sgx?x=1"));
    assert_true(verifier__parse_url("http://[::1]:8081", &u));
    assert_true(!u.tls && !strcmp(u.host, "::1") && !strcmp(u.port, "8081") && !strcmp(u.path, "/"));
    assert_string_equal(u.authority, "[::1]:8081");
    static const char *const bad[] = {"",
                                      "ftp://x/",
                                      "https://",
                                      "https:///x",
                                      "https://user@x/",
                                      "https://x:/",
                                      "https://x:y/",
                                      "https://x:123456/",
                                      "https://[::1/",
                                      "https://[]/",
                                      "http://x/a b",
                                      "http://x/a\r\nHost: y",
                                      "http://x/#a",
                                      "http://[::1]x/"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(verifier__parse_url(bad[i], &u));
}

static const char *parse_reply(const char *text, struct http_reply *reply)
{
    static char copy[4096];
    strcpy(copy, text);
    return verifier__http_parse((uint8_t *)copy, strlen(copy), reply);
}

static void test_http(void **state)
{
    struct http_reply r;
    assert_null(parse_reply("HTTP/1.1 200 OK\r\nA: b \r\nContent-Length: 3\r\n\r\nabcdef", &r));
    assert_true(r.status == 200 && r.body_size == 3 && memcmp(r.body, "abc", 3) == 0);
    assert_string_equal(verifier__http_field(&r, "a"), "b");
    assert_null(parse_reply("HTTP/1.0 404 No\r\n\r\nuntil the end", &r));
    assert_true(r.status == 404 && r.body_size == 13 && !verifier__http_field(&r, "A"));
    assert_null(parse_reply(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", &r));
    assert_true(r.body_size == 13 && memcmp(r.body, "abc0123456789", 13) == 0);
    static const char *const bad[] = {
        "",
        "HTTP/1.1 200 OK\r\n",
        "SPDY/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(parse_reply(bad[i], &r));
}

/* What a second list in the file revokes must not go unseen: a file is one list, or it is refused. */
static void test_crl_files_hold_one_list(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_CRL *crl = X509_CRL_new();
    BIO *bio = BIO_new(BIO_s_mem());
    ASN1_TIME *now = X509_time_adj(NULL, 0, NULL);
    char *text;
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set1_lastUpdate(crl, now);
    assert_true(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
    static const char *const behind[] = {NULL, "-----BEGIN X509 CRL-----\nMAA=\n", "a comment\n",
                                         "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < 5; i++) {
        (void)BIO_reset(bio);
        assert_int_equal(PEM_write_bio_X509_CRL(bio, crl), 1);
        if (i == 4)
            assert_int_equal(PEM_write_bio_X509_CRL(bio, crl), 1);
        else if (behind[i])
            BIO_puts(bio, behind[i]);
        long size = BIO_get_mem_data(bio, &text);
        X509_CRL *read = verifier__read_crl(text, (size_t)size);
        assert_int_equal(read != NULL, i == 0 || i == 2); /* a comment may stand there */
        X509_CRL_free(read);
    }
    ASN1_TIME_free(now);
    BIO_free(bio);
    X509_CRL_free(crl);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crl_files_hold_one_list),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_json_good),
        cmocka_unit_test(test_json_bad),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
