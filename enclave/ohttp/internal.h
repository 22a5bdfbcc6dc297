/*
 * Inside a request that was encrypted. Its files:
 *
 *   inner.c          its life, from the bytes that come to those that go
 *   inner_request.c  what it says, judged as a head of HTTP/1.1 is
 *   inner_answer.c   the operations that an answerer has, and the answer as a binary message
 *   inner_send.c     what holds of it, and its end
 */
#ifndef ENCLAVE_OS_ENCLAVE_OHTTP_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_OHTTP_INTERNAL_H

#include <stdbool.h>

#include "common/ensure.h"
#include "common/ohttp.h"
#include "enclave/budget/budget.h"
#include "enclave/https/exchange.h"
#include "enclave/https/http.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/ohttp/inner.h"
#include "enclave/ohttp/limits.h"
#include "enclave/thread/loop.h"
#include "enclave/thread/worker.h"

struct bhttp_message;

enum inner_state {
    INNER_GATHERS, /* what carries it is coming */
    INNER_ANSWERS, /* it is with who answers it */
    INNER_SENDS,   /* its answer is whole, and on its way */
};

struct inner {
    struct http_exchange x; /* first */
    struct http_exchange *outer;
    struct http_server *server;
    enum inner_state state;
    struct transport transport; /* of x: nothing but who is charged, and what is known of the client */
    struct budget memory;       /* its own: of what all have, as much as it leaves free */
    struct budget *all;         /* of which that is a part */
    struct http_site *site;     /* counted, once it is known */
    struct loop_timer timer;    /* from inner_begin on, until it is answered */
    struct ohttp_answer answer;

    /* The request */
    uint8_t *data; /* as it came, then decrypted */
    size_t size, capacity;
    struct http_field *fields, *trailers;
    size_t trailer_count;
    const uint8_t *content;
    size_t content_size, content_read;

    /* The answer: room for a nonce, then the binary message as far as it is known */
    uint8_t *out;
    size_t out_size, out_capacity, content_at;
    int64_t length, written; /* announced (-1: unknown) and given */
    bool responded, no_body;
    int refused; /* a status that is answered instead, once, and why; 0: it is not */
    const char *refused_why;
    size_t sent;
};

/* inner_request.c: the message into x.request. 0; or a status, and why. problem: a problem type, of some that are 400,
 * with the time that it is here. */
struct inner_refusal {
    int status;
    const char *why, *problem;
    int64_t clock_s;
};
bool inner_make_request(struct inner *i, uint8_t *plain, size_t size, struct inner_refusal *refusal);

/* inner_answer.c */
extern const struct http_exchange_ops inner_ops;
/* An answer of the server's own in place of what there is of another. */
void inner_refuse(struct inner *i, const struct inner_refusal *refusal);

/* inner_send.c */
/* What holds between any two steps. */
void inner_check(const struct inner *i);
/* The answer is whole. x is over; so is i, when it is sent. */
void inner_send(struct inner *i);
void inner_send_more(struct inner *i);
/* It will be answered with this instead, from a turn of the loop. */
void inner_refuse_later(struct inner *i, int status, const char *why);

#endif
