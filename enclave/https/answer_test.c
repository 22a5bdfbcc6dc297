/*
 * Answers: how they are framed, what is in their heads, and when the connection ends with them.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/https/answer.h"
#include "enclave/https/testing/peer.h"

static const struct http_field given[] = {{HTTP_TEXT("link"), HTTP_TEXT("</a>")},
                                          {HTTP_TEXT("content-length"), HTTP_TEXT("7")}};

static const struct http_field last[] = {{HTTP_TEXT("x-sum"), HTTP_TEXT("1")},
                                         {HTTP_TEXT("content-length"), HTTP_TEXT("7")},
                                         {HTTP_TEXT("transfer-encoding"), HTTP_TEXT("chunked")},
                                         {HTTP_TEXT("authorization"), HTTP_TEXT("Bearer x")},
                                         {HTTP_TEXT("host"), HTTP_TEXT("h")},
                                         {HTTP_TEXT("set-cookie"), HTTP_TEXT("a=b")},
                                         {HTTP_TEXT("x_enclave_client"), HTTP_TEXT("forged")}};
#define LAST (sizeof last / sizeof *last)

static void continue_is_sent_when_the_body_is_wanted(void **state)
{
    static const char in[] = POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok" GET "\r\n";
    size_t head = (size_t)(strstr(in, "\r\n\r\n") - in) + 4;
    peer_run(in, head, 0, true);
    assert_string_equal(peer_statuses(), "100 ");
    peer.in_size = sizeof in - 1;
    peer_hang_up();
    peer.out[peer.out_size] = 0;
    assert_string_equal(peer_statuses(), "100 200 200 ");
    /* Nobody wants this body, so it is not asked for, and the connection cannot go on. */
    static const char unwanted[] = "POST /healthz HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    peer_run(unwanted, sizeof unwanted - 1, 0, true);
    assert_string_equal(peer_statuses(), "405 ");
    assert_true(peer.closed);
}

static void head_has_no_body(void **state)
{
    static const char in[] = "HEAD /healthz HTTP/1.1\r\n" H "\r\n" GET "\r\n";
    peer_run(in, sizeof in - 1, 0, false);
    assert_string_equal(peer_statuses(), "200 200 ");
    assert_non_null(strstr(peer.out, "content-length: 15\r\n"));
    char *first = strstr(peer.out, "\r\n\r\n");
    assert_true(first && strncmp(first + 4, "HTTP/1.1 200", 12) == 0);
}

static void answer(const char *in, int status, const char *body, int64_t length)
{
    struct http_exchange *x = peer_take(in);
    assert_int_equal(x->ops->respond(x, status, given, 1, length), 0);
    assert_int_equal(x->ops->write_body(x, body, strlen(body)), strlen(body));
    x->ops->finish(x, NULL, 0);
    peer_hang_up();
    peer.out[peer.out_size] = 0;
}

