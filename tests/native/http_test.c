/*
 * The HTTP/1.1 server over a transport in memory: what is accepted, what is refused, and what the answers look like.
 *
 * Every case runs twice: with the input in one piece, and byte by byte, since both must be understood alike.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/https/client.h"
#include "enclave/https/h1.h"
#include "enclave/https/http.h"
#include "enclave/https/transport.h"
#include "enclave/service/router.h"
#include "enclave/wasm/app.h"
#include "enclave/thread/worker.h"

struct memory {
    struct transport t;
    const char *in;
    size_t in_size, at, step;
    size_t window;    /* how much output is taken at once; 0: all */
    size_t allowance; /* of a slow reader: how much it takes until it is given more */
    bool full;        /* none is taken any more beyond limit */
    size_t limit;
    char out[1 << 20];
    size_t out_size;
    bool closed, aborted, keep_open;
};

static ssize_t mem_read(struct transport *t, void *buf, size_t size)
{
    struct memory *m = (struct memory *)t;
    if (m->at == m->in_size)
        return m->keep_open ? -EAGAIN : 0;
    size_t count = m->in_size - m->at;
    if (count > size)
        count = size;
    if (m->step && count > m->step)
        count = m->step;
    memcpy(buf, m->in + m->at, count);
    m->at += count;
    return (ssize_t)count;
}

static bool reads_slowly;

static ssize_t mem_write(struct transport *t, const void *buf, size_t size)
{
    struct memory *m = (struct memory *)t;
    if (reads_slowly && m->allowance == 0)
        return -EAGAIN;
    if (reads_slowly && size > m->allowance)
        size = m->allowance;
    m->allowance -= reads_slowly ? size : 0;
    if (m->window && size > m->window)
        size = m->window;
    if (m->full && size > m->limit - m->out_size)
        size = m->limit - m->out_size;
    if (m->full && size == 0)
        return -EAGAIN;
    assert_true(m->out_size + size < sizeof m->out);
    memcpy(m->out + m->out_size, buf, size);
    m->out_size += size;
    return (ssize_t)size;
}

static void mem_flush(struct transport *t)
{
}
static void mem_close(struct transport *t)
{
    ((struct memory *)t)->closed = true;
}
static void mem_abort(struct transport *t)
{
    ((struct memory *)t)->aborted = true;
}
static const struct transport_ops mem_ops = {mem_read, mem_write, mem_flush, mem_close, mem_abort};

static struct http_server server;
static struct worker worker;
static struct memory m;

static int admit(struct http_admin_hook *hook, const struct http_admin_request *request, const char **why)
{
    *why = "no token";
    return request->authorization[0] ? 0 : 401;
}

static const char *methods(struct http_admin_hook *hook, const char *path)
{
    return "GET, PUT";
}

static bool hold; /* the next admin request is answered by the test */
static struct http_admin_reply *held_reply;

static void echo_admin(struct http_admin_hook *hook, struct worker *w, const struct http_admin_request *request,
                       struct http_admin_reply *reply)
{
    if (hold) {
        held_reply = reply;
        return;
    }
    char json[512];
    int size = snprintf(json, sizeof json, "{%s %s [%s] %.*s}", request->method, request->path, request->authorization,
                        request->body_size < 100 ? (int)request->body_size : 0, (const char *)request->body);
    http_admin_reply(reply, 200, json, (size_t)size);
}

static bool may(void *user, const char *method, const char *path, const char *authorization)
{
    return strcmp(authorization, "Bearer right") == 0;
}

static void run(const char *in, size_t size, size_t step, bool keep_open)
{
    memset(&m, 0, sizeof m);
    m.t.ops = &mem_ops;
    m.in = in;
    m.in_size = size;
    m.step = step;
    m.keep_open = keep_open;
    assert_int_equal(http_connection_start(&server, &worker, &m.t), 0);
    for (int i = 0; i < 200000 && !m.closed && !m.aborted; i++)
        if (!loop_run_once(&worker.loop, worker.loop.now_ns + 1))
            break;
    m.out[m.out_size] = 0;
}

/* End a connection that stays open: its peer goes. */
static void hang_up(void)
{
    m.keep_open = false;
    for (int i = 0; i < 100 && !m.closed && !m.aborted; i++) {
        m.t.on_ready(&m.t, m.t.user);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    }
    assert_true(m.closed || m.aborted);
}

/* The statuses of all responses in the output, as "200 404 ". */
static const char *statuses(void)
{
    static char text[256];
    text[0] = 0;
    for (const char *at = m.out; (at = strstr(at, "HTTP/1.1 ")); at += 9)
        strncat(strncat(text, at + 9, 3), " ", 2);
    return text;
}

#define H "Host: a\r\n"
#define GET "GET /healthz HTTP/1.1\r\n" H
#define TEN "0123456789"
#define COMMAS ",,,,,,,,,,"
#define POST "POST /_enclave/x HTTP/1.1\r\n" H "Authorization: Bearer t\r\n"

