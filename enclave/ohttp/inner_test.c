/* Requests that were encrypted, over a connection in memory: what is answered, and by whom; limits; ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#undef fail /* an exchange has one of its own */

#include "common/bhttp.h"
#include "enclave/https/answer.h"
#include "enclave/https/fields.h"
#include "enclave/https/testing/peer.h"
#include "enclave/ohttp/keys.h"
#include "enclave/ohttp/limits.h"
#include "enclave/ohttp/ohttp.h"
#include "enclave/ohttp/published.h"
#include "enclave/wasm/app.h"

/* Nothing here asks for the key: that needs a certificate (e2e/ohttp). */
void published_keys(struct http_exchange *x)
{
    (void)x;
    assert_true(false);
}

void published_evidence(struct http_exchange *x)
{
    published_keys(x);
}

static struct ohttp_key key;
static struct ohttp_answer answer_key;
static struct bhttp_message m;     /* what was answered, in what was encrypted */
static struct http_exchange *held; /* by a request that nobody answers */
static unsigned gone;
static char asked[256]; /* what the router saw of the last one */

static bool path_is(const struct http_exchange *x, const char *path)
{
    return http_name_is(x->request.target.path, path);
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    (void)user;
    gone += event == HTTP_EVENT_GONE;
    if (event == HTTP_EVENT_GONE && held == x)
        held = NULL;
}

static void echo(struct http_exchange *x)
{
    char piece[1000];
    ssize_t got;
    x->body_max = 100000;
    assert_int_equal(x->ops->respond(x, 200, x->request.fields, x->request.field_count, -1), 0);
    while ((got = x->ops->read_body(x, piece, sizeof piece)) > 0)
        assert_int_equal(x->ops->write_body(x, piece, (size_t)got), got);
    x->ops->finish(x, NULL, 0);
}

/* More than OHTTP_ANSWER_MAX, but not much; and then it waits, as a guest might. */
static void write_without_end(struct http_exchange *x)
{
    static char piece[32768];
    size_t written = 0;
    assert_int_equal(x->ops->respond(x, 200, NULL, 0, -1), 0);
    while (x->ops->write_body(x, piece, sizeof piece) == sizeof piece)
        written += sizeof piece;
    assert_true(written <= OHTTP_ANSWER_MAX && written > OHTTP_ANSWER_MAX - 2 * sizeof piece);
}

static void route(struct http_server *s, struct http_exchange *x)
{
    static const struct http_field trailer = {HTTP_TEXT("x-end"), HTTP_TEXT("yes")};
    const struct http_field *fields;
    if (ohttp_answer(s, x))
        return;
    snprintf(asked, sizeof asked, "%.*s %.*s %.*s %d %s", (int)x->request.method.size, x->request.method.data,
             (int)x->request.target.authority.size, x->request.target.authority.data, (int)x->request.target.whole.size,
             x->request.target.whole.data, (int)x->request.content_length, x->client ? x->client : "nobody");
    if (path_is(x, "/echo")) {
        echo(x);
    } else if (path_is(x, "/endless")) {
        x->on_event = on_event;
        write_without_end(x);
    } else if (path_is(x, "/short")) {
        x->ops->respond(x, 200, NULL, 0, 10);
        x->ops->write_body(x, "half", 4);
        assert_int_equal(x->ops->finish(x, NULL, 0), -EMSGSIZE);
    } else if (path_is(x, "/trailer")) {
        assert_int_equal(x->ops->trailers(x, &fields), 0);
        x->ops->respond(x, 200, NULL, 0, -1);
        x->ops->finish(x, &trailer, 1);
    } else if (path_is(x, "/late")) {
        x->ops->respond(x, 200, NULL, 0, -1);
        x->ops->write_body(x, "something", 9);
        x->ops->fail(x, 500, "it broke");
    } else if (path_is(x, "/held")) {
        held = x;
        x->on_event = on_event;
    } else {
        x->ops->fail(x, 404, "nothing is here");
    }
}

