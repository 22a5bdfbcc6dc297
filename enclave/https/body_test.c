/*
 * Bodies of requests that break, whoever reads them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/https/h1_internal.h"
#include "enclave/https/testing/peer.h"

/* How a request's body may break; behind the last byte the client's side ends. */
static const struct {
    const char *what, *in, *status, *why;
    bool at_end;   /* only the end tells */
    uint64_t most; /* that who answers lets it have; 0: what the server does */
} broken[] = {
    {"a bad chunk size", "3\r\nabc\r\nxyz\r\n", "400 ", "chunk size", false, 0},
    {"a chunk that is longer than said", "2\r\nabc\r\n0\r\n\r\n", "400 ", "malformed: ", false, 0},
    {"a bare line feed", "3\nabc\r\n0\r\n\r\n", "400 ", "malformed: ", false, 0},
    {"a bad trailer", "3\r\nabc\r\n0\r\na b\r\n\r\n", "400 ", "malformed: ", false, 0},
    {"a folded trailer", "0\r\na: b\r\n c\r\n\r\n", "400 ", "malformed", false, 0},
    {"more than may be", "28\r\n" TEN TEN TEN TEN "\r\n0\r\n\r\n", "413 ", "longer than 30 bytes (--max-body-bytes)",
     false, 0},
    {"more than may be here", "15\r\n" TEN TEN "x\r\n0\r\n\r\n", "413 ", "longer than this app takes", false, 20},
    {"an end in mid chunk", "5\r\nabc", "400 ", "broke off", true, 0},
    {"an end between chunks", "3\r\nabc\r\n", "400 ", "broke off", true, 0},
};

static struct {
    bool answers, failed, told;
} reader; /* of a body: whether it answers when it is over, and what came to it */

static void answer_done(struct http_exchange *x)
{
    x->ops->respond(x, 200, NULL, 0, -1);
    x->ops->write_body(x, "done", 4);
    x->ops->finish(x, NULL, 0);
}

static void read_on(struct http_exchange *x, enum http_event event, void *user)
{
    char buf[16];
    ssize_t got;
    if (event == HTTP_EVENT_GONE)
        reader.told = true;
    if (event != HTTP_EVENT_BODY)
        return;
    while ((got = x->ops->read_body(x, buf, sizeof buf)) > 0)
        ;
    reader.failed = got < 0 && got != -EAGAIN;
    if (got != -EAGAIN && reader.answers)
        answer_done(x);
}

/* An exchange of which only the head has come, and then, step by step, the rest. */
static struct http_exchange *begin_broken(size_t which, char in[300])
{
    int head = snprintf(in, 300, POST "Transfer-Encoding: chunked\r\n\r\n");
    strcat(in, broken[which].in);
    peer_run(in, (size_t)head, 0, true);
    struct http_exchange *x = &((struct h1 *)peer.t.user)->x;
    x->on_event(x, HTTP_EVENT_GONE, x->user); /* the admin's route lets go */
    memset(&reader, 0, sizeof reader);
    x->on_event = read_on;
    x->body_max = broken[which].most;
    return x;
}

static void go_on(const char *in, size_t step)
{
    peer.in_size = strlen(in);
    peer.step = step;
    peer.keep_open = false;
    for (int i = 0; i < 1000 && !peer.closed && !peer.aborted; i++) {
        peer.t.on_ready(&peer.t, peer.t.user);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    }
    peer.out[peer.out_size] = 0;
}

static void expect_refused(size_t which)
{
    if (strcmp(peer_statuses(), broken[which].status) != 0 || !strstr(peer.out, broken[which].why))
        fail_msg("%s: %s", broken[which].what, peer.out);
    assert_non_null(strstr(peer.out, "connection: close\r\n"));
    assert_true(peer.closed);
}

/* Whatever answers, and whether it answers at all: the client is told that its body is broken, not that all is done. */
static void broken_bodies_are_refused(void **state)
{
    char in[300];
    server.limits.streamed_body = 30;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        for (size_t step = 0; step < 3; step++) {
            begin_broken(i, in);
            reader.answers = true;
            go_on(in, step);
            expect_refused(i);
            assert_true(reader.failed);
            begin_broken(i, in);
            go_on(in, step);
            expect_refused(i);
            assert_true(reader.failed && reader.told);
        }
    }
    server.limits.streamed_body = http_limits_default.streamed_body;
}

/* Where nobody reads, what has come is looked at. */
static void unread_broken_bodies_are_refused(void **state)
{
    char in[300];
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        if (broken[i].at_end || broken[i].status[1] == '1')
            continue;
        struct http_exchange *x = begin_broken(i, in);
        peer.in_size = strlen(in);
        peer.t.on_ready(&peer.t, peer.t.user); /* the connection fills its buffer */
        reader.failed = true;
        x->on_event = NULL;
        ((struct h1 *)peer.t.user)->wants_body = false;
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
        answer_done(x);
        go_on(in, 0);
        expect_refused(i);
    }
}