static const struct {
    const char *what, *in, *expected;
} cases[] = {
    {"plain", GET "\r\n", "200 "},
    {"two in a row", GET "\r\n" GET "\r\n", "200 200 "},
    {"pipelined bodies",
     POST "Content-Length: 3\r\n\r\nabc" POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET "\r\n",
     "200 200 200 "},
    {"unread body is skipped", "POST /healthz HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" GET "\r\n", "405 200 "},
    {"trailers", POST "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n" GET "\r\n", "200 200 "},
    {"close is honoured", "GET /healthz HTTP/1.1\r\n" H "Connection: close\r\n\r\n" GET "\r\n", "200 "},
    {"HTTP/1.0 closes", "GET /healthz HTTP/1.0\r\n\r\n" GET "\r\n", "200 "},
    {"HTTP/1.0 keep-alive", "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET "\r\n", "200 200 "},
    {"absolute form", "GET http://a/healthz HTTP/1.1\r\n" H "\r\n", "200 "},
    {"unknown path", "GET /nothing/here HTTP/1.1\r\n" H "\r\n", "404 "},
    {"wrong method", "DELETE /healthz HTTP/1.1\r\n" H "\r\n", "405 "},
    {"no right", "GET /metrics HTTP/1.1\r\n" H "\r\n", "401 "},
    {"right", "GET /metrics HTTP/1.1\r\n" H "Authorization: Bearer right\r\n\r\n", "200 "},
    {"a length in trailers", POST "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 7\r\n\r\n", "400 "},
    {"an upgrade", GET "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" GET "\r\n", "200 200 "},
    {"a range", GET "Range: bytes=0-1\r\n\r\n", "200 "},
    {"trace", "TRACE /healthz HTTP/1.1\r\n" H "\r\n", "405 "},
    {"the longest method", "A23456789012345678901234567890123456789012345678901234567890ABCD /x HTTP/1.1\r\n" H "\r\n",
     "404 "},
    {"a longer method", "A23456789012345678901234567890123456789012345678901234567890ABCDE /x HTTP/1.1\r\n" H "\r\n",
     "501 "},
    {"another case is another method", "get /healthz HTTP/1.1\r\n" H "\r\n", "405 "},
    {"no token for a method", "G(T /healthz HTTP/1.1\r\n" H "\r\n", "400 "},
    {"no method", " /healthz HTTP/1.1\r\n" H "\r\n", "400 "},
    {"method alone", "GET\r\n\r\n", "400 "},
    {"empty lines before", "\r\n\r\n" GET "\r\n", "200 "},
    {"empty lines without end", "\r\n\r\n\r\n\r\n\r\n" GET "\r\n", "400 "},
    {"a bare line feed before", "\n" GET "\r\n", "400 "},
    {"bare line feeds", "GET /healthz HTTP/1.1\nHost: a\n\n", "400 "},
    {"a bare line feed in the head", "GET /healthz HTTP/1.1\r\nHost: a\nx: y\r\n\r\n", "400 "},
    {"a bare line feed at the end", GET "\n", "400 "},
    {"a bare line feed in a chunk", POST "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n", "400 "},
    {"a bare line feed in trailers", POST "Transfer-Encoding: chunked\r\n\r\n0\r\na: b\n\r\n", "400 "},
    {"a bare carriage return", "GET /healthz HTTP/1.1\rHost: a\r\r", "400 "},
    {"another protocol", "OPTIONS /healthz RTSP/1.0\r\n" H "\r\n", "400 "},
    {"a third protocol", "SOURCE /healthz ICE/1.0\r\n" H "\r\n", "400 "},
    {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 "},
    {"lower case protocol", "GET /healthz http/1.1\r\n" H "\r\n", "400 "},
    {"chunk extensions", POST "Transfer-Encoding: chunked\r\n\r\n1;a;b=c;d=\"e \\\"f\"\r\nx\r\n0;g\r\n\r\n" GET "\r\n",
     "200 200 "},
    {"chunk size with a sign", POST "Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n", "400 "},
    {"chunk size with 0x", POST "Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n", "400 "},
    {"chunk size too large", POST "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n0\r\n\r\n", "400 "},
    {"space behind a chunk size", POST "Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n", "400 "},
    {"two authorizations", GET "Authorization: a\r\nAuthorization: b\r\n\r\n", "400 "},
    {"two content types", POST "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n", "400 "},
    {"two codings in one field", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501 "},
    {"a coding with a tab", POST "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" GET "\r\n", "200 200 "},
    {"an empty coding", POST "Transfer-Encoding:\r\n\r\n", "400 "},
    {"a vertical tab in a coding", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", "400 "},
    {"a length of minus one", POST "Content-Length: -1\r\n\r\n", "400 "},
    {"a length with a blank", POST "Content-Length: 1 2\r\n\r\n", "400 "},
    {"a length with an underscore", POST "Content_Length: 3\r\n\r\n" GET "\r\n", "200 200 "},
    {"DEL in a value", GET "A: b\x7f\r\n\r\n", "400 "},
    {"a tab in a value", GET "A: b\tc\r\n\r\n", "200 "},
    {"blanks before the first field", "GET /healthz HTTP/1.1\r\n A: b\r\n" H "\r\n", "400 "},
    {"no colon", GET "A\r\n\r\n", "400 "},
    {"the server as a whole", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "204 "},
    {"the server by its name", "OPTIONS http://a HTTP/1.1\r\n" H "\r\n", "204 "},
    {"a star for GET", "GET * HTTP/1.1\r\n" H "\r\n", "400 "},
    {"absolute form without a path", "GET http://a HTTP/1.1\r\n" H "\r\n", "404 "},
    {"absolute form with a query alone", "GET http://a?/healthz HTTP/1.1\r\n" H "\r\n", "404 "},
    {"absolute form and a bad Host", "GET http://a/healthz HTTP/1.1\r\nHost: u@b\r\n\r\n", "400 "},
    {"absolute form without Host", "GET http://a/healthz HTTP/1.1\r\n\r\n", "400 "},
    {"what a client behind a proxy says", "GET https://b:8443/healthz HTTP/1.1\r\n" H "\r\n", "200 "},
    {"HTTP/1.0 with a bad Host", "GET /healthz HTTP/1.0\r\nHost: a b\r\n\r\n", "400 "},
    {"unknown expectation", POST "Expect: miracles\r\nContent-Length: 2\r\n\r\nok", "417 "},

    {"no host", "GET /healthz HTTP/1.1\r\n\r\n", "400 "},
    {"two hosts", GET "Host: b\r\n\r\n", "400 "},
    {"garbage", "\x01\x02\x03\r\n\r\n", "400 "},
    {"unknown method", "BREW /healthz HTTP/1.1\r\n" H "\r\n", "405 "},
    {"connect", "CONNECT a:1 HTTP/1.1\r\n" H "\r\n" GET "\r\n", "405 "},
    {"version 2.0", "GET /healthz HTTP/2.0\r\n" H "\r\n", "505 "},
    {"version 1.7", "GET /healthz HTTP/1.7\r\n" H "\r\n", "505 "},
    {"version 0.9", "GET /healthz HTTP/0.9\r\n" H "\r\n", "505 "},
    {"length and chunked", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET "\r\n", "400 "},
    {"chunked and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" GET "\r\n", "400 "},
    {"two lengths", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" GET "\r\n", "400 "},
    {"two different lengths", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc" GET "\r\n", "400 "},
    {"list of lengths", POST "Content-Length: 3, 3\r\n\r\nabc" GET "\r\n", "400 "},
    {"signed length", POST "Content-Length: +3\r\n\r\nabc" GET "\r\n", "400 "},
    {"hexadecimal length", POST "Content-Length: 0x3\r\n\r\nabc" GET "\r\n", "400 "},
    {"empty length", POST "Content-Length:\r\n\r\n" GET "\r\n", "400 "},
    {"huge length", POST "Content-Length: 99999999999999999999\r\n\r\n", "400 "},
    {"too long for admin", POST "Content-Length: 99999999999\r\n\r\n", "413 "},
    {"chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 "},
    {"chunked not last", POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "400 "},
    {"another coding", POST "Transfer-Encoding: gzip\r\n\r\n", "501 "},
    {"chunked disguised", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501 "},
    {"empty field name", "GET /healthz HTTP/1.1\r\n" H ": x\r\n\r\n", "400 "},
    {"empty trailer name", POST "Transfer-Encoding: chunked\r\n\r\n0\r\n: x\r\n\r\n", "400 "},
    {"empty second trailer name", POST "Transfer-Encoding: chunked\r\n\r\n0\r\na: b\r\n: x\r\n\r\n", "400 "},
    {"chunked in 1.0", "POST /_enclave/x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 "},
    {"space before colon", GET "A : b\r\n\r\n", "400 "},
    {"folded value", GET "A: b\r\n c\r\n\r\n", "400 "},
    {"folded empty value", GET "A:\r\n c\r\n\r\n", "400 "},
    {"folded length", POST "Content-Length:\r\n 3\r\n\r\nabc", "400 "},
    {"bad name", GET "A(b: c\r\n\r\n", "400 "},
    {"control character",
     GET "A: b\x01"
         "c\r\n\r\n",
     "400 "},
    {"bare CR in value", GET "A: b\rc\r\n\r\n", "400 "},
    {"bad chunk size", POST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "400 "},
    {"chunk longer than said", POST "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", "400 "},
    {"unread body in many pieces",
     "POST /healthz HTTP/1.1\r\n" H "Content-Length: 100\r\n\r\n" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN GET "\r\n",
     "405 200 "},
    {"two spaces before the target", "GET  /healthz HTTP/1.1\r\n" H "\r\n", "400 "},
    {"a Connection with many members",
     GET "Connection: a" COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS "\r\n\r\n", "431 "},
    {"a Connection with as many as there may be fields",
     GET "Connection: a" COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS COMMAS "\r\n\r\n", "200 "},
    {"relative target", "GET healthz HTTP/1.1\r\n" H "\r\n", "400 "},
    {"fragment", "GET /healthz#x HTTP/1.1\r\n" H "\r\n", "400 "},
};

static void requests_are_understood_or_refused(void **state)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 0; step < 4; step++) {
            run(cases[i].in, strlen(cases[i].in), step, false);
            if (strcmp(statuses(), cases[i].expected) != 0)
                bad++, print_error("%s (step %zu): expected %s, got %s\n", cases[i].what, step, cases[i].expected,
                                   statuses());
            assert_true(m.closed || m.aborted);
        }
    }
    assert_int_equal(bad, 0);
}

static void heads_have_limits(void **state)
{
    static char in[200000];
    int size = sprintf(in, GET);
    for (int i = 0; i < 101; i++)
        size += sprintf(in + size, "x%d: y\r\n", i);
    size += sprintf(in + size, "\r\n");
    run(in, (size_t)size, 0, false);
    assert_string_equal(statuses(), "431 ");
    assert_non_null(strstr(m.out, "65536 bytes (--max-header-bytes) or 100 fields (--max-headers)"));

    size = sprintf(in, GET "x: ");
    memset(in + size, 'y', 70000);
    size += 70000;
    size += sprintf(in + size, "\r\n\r\n");
    run(in, (size_t)size, 0, false);
    assert_string_equal(statuses(), "431 ");

    size = sprintf(in, "GET /");
    memset(in + size, 'y', 70000);
    size += 70000;
    size += sprintf(in + size, " HTTP/1.1\r\n" H "\r\n");
    run(in, (size_t)size, 0, false);
    assert_string_equal(statuses(), "414 ");
    assert_non_null(strstr(m.out, " bytes (--max-header-bytes)"));
}

static void slow_heads_time_out(void **state)
{
    run("GET /hea", 8, 0, true);
    assert_string_equal(statuses(), "");
    worker.loop.now_ns += UINT64_C(31000000000);
    for (int i = 0; i < 10 && !m.closed; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns);
    m.out[m.out_size] = 0;
    assert_string_equal(statuses(), "408 ");
    assert_non_null(strstr(m.out, "longer than 30000 ms (--header-timeout)"));
    assert_true(m.closed);
}

/* Let time pass, in steps of a second, each with so many bytes more of the input, or for a slow reader of the
 * output. */
static void trickle(unsigned seconds, size_t bytes, size_t all)
{
    for (unsigned i = 0; i < seconds && !m.closed && !m.aborted; i++) {
        m.in_size = m.in_size + bytes < all ? m.in_size + bytes : all;
        m.allowance += bytes;
        worker.loop.now_ns += UINT64_C(1000000000);
        m.t.on_ready(&m.t, m.t.user);
        for (int k = 0; k < 10 && !m.closed && !m.aborted; k++)
            loop_run_once(&worker.loop, worker.loop.now_ns);
    }
    m.out[m.out_size] = 0;
}

static void slow_bodies_let_go(void **state)
{
    static char in[200000];
    size_t head = (size_t)sprintf(in, POST "Content-Length: 100000\r\n\r\n"), all = head + 100000;
    memset(in + head, 'x', 100000);
    run(in, head, 0, true); /* a byte each second: less than a timeout between two, and far below the rate */
    trickle(19, 1, all);
    assert_string_equal(statuses(), "");
    trickle(5, 1, all);
    assert_string_equal(statuses(), "408 ");
    assert_true(m.closed);
    assert_non_null(strstr(m.out, "slower than 240 bytes a second (--min-rate)"));
    assert_non_null(strstr(m.out, "connection: close\r\n"));
    run(in, head, 0, true); /* just above it */
    trickle(399, server.limits.min_rate + 10, all);
    assert_string_equal(statuses(), "");
    trickle(100, server.limits.min_rate + 10, all);
    assert_string_equal(statuses(), "200 ");
    hang_up();
}

static size_t answers(void)
{
    size_t count = 0;
    for (const char *at = m.out; (at = strstr(at, "HTTP/1.1 200")); at++)
        count++;
    return count;
}

static void slow_readers_let_go(void **state)
{
    static char in[200 * sizeof(GET "\r\n")];
    size_t all = 0;
    reads_slowly = true;
    run(GET "\r\n", strlen(GET "\r\n"), 0, true); /* a byte each second */
    trickle(19, 1, m.in_size);
    assert_false(m.closed || m.aborted);
    trickle(5, 1, m.in_size);
    assert_true(m.aborted);
    for (int i = 0; i < 200; i++) /* just above the rate, for longer than any timeout */
        all += (size_t)sprintf(in + all, GET "\r\n");
    run(in, all, 0, true);
    trickle(30, server.limits.min_rate + 10, all);
    assert_false(m.closed || m.aborted);
    assert_in_range(answers(), 10, 199);
    trickle(400, server.limits.min_rate + 10, all);
    assert_int_equal(answers(), 200);
    assert_false(m.aborted);
    hang_up();
    reads_slowly = false;
}

static void any_rate_may_be_allowed(void **state)
{
    static const char head[] = POST "Content-Length: 200\r\n\r\n";
    char in[sizeof head - 1 + 200];
    memset(in, 'x', sizeof in);
    memcpy(in, head, sizeof head - 1);
    uint32_t rate = server.limits.min_rate;
    server.limits.min_rate = 0;
    run(in, sizeof head - 1, 0, true);
    trickle(199, 1, sizeof in);
    assert_string_equal(statuses(), "");
    assert_false(m.closed || m.aborted);
    trickle(1, 1, sizeof in);
    assert_string_equal(statuses(), "200 ");
    hang_up();
    server.limits.min_rate = rate;
}

/* A thousand requests, from a client that takes no more of the answers than m.limit. How many bytes they are. */
static size_t many_for_a_full_client(void)
{
    static char in[1000 * sizeof GET];
    size_t size = 0;
    while (size + sizeof GET + 2 < sizeof in)
        size += (size_t)sprintf(in + size, GET "\r\n");
    run(in, 0, 0, true);
    m.full = true;
    m.in_size = size;
    return size;
}

/* However evenly a client reads, the network takes what is for it in bursts: they count until the next. */
static void steady_readers_are_kept(void **state)
{
    size_t size = many_for_a_full_client();
    for (int burst = 0; burst < 8; burst++) {
        m.limit = m.out_size + 14000;
        trickle(55, 0, size); /* 254 bytes a second */
        assert_int_equal(m.out_size, m.limit);
        assert_false(m.closed || m.aborted);
    }
    trickle(10, 0, size);
    assert_true(m.aborted);
}

static void slow_readers_are_let_go(void **state)
{
    size_t size = many_for_a_full_client();
    for (int i = 0; i < 40 && !m.aborted; i++) { /* always something, and never enough */
        m.limit = m.out_size + 100;
        trickle(1, 0, size);
    }
    assert_true(m.aborted);
}

static void idle_connections_end_quietly(void **state)
{
    run(GET "\r\n", strlen(GET "\r\n"), 0, true);
    assert_string_equal(statuses(), "200 ");
    assert_false(m.closed);
    worker.loop.now_ns += UINT64_C(80000000000);
    for (int i = 0; i < 10 && !m.closed; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns);
    assert_true(m.closed);
    m.out[m.out_size] = 0;
    assert_string_equal(statuses(), "200 ");
}

static void bodies_reach_the_hook(void **state)
{
    static const char in[] =
        "PUT /_enclave/a?b HTTP/1.1\r\n" H "Authorization: Bearer t\r\nTransfer-Encoding: chunked\r\n"
        "\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    for (size_t step = 0; step < 3; step++) {
        run(in, sizeof in - 1, step, false);
        assert_non_null(strstr(m.out, "{PUT /_enclave/a?b [Bearer t] abcde}"));
    }
}

static void continue_is_sent_when_the_body_is_wanted(void **state)
{
    static const char in[] = POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok" GET "\r\n";
    size_t head = (size_t)(strstr(in, "\r\n\r\n") - in) + 4;
    run(in, head, 0, true);
    assert_string_equal(statuses(), "100 ");
    m.in_size = sizeof in - 1;
    hang_up();
    m.out[m.out_size] = 0;
    assert_string_equal(statuses(), "100 200 200 ");
    /* Nobody wants this body, so it is not asked for, and the connection cannot go on. */
    static const char unwanted[] = "POST /healthz HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    run(unwanted, sizeof unwanted - 1, 0, true);
    assert_string_equal(statuses(), "405 ");
    assert_true(m.closed);
}

static void head_has_no_body(void **state)
{
    static const char in[] = "HEAD /healthz HTTP/1.1\r\n" H "\r\n" GET "\r\n";
    run(in, sizeof in - 1, 0, false);
    assert_string_equal(statuses(), "200 200 ");
    assert_non_null(strstr(m.out, "content-length: 15\r\n"));
    char *first = strstr(m.out, "\r\n\r\n");
    assert_true(first && strncmp(first + 4, "HTTP/1.1 200", 12) == 0);
}

/* Bodies for the admin routes have a budget of their own, and give it back. */
static void admin_bodies_are_charged(void **state)
{
    char in[512];
    struct charge other = {0};
    int size = snprintf(in, sizeof in, POST "Content-Length: 1000000\r\n\r\nabc");
    assert_int_equal(budget_used(&server.admin_memory), 0);
    run(in, (size_t)size, 0, true);
    assert_true(budget_used(&server.admin_memory) >= 1000000);
    hang_up();
    assert_int_equal(budget_used(&server.admin_memory), 0);
    assert_true(charge_take(&other, &server.admin_memory, server.admin_memory.limit - 500000));
    run(in, (size_t)size, 0, true);
    assert_string_equal(statuses(), "503 ");
    hang_up();
    charge_give(&other);
    run(in, (size_t)size, 0, true);
    assert_string_equal(statuses(), "");
    hang_up();
    assert_int_equal(budget_used(&server.admin_memory), 0);
}

/* What answers a request, in the test's hands. */
static struct http_exchange *take(const char *in)
{
    hold = true;
    run(in, strlen(in), 0, true);
    hold = false;
    struct http_exchange *x = &((struct h1 *)m.t.user)->x;
    x->on_event(x, HTTP_EVENT_GONE, x->user); /* the hook lets go */
    http_admin_reply(held_reply, 200, "", 0);
    x->on_event = NULL;
    return x;
}

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

static size_t count(const char *what)
{
    size_t found = 0;
    for (const char *at = m.out; (at = strstr(at, what)); at += strlen(what))
        found++;
    return found;
}

static void answer(const char *in, int status, const char *body, int64_t length)
{
    struct http_exchange *x = take(in);
    assert_int_equal(x->ops->respond(x, status, given, 1, length), 0);
    assert_int_equal(x->ops->write_body(x, body, strlen(body)), strlen(body));
    x->ops->finish(x, NULL, 0);
    hang_up();
    m.out[m.out_size] = 0;
}

static void framing_by_status(void **state)
{
    struct http_exchange *x = take(POST "\r\n");
    assert_int_equal(x->ops->inform(x, 103, given, 2), 0);
    m.out[m.out_size] = 0;
    assert_string_equal(m.out, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    (x->ops->fail)(x, 500, "a test");
    hang_up();
    x = take("POST /_enclave/x HTTP/1.0\r\nAuthorization: Bearer t\r\n\r\n");
    assert_int_equal(x->ops->inform(x, 103, given, 1), 0);
    assert_int_equal(x->ops->respond(x, 200, given, 1, -1), 0);
    x->ops->push(x);
    assert_int_equal(x->ops->write_body(x, "abc", 3), 3);
    x->ops->finish(x, NULL, 0);
    hang_up();
    m.out[m.out_size] = 0;
    assert_string_equal(statuses(), "200 ");
    assert_int_equal(count("transfer-encoding") + count("content-length"), 0);
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
        size_t framings = count("content-length: ") + count("transfer-encoding: ");
        assert_int_equal(framings, answers[i].framing != NULL);
        assert_true(!answers[i].framing || count(answers[i].framing) == 1);
        assert_int_equal(count("\r\n\r\nabc"), answers[i].content);
    }
}

static void trailers_are_chosen(void **state)
{
    struct http_exchange *x = take(POST "\r\n");
    assert_int_equal(x->ops->respond(x, 200, NULL, 0, -1), 0);
    assert_int_equal(x->ops->write_body(x, "abc", 3), 3);
    x->ops->finish(x, last, LAST);
    hang_up();
    m.out[m.out_size] = 0;
    assert_non_null(strstr(m.out, "3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"));
    const struct http_field *fields;
    x = take(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nHost: h\r\nX_Enclave_Client: f\r\n"
                  "If-Match: a\r\nTE: b\r\n\r\n");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(x->ops->trailers(x, &fields), 1);
        assert_memory_equal(fields->name.data, "x-sum", 5);
    }
    (x->ops->fail)(x, 500, "a test");
    hang_up();
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
        run(in, strlen(in), 0, true);
        assert_string_equal(statuses(), "405 ");
        assert_int_equal(count("connection: close\r\n"), bodies[i].closes);
        hang_up();
    }
}

static void answers_of_known_size_say_it(void **state)
{
    static char body[65536];
    memset(body, 'x', sizeof body);
    for (size_t size = 1; size < 61000; size = size < 16384 ? size * 4 : size + 22000) {
        struct http_exchange *x = take(POST "\r\n");
        assert_int_equal(x->ops->respond(x, 200, NULL, 0, -1), 0);
        for (size_t at = 0; at < size;) {
            size_t space = x->ops->write_space(x), piece = size - at < 4096 ? size - at : 4096;
            assert_true(space >= piece);
            assert_int_equal(x->ops->write_body(x, body, piece), piece);
            at += piece;
        }
        x->ops->finish(x, NULL, 0);
        hang_up();
        char line[64];
        snprintf(line, sizeof line, "content-length: %zu\r\n\r\n", size);
        m.out[m.out_size] = 0;
        const char *found = strstr(m.out, line);
        assert_non_null(found);
        assert_int_equal((size_t)(m.out + m.out_size - found) - strlen(line), size);
    }
    /* One byte more, or a push: it is sent as it comes, and whole. */
    struct http_exchange *x = take(POST "\r\n");
    x->ops->respond(x, 200, NULL, 0, -1);
    x->ops->write_body(x, body, 5000);
    x->ops->push(x);
    m.out[m.out_size] = 0;
    assert_non_null(strstr(m.out, "transfer-encoding: chunked\r\n\r\n1388\r\nxxx"));
    x->ops->finish(x, NULL, 0);
    hang_up();
    m.out[m.out_size] = 0;
    assert_non_null(strstr(m.out, "x\r\n0\r\n\r\n"));
}

static void answers_have_a_date(void **state)
{
    static const char in[] = GET "\r\nPOST /healthz HTTP/1.1\r\n" H "\r\nbad";
    run(in, sizeof in - 1, 0, false);
    assert_int_equal(count("\r\ndate: "), count("HTTP/1.1 "));
    assert_int_equal(count(" GMT\r\n"), count("HTTP/1.1 "));
}

static void behind_head_answers_are_whole(void **state)
{
    static const char *const bad[] = {"\001garbage\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < 3; i++) {
        char in[200];
        snprintf(in, sizeof in, "HEAD /healthz HTTP/1.1\r\n" H "\r\n%s", bad[i]);
        run(in, strlen(in), 0, false);
        char *second = strstr(strstr(m.out, "\r\n\r\n"), "HTTP/1.1 "), *length = strstr(second, "content-length: ");
        assert_non_null(length);
        assert_int_equal(strlen(strstr(second, "\r\n\r\n") + 4), strtoul(length + 16, NULL, 10));
    }
    run("HEAD / HTTP/1.1\r\n\r\n", 19, 0, false); /* and HEAD that is bad gets none */
    assert_string_equal(statuses(), "400 ");
    assert_int_equal(strlen(strstr(m.out, "\r\n\r\n")), 4);
}

static void refusals_say_what_they_must(void **state)
{
    static const char *const asked[][3] = {
        {"POST /healthz", "405 ", "allow: GET, HEAD\r\n"},
        {"DELETE /metrics", "405 ", "allow: GET, HEAD\r\n"},
        {"POST /_enclave/proof/a", "405 ", "allow: GET, HEAD\r\n"},
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
        run(in, strlen(in), 0, false);
        assert_string_equal(statuses(), asked[i][1]);
        assert_non_null(strstr(m.out, asked[i][2]));
    }
}

/* How a request's body may break; behind the last byte the client's side ends. */
static const struct {
    const char *what, *in, *status, *why;
    bool at_end; /* only the end tells */
} broken[] = {
    {"a bad chunk size", "3\r\nabc\r\nxyz\r\n", "400 ", "chunk size", false},
    {"a chunk that is longer than said", "2\r\nabc\r\n0\r\n\r\n", "400 ", "malformed: ", false},
    {"a bare line feed", "3\nabc\r\n0\r\n\r\n", "400 ", "malformed: ", false},
    {"a bad trailer", "3\r\nabc\r\n0\r\na b\r\n\r\n", "400 ", "malformed: ", false},
    {"a folded trailer", "0\r\na: b\r\n c\r\n\r\n", "400 ", "malformed", false},
    {"more than may be", "28\r\n" TEN TEN TEN TEN "\r\n0\r\n\r\n", "413 ", "longer than 30 bytes (--max-body-bytes)",
     false},
    {"an end in mid chunk", "5\r\nabc", "400 ", "broke off", true},
    {"an end between chunks", "3\r\nabc\r\n", "400 ", "broke off", true},
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
    run(in, (size_t)head, 0, true);
    struct http_exchange *x = &((struct h1 *)m.t.user)->x;
    x->on_event(x, HTTP_EVENT_GONE, x->user); /* the admin's route lets go */
    memset(&reader, 0, sizeof reader);
    x->on_event = read_on;
    return x;
}

static void go_on(const char *in, size_t step)
{
    m.in_size = strlen(in);
    m.step = step;
    m.keep_open = false;
    for (int i = 0; i < 1000 && !m.closed && !m.aborted; i++) {
        m.t.on_ready(&m.t, m.t.user);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    }
    m.out[m.out_size] = 0;
}

static void expect_refused(size_t which)
{
    if (strcmp(statuses(), broken[which].status) != 0 || !strstr(m.out, broken[which].why))
        fail_msg("%s: %s", broken[which].what, m.out);
    assert_non_null(strstr(m.out, "connection: close\r\n"));
    assert_true(m.closed);
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
        m.in_size = strlen(in);
        m.t.on_ready(&m.t, m.t.user); /* the connection fills its buffer */
        reader.failed = true;
        x->on_event = NULL;
        ((struct h1 *)m.t.user)->wants_body = false;
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
        for (m.in_size = strlen(in), m.keep_open = false; !reader.failed;) {
            m.t.on_ready(&m.t, m.t.user);
            loop_run_once(&worker.loop, worker.loop.now_ns + 1);
        }
        assert_false(reader.told);
        assert_int_equal(x->ops->write_body(x, "more", 4), 4);
        x->ops->finish(x, NULL, 0);
        go_on(in, 0);
        assert_string_equal(statuses(), "200 ");
        assert_true(m.closed);
    }
}

