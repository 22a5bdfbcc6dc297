/*
 * Inside an HTTP call: client.c has its life and its request, client_response.c its response, client_connection.c what
 * both go over, and call.c, below all, how it fails, waits, and gets its turns.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_CALL_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_CALL_INTERNAL_H

#include "enclave/https/client.h"
#include "enclave/https/limits.h"
#include "enclave/https/lines.h"
#include "enclave/https/strict.h"
#include "enclave/https/transport.h"
#include "enclave/thread/loop.h"
#include "enclave/thread/worker.h"

struct http_call {
    bool telling;         /* on_event runs, and does not delete the call */
    struct budget memory; /* its own; CALL_COST, which the app is charged with, covers it */
    struct worker *worker;
    const struct http_dialer *dialer;
    void *attempt; /* to connect; NULL: none is under way */
    struct transport *transport;
    struct kept *kept; /* its connection's place; NULL: it is closed, or was given on */
    bool reused;       /* the connection answered others, and may have ended since */
    bool repeatable;   /* two of the request are as one, and its head is all of it */
    bool begun;        /* some of it was sent over this connection */
    bool answered;     /* and something came back */
    bool stays;        /* the response allows it */
    struct loop_task task;
    struct loop_timer timer;
    uint64_t connect_ns, first_byte_ns, between_ns;
    void (*on_event)(void *user);
    void *user;
    enum http_call_failure failure;
    uint8_t alert;
    bool deleted;

    /* Request */
    struct h1_buffer out;
    int64_t length, written;
    bool head_request, request_complete, write_broken;

    /* Response */
    llhttp_t parser;
    char *in; /* CALL_IN_SIZE */
    uint32_t in_start, in_end;
    const char *span; /* body bytes in `in` that nobody has read yet */
    uint32_t span_size;
    bool message_complete, sized;
    uint64_t body_size, body_read; /* as announced, if sized */
    unsigned interim;
    uint32_t head_read; /* of the head that is awaited, and of what came before it */
    int status;
    struct h1_lines lines;
    struct http_field *fields, *trailers;
    size_t field_count;
};

/* call.c */
/* What holds between any two steps; every public function begins so. */
void http_call_check(const struct http_call *c);
void http_call_fail(struct http_call *c, enum http_call_failure why);
void http_call_post(struct http_call *c);
void http_call_limit(struct http_call *c, uint64_t timeout_ns); /* from now */

/* client_connection.c */
/* Whether its connection may be kept; and one that was, or a new one. 0, true; -ENOMEM, false: no memory. */
int http_call_place(struct http_call *c, const struct http_call_request *r);
bool http_call_connect(struct http_call *c, const struct http_call_request *r);
/* Before the first byte is sent: true if nothing has come, since that would be no answer to it. A connection that had
 * waited is replaced where it is of no use any more. */
bool http_call_is_quiet(struct http_call *c);
/* The connection has ended. True: it had waited for this request, and its server ended it meanwhile: the request goes
 * over another one. */
bool http_call_again(struct http_call *c);
/* The response is whole: its connection waits for the next request, unless something speaks against it. */
void http_call_part(struct http_call *c);
void http_call_let_go(struct http_call *c);

/* client_response.c */
void http_call_response_init(struct http_call *c);
void http_call_response_free(struct http_call *c);
/* Take the head if it has come; notice what ends the connection. */
void http_call_receive(struct http_call *c);
/* Nobody reads the rest of the body: what of it has come is passed over, so that its connection may stay. */
void http_call_pass_over(struct http_call *c);

#endif
