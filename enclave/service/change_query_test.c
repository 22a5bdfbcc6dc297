/* What a change's query says of how it is made is taken out of it, once; all else is left for whoever judges it. */
#include "enclave/service/change_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_both(const char *path, bool now, bool exclusive, const char *rest)
{
    struct change_query query;
    assert_int_equal(change_query_read(path, &query), 0);
    assert_int_equal(query.now, now);
    assert_int_equal(query.exclusive, exclusive);
    assert_int_equal(query.rest != NULL, rest != NULL);
    if (rest)
        assert_string_equal(query.rest, rest);
    free(query.rest);
}

static void expect(const char *path, bool now, const char *rest)
{
    expect_both(path, now, false, rest);
}

static void what_says_how_is_taken_out(void **state)
{
    (void)state;
    expect("/x", false, NULL);
    expect("/x?now=true", true, NULL);
    expect("/x?now=true&rule=frozen", true, "rule=frozen");
    expect("/x?rule=publisher&key=00&now=true", true, "rule=publisher&key=00");
    expect("/x?rule=publisher&now=true&key=00", true, "rule=publisher&key=00");
    expect_both("/x?exclusive=true", false, true, NULL);
    expect_both("/x?exclusive=true&rule=frozen&now=true", true, true, "rule=frozen");
}

static void the_rest_is_left(void **state)
{
    (void)state;
    expect("/x?", false, "");
    expect("/x?&", false, "&");
    expect("/x?now=true&", true, "");
    expect("/x?&now=true", true, "");
    expect("/x?now=true&now=true", true, "now=true");
    expect("/x?now=1", false, "now=1");
    expect("/x?now", false, "now");
    expect("/x?now=true2", false, "now=true2");
    expect("/x?now=tru", false, "now=tru");
    expect("/x?Now=true", false, "Now=true");
    expect("/x?rule=frozen", false, "rule=frozen");
}

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* A publication is named once, by 64 digits, or by nothing. */
static void a_publication_is_named(void **state)
{
    static const struct {
        const char *path;
        bool names;
        const char *rest;
    } cases[] = {
        {"/x", false, NULL},
        {"/x?publication=" HASH, true, NULL},
        {"/x?rule=frozen&publication=" HASH "&now=true", true, "rule=frozen"},
        {"/x?publication=" HASH "&rule=publisher&key=00", true, "rule=publisher&key=00"},
        {"/x?publication=" HASH "&publication=" HASH, false, "publication=" HASH},
        {"/x?publication=", false, "publication="},
        {"/x?publication=" HASH "0", false, "publication=" HASH "0"},
        {"/x?publication=" HASH "%30", false, "publication=" HASH "%30"},
        {"/x?xpublication=" HASH, false, "xpublication=" HASH},
        {"/x?Publication=" HASH, false, "Publication=" HASH},
        {"/x?publication=g" HASH, false, "publication=g" HASH},
        {"/publication=" HASH, false, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t sha256[32] = {0};
        assert_int_equal(change_query_publication(cases[i].path, sha256), cases[i].names);
        if (cases[i].names)
            assert_int_equal(sha256[1], 0x11);
        expect_both(cases[i].path, strstr(cases[i].path, "now=true") != NULL, false, cases[i].rest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_says_how_is_taken_out),
        cmocka_unit_test(the_rest_is_left),
        cmocka_unit_test(a_publication_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
