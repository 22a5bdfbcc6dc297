/*
 * The other side of a connection, in memory: for the tests of this room, and of those that answer requests.
 *
 * A test gives the input, in pieces as small as it likes, and looks at the output. Time passes only where the test says
 * so. One connection at a time; everything is on the calling thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_TESTING_PEER_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_TESTING_PEER_H

#include "enclave/https/exchange.h"
#include "enclave/https/http.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/thread/worker.h"

struct app_table;

struct peer {
    struct transport t;
    const char *in;
    size_t in_size, at, step;
    size_t window;    /* how much output is taken at once; 0: all */
    size_t allowance; /* of one that reads slowly: what it takes until it is given more */
    bool full;        /* none is taken any more beyond limit */
    size_t limit;
    char out[1 << 20];
    size_t out_size;
    bool closed, aborted, keep_open;
};
extern struct peer peer;
extern bool peer_reads_slowly;           /* the connections from now on */
extern const char *peer_app, *peer_name; /* what their handshakes were for (transport.h); NULL: the server */
extern const struct transport_ops peer_ops;
extern struct http_server server;
extern struct http_site peer_site; /* of all connections: number 1, the apps that peer_setup was given */
extern struct worker worker;

/* Requests that end in the middle of the head. */
#define H "Host: a\r\n"
#define GET "GET /healthz HTTP/1.1\r\n" H
#define TEN "0123456789"
#define POST "POST /_enclave/x HTTP/1.1\r\n" H "Authorization: Bearer t\r\n"

/* For a group of tests: a server with this router, NULL for peer_route. Authorization is "Bearer right" for what is
 * monitored, and anything at all for what is administered. */
void peer_setup(http_router route, struct app_table *apps);
/* Answers GET and HEAD of /healthz, and the admin routes, by saying what was asked. */
void peer_route(struct http_server *server, struct http_exchange *x);

/* A connection that brings this, step bytes at once (0: all), and then ends or, with keep_open, says nothing more. Runs
 * until there is nothing to do. */
void peer_run(const char *in, size_t size, size_t step, bool keep_open);
/* Each of what is asked is refused, and the body of the refusal begins, or goes on, with what stands beside it. */
void peer_is_refused(const char *const asked[][2], size_t count);
/* End a connection that stays open: its peer goes. */
void peer_hang_up(void);
/* One turn of the connection, as if the transport had news. */
void peer_turn(void);
/* The statuses of all responses in the output, as "200 404 ". */
const char *peer_statuses(void);
/* How often it is in the output. */
size_t peer_count(const char *what);
/* Begin this request; what answers it is in the test's hands. */
struct http_exchange *peer_take(const char *in);

#endif
