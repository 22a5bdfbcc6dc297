/*
 * Which paths are the server's own, and what it answers there; where no app is, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/https/testing/peer.h"
#include "enclave/service/router.h"
#include "enclave/wasm/app.h"

static const struct {
    const char *what, *in, *expected;
} cases[] = {
    {"no right", "GET /metrics HTTP/1.1\r\n" H "\r\n", "401 "},
    {"right", "GET /metrics HTTP/1.1\r\n" H "Authorization: Bearer right\r\n\r\n", "200 "},
    {"trace", "TRACE /healthz HTTP/1.1\r\n" H "\r\n", "405 "},
    {"connect", "CONNECT a:1 HTTP/1.1\r\n" H "\r\n" GET "\r\n", "405 "},
    {"the server as a whole", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "204 "},
    {"the server by its name", "OPTIONS http://a HTTP/1.1\r\n" H "\r\n", "204 "},
};

static void own_paths_are_answered(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        peer_run(cases[i].in, strlen(cases[i].in), 0, false);
        if (strcmp(peer_statuses(), cases[i].expected) != 0)
            fail_msg("%s: expected %s, got %s", cases[i].what, cases[i].expected, peer_statuses());
    }
}

static void refusals_say_what_they_must(void **state)
{
    static const char *const asked[][3] = {
        {"POST /healthz", "405 ", "allow: GET, HEAD\r\n"},
        {"DELETE /metrics", "405 ", "allow: GET, HEAD\r\n"},
        {"TRACE /nothing", "405 ", "allow: "},
        {"CONNECT a:1", "405 ", "allow: "},
        {"GET /readyz", "401 ", "www-authenticate: Bearer"},
        {"GET /_enclave/apps", "401 ", "www-authenticate: Bearer"},
        {"PUT /_enclave/apps/a", "401 ", "www-authenticate: Bearer"},
        {"GET /healthz", "200 ", "cache-control: no-store\r\n"},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        char in[200];
        snprintf(in, sizeof in, "%s HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", asked[i][0]);
        peer_run(in, strlen(in), 0, false);
        assert_string_equal(peer_statuses(), asked[i][1]);
        assert_non_null(strstr(peer.out, asked[i][2]));
    }
}

/* Each answer of the server's own names what was wrong; a limit comes with its number and its option. */
static void refusals_name_what_was_wrong(void **state)
{
    static const char *const asked[][2] = {
        {"GET /nobody HTTP/1.1\r\n" H "\r\n", "404 Not Found: no app is deployed"},
        {"GET /metrics HTTP/1.1\r\n" H "\r\n", "401 Unauthorized: a token"},
        {"PUT /healthz HTTP/1.1\r\n" H "\r\n", "405 Method Not Allowed: Allow says"},
    };
    peer_is_refused(asked, sizeof asked / sizeof *asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_paths_are_answered),
        cmocka_unit_test(refusals_say_what_they_must),
        cmocka_unit_test(refusals_name_what_was_wrong),
    };
    peer_setup(route_request, app_table_new());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