/* Each answer of the server's own names what was wrong; a limit comes with its number and its option. */
static void refusals_name_what_was_wrong(void **state)
{
    static const char *const asked[][2] = {
        {"GET /nobody HTTP/1.1\r\n" H "\r\n", "404 Not Found: no app is deployed"},
        {"GET /_enclave/proof/a HTTP/1.1\r\n" H "\r\n", "404 Not Found: no app of this name"},
        {"GET /metrics HTTP/1.1\r\n" H "\r\n", "401 Unauthorized: a token"},
        {"PUT /healthz HTTP/1.1\r\n" H "\r\n", "405 Method Not Allowed: Allow says"},
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
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        run(asked[i][0], strlen(asked[i][0]), 0, false);
        const char *found = strstr(m.out, asked[i][1]), *body = strstr(m.out, "\r\n\r\n");
        if (!found || !body || found < body)
            fail_msg("%s: %s", asked[i][1], m.out);
    }
}

/* Outgoing requests: m is the server elsewhere. */
static struct {
    struct loop_task task;
    http_dialled done;
    void *user;
} dial;

static void dialled(struct loop_task *task)
{
    dial.done(dial.user, &m.t, CALL_OK, 0);
}

static void *start_dial(struct worker *w, const char *host, uint16_t port, http_dialled done, void *user)
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
    memset(&m, 0, sizeof m);
    m.t.ops = &mem_ops;
    m.in = response;
    m.keep_open = true;
    struct http_call *call = http_call_start(&request);
    assert_int_equal(http_call_write(call, "abc", 3), 3);
    assert_int_equal(http_call_finish(call, last, LAST), 0);
    for (int i = 0; i < 100; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    m.out[m.out_size] = 0;
    assert_non_null(strstr(m.out, "3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"));
    assert_non_null(strstr(m.out, "host: h:1\r\n"));
    m.in_size = sizeof response - 1;
    m.t.on_ready(&m.t, m.t.user);
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
    assert_true(m.closed || m.aborted);
}

