/*
 * Requests to servers elsewhere: the peer is the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/https/client.h"
#include "enclave/https/testing/peer.h"

static const struct http_field last[] = {{HTTP_TEXT("x-sum"), HTTP_TEXT("1")},
                                         {HTTP_TEXT("content-length"), HTTP_TEXT("7")},
                                         {HTTP_TEXT("transfer-encoding"), HTTP_TEXT("chunked")},
                                         {HTTP_TEXT("authorization"), HTTP_TEXT("Bearer x")},
                                         {HTTP_TEXT("host"), HTTP_TEXT("h")},
                                         {HTTP_TEXT("set-cookie"), HTTP_TEXT("a=b")},
                                         {HTTP_TEXT("x_enclave_client"), HTTP_TEXT("forged")}};
#define LAST (sizeof last / sizeof *last)

/* How the test dials. */
static struct {
    struct loop_task task;
    http_dialled done;
    void *user;
} dial;

static void dialled(struct loop_task *task)
{
    dial.done(dial.user, &peer.t, CALL_OK, 0);
}

static void *start_dial(struct worker *w, const struct http_site *site, const char *host, uint16_t port,
                        http_dialled done, void *user)
{
    dial.task.fn = dialled;
    dial.done = done;
    dial.user = user;
    loop_post(&w->loop, &dial.task);
    return &dial;
}

static void cancel_dial(void *attempt)
{
}

static void on_call(void *user)
{
}

static void outgoing_trailers_are_chosen(void **state)
{
    static const struct http_dialer dialer = {.start = start_dial, .cancel = cancel_dial};
    static const char response[] = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n"
                                   "Host: h\r\nSet-Cookie: a=b\r\n\r\n";
    const struct http_call_request request = {.worker = &worker,
                                              .dialer = &dialer,
                                              .host = "h",
                                              .method = HTTP_TEXT("PUT"),
                                              .target = HTTP_TEXT("/"),
                                              .authority = HTTP_TEXT("h:1"),
                                              .content_length = CALL_CHUNKED,
                                              .connect_ns = UINT64_MAX,
                                              .first_byte_ns = UINT64_MAX,
                                              .between_ns = UINT64_MAX,
                                              .on_event = on_call};
    char body[16];
    const struct http_field *fields;
    memset(&peer, 0, sizeof peer);
    peer.t.ops = &peer_ops;
    peer.in = response;
    peer.keep_open = true;
    struct http_call *call = http_call_start(&request);
    assert_int_equal(http_call_write(call, "abc", 3), 3);
    assert_int_equal(http_call_finish(call, last, LAST), 0);
    for (int i = 0; i < 100; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    peer.out[peer.out_size] = 0;
    assert_non_null(strstr(peer.out, "3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"));
    assert_non_null(strstr(peer.out, "host: h:1\r\n"));
    peer.in_size = sizeof response - 1;
    peer.t.on_ready(&peer.t, peer.t.user);
    for (int i = 0; i < 100; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    assert_int_equal(http_call_status(call), 200);
    assert_int_equal(http_call_read(call, body, sizeof body), 3);
    assert_int_equal(http_call_read(call, body, sizeof body), 0);
    assert_int_equal(http_call_trailers(call, &fields), 1);
    assert_memory_equal(fields->name.data, "x-sum", 5);
    http_call_delete(call);
    while (loop_run_once(&worker.loop, worker.loop.now_ns + 1))
        ;
    assert_true(peer.closed || peer.aborted);
}

/* A dialer answers later, and once. */
static void *dial_inside(struct worker *w, const struct http_site *site, const char *host, uint16_t port,
                         http_dialled done, void *user)
{
    done(user, NULL, CALL_REFUSED, 0);
    return &dial;
}

static struct http_call *call_with(void *(*start)(struct worker *, const struct http_site *, const char *, uint16_t,
                                                  http_dialled, void *),
                                   void (*event)(void *))
{
    static struct http_dialer dialer;
    static struct http_call_request request;
    dialer = (struct http_dialer){.start = start, .cancel = cancel_dial};
    request = (struct http_call_request){.worker = &worker,
                                         .dialer = &dialer,
                                         .host = "h",
                                         .method = HTTP_TEXT("GET"),
                                         .target = HTTP_TEXT("/"),
                                         .authority = HTTP_TEXT("h:1"),
                                         .content_length = CALL_NO_BODY,
                                         .connect_ns = UINT64_MAX,
                                         .first_byte_ns = UINT64_MAX,
                                         .between_ns = UINT64_MAX,
                                         .on_event = event};
    memset(&peer, 0, sizeof peer);
    peer.t.ops = &peer_ops;
    peer.keep_open = true;
    return http_call_start(&request);
}

static void dials_inside(void)
{
    call_with(dial_inside, on_call);
}

static void is_dialled_twice(void)
{
    call_with(start_dial, on_call);
    loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    dialled(&dial.task);
}

static struct http_call *deleted;

static void delete_it(void *user)
{
    http_call_delete(deleted);
}

static void deletes_inside(void)
{
    deleted = call_with(start_dial, delete_it);
    for (int i = 0; i < 10; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
}

static void calls_have_rules(void **state)
{
    assert_true(stops(dials_inside, "c->attempt"));
    assert_true(stops(is_dialled_twice, "c->attempt"));
    assert_true(stops(deletes_inside, "!c->telling"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outgoing_trailers_are_chosen),
        cmocka_unit_test(calls_have_rules),
    };
    peer_setup(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