static void framing_by_status(void **state)
{
    struct http_exchange *x = peer_take(POST "\r\n");
    assert_int_equal(x->ops->inform(x, 103, given, 2), 0);
    peer.out[peer.out_size] = 0;
    assert_string_equal(peer.out, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    (x->ops->fail)(x, 500, "a test");
    peer_hang_up();
    x = peer_take("POST /_enclave/x HTTP/1.0\r\nAuthorization: Bearer t\r\n\r\n");
    assert_int_equal(x->ops->inform(x, 103, given, 1), 0);
    assert_int_equal(x->ops->respond(x, 200, given, 1, -1), 0);
    x->ops->push(x);
    assert_int_equal(x->ops->write_body(x, "abc", 3), 3);
    x->ops->finish(x, NULL, 0);
    peer_hang_up();
    peer.out[peer.out_size] = 0;
    assert_string_equal(peer_statuses(), "200 ");
    assert_int_equal(peer_count("transfer-encoding") + peer_count("content-length"), 0);
    static const struct {
        const char *method;
        int status;
        int64_t length;
        const char *framing; /* NULL: none */
        bool content;
    } answers[] = {
        {"PUT", 204, -1, NULL, false},
        {"PUT", 204, 3, NULL, false},
        {"PUT", 304, -1, NULL, false},
        {"PUT", 205, 3, "content-length: 0\r\n", false},
        {"HEAD", 200, 3, "content-length: 3\r\n", false},
        {"HEAD", 204, 3, NULL, false},
        {"PUT", 200, 3, "content-length: 3\r\n", true},
        {"PUT", 200, -1, "content-length: 3\r\n", true},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        char in[200];
        snprintf(in, sizeof in, "%s /_enclave/x HTTP/1.1\r\n" H "Authorization: Bearer t\r\nContent-Length: 0\r\n\r\n",
                 answers[i].method);
        answer(in, answers[i].status, "abc", answers[i].length);
        size_t framings = peer_count("content-length: ") + peer_count("transfer-encoding: ");
        assert_int_equal(framings, answers[i].framing != NULL);
        assert_true(!answers[i].framing || peer_count(answers[i].framing) == 1);
        assert_int_equal(peer_count("\r\n\r\nabc"), answers[i].content);
    }
}

static void trailers_are_chosen(void **state)
{
    struct http_exchange *x = peer_take(POST "\r\n");
    assert_int_equal(x->ops->respond(x, 200, NULL, 0, -1), 0);
    assert_int_equal(x->ops->write_body(x, "abc", 3), 3);
    x->ops->finish(x, last, LAST);
    peer_hang_up();
    peer.out[peer.out_size] = 0;
    assert_non_null(strstr(peer.out, "3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"));
    const struct http_field *fields;
    x = peer_take(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nHost: h\r\nX_Enclave_Client: f\r\n"
                       "If-Match: a\r\nTE: b\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(x->ops->trailers(x, &fields), 1);
        assert_memory_equal(fields->name.data, "x-sum", 5);
    }
    (x->ops->fail)(x, 500, "a test");
    peer_hang_up();
}

/* More than is read for the connection's sake is still to come: the client is told that it ends. */
static void early_answers_close(void **state)
{
    static const struct {
        const char *framing;
        bool closes;
    } bodies[] = {{"Content-Length: 1000", false},
                  {"Content-Length: 262144", false},
                  {"Content-Length: 262145", true},
                  {"Transfer-Encoding: chunked", true}};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char in[200];
        snprintf(in, sizeof in, "POST /healthz HTTP/1.1\r\n" H "%s\r\n\r\n", bodies[i].framing);
        peer_run(in, strlen(in), 0, true);
        assert_string_equal(peer_statuses(), "405 ");
        assert_int_equal(peer_count("connection: close\r\n"), bodies[i].closes);
        peer_hang_up();
    }
}

static void answers_of_known_size_say_it(void **state)
{
    static char body[65536], long_value[20000];
    memset(body, 'x', sizeof body);
    memset(long_value, 'y', sizeof long_value);
    const struct http_field long_field = {HTTP_TEXT("x-long"), {long_value, sizeof long_value}};
    /* The last is as long as can be, whatever its head takes. */
    for (size_t size = 1; size <= sizeof body; size = size < 16384    ? size * 4
                                                      : size == 60384 ? sizeof body
                                                                      : size + 22000) {
        struct http_exchange *x = peer_take(POST "\r\n");
        assert_int_equal(x->ops->respond(x, 200, &long_field, size == sizeof body, -1), 0);
        for (size_t at = 0; at < size;) {
            size_t space = x->ops->write_space(x), piece = size - at < 4096 ? size - at : 4096;
            assert_true(space >= piece);
            assert_int_equal(x->ops->write_body(x, body, piece), piece);
            at += piece;
        }
        x->ops->finish(x, NULL, 0);
        peer_hang_up();
        char line[64];
        snprintf(line, sizeof line, "content-length: %zu\r\n\r\n", size);
        peer.out[peer.out_size] = 0;
        const char *found = strstr(peer.out, line);
        assert_non_null(found);
        assert_int_equal((size_t)(peer.out + peer.out_size - found) - strlen(line), size);
    }
    /* One byte more, or a push: it is sent as it comes, and whole. */
    struct http_exchange *x = peer_take(POST "\r\n");
    x->ops->respond(x, 200, NULL, 0, -1);
    x->ops->write_body(x, body, 5000);
    x->ops->push(x);
    peer.out[peer.out_size] = 0;
    assert_non_null(strstr(peer.out, "transfer-encoding: chunked\r\n\r\n1388\r\nxxx"));
    x->ops->finish(x, NULL, 0);
    peer_hang_up();
    peer.out[peer.out_size] = 0;
    assert_non_null(strstr(peer.out, "x\r\n0\r\n\r\n"));
}

