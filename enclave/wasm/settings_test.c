/* Settings: what is taken, what is refused with which word, and which hosts a rule lets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/wasm/settings.h"

static const uint8_t salt[SETTINGS_SALT_SIZE] = {1, 2, 3};
static char error[200];

static struct app_settings *parse(const char *json)
{
    return app_settings_parse(json, strlen(json), salt, error, sizeof error);
}

static void test_values(void **state)
{
    (void)state;
    struct app_settings *s = parse("{\"environment\":{\"B\":\"2\",\"A\":\"=\"},\"arguments\":[\"x\",\"\"],"
                                   "\"config\":{\"a key\":\"\\u00e9\"}}");
    assert_non_null(s);
    assert_string_equal(setting_find(&s->environment, "A", 1), "=");
    assert_string_equal(setting_find(&s->environment, "B", 1), "2");
    assert_null(setting_find(&s->environment, "AB", 2));
    assert_int_equal(s->arguments.count, 2);
    assert_string_equal(s->arguments.items[1].value, "");
    assert_string_equal(setting_find(&s->config, "a key", 5), "\xc3\xa9");
    assert_false(app_settings_empty(s));
    app_settings_unref(s);
    s = parse(" { } ");
    assert_true(app_settings_empty(s));
    app_settings_unref(s);
}

static void test_digest(void **state)
{
    (void)state;
    struct app_settings *a = parse("{\"config\":{\"a\":\"1\",\"b\":\"2\"}}");
    struct app_settings *b = parse("{ \"config\" : {\"b\":\"2\", \"a\":\"1\"} }");
    struct app_settings *c = parse("{\"config\":{\"a\":\"1\",\"b\":\"3\"}}");
    assert_memory_equal(a->digest, b->digest, 32); /* the same, said otherwise */
    assert_memory_not_equal(a->digest, c->digest, 32);
    app_settings_unref(a);
    app_settings_unref(b);
    app_settings_unref(c);
}

