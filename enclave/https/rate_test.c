/*
 * Who is slow: time-outs, and the least rate at which a client must send and take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/https/testing/peer.h"

static void slow_heads_time_out(void **state)
{
    peer_run("GET /hea", 8, 0, true);
    assert_string_equal(peer_statuses(), "");
    worker.loop.now_ns += UINT64_C(31000000000);
    for (int i = 0; i < 10 && !peer.closed; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns);
    peer.out[peer.out_size] = 0;
    assert_string_equal(peer_statuses(), "408 ");
    assert_non_null(strstr(peer.out, "longer than 30000 ms (--header-timeout)"));
    assert_true(peer.closed);
}

/* Let time pass, in steps of a second, each with so many bytes more of the input, or for a slow reader of the
 * output. */
static void trickle(unsigned seconds, size_t bytes, size_t all)
{
    for (unsigned i = 0; i < seconds && !peer.closed && !peer.aborted; i++) {
        peer.in_size = peer.in_size + bytes < all ? peer.in_size + bytes : all;
        peer.allowance += bytes;
        worker.loop.now_ns += UINT64_C(1000000000);
        peer.t.on_ready(&peer.t, peer.t.user);
        for (int k = 0; k < 10 && !peer.closed && !peer.aborted; k++)
            loop_run_once(&worker.loop, worker.loop.now_ns);
    }
    peer.out[peer.out_size] = 0;
}

static void slow_bodies_let_go(void **state)
{
    static char in[200000];
    size_t head = (size_t)sprintf(in, POST "Content-Length: 100000\r\n\r\n"), all = head + 100000;
    memset(in + head, 'x', 100000);
    peer_run(in, head, 0, true); /* a byte each second: less than a timeout between two, and far below the rate */
    trickle(19, 1, all);
    assert_string_equal(peer_statuses(), "");
    trickle(5, 1, all);
    assert_string_equal(peer_statuses(), "408 ");
    assert_true(peer.closed);
    assert_non_null(strstr(peer.out, "slower than 240 bytes a second (--min-rate)"));
    assert_non_null(strstr(peer.out, "connection: close\r\n"));
    peer_run(in, head, 0, true); /* just above it */
    trickle(399, server.limits.min_rate + 10, all);
    assert_string_equal(peer_statuses(), "");
    trickle(100, server.limits.min_rate + 10, all);
    assert_string_equal(peer_statuses(), "200 ");
    peer_hang_up();
}

static size_t answers(void)
{
    size_t count = 0;
    for (const char *at = peer.out; (at = strstr(at, "HTTP/1.1 200")); at++)
        count++;
    return count;
}

static void slow_readers_let_go(void **state)
{
    static char in[200 * sizeof(GET "\r\n")];
    size_t all = 0;
    peer_reads_slowly = true;
    peer_run(GET "\r\n", strlen(GET "\r\n"), 0, true); /* a byte each second */
    trickle(19, 1, peer.in_size);
    assert_false(peer.closed || peer.aborted);
    trickle(5, 1, peer.in_size);
    assert_true(peer.aborted);
    for (int i = 0; i < 200; i++) /* just above the rate, for longer than any timeout */
        all += (size_t)sprintf(in + all, GET "\r\n");
    peer_run(in, all, 0, true);
    trickle(30, server.limits.min_rate + 10, all);
    assert_false(peer.closed || peer.aborted);
    assert_in_range(answers(), 10, 199);
    trickle(400, server.limits.min_rate + 10, all);
    assert_int_equal(answers(), 200);
    assert_false(peer.aborted);
    peer_hang_up();
    peer_reads_slowly = false;
}

