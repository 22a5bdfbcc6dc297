/*
 * Inside an HTTP/1.1 connection. Its files, each of which needs those below it only:
 *
 *   h1.c          its life: one state machine, run from the worker's loop
 *   h1_write.c    responses: the operations that an answerer has
 *   h1_body.c     the request's body, as it is wanted
 *   h1_parse.c    requests, as llhttp finds their parts
 *   h1_request.c  a parsed head, judged and made into a request
 *   h1_io.c       its buffers and the transport
 *   h1_pace.c     its clock and its turns
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_H1_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_H1_INTERNAL_H

#include "enclave/https/buffer.h"
#include "enclave/https/exchange.h"
#include "enclave/https/h1_fault.h"
#include "enclave/https/http.h"
#include "enclave/https/limits.h"
#include "enclave/https/lines.h"
#include "enclave/https/site.h"
#include "enclave/https/strict.h"
#include "enclave/https/transport.h"
#include "enclave/thread/loop.h"
#include "enclave/thread/worker.h"

enum h1_state {
    H1_IDLE,     /* waiting for a request's first byte */
    H1_HEAD,     /* reading one */
    H1_EXCHANGE, /* a request is being answered */
    H1_DRAIN,    /* answered; its body is still coming */
    H1_CLOSING,  /* the rest of the output, then close */
};

/* How far a client may still fall behind the least rate. Only while it is waited for does the credit run down. */
struct h1_pace {
    uint64_t credit_ns, since_ns; /* since when it is waited for; 0: it is not */
};

struct h1 {
    struct http_exchange x;
    struct http_server *server;
    struct transport *transport;
    struct loop_task task;
    struct loop_timer timer;
    uint64_t timer_wanted_ns;
    uint64_t progress_ns;           /* when the state, or its last progress, began */
    struct h1_pace sending, taking; /* the client's */
    enum h1_state state;
    uint32_t served;

    bool running, again; /* inside h1_run; asked to run once more */
    bool timed_out, slow;
    bool eof;    /* the peer ended its side */
    bool broken; /* the transport failed */
    bool keep_alive;
    bool expect_continue; /* 100 Continue is owed */
    bool message_complete;
    bool wants_body, wants_space; /* the answerer waits */

    /* Input */
    llhttp_t parser;
    char *in; /* H1_IN_SIZE, while there is unparsed input */
    uint32_t in_start, in_end;
    const char *span; /* body bytes in `in` that nobody has read yet */
    uint32_t span_size;
    uint64_t body_read;
    enum h1_fault fault; /* of the head, or of the body: it is answered instead of what was asked for */

    /* The head: method, target, then lines */
    char method[H1_METHOD_MAX];
    uint8_t method_size, empty_size;
    bool method_complete;
    struct h1_lines lines;
    uint32_t target_size;
    struct http_field *fields, *trailers; /* made of the lines when the part is complete */
    uint32_t field_count;

    /* Output */
    struct h1_buffer out;
    struct h1_buffer early; /* the body's first bytes */
    bool responded, framed, chunked, no_body, empty;
    uint16_t status;
    int64_t length, written; /* announced (-1: unknown) and given */
    uint32_t head_size;      /* of the response, as long as it is not framed */
};

/* h1_pace.c */
/* What holds between any two steps; every function of another room that comes here begins so. */
void h1_check(const struct h1 *c);
void h1_post(struct h1 *c);                       /* a turn, soon: one more, if this is one */
void h1_enter(struct h1 *c, enum h1_state state); /* and restart the timer */
void h1_progress(struct h1 *c);                   /* restart the timer of the present state */
/* An idle connection's time is up; it has less of it once its site is retired, from when on the timer says so. */
bool h1_idle_is_over(struct h1 *c);
void h1_timer_due(struct h1 *c);  /* it fired: what follows from that is in slow and timed_out */
void h1_pace_reset(struct h1 *c); /* a new request */
void h1_pace_moved(struct h1 *c, struct h1_pace *pace, size_t size);
/* Too slow for too long: true. Else the timer stands for the time when it may become so. */
bool h1_too_slow(struct h1 *c);

/* h1_io.c */
/* Take more input: 1 something came, 0 nothing now, -1 no more ever. */
int h1_fill(struct h1 *c);
/* No more will come: reading said why. -1, as h1_fill. */
int h1_input_ended(struct h1 *c, ssize_t why);
void h1_flush(struct h1 *c);

/* h1_request.c */
enum h1_fault h1_make_request(struct h1 *c); /* the parsed head into x.request */
static inline bool h1_method_is(const struct h1 *c, const char *method)
{
    return c->method_size == strlen(method) && memcmp(c->method, method, c->method_size) == 0;
}

/* h1_parse.c */
void h1_parse_begin(struct h1 *c); /* a new message */
void h1_parse(struct h1 *c);       /* as much of the input as can be taken now */
void h1_free_head(struct h1 *c);
size_t h1_trailers(struct h1 *c, const struct http_field **fields);

/* h1_body.c */
/* Bring the body's next bytes into span: 1 done, 0 the body is complete, -EAGAIN, other negative errno: it is broken,
 * and fault says how. */
int h1_body(struct h1 *c);
/* Up to size of the body's next bytes straight into buf, where none of them wait in the input and their number was
 * announced. > 0: that many; -EAGAIN; 0: it is not so, ask h1_body. */
ssize_t h1_body_direct(struct h1 *c, void *buf, size_t size);

/* h1_write.c */
extern const struct http_exchange_ops h1_ops;
void h1_answer_fault(struct h1 *c); /* a whole answer, made by the connection itself, in place of a head not yet sent */
/* The answer is to be that something is wrong with the request, and no other was begun. */
static inline bool h1_is_refused(const struct h1 *c)
{
    return c->fault && !c->framed;
}

#endif