static void test_rules(void **state)
{
    (void)state;
    struct app_settings *s = parse("{\"egress\":[\"API.example.com\",\"*.example.org:8443\",\"10.0.0.1:80\","
                                   "\"[2001:db8::1]\",\"[::1]:8080\"]}");
    static const struct {
        const char *host;
        uint16_t port;
        bool allowed;
    } cases[] = {
        {"api.example.com", 443, true},
        {"Api.Example.Com", 443, true},
        {"api.example.com", 8443, false},
        {"example.com", 443, false},
        {"xapi.example.com", 443, false},
        {"api.example.com.evil.org", 443, false},
        {"a.example.org", 8443, true},
        {"a.b.example.org", 8443, true},
        {"example.org", 8443, false},
        {".example.org", 8443, false},
        {"xexample.org", 8443, false},
        {"a.example.org", 443, false},
        {"10.0.0.1", 80, true},
        {"10.0.0.10", 80, false},
        {"2001:db8::1", 443, true},
        {"2001:db8::1", 80, false},
        {"::1", 8080, true},
        {"", 443, false},
        {"api.example.com.", 443, false},
    };
    assert_non_null(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (app_settings_may_connect(s, cases[i].host, cases[i].port) != cases[i].allowed)
            fail_msg("%s port %u", cases[i].host, cases[i].port);
    app_settings_unref(s);
}

static void test_nothing_is_allowed_by_default(void **state)
{
    (void)state;
    struct app_settings *s = parse("{}");
    assert_false(app_settings_may_connect(s, "localhost", 443));
    app_settings_unref(s);
}

static void test_durable(void **state)
{
    struct app_settings *s = parse("{\"durable\":\"witnessed\"}"), *none = parse("{}");
    assert_true(s->witnessed);
    assert_false(none->witnessed);
    app_settings_unref(s);
    app_settings_unref(none);
}

static void test_peers(void **state)
{
    (void)state;
    struct app_settings *s = parse("{\"peers\":\"request\"}"), *none = parse("{}");
    assert_true(s->request_peers);
    assert_false(s->witnessed);
    assert_false(none->request_peers);
    app_settings_unref(s);
    app_settings_unref(none);
}

static void test_hostnames(void **state)
{
    (void)state;
    struct app_settings *s = parse("{\"hostnames\":[\"shop.example.com\",\"Example.COM\",\"xn--bcher-kva.example\"]}"),
                        *none = parse("{\"hostnames\":[]}");
    static const char *const sorted[] = {"example.com", "shop.example.com", "xn--bcher-kva.example"};
    assert_int_equal(s->hostnames.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(s->hostnames.names[i], sorted[i]);
    char *text = app_settings_hostnames_text(s), *nothing = app_settings_hostnames_text(none);
    assert_string_equal(text, "example.com,shop.example.com,xn--bcher-kva.example");
    assert_string_equal(nothing, "");
    free(text);
    free(nothing);
    app_settings_unref(s);
    app_settings_unref(none);
    char most[400] = "{\"hostnames\":[\"a0.example\"";
    for (unsigned i = 1; i < APP_HOSTNAMES_MAX; i++)
        sprintf(most + strlen(most), ",\"a%u.example\"", i);
    strcat(most, "]}");
    s = parse(most);
    assert_int_equal(s->hostnames.count, APP_HOSTNAMES_MAX);
    app_settings_unref(s);
    strcpy(most + strlen(most) - 2, ",\"b.example\"]}");
    assert_null(parse(most));
    assert_string_equal(error, "hostnames: more than 8: 9");
}

static void refused(const char *const cases[][2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        error[0] = 0;
        assert_null(parse(cases[i][0]));
        if (!strstr(error, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], error);
    }
}

static void test_hostnames_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"hostnames\":\"a.example\"}", "hostnames: not an array: expected ["},
        {"{\"hostnames\":[\"a.example\",7]}", "hostnames: number 2: not a text"},
        {"{\"hostnames\":[\"\"]}", "hostnames: number 1, \"\": "},
        {"{\"hostnames\":[\"*.example.com\"]}", "hostnames: number 1, \"*.example.com\": a wildcard"},
        {"{\"hostnames\":[\"10.0.0.1\"]}", "hostnames: number 1, \"10.0.0.1\": an address"},
        {"{\"hostnames\":[\"::1\"]}", "hostnames: number 1, \"::1\": an address"},
        {"{\"hostnames\":[\"a.example.\"]}", "hostnames: number 1, \"a.example.\": it ends with a dot"},
        {"{\"hostnames\":[\"a.example:443\"]}", "hostnames: number 1, \"a.example:443\": it has a port"},
        {"{\"hostnames\":[\"https://a\"]}", "hostnames: number 1, \"https://a\": it is a URL"},
        {"{\"hostnames\":[\"a.example\\u0000\"]}", "hostnames: number 1, \"a.example\": it has \\u0000 in it"},
        {"{\"hostnames\":[\"a.example\",\"A.example\"]}", "hostnames: number 2, \"A.example\": it is there twice"},
    };
    refused(cases, sizeof cases / sizeof *cases);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "not JSON: it is empty"},
        {"{", "not JSON: line 1: "},
        {"[]", "not a JSON object but an array"},
        {"{\"environment\":[]}", "environment: not an object but an array: expected {"},
        {"{\"environment\":{\"\":\"x\"}}", "environment: a name is empty"},
        {"{\"environment\":{\"A=\":\"x\"}}", "environment: A=: not a name: it must not have '=' in it"},
        {"{\"config\":{\"a\":1}}", "config: a: the value is not a text but a number: write it in quotes"},
        {"{\"config\":{\"a\":null}}", "config: a: the value is not a text but null"},
        {"{\"config\":{\"a\":\"b\\u0000c\"}}", "config: a: the text has \\u0000 in it"},
        {"{\"config\":{\"a\\u0000\":\"b\"}}", "line 1: a name has \\u0000 in it"},
        {"{\"environment\":{\"a\":\"\\u0000\"}}", "environment: a: the text has \\u0000 in it"},
        {"{\"arguments\":[\"a\",\"\\u0000\"]}", "arguments: number 2: the text has \\u0000 in it"},
        {"{\"arguments\":[\"a\",true]}", "arguments: number 2: the value is not a text but true or false"},
        {"{\"arguments\":[[]]}", "arguments: number 1: the value is not a text but an array"},
        {"{\"arguments\":{}}", "arguments: not an array but an object"},
        {"{\"egress\":\"x\"}", "egress: not an array but a text: expected [\"HOST\"]"},
        {"{\"egress\":[\"\"]}", "egress: number 1, \"\": it is empty; expected HOST, *.HOST or HOST:PORT"},
        {"{\"egress\":[\"a\",\"*\"]}", "egress: number 2, \"*\": it is no server's name or address"},
        {"{\"egress\":[\"*.\"]}", "egress: number 1, \"*.\": it is no server's name"},
        {"{\"egress\":[\"a.*.b\"]}", "egress: number 1, \"a.*.b\": * stands for"},
        {"{\"egress\":[\"https://a\"]}", "egress: number 1, \"https://a\": it is a URL"},
        {"{\"egress\":[\"a/b\"]}", "egress: number 1, \"a/b\": it has a path"},
        {"{\"egress\":[\"::1\"]}", "egress: number 1, \"::1\": an IPv6 address stands in brackets"},
        {"{\"egress\":[\"a\",7]}", "egress: number 2: the value is not a text but a number"},
        {"{\"egress\":[\"a\\u0000\"]}", "egress: number 1: the text has \\u0000 in it"},
        {"{\"egress\":[\"a:0\"]}", "egress: number 1, \"a:0\": its port is no number from 1 to 65535"},
        {"{\"egress\":[\"a:65536\"]}", "egress: number 1, \"a:65536\": its port"},
        {"{\"egress\":[\"a:1x\"]}", "egress: number 1, \"a:1x\": its port"},
        {"{\"egress\":[\"[::1\"]}", "egress: number 1, \"[::1\": it is no server's"},
        {"{\"egress\":[\"[::1]x\"]}", "egress: number 1, \"[::1]x\": its port"},
        {"{\"egress\":[\"a b\"]}", "egress: number 1, \"a b\": it is no server's"},
        {"{\"peers\":true}", "peers: the only value is"},
        {"{\"durable\":true}", "durable: the only value is"},
        {"{\"durable\":\"synced\"}", "durable: the only value is \"witnessed\", not \"synced\""},
        {"{\"limits\":1}", "limits: not an object"},
        {"{\"limits\":{\"request\":1}}",
         "limits: request: there is no such limit; there are memory_mib, timeout_ms, cpu_ms"},
        {"{\"limits\":{\"requests\":0}}", "limits: requests: expected a whole number from 1 to 1048576"},
        {"{\"limits\":{\"cpu_ms\":0}}", "limits: cpu_ms: expected a whole number from 1 to 1073741824"},
        {"{\"limits\":{\"requests\":-1}}", "limits: requests: expected a whole number"},
        {"{\"limits\":{\"requests\":1.0}}", "limits: requests: expected a whole number"},
        {"{\"limits\":{\"requests_per_second\":1000001}}", "limits: requests_per_second: expected"},
        {"{\"limits\":{\"body_bytes\":\"1\"}}", "limits: body_bytes: expected"},
        {"{\"peers\":\"require\"}", "peers: the only value is \"request\", not \"require\""},
        {"{\"peers\":\"request\\u0000\"}", "peers: the only value is \"request\"; leave"},
        {"{\"environment\":{\"PATH_INFO\":\"/\"}}", "environment: PATH_INFO: the server gives this name a value"},
        {"{\"environment\":{\"A\":\"b\",\"HTTP_COOKIE\":\"\"}}", "environment: HTTP_COOKIE: the server gives"},
        {"{\"color\":1}", "color: there is no such setting; there are environment"},
        {"{\"config\":{\"a\":\"1\",\"a\":\"2\"}}", "line 1: the same name is given twice"},
    };
    refused(cases, sizeof cases / sizeof *cases);
    static char deep[4096];
    memset(deep, '[', sizeof deep);
    assert_null(app_settings_parse(deep, sizeof deep, salt, error, sizeof error));
    assert_non_null(strstr(error, "nested more than 32 levels deep"));
    static char large[SETTINGS_SIZE_MAX + 1];
    memset(large, ' ', sizeof large);
    assert_null(app_settings_parse(large, sizeof large, salt, error, sizeof error));
    assert_non_null(strstr(error, "65536 bytes"));
}

static void test_limits(void **state)
{
    struct app_settings *s = parse("{\"limits\":{\"memory_mib\":1,\"timeout_ms\":2,\"requests\":3,"
                                   "\"requests_per_second\":4,\"body_bytes\":5,\"cpu_ms\":6}}"),
                        *none = parse("{\"limits\":{}}");
    const struct app_limits *l = &s->limits;
    assert_int_equal(l->memory_mib, 1);
    assert_int_equal(l->timeout_ms, 2);
    assert_int_equal(l->requests, 3);
    assert_int_equal(l->requests_per_second, 4);
    assert_int_equal(l->body_bytes, 5);
    assert_int_equal(l->cpu_ms, 6);
    assert_memory_equal(&none->limits, (&(struct app_limits){0}), sizeof none->limits);
    assert_memory_not_equal(s->digest, none->digest, 32);
    app_settings_unref(s);
    app_settings_unref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_nothing_is_allowed_by_default),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_durable),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostnames),
        cmocka_unit_test(test_hostnames_refused),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