static void a_broken_transport_ends_everything(void **state)
{
    run(POST "Content-Length: 10\r\n\r\nabc", strlen(POST "Content-Length: 10\r\n\r\nabc"), 0, true);
    hang_up();
    assert_int_equal(worker.loop.timer_count, 0);
}

static int setup(void **state)
{
    static struct http_admin_hook hook = {admit, methods, echo_admin};
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    http_server_init(&server, route_request, app_table_new(), 1);
    server.admin = &hook;
    server.authorize_monitoring = may;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_understood_or_refused),
        cmocka_unit_test(heads_have_limits),
        cmocka_unit_test(slow_heads_time_out),
        cmocka_unit_test(slow_bodies_let_go),
        cmocka_unit_test(slow_readers_let_go),
        cmocka_unit_test(any_rate_may_be_allowed),
        cmocka_unit_test(steady_readers_are_kept),
        cmocka_unit_test(slow_readers_are_let_go),
        cmocka_unit_test(idle_connections_end_quietly),
        cmocka_unit_test(bodies_reach_the_hook),
        cmocka_unit_test(continue_is_sent_when_the_body_is_wanted),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(admin_bodies_are_charged),
        cmocka_unit_test(framing_by_status),
        cmocka_unit_test(trailers_are_chosen),
        cmocka_unit_test(early_answers_close),
        cmocka_unit_test(answers_of_known_size_say_it),
        cmocka_unit_test(answers_have_a_date),
        cmocka_unit_test(behind_head_answers_are_whole),
        cmocka_unit_test(refusals_say_what_they_must),
        cmocka_unit_test(refusals_name_what_was_wrong),
        cmocka_unit_test(broken_bodies_are_refused),
        cmocka_unit_test(unread_broken_bodies_are_refused),
        cmocka_unit_test(broken_bodies_behind_a_head_end_the_connection),
        cmocka_unit_test(outgoing_trailers_are_chosen),
        cmocka_unit_test(a_broken_transport_ends_everything),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