/* Whoever looks at the field finds no other name than the target's (RFC 9112, section 3.2.2). */
static void the_targets_authority_is_the_host(void **state)
{
    struct http_exchange *x = peer_take(
        "POST http://target.example:81/_enclave/x HTTP/1.1\r\nX: 1\r\nHost: other\r\nAuthorization: b\r\n\r\n");
    size_t hosts = 0;
    for (size_t i = 0; i < x->request.field_count; i++) {
        struct http_text name = x->request.fields[i].name, value = x->request.fields[i].value;
        if (name.size != 4 || strncasecmp(name.data, "host", 4) != 0)
            continue;
        assert_int_equal(value.size, strlen("target.example:81"));
        assert_memory_equal(value.data, "target.example:81", value.size);
        hosts++;
    }
    assert_int_equal(hosts, 1);
    x->ops->respond(x, 204, NULL, 0, -1);
    x->ops->finish(x, NULL, 0);
    peer_hang_up();
}

static void answers_have_a_date(void **state)
{
    static const char in[] = GET "\r\nPOST /healthz HTTP/1.1\r\n" H "\r\nbad";
    peer_run(in, sizeof in - 1, 0, false);
    assert_int_equal(peer_count("\r\ndate: "), peer_count("HTTP/1.1 "));
    assert_int_equal(peer_count(" GMT\r\n"), peer_count("HTTP/1.1 "));
}

static void behind_head_answers_are_whole(void **state)
{
    static const char *const bad[] = {"\001garbage\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < 3; i++) {
        char in[200];
        snprintf(in, sizeof in, "HEAD /healthz HTTP/1.1\r\n" H "\r\n%s", bad[i]);
        peer_run(in, strlen(in), 0, false);
        char *second = strstr(strstr(peer.out, "\r\n\r\n"), "HTTP/1.1 "), *length = strstr(second, "content-length: ");
        assert_non_null(length);
        assert_int_equal(strlen(strstr(second, "\r\n\r\n") + 4), strtoul(length + 16, NULL, 10));
    }
    peer_run("HEAD / HTTP/1.1\r\n\r\n", 19, 0, false); /* and HEAD that is bad gets none */
    assert_string_equal(peer_statuses(), "400 ");
    assert_int_equal(strlen(strstr(peer.out, "\r\n\r\n")), 4);
}

/* What an answerer may not do: each stops, since what comes of it would be somebody else's answer. */
/* What is answered with a value is the value, however long, whatever is in it. */
static json_t *long_list(size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:i}", "na\"me", "\n\xc3\xa9\\", "n", (int)i));
    return list;
}

static void values_come_whole(void **state)
{
    for (size_t count = 0; count <= 4000; count = 2 * count + 1) {
        struct http_exchange *x = peer_take(POST "\r\n");
        json_t *list = long_list(count);
        http_answer_value(x, 200, json_incref(list));
        peer_hang_up();
        peer.out[peer.out_size] = 0;
        const char *body = strstr(peer.out, "\r\n\r\n") + 4;
        json_t *got = json_loads(body, JSON_DISABLE_EOF_CHECK, NULL);
        char length[48];
        snprintf(length, sizeof length, "content-length: %zu\r\n", strlen(body));
        assert_true(json_equal(got, list));
        assert_non_null(strstr(peer.out, length));
        assert_non_null(strstr(peer.out, "content-type: application/json\r\n"));
        assert_int_equal(list->refcount, 1); /* taken */
        json_decref(got);
        json_decref(list);
    }
}

