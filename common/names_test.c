/* Names of servers, each kind and each way of being none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/names.h"

#define LABEL_63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"

static const struct {
    const char *text;
    enum name_kind kind;
} cases[] = {
    {"localhost", NAME_DNS},
    {"a", NAME_DNS},
    {"1a", NAME_DNS},
    {"1.2.3.a", NAME_DNS},
    {"API.example.com", NAME_DNS},
    {"xn--bcher-kva.example", NAME_DNS},
    {LABEL_63 ".x", NAME_DNS},
    {LABEL_63 "." LABEL_63 "." LABEL_63 "."
              "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghija",
     NAME_DNS},
    {"*.example.org", NAME_WILDCARD},
    {"127.0.0.1", NAME_IPV4},
    {"255.255.255.255", NAME_IPV4},
    {"::1", NAME_IPV6},
    {"::", NAME_IPV6},
    {"2001:db8::17", NAME_IPV6},
    {"::ffff:192.0.2.1", NAME_IPV6},
    {"", NAME_WRONG},
    {" ", NAME_WRONG},
    {" b", NAME_WRONG},
    {"b ", NAME_WRONG},
    {"a b", NAME_WRONG},
    {"a\tb", NAME_WRONG},
    {"a\nb", NAME_WRONG},
    {"a,b", NAME_WRONG},
    {"a..b", NAME_WRONG},
    {".a", NAME_WRONG},
    {"a.", NAME_WRONG},
    {".", NAME_WRONG},
    {"-a", NAME_WRONG},
    {"a-", NAME_WRONG},
    {"a.-b", NAME_WRONG},
    {"a_b", NAME_WRONG},
    {"a:8443", NAME_WRONG},
    {"https://a", NAME_WRONG},
    {"a/b", NAME_WRONG},
    {"a@b", NAME_WRONG},
    {"a%62", NAME_WRONG},
    {"b\xc3\xbc"
     "cher.example",
     NAME_WRONG},
    {"\xff", NAME_WRONG},
    {LABEL_63 "d.x", NAME_WRONG},
    {LABEL_63 "." LABEL_63 "." LABEL_63 "."
              "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijab",
     NAME_WRONG},
    {"*", NAME_WRONG},
    {"*.", NAME_WRONG},
    {"*.com", NAME_WRONG},
    {"*.*.example.org", NAME_WRONG},
    {"a.*.example.org", NAME_WRONG},
    {"a*.example.org", NAME_WRONG},
    {"*.127.0.0.1", NAME_WRONG},
    {"1", NAME_WRONG},
    {"1.2.3", NAME_WRONG},
    {"1.2.3.4.5", NAME_WRONG},
    {"256.1.1.1", NAME_WRONG},
    {"01.2.3.4", NAME_WRONG},
    {"a.1", NAME_WRONG},
    {"[::1]", NAME_WRONG},
    {"[::1]:8443", NAME_WRONG},
    {"::1%lo", NAME_WRONG},
    {":::1", NAME_WRONG},
    {"1:2", NAME_WRONG},
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = "";
        enum name_kind kind = name_kind_of(cases[i].text, strlen(cases[i].text), &why);
        if (kind != cases[i].kind)
            fail_msg("'%s' is taken for kind %d, not %d", cases[i].text, kind, cases[i].kind);
        assert_int_equal(why == NULL, kind != NAME_WRONG);
        assert_int_equal(name_kind_of(cases[i].text, strlen(cases[i].text), NULL), kind);
    }
    assert_int_equal(name_kind_of("a\0b", 3, NULL), NAME_WRONG);
    assert_int_equal(name_kind_of("127.0.0.1\0", 10, NULL), NAME_WRONG);
    assert_int_equal(name_kind_of("a.example, more", 9, NULL), NAME_DNS); /* no byte beyond the size counts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
