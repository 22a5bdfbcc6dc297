/* Who the witnesses are: as options, as JSON, as leaves; and all that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/witness/set.h"
#include "enclave/witness/testing/cosigner.h"

static struct cosigner keys[WITNESSES_MAX + 1];
static char why[WITNESS_WHY_SIZE];

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cosigner_make(&keys[i], "w.example/x", NOTE_COSIGNATURE);
    return 0;
}

static int teardown(void **state)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cosigner_free(&keys[i]);
    return 0;
}

static struct witness_set *of_options(const char *lines, uint32_t quorum, uint32_t seconds, uint32_t commits)
{
    return witness_set_of_options(lines, strlen(lines), quorum, seconds, commits, why);
}

static void collect(char *text, const char *label, const void *value, size_t size)
{
    size_t used = strlen(text);
    used += (size_t)sprintf(text + used, "%s ", label);
    for (size_t i = 0; i < size; i++)
        text[used++] = ((const char *)value)[i] ? ((const char *)value)[i] : '|';
    text[used++] = '\n';
    text[used] = 0;
}

static int add_leaf(void *user, const char *label, const void *value, size_t size)
{
    collect(user, label, value, size);
    return 0;
}

static void options_records_and_leaves_say_the_same(void **state)
{
    char lines[2048], leaves[2048] = "", wanted[2048];
    bool conditional;
    uint8_t replaces[32];
    snprintf(lines, sizeof lines, "zeta=https://a.example,%s\nw1=http://127.0.0.1:80/log/,%s\n", keys[0].vkey,
             keys[1].vkey);
    struct witness_set *s = of_options(lines, 0, 0, 0);
    assert_non_null(s);
    assert_int_equal(s->count, 2);
    assert_int_equal(s->quorum, 2);
    assert_string_equal(s->of[0].name, "w1");
    assert_string_equal(s->of[0].at.host, "127.0.0.1");
    assert_string_equal(s->of[0].target, "/log/add-checkpoint");
    assert_false(s->of[0].at.tls);
    assert_int_equal(s->of[1].at.port, 443);
    assert_string_equal(s->of[1].target, "/add-checkpoint");
    assert_string_equal(s->of[1].at.authority, "a.example");
    assert_int_equal(witness_set_leaves(s, add_leaf, leaves), 0);
    snprintf(wanted, sizeof wanted,
             "witness:w1 http://127.0.0.1:80/log/|%s\nwitness:zeta https://a.example|%s\n"
             "witnesses quorum=2;seconds=60;commits=1000\n",
             keys[1].vkey, keys[0].vkey);
    assert_string_equal(leaves, wanted);
    char *record = witness_set_record(s);
    struct witness_set *again = witness_set_read(record, strlen(record), &conditional, replaces, why);
    assert_non_null(again);
    assert_false(conditional);
    assert_true(witness_set_same(s, again));
    witness_set_unref(again);
    json_t *json = witness_set_json(s);
    assert_int_equal(json_string_length(json_object_get(json, "sha256")), 64);
    json_decref(json);
    free(record);
    witness_set_unref(s);
}

static void the_set_of_none_promises_nothing(void **state)
{
    char leaves[200] = "";
    bool conditional;
    uint8_t replaces[32];
    struct witness_set *s = of_options("", 0, 0, 0);
    assert_int_equal(s->quorum, 0);
    witness_set_leaves(s, add_leaf, leaves);
    assert_string_equal(leaves, "witnesses quorum=0\n");
    struct witness_set *read = witness_set_read("{\"quorum\":0}", 12, &conditional, replaces, why);
    assert_true(witness_set_same(s, read));
    witness_set_unref(read);
    witness_set_unref(s);
    assert_null(of_options("", 1, 0, 0));
    assert_null(of_options("", 0, 5, 0));
}

/* A witness of this name, URL and key, where NULL stands for a good one. */
static struct witness_set *one(const char *name, const char *url, const char *key)
{
    char line[2048];
    snprintf(line, sizeof line, "%s=%s,%s\n", name ? name : "w", url ? url : "http://a", key ? key : keys[0].vkey);
    return of_options(line, 0, 0, 0);
}

static void what_is_no_witness_is_refused_with_a_word(void **state)
{
    static const char *const names[] = {"", "a b", "a/b", "ä",
                                        "a234567890123456789012345678901234567890123456789012345678901234"};
    static const char *const urls[] = {"",
                                       "a",
                                       "ftp://a",
                                       "http://",
                                       "http:///x",
                                       "http://a:0",
                                       "http://a:01",
                                       "http://a:65536",
                                       "http://a:",
                                       "http://a:80:80",
                                       "http://a/?b",
                                       "http://a/#b",
                                       "http://a/%20",
                                       "http://u@a",
                                       "http://[::1",
                                       "http://::1",
                                       "http://[a]",
                                       "http://[1.2.3.4]",
                                       "HTTP://a",
                                       "http://a b",
                                       "http://a..b",
                                       "https://a/\x7f"};
    static const char *const good[] = {"http://a",          "https://a/",         "http://a:65535", "http://[::1]",
                                       "http://[::1]:7380", "https://a/b-c/_d.~", "http://1.2.3.4"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_null(one(names[i], NULL, NULL));
        assert_non_null(strstr(why, "the name of witness 1"));
    }
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        assert_null(one(NULL, urls[i], NULL));
        assert_non_null(strstr(why, "the URL of witness w"));
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct witness_set *s = one(NULL, good[i], NULL);
        assert_non_null(s);
        witness_set_unref(s);
    }
    char long_url[400] = "http://a/";
    memset(long_url + 9, 'b', WITNESS_URL_MAX - 9);
    struct witness_set *longest = one(NULL, long_url, NULL);
    assert_non_null(longest);
    assert_int_equal(strlen(longest->of[0].target), WITNESS_URL_MAX - 8 + strlen("/add-checkpoint"));
    witness_set_unref(longest);
    long_url[WITNESS_URL_MAX] = 'b';
    assert_null(one(NULL, long_url, NULL));
    struct cosigner log;
    cosigner_make(&log, "log", NOTE_ED25519);
    assert_null(one(NULL, NULL, log.vkey)); /* a log's key */
    assert_non_null(strstr(why, "the key of witness w"));
    cosigner_free(&log);
    assert_null(one(NULL, NULL, ""));
    char broken[NOTE_KEY_TEXT_SIZE];
    for (size_t i = 0; keys[0].vkey[i]; i++) { /* any of its characters changed */
        strcpy(broken, keys[0].vkey);
        broken[i] = broken[i] == '1' ? '2' : '1';
        struct witness_set *s = one(NULL, NULL, broken);
        assert_null(s);
    }
    for (size_t i = 0; i < 3; i++) {
        static const char *const lines[] = {"w\n", "w=http://a\n", "w=http://a,x"};
        assert_null(of_options(lines[i], 0, 0, 0));
        assert_non_null(strstr(why, "NAME=URL,VKEY"));
    }
}

