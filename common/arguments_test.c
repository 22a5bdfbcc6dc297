/* Command lines, good ones and each way of being wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/arguments.h"

static const struct option table[] = {
    {"image", 1, 0, 'i'}, {"app", 1, 0, 'a'}, {"debug", 0, 0, 'd'}, {"debug-level", 1, 0, 'l'}, {0, 0, 0, 0}};
static const int repeatable[] = {'a', 0};

#define MAX 8
static const struct {
    const char *argv[MAX];
    const char *read;  /* vals in order, with their values */
    const char *error; /* NULL: none */
} cases[] = {
    {{NULL}, "", NULL},
    {{"--image", "x", "--debug"}, "i=x d ", NULL},
    {{"--image=x"}, "i=x ", NULL},
    {{"first", "--image", "x", "second"}, "i=x [first][second]", NULL},
    {{"--image", "x", "--", "--debug"}, "i=x [--debug]", NULL},
    {{"--app", "1", "--app=2"}, "a=1 a=2 ", NULL},
    {{"--image", "-"}, "i=- ", NULL},
    {{"--image", "-x"}, "i=-x ", NULL},
    {{"--image=--debug"}, "i=--debug ", NULL},
    {{"--debug-level", "3"}, "l=3 ", NULL},
    {{"--image", "x", "--image", "y"}, "i=x ", "--image is given twice"},
    {{"--debug", "--debug"}, "d ", "--debug is given twice"},
    {{"--image", ""}, "", "--image has an empty value"},
    {{"--image="}, "", "--image has an empty value"},
    {{"--image"}, "", "--image needs a value"},
    {{"--image", "--debug"}, "", "--image needs a value, and --debug is an option"},
    {{"--debug=1"}, "", "--debug takes no value"},
    {{"--ima", "x"}, "", "unknown option --ima: write --image out"},
    {{"--imag=x"}, "", "unknown option --imag=x: write --image out"},
    {{"--deb"}, "", "unknown option --deb"},
    {{"--Image", "x"}, "", "unknown option --Image"},
    {{"--none=secret"}, "", "unknown option --none"},
    {{"-d"}, "", "unknown option -d"},
    {{"-image", "x"}, "", "unknown option -i"},
    {{"--app", "1", "--none"}, "a=1 ", "unknown option --none"},
};

static void test_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[MAX][32], *argv[MAX + 2] = {(char *)(uintptr_t) "program"}, read[128] = "";
        int argc = 1, id, count;
        for (; argc <= MAX && cases[i].argv[argc - 1]; argc++) {
            strcpy(words[argc - 1], cases[i].argv[argc - 1]);
            argv[argc] = words[argc - 1];
        }
        struct arguments a;
        arguments_init(&a, argc, argv, table, repeatable);
        while ((id = arguments_next(&a)) >= 0)
            sprintf(read + strlen(read), "%c%s%s ", id, a.value ? "=" : "", a.value ? a.value : "");
        assert_int_equal(id, cases[i].error ? ARGUMENTS_WRONG : ARGUMENTS_END);
        if (cases[i].error)
            assert_string_equal(a.error, cases[i].error);
        char **rest = arguments_rest(&a, &count);
        for (int k = 0; !cases[i].error && k < count; k++)
            sprintf(read + strlen(read), "[%s]", rest[k]);
        assert_string_equal(read, cases[i].read);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "7", "1000", "18446744073709551615"};
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "1s",
                                      "1.0",
                                      "0x10",
                                      "1e3",
                                      "01",
                                      "00",
                                      "1,000",
                                      "٣",
                                      "1\n",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "NaN"};
    uint64_t v;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(arguments_number(good[i], 0, UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (arguments_number(bad[i], 0, UINT64_MAX, &v))
            fail_msg("'%s' is taken for a number", bad[i]);
    assert_true(arguments_number("5", 5, 6, &v) && v == 5);
    assert_true(arguments_number("6", 5, 6, &v) && v == 6);
    assert_false(arguments_number("4", 5, 6, &v));
    assert_false(arguments_number("7", 5, 6, &v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reading), cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
