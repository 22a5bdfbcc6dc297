/*
 * Requests that need their whole body, and what the server's own refusals say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/https/testing/peer.h"

static void bodies_reach_the_hook(void **state)
{
    static const char in[] =
        "PUT /_enclave/a?b HTTP/1.1\r\n" H "Authorization: Bearer t\r\nTransfer-Encoding: chunked\r\n"
        "\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    for (size_t step = 0; step < 3; step++) {
        peer_run(in, sizeof in - 1, step, false);
        assert_non_null(strstr(peer.out, "{PUT /_enclave/a?b [Bearer t] abcde}"));
    }
}

/* Each in a field of its own or several in one; empty ones are none. They are charged, and given back. */
static void approvals_reach_the_hook(void **state)
{
    static const struct {
        const char *fields, *seen;
    } cases[] = {
        {"", "[Bearer t] }"},
        {"Enclave-Approval: a.b.c\r\n", "[Bearer t] }<a.b.c>"},
        {"enclave-approval: a\r\nX: y\r\nENCLAVE-APPROVAL: b\r\n", "[Bearer t] }<a><b>"},
        {"Enclave-Approval: a,b ,\t c\r\nEnclave-Approval: d\r\n", "[Bearer t] }<a><b><c><d>"},
        {"Enclave-Approval:\r\nEnclave-Approval: , ,\r\nEnclave-Approval: d,\r\n", "[Bearer t] }<d>"},
        {"Enclave-Approvals: a\r\nEnclave_Approval: b\r\n", "[Bearer t] }"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char in[512];
        int size = snprintf(in, sizeof in, "GET /_enclave/a HTTP/1.1\r\n" H "Authorization: Bearer t\r\n%s\r\n",
                            cases[i].fields);
        peer_run(in, (size_t)size, 0, false);
        assert_non_null(strstr(peer.out, cases[i].seen));
        assert_true(strstr(cases[i].seen, "<") || !strstr(peer.out, "<"));
        assert_int_equal(budget_used(&server.admin_memory), 0);
    }
}

/* With what is signed; of two, either could be meant. */
static void publications_reach_the_hook(void **state)
{
#define PUT "PUT /_enclave/a HTTP/1.1\r\n" H "Authorization: Bearer t\r\nContent-Length: 2\r\n"
    static const char one[] = PUT "Enclave-Publication: a.b.c\r\n\r\nxy";
    static const char two[] = PUT "Enclave-Publication: a.b.c\r\nenclave-publication: a.b.d\r\n\r\nxy";
    static const char empty[] = PUT "Enclave-Publication:\r\n\r\nxy";
    peer_run(one, sizeof one - 1, 0, false);
    assert_non_null(strstr(peer.out, "{PUT /_enclave/a [Bearer t] xy published a.b.c}"));
    peer_run(empty, sizeof empty - 1, 0, false);
    assert_non_null(strstr(peer.out, "{PUT /_enclave/a [Bearer t] xy published }")); /* there is one, and it is none */
    peer_run(two, sizeof two - 1, 0, false);
    assert_string_equal(peer_statuses(), "400 ");
}

/* Bodies for the admin routes have a budget of their own, and give it back. */
static void admin_bodies_are_charged(void **state)
{
    char in[512];
    struct charge other = {0};
    int size = snprintf(in, sizeof in, POST "Content-Length: 1000000\r\n\r\nabc");
    assert_int_equal(budget_used(&server.admin_memory), 0);
    peer_run(in, (size_t)size, 0, true);
    assert_true(budget_used(&server.admin_memory) >= 1000000);
    peer_hang_up();
    assert_int_equal(budget_used(&server.admin_memory), 0);
    assert_true(charge_take(&other, &server.admin_memory, server.admin_memory.limit - 500000));
    peer_run(in, (size_t)size, 0, true);
    assert_string_equal(peer_statuses(), "503 ");
    peer_hang_up();
    charge_give(&other);
    peer_run(in, (size_t)size, 0, true);
    assert_string_equal(peer_statuses(), "");
    peer_hang_up();
    assert_int_equal(budget_used(&server.admin_memory), 0);
}

/* Each answer of the server's own names what was wrong; a limit comes with its number and its option. */
static void refusals_name_what_was_wrong(void **state)
{
    static const char *const asked[][2] = {
        {"GET /healthz HTTP/1.1\r\n\r\n", "there is no Host"},
        {"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", "Host is malformed"},
        {GET "Host: b\r\n\r\n", "is there twice"},
        {"GET /x#y HTTP/1.1\r\n" H "\r\n", "target is malformed"},
        {"GET /x HTTP/3.0\r\n" H "\r\n", "only versions 1.0 and 1.1"},
        {"G(T / HTTP/1.1\r\n" H "\r\n", "method and one space"},
        {"A23456789012345678901234567890123456789012345678901234567890ABCDE / HTTP/1.1\r\n", "more than 64 char"},
        {GET "A:\r\n b\r\n\r\n", "malformed"},
        {GET "A(b: c\r\n\r\n", "malformed: Invalid"},
        {POST "Expect: more\r\n\r\n", "but 100-continue"},
        {POST "Content-Length: x\r\n\r\n", "Content-Length"},
        {POST "Transfer-Encoding: gzip\r\n\r\n", "coding but chunked"},
        {POST "Content-Length: 99999999999\r\n\r\n", "longer than 67108864 bytes"},
        {POST "Content-Length: 9999999999999\r\n\r\n", "longer than 1099511627776 bytes (--max-body-bytes)"},
        {"PUT /_enclave/x HTTP/1.1\r\n" H "Authorization: Bearer t\r\n\r\n", "411 Length Required: PUT without"},
    };
    peer_is_refused(asked, sizeof asked / sizeof *asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_reach_the_hook),        cmocka_unit_test(approvals_reach_the_hook),
        cmocka_unit_test(publications_reach_the_hook),  cmocka_unit_test(admin_bodies_are_charged),
        cmocka_unit_test(refusals_name_what_was_wrong),
    };
    peer_setup(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