/* An answer that has begun goes on, if who answers wants that, and is the last. */
static void broken_bodies_behind_a_head_end_the_connection(void **state)
{
    char in[400];
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        if (broken[i].status[1] == '1')
            continue;
        struct http_exchange *x = begin_broken(i, in);
        x->ops->respond(x, 200, NULL, 0, -1);
        x->ops->write_body(x, "begun", 5);
        x->ops->push(x);
        strcat(in, broken[i].at_end ? "" : GET "\r\n");
        for (peer.in_size = strlen(in), peer.keep_open = false; !reader.failed;) {
            peer.t.on_ready(&peer.t, peer.t.user);
            loop_run_once(&worker.loop, worker.loop.now_ns + 1);
        }
        assert_false(reader.told);
        assert_int_equal(x->ops->write_body(x, "more", 4), 4);
        x->ops->finish(x, NULL, 0);
        go_on(in, 0);
        assert_string_equal(peer_statuses(), "200 ");
        assert_true(peer.closed);
    }
}

#define KNOWN 40000u

static struct {
    size_t each, stop, got; /* how much is asked for at once, and after how much it is enough */
    bool wrong;
} known;

static char known_byte(size_t at)
{
    return (char)('a' + at % 23);
}

static void read_known(struct http_exchange *x, enum http_event event, void *user)
{
    static char buf[KNOWN + 100];
    ssize_t got = 1;
    if (event != HTTP_EVENT_BODY)
        return;
    while (known.got < known.stop) {
        size_t left = known.stop - known.got;
        got = x->ops->read_body(x, buf, known.each < left ? known.each : left);
        if (got == -EAGAIN)
            return;
        known.wrong |= got <= 0 || (size_t)got > known.each;
        for (ssize_t i = 0; i < got; i++)
            known.wrong |= buf[i] != known_byte(known.got + (size_t)i);
        if (known.wrong)
            break;
        known.got += (size_t)got;
    }
    if (known.stop == KNOWN) /* and there is no more of it */
        known.wrong |= x->ops->read_body(x, buf, 1) != 0;
    answer_done(x);
}

/* A body of announced length is read past the parser, in whatever pieces it comes and is asked for: it ends where it
 * does, and what comes behind it is the next request, also where not all of it was read. */
static void announced_bodies_end_where_they_do(void **state)
{
    static char in[KNOWN + 1000];
    static const size_t steps[] = {0, 37, 5000, 16384}, each[] = {1, 4096, 30000, KNOWN + 100},
                        stops[] = {KNOWN, KNOWN - 1, 20000, 1};
    int head = snprintf(in, sizeof in, POST "Content-Length: %u\r\n\r\n", KNOWN);
    for (size_t i = 0; i < KNOWN; i++)
        in[(size_t)head + i] = known_byte(i);
    strcpy(in + head + KNOWN, GET "\r\n");
    for (size_t i = 0; i < 64; i++) {
        peer_run(in, (size_t)head, 0, true);
        struct http_exchange *x = &((struct h1 *)peer.t.user)->x;
        x->on_event(x, HTTP_EVENT_GONE, x->user); /* the admin's route lets go */
        memset(&known, 0, sizeof known);
        known.each = each[i / 4 % 4];
        known.stop = stops[i / 16];
        x->on_event = read_known;
        for (int turns = 0; turns < 10; turns++)
            go_on(in, steps[i % 4]);
        assert_false(known.wrong);
        assert_int_equal(known.got, known.stop);
        assert_string_equal(peer_statuses(), "200 200 ");
        assert_true(peer.closed);
    }
}

/* It is as broken as another where it ends before its length, wherever that is. */
static void announced_bodies_may_break_off(void **state)
{
    static char in[KNOWN + 1000];
    int head = snprintf(in, sizeof in, POST "Content-Length: %u\r\n\r\n", KNOWN);
    for (size_t i = 0; i < KNOWN; i++)
        in[(size_t)head + i] = known_byte(i);
    static const size_t ends[] = {1, 16384, 20000, KNOWN - 1};
    for (size_t i = 0; i < 8; i++) {
        char kept = in[(size_t)head + ends[i / 2]];
        peer_run(in, (size_t)head, 0, true);
        struct http_exchange *x = &((struct h1 *)peer.t.user)->x;
        x->on_event(x, HTTP_EVENT_GONE, x->user);
        memset(&reader, 0, sizeof reader);
        x->on_event = read_on;
        reader.answers = true;
        in[(size_t)head + ends[i / 2]] = 0;
        for (int turns = 0; turns < 10; turns++)
            go_on(in, i % 2 ? 1000 : 0);
        in[(size_t)head + ends[i / 2]] = kept;
        assert_true(reader.failed);
        assert_string_equal(peer_statuses(), "400 ");
        assert_non_null(strstr(peer.out, "broke off"));
        assert_true(peer.closed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_bodies_are_refused),
        cmocka_unit_test(unread_broken_bodies_are_refused),
        cmocka_unit_test(broken_bodies_behind_a_head_end_the_connection),
        cmocka_unit_test(announced_bodies_end_where_they_do),
        cmocka_unit_test(announced_bodies_may_break_off),
    };
    peer_setup(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
