/*
 * Which paths are the server's own, and what it answers there; where no app is, too. And what there is under an app's
 * own name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/https/answer.h"
#include "enclave/https/fields.h"
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

/* ---- an app that says what it is asked --------------------------------------------------------------------------- */

static struct app *const shop = (struct app *)"shop";

struct app *__wrap_app_table_find(const struct app_table *table, const char *name, size_t size)
{
    assert_ptr_equal(table, peer_site.apps);
    return size == 4 && memcmp(name, "shop", 4) == 0 ? shop : NULL;
}

const char *__wrap_app_prefix(const struct app *app)
{
    assert_ptr_equal(app, shop);
    return "/shop";
}

void __wrap_app_handle(struct app *app, struct http_exchange *x)
{
    struct http_text prefix = HTTP_TEXT("nothing");
    char says[200];
    assert_ptr_equal(app, shop);
    size_t count = http_fields_find(x->request.fields, x->request.field_count, "x-forwarded-prefix", &prefix);
    assert_true(count <= 1);
    snprintf(says, sizeof says, "%.*s behind %.*s", (int)x->request.target.whole.size, x->request.target.whole.data,
             (int)prefix.size, prefix.data);
    http_answer_value(x, 200, json_pack("{s:s}", "asked", says));
}

static void run(const char *line, const char *host)
{
    char in[400];
    snprintf(in, sizeof in, "%s HTTP/1.1\r\n%s%s%sX-Forwarded-Prefix: /mine\r\n\r\n", line, host ? "Host: " : "",
             host ? host : "", host ? "\r\n" : "");
    peer_run(in, strlen(in), 0, false);
}

static void says(const char *line, const char *host, const char *statuses, const char *text)
{
    run(line, host);
    if (strcmp(peer_statuses(), statuses) != 0 || !strstr(peer.out, text))
        fail_msg("%s of %s: %s, and not %s\n%s", line, host, peer_statuses(), statuses, peer.out);
}

static void an_app_has_its_part_of_the_path(void **state)
{
    says("GET /shop/x?y", "a", "200 ", "/x?y behind /shop");
    says("GET /shop", "a", "200 ", "/ behind /shop");
    says("GET /other/x", "a", "404 ", "no app is deployed");
}

/* Under its own name it has all of it, the server's paths among them, but for what proves it. */
static void under_its_name_it_is_all_there_is(void **state)
{
    peer_app = "shop";
    peer_name = "shop.example.com";
    static const char *const paths[] = {"/",       "/shop/x?y", "/healthz",    "/readyz",
                                        "/status", "/metrics",  "/_enclavex/", "/__privasysx"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char line[64], answer[64];
        snprintf(line, sizeof line, "GET %s", paths[i]);
        snprintf(answer, sizeof answer, "%s behind nothing", paths[i]);
        says(line, "shop.example.com", "200 ", answer);
    }
    static const char *const closed[] = {"GET /_enclave/apps",          "PUT /_enclave/apps/shop", "GET /_enclave",
                                         "GET /_enclave/manifest/x",    "POST /_enclave/handover", "GET /__privasys/",
                                         "GET /_enclave/administrators"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        says(closed[i], "shop.example.com", "404 ", "nothing but what proves it");
    says("TRACE /", "shop.example.com", "405 ", "allow: ");
    says("OPTIONS *", "shop.example.com", "204 ", "allow: ");
}

static bool proves(void *user, struct http_exchange *x)
{
    bool is_proof = x->request.target.path.size > 10;
    if (is_proof)
        http_answer_value(x, 200, json_pack("{s:s}", "it", "proves"));
    return is_proof;
}

static void what_proves_it_is_the_servers(void **state)
{
    static const char *const paths[] = {"/_enclave/manifest", "/_enclave/proof/app%3Ashop", "/_enclave/log/checkpoint",
                                        "/__privasys/attest"};
    peer_app = "shop";
    peer_name = "shop.example.com";
    server.more_routes = proves;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char line[64];
        snprintf(line, sizeof line, "GET %s", paths[i]);
        says(line, "shop.example.com", "200 ", "\"proves\"");
    }
    says("GET /_enclave/handover", "shop.example.com", "404 ", "nothing but what proves it");
    server.more_routes = NULL;
}

static void another_host_is_misdirected(void **state)
{
    static const char *const same[] = {"shop.example.com:8443", "SHOP.example.COM", "shop.example.com:"};
    static const char *const other[] = {
        "",      "shop.example.org",  "example.com",      "shop.example.com.", "127.0.0.1",
        "[::1]", "shop.example.comx", "xshop.example.com"};
    peer_app = "shop";
    peer_name = "shop.example.com";
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        says("GET /x", same[i], "200 ", "/x behind nothing");
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        says("GET /x", other[i], "421 ", "421 Misdirected Request: this connection was opened for another host");
        says("GET /_enclave/manifest", other[i], "421 ", "another host");
    }
    says("GET https://other.example.com/x", "shop.example.com", "421 ", "another host"); /* the target counts */
    says("GET https://shop.example.com/x", "other.example.com", "200 ", "/x behind nothing");
    peer_run("GET /x HTTP/1.0\r\n\r\n", 19, 0, false);
    assert_non_null(strstr(peer.out, " 421 "));
}

/* Witnesses do not vouch: neither does an app answer under its name. */
static void what_is_withheld_is_withheld_here(void **state)
{
    peer_app = "shop";
    peer_name = "shop.example.com";
    atomic_store(&server.withheld, true);
    says("GET /healthz", "shop.example.com", "503 ", "nothing is served");
    atomic_store(&server.withheld, false);
    says("GET /healthz", "shop.example.com", "200 ", "/healthz behind nothing");
}

static int as_the_server(void **state)
{
    peer_app = peer_name = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_paths_are_answered),
        cmocka_unit_test(refusals_say_what_they_must),
        cmocka_unit_test(refusals_name_what_was_wrong),
        cmocka_unit_test(an_app_has_its_part_of_the_path),
        cmocka_unit_test_teardown(under_its_name_it_is_all_there_is, as_the_server),
        cmocka_unit_test_teardown(what_proves_it_is_the_servers, as_the_server),
        cmocka_unit_test_teardown(another_host_is_misdirected, as_the_server),
        cmocka_unit_test_teardown(what_is_withheld_is_withheld_here, as_the_server),
    };
    peer_setup(route_request, app_table_new());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