static void what_is_no_set_is_refused_with_a_word(void **state)
{
    char lines[8192] = "";
    for (size_t i = 0; i < WITNESSES_MAX; i++)
        sprintf(lines + strlen(lines), "w%zu=http://a,%s\n", i, keys[i].vkey);
    struct witness_set *s = of_options(lines, WITNESSES_MAX, WITNESS_SECONDS_MAX, WITNESS_COMMITS_MAX);
    assert_non_null(s);
    witness_set_unref(s);
    assert_null(of_options(lines, WITNESSES_MAX + 1, 0, 0));
    assert_null(of_options(lines, 0, WITNESS_SECONDS_MAX + 1, 0));
    assert_null(of_options(lines, 0, 0, WITNESS_COMMITS_MAX + 1));
    sprintf(lines + strlen(lines), "x=http://a,%s\n", keys[WITNESSES_MAX].vkey);
    assert_null(of_options(lines, 0, 0, 0));
    assert_non_null(strstr(why, "more than 8"));
    snprintf(lines, sizeof lines, "a=http://a,%s\nb=http://b,%s\n", keys[0].vkey, keys[0].vkey);
    assert_null(of_options(lines, 0, 0, 0));
    assert_non_null(strstr(why, "one key"));
    snprintf(lines, sizeof lines, "a=http://a,%s\na=http://b,%s\n", keys[0].vkey, keys[1].vkey);
    assert_null(of_options(lines, 0, 0, 0));
    assert_non_null(strstr(why, "two witnesses are called a"));
}

/* Two quorums have a witness in common, or a host shows each of them a history of its own. */
static void a_quorum_is_more_than_half(void **state)
{
    char lines[8192] = "";
    for (uint32_t count = 1; count <= WITNESSES_MAX; count++) {
        sprintf(lines + strlen(lines), "w%u=http://a,%s\n", count, keys[count].vkey);
        for (uint32_t quorum = 1; quorum <= count; quorum++) {
            struct witness_set *s = of_options(lines, quorum, 0, 0);
            assert_int_equal(s != NULL, 2 * quorum > count);
            assert_true(s || strstr(why, "is not more than half of"));
            witness_set_unref(s);
        }
    }
}

static void orders_are_strict(void **state)
{
    char json[2048];
    bool conditional;
    uint8_t replaces[32];
    static const char *const bad[] = {
        "",
        "[]",
        "{\"x\":1}",
        "{\"witnesses\":{}}",
        "{\"witnesses\":[1]}",
        "{\"witnesses\":[{\"name\":\"a\"}]}",
        "{\"quorum\":-1}",
        "{\"quorum\":\"1\"}",
        "{\"quorum\":1.5}",
        "{\"quorum\":1}",
        "{\"seconds\":1}",
        "{\"quorum\":4294967296}",
        "{\"replaces\":\"0\"}",
        "{\"quorum\":0,\"quorum\":0}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        why[0] = 0;
        assert_null(witness_set_read(bad[i], strlen(bad[i]), &conditional, replaces, why));
        assert_true(strlen(why) > 10);
    }
    int size = snprintf(json, sizeof json,
                        "{\"witnesses\":[{\"name\":\"a\",\"url\":\"http://a\",\"key\":\"%s\"}],\"quorum\":1,"
                        "\"replaces\":\"%064d\"}",
                        keys[0].vkey, 7);
    struct witness_set *s = witness_set_read(json, (size_t)size, &conditional, replaces, why);
    assert_non_null(s);
    assert_true(conditional);
    assert_int_equal(replaces[31], 7);
    witness_set_unref(s);
    static const char *const none[] = {"quorum", "seconds", "commits"}; /* 0 is not "what is usual" */
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        size = snprintf(json, sizeof json,
                        "{\"witnesses\":[{\"name\":\"a\",\"url\":\"http://a\",\"key\":\"%s\"}],\"%s\":0}", keys[0].vkey,
                        none[i]);
        assert_null(witness_set_read(json, (size_t)size, &conditional, replaces, why));
        assert_non_null(strstr(why, "are 1 at least"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_records_and_leaves_say_the_same),
        cmocka_unit_test(the_set_of_none_promises_nothing),
        cmocka_unit_test(what_is_no_witness_is_refused_with_a_word),
        cmocka_unit_test(what_is_no_set_is_refused_with_a_word),
        cmocka_unit_test(a_quorum_is_more_than_half),
        cmocka_unit_test(orders_are_strict),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