static void any_rate_may_be_allowed(void **state)
{
    static const char head[] = POST "Content-Length: 200\r\n\r\n";
    char in[sizeof head - 1 + 200];
    memset(in, 'x', sizeof in);
    memcpy(in, head, sizeof head - 1);
    uint32_t rate = server.limits.min_rate;
    server.limits.min_rate = 0;
    peer_run(in, sizeof head - 1, 0, true);
    trickle(199, 1, sizeof in);
    assert_string_equal(peer_statuses(), "");
    assert_false(peer.closed || peer.aborted);
    trickle(1, 1, sizeof in);
    assert_string_equal(peer_statuses(), "200 ");
    peer_hang_up();
    server.limits.min_rate = rate;
}

/* A thousand requests, from a client that takes no more of the answers than peer.limit. How many bytes they are. */
static size_t many_for_a_full_client(void)
{
    static char in[1000 * sizeof GET];
    size_t size = 0;
    while (size + sizeof GET + 2 < sizeof in)
        size += (size_t)sprintf(in + size, GET "\r\n");
    peer_run(in, 0, 0, true);
    peer.full = true;
    peer.in_size = size;
    return size;
}

/* However evenly a client reads, the network takes what is for it in bursts: they count until the next. */
static void steady_readers_are_kept(void **state)
{
    size_t size = many_for_a_full_client();
    for (int burst = 0; burst < 8; burst++) {
        peer.limit = peer.out_size + 14000;
        trickle(55, 0, size); /* 254 bytes a second */
        assert_int_equal(peer.out_size, peer.limit);
        assert_false(peer.closed || peer.aborted);
    }
    trickle(10, 0, size);
    assert_true(peer.aborted);
}

static void slow_readers_are_let_go(void **state)
{
    size_t size = many_for_a_full_client();
    for (int i = 0; i < 40 && !peer.aborted; i++) { /* always something, and never enough */
        peer.limit = peer.out_size + 100;
        trickle(1, 0, size);
    }
    assert_true(peer.aborted);
}

static void idle_connections_end_quietly(void **state)
{
    peer_run(GET "\r\n", strlen(GET "\r\n"), 0, true);
    assert_string_equal(peer_statuses(), "200 ");
    assert_false(peer.closed);
    worker.loop.now_ns += UINT64_C(80000000000);
    for (int i = 0; i < 10 && !peer.closed; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns);
    assert_true(peer.closed);
    peer.out[peer.out_size] = 0;
    assert_string_equal(peer_statuses(), "200 ");
}

static void later(uint64_t ms)
{
    worker.loop.now_ns += ms * UINT64_C(1000000);
    peer_turn();
    for (int i = 0; i < 10 && !peer.closed; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns);
}

/* Whose answer was the last, it is let go soon; whose handshake was, it is answered yet, and told to connect anew. */
static void connections_of_a_retired_site_end(void **state)
{
    const char *request = GET "\r\n";
    peer_run(request, strlen(request), 0, true);
    http_site_retire(&peer_site, worker.loop.now_ns + UINT64_C(60000000000));
    later(SITE_RETIRED_IDLE_MS - 1);
    assert_false(peer.closed);
    later(1);
    assert_true(peer.closed);

    peer_run("", 0, 0, true);
    later(10 * SITE_RETIRED_IDLE_MS);
    assert_false(peer.closed);
    peer.in = request;
    peer.in_size = strlen(request);
    later(0);
    peer.out[peer.out_size] = 0;
    assert_string_equal(peer_statuses(), "200 ");
    assert_non_null(strcasestr(peer.out, "\r\nconnection: close\r\n"));
    peer_hang_up();
    atomic_store(&peer_site.cut_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_heads_time_out),          cmocka_unit_test(slow_bodies_let_go),
        cmocka_unit_test(slow_readers_let_go),          cmocka_unit_test(any_rate_may_be_allowed),
        cmocka_unit_test(steady_readers_are_kept),      cmocka_unit_test(slow_readers_are_let_go),
        cmocka_unit_test(idle_connections_end_quietly), cmocka_unit_test(connections_of_a_retired_site_end),
    };
    peer_setup(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
