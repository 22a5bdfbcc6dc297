/*
 * HTTP/1.1 requests: what is understood, and what is refused.
 * 
 * Every case runs with the input in one piece, and in pieces of one byte and more, since all must be understood alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/https/testing/peer.h"

#define COMMAS ",,,,,,,,,,"

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
    {"a length in trailers", POST "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 7\r\n\r\n", "400 "},
    {"an upgrade", GET "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" GET "\r\n", "200 200 "},
    {"a range", GET "Range: bytes=0-1\r\n\r\n", "200 "},
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
            peer_run(cases[i].in, strlen(cases[i].in), step, false);
            if (strcmp(peer_statuses(), cases[i].expected) != 0)
                bad++, print_error("%s (step %zu): expected %s, got %s\n", cases[i].what, step, cases[i].expected,
                                   peer_statuses());
            assert_true(peer.closed || peer.aborted);
        }
    }
    assert_int_equal(bad, 0);
}

/* The last request that a connection may have is told so, and what stands behind it is not read. */
static void connections_have_so_many_requests(void **state)
{
    char in[1000];
    uint64_t most = server.limits.requests;
    int size = sprintf(in, GET "\r\n" GET "\r\n" GET "\r\n" GET "\r\n");
    assert_int_equal(most, 1000000);
    server.limits.requests = 3;
    peer_run(in, (size_t)size, 0, false);
    server.limits.requests = most;
    assert_string_equal(peer_statuses(), "200 200 200 ");
    const char *told = strstr(peer.out, "connection: close\r\n");
    assert_non_null(told);
    assert_null(strstr(told, "HTTP/1.1"));
    assert_true(peer.closed);
}

static void heads_have_limits(void **state)
{
    static char in[200000];
    int size = sprintf(in, GET);
    for (int i = 0; i < 101; i++)
        size += sprintf(in + size, "x%d: y\r\n", i);
    size += sprintf(in + size, "\r\n");
    peer_run(in, (size_t)size, 0, false);
    assert_string_equal(peer_statuses(), "431 ");
    assert_non_null(strstr(peer.out, "65536 bytes (--max-header-bytes) or 100 fields (--max-headers)"));

    size = sprintf(in, GET "x: ");
    memset(in + size, 'y', 70000);
    size += 70000;
    size += sprintf(in + size, "\r\n\r\n");
    peer_run(in, (size_t)size, 0, false);
    assert_string_equal(peer_statuses(), "431 ");

    size = sprintf(in, "GET /");
    memset(in + size, 'y', 70000);
    size += 70000;
    size += sprintf(in + size, " HTTP/1.1\r\n" H "\r\n");
    peer_run(in, (size_t)size, 0, false);
    assert_string_equal(peer_statuses(), "414 ");
    assert_non_null(strstr(peer.out, " bytes (--max-header-bytes)"));
}

static void a_broken_transport_ends_everything(void **state)
{
    peer_run(POST "Content-Length: 10\r\n\r\nabc", strlen(POST "Content-Length: 10\r\n\r\nabc"), 0, true);
    peer_hang_up();
    assert_int_equal(worker.loop.timer_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_understood_or_refused),
        cmocka_unit_test(heads_have_limits),
        cmocka_unit_test(connections_have_so_many_requests),
        cmocka_unit_test(a_broken_transport_ends_everything),
    };
    peer_setup(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