/* The connection's bytes for a message, malloc'ed. */
static char *encrypted(const uint8_t *plain, size_t size, size_t *out_size)
{
    size_t sealed = size + OHTTP_REQUEST_OVERHEAD;
    char *out = malloc(sealed + 256);
    int head = sprintf(out,
                       "POST /_enclave/ohttp HTTP/1.1\r\n" H "Content-Type: message/ohttp-req\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       sealed);
    assert_int_equal(ohttp_request_seal(&key, plain, size, (uint8_t *)out + head, &answer_key), 0);
    *out_size = (size_t)head + sealed;
    return out;
}

/* The answer out of the connection's output. */
static void open_answer(void)
{
    const char *why = "";
    uint8_t *plain;
    size_t size;
    char *body = memmem(peer.out, peer.out_size, "\r\n\r\n", 4);
    assert_string_equal(peer_statuses(), "200 ");
    assert_int_equal(peer_count("content-type: message/ohttp-res\r\n"), 1);
    assert_non_null(body);
    body += 4;
    assert_int_equal(
        ohttp_answer_open(&answer_key, (uint8_t *)body, peer.out_size - (size_t)(body - peer.out), &plain, &size), 0);
    assert_int_equal(bhttp_read(plain, size, &m, &why), 0);
    assert_true(m.is_response);
}

static void ask_message(const uint8_t *plain, size_t size)
{
    size_t whole;
    char *in = encrypted(plain, size, &whole);
    peer_run(in, whole, 0, false);
    open_answer();
    free(in);
}

static void ask(const char *method, const char *path, const void *content, size_t size)
{
    static const struct bhttp_field fields[] = {{{"x-a", 3}, {"b", 1}}};
    uint8_t *plain = malloc(size + 1024);
    struct bytes_writer w = bytes_writer_make(plain, size + 1024);
    bhttp_put_request(&w, method, "example.com", path, fields, 1, content, size);
    assert_false(w.failed);
    ask_message(plain, w.size);
    free(plain);
}

static bool content_has(const char *text)
{
    return memmem(m.content, m.content_size, text, strlen(text));
}

static bool has_field(struct bhttp_lines left, const char *name, const char *value)
{
    struct bhttp_field field;
    while (bhttp_next(&left, &field))
        if (field.name.size == strlen(name) && memcmp(field.name.at, name, field.name.size) == 0)
            return !value ||
                   (field.value.size == strlen(value) && memcmp(field.value.at, value, field.value.size) == 0);
    return false;
}

static void the_router_sees_the_request(void **state)
{
    (void)state;
    ask("GET", "/echo?q", "content", 7);
    assert_string_equal(asked, "GET example.com /echo?q 7 nobody");
    assert_int_equal(m.status, 200);
    assert_true(has_field(m.header, "x-a", "b") && has_field(m.header, "date", NULL));
    assert_int_equal(m.content_size, 7);
    assert_true(content_has("content"));
    ask("HEAD", "/echo", "", 0);
    assert_int_equal(m.content_size, 0);
    ask("GET", "/trailer", "", 0);
    assert_int_equal(m.trailer.count, 1);
    assert_true(has_field(m.trailer, "x-end", "yes"));
    ask("GET", "/nowhere", "", 0);
    assert_int_equal(m.status, 404);
    assert_true(content_has("nothing is here"));
}

static void an_answer_is_whole_or_another_one(void **state)
{
    (void)state;
    ask("GET", "/short", "", 0);
    assert_int_equal(m.status, 502);
    assert_true(content_has("shorter than it says"));
    ask("GET", "/late", "", 0);
    assert_int_equal(m.status, 500);
    assert_true(content_has("it broke") && !content_has("something"));
}

static void what_comes_has_limits(void **state)
{
    static uint8_t content[100001];
    (void)state;
    ask("GET", "/echo", content, 100000);
    assert_int_equal(m.status, 200);
    assert_int_equal(m.content_size, 100000);
    ask("GET", "/echo", content, 100001); /* the app's */
    assert_int_equal(m.status, 413);
    char *path = malloc(HTTP_TARGET_MAX + 2);
    memset(path, '/', 1);
    memset(path + 1, 'a', HTTP_TARGET_MAX);
    path[HTTP_TARGET_MAX + 1] = 0;
    uint8_t *plain = malloc(HTTP_TARGET_MAX + 1024);
    struct bytes_writer w = bytes_writer_make(plain, HTTP_TARGET_MAX + 1024);
    bhttp_put_request(&w, "GET", "a", path, NULL, 0, "", 0);
    ask_message(plain, w.size);
    assert_int_equal(m.status, 414);
    free(plain);
    free(path);
}

static void what_goes_has_limits(void **state)
{
    (void)state;
    unsigned before = gone;
    ask("GET", "/endless", "", 0);
    assert_int_equal(m.status, 502);
    assert_true(content_has("larger than an encrypted one may be"));
    assert_int_equal(gone, before + 1); /* who answers is let go */
}

static void whoever_goes_leaves_nothing_behind(void **state)
{
    uint8_t plain[256];
    size_t size;
    (void)state;
    struct bytes_writer w = bytes_writer_make(plain, sizeof plain);
    bhttp_put_request(&w, "GET", "a", "/held", NULL, 0, "", 0);
    char *in = encrypted(plain, w.size, &size);
    unsigned before = gone;
    peer_run(in, size, 1, true); /* byte by byte */
    assert_non_null(held);
    peer.t.broken = true;
    peer_hang_up();
    assert_null(held);
    assert_int_equal(gone, before + 1);
    peer_run(in, size - 1, 0, true); /* never whole */
    peer_hang_up();
    peer_run(in, size - 1, 0, false);
    free(in);
}

static void what_is_over_is_ended(void **state)
{
    uint8_t plain[256];
    size_t size;
    (void)state;
    struct bytes_writer w = bytes_writer_make(plain, sizeof plain);
    bhttp_put_request(&w, "GET", "a", "/held", NULL, 0, "", 0);
    char *in = encrypted(plain, w.size, &size);
    unsigned before = gone;
    peer_run(in, size, 0, true);
    assert_non_null(held);
    http_site_retire(&peer_site, SITE_CUT_AT_ONCE);
    for (int i = 0; i < 3; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + UINT64_C(1000000000));
    assert_int_equal(gone, before + 1);
    open_answer();
    assert_int_equal(m.status, 503);
    assert_true(content_has("served no more"));
    peer_hang_up();
    free(in);
}

static void what_is_no_message_is_said_in_the_clear(void **state)
{
    static const char head[] = "POST /_enclave/ohttp HTTP/1.1\r\n" H "Content-Type: message/ohttp-req\r\n";
    static const struct {
        const char *rest, *says;
    } cases[] = {
        {"Content-Length: 4\r\n\r\nabcd", "400 "},
        {"Content-Length: 0\r\n\r\n", "400 "},
        {"Content-Length: 1048577\r\n\r\n", "413 "},
        {"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n", "400 "},
        {"Transfer-Encoding: chunked\r\n\r\nzz", "400 "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char in[512];
        snprintf(in, sizeof in, "%s%s", head, cases[i].rest);
        peer_run(in, strlen(in), 0, false);
        assert_string_equal(peer_statuses(), cases[i].says);
    }
}

static int setup(void **state)
{
    uint8_t list[OHTTP_KEYS_SIZE];
    (void)state;
    peer_setup(route, app_table_new());
    assert_int_equal(ohttp_open(&worker.loop), 0);
    assert_int_equal(keys_list(&peer_site, worker.loop.now_ns, list), 0);
    return ohttp_keys_read(list, sizeof list, &key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_router_sees_the_request),
        cmocka_unit_test(an_answer_is_whole_or_another_one),
        cmocka_unit_test(what_comes_has_limits),
        cmocka_unit_test(what_goes_has_limits),
        cmocka_unit_test(whoever_goes_leaves_nothing_behind),
        cmocka_unit_test(what_is_no_message_is_said_in_the_clear),
        cmocka_unit_test(what_is_over_is_ended), /* last: the site has no key afterwards */
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