static void values_have_fields_and_statuses(void **state)
{
    struct http_exchange *x = peer_take(POST "\r\n");
    http_answer_value_with(x, 405, (struct http_field){HTTP_TEXT("allow"), HTTP_TEXT("GET")},
                           json_pack("{s:s}", "a", "b"));
    peer_hang_up();
    peer.out[peer.out_size] = 0;
    assert_string_equal(peer_statuses(), "405 ");
    assert_non_null(strstr(peer.out, "allow: GET\r\n"));
    assert_string_equal(strstr(peer.out, "\r\n\r\n"), "\r\n\r\n{\"a\":\"b\"}");
    x = peer_take(POST "\r\n");
    http_answer_value(x, 200, json_pack("{s:s}", "no UTF-8", "\xff"));
    peer_hang_up();
    assert_string_equal(peer_statuses(), "503 ");
}

/* A connection's next answer is none, and what says that a request failed is. */
static void shared_answers_may_be_read(void **state)
{
    static const char may[] = "access-control-allow-origin: *\r\n";
    struct http_exchange *x = peer_take(POST "\r\n" GET "\r\n");
    x->shared = true;
    http_answer_options(x, "POST, OPTIONS");
    peer_hang_up();
    peer.out[peer.out_size] = 0;
    assert_string_equal(peer_statuses(), "204 200 ");
    assert_int_equal(peer_count(may), 1);
    assert_int_equal(peer_count("access-control-allow-methods: POST, OPTIONS\r\n"), 1);
    x = peer_take(POST "\r\n");
    x->shared = true;
    (x->ops->fail)(x, 503, "no");
    peer_hang_up();
    assert_string_equal(peer_statuses(), "503 ");
    assert_int_equal(peer_count(may), 1);
    x = peer_take(POST "\r\n");
    http_answer_options(x, "POST, OPTIONS");
    peer_hang_up();
    assert_int_equal(peer_count("access-control-"), 0);
}

static void answers_twice(void)
{
    struct http_exchange *x = peer_take(POST "\r\n");
    x->ops->respond(x, 200, NULL, 0, -1);
    x->ops->respond(x, 200, NULL, 0, -1);
}

static void writes_before_the_head(void)
{
    struct http_exchange *x = peer_take(POST "\r\n");
    x->ops->write_body(x, "abc", 3);
}

static void finishes_twice(void)
{
    struct http_exchange *x = peer_take(POST "\r\n");
    x->ops->respond(x, 200, NULL, 0, 0);
    x->ops->finish(x, NULL, 0);
    x->ops->finish(x, NULL, 0);
}

static void *finish_elsewhere(void *user)
{
    struct http_exchange *x = user;
    x->ops->finish(x, NULL, 0);
    return NULL;
}

static void answers_from_another_thread(void)
{
    pthread_t thread;
    struct http_exchange *x = peer_take(POST "\r\n");
    x->ops->respond(x, 200, NULL, 0, 0);
    if (pthread_create(&thread, NULL, finish_elsewhere, x) == 0)
        pthread_join(thread, NULL);
}

static void exchanges_have_rules(void **state)
{
    assert_true(stops(answers_twice, "!c->responded"));
    assert_true(stops(writes_before_the_head, "c->responded"));
    assert_true(stops(finishes_twice, "c->state == H1_EXCHANGE"));
    assert_true(stops(answers_from_another_thread, "pthread_self"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continue_is_sent_when_the_body_is_wanted),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(framing_by_status),
        cmocka_unit_test(trailers_are_chosen),
        cmocka_unit_test(early_answers_close),
        cmocka_unit_test(answers_of_known_size_say_it),
        cmocka_unit_test(the_targets_authority_is_the_host),
        cmocka_unit_test(answers_have_a_date),
        cmocka_unit_test(behind_head_answers_are_whole),
        cmocka_unit_test(values_come_whole),
        cmocka_unit_test(values_have_fields_and_statuses),
        cmocka_unit_test(shared_answers_may_be_read),
        cmocka_unit_test(exchanges_have_rules),
    };
    peer_setup(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
