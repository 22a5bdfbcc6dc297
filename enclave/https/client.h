/*
 * An HTTP/1.1 request to a server elsewhere, and its response: over a connection of its own, which is closed then, or,
 * with a keeper, over one that answered another request before (kept.h), and stays where the response allows it.
 *
 * One owner thread, the worker's. Nothing blocks: on_event is called from the worker's loop, never from inside a
 * function of this file, whenever something may have changed; then ask again. The response is the server's word and is
 * checked as hostile: what could be understood in two ways is an error, a body that breaks off is never complete.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_CLIENT_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_CLIENT_H

#include <stdatomic.h>

#include "enclave/https/exchange.h"

struct http_keeper; /* kept.h */
struct http_site;
struct transport;
struct worker;

/* Why there is no response, or not all of it. */
enum http_call_failure {
    CALL_OK = 0,
    CALL_NO_TRUST, /* there is no CA bundle */
    CALL_NO_NAME,  /* the host finds no address */
    CALL_REFUSED,
    CALL_LIMIT, /* too many are connecting at this moment */
    CALL_UNREACHABLE,
    CALL_CONNECT_TIMEOUT,
    CALL_TERMINATED, /* the connection broke */
    CALL_TLS_PROTOCOL,
    CALL_TLS_CERTIFICATE,
    CALL_TLS_ALERT,        /* the server's; its number is in http_call_alert */
    CALL_RESPONSE_TIMEOUT, /* no head in time */
    CALL_READ_TIMEOUT,     /* no more of the body in time */
    CALL_INCOMPLETE,       /* the response broke off */
    CALL_HEAD_SIZE,
    CALL_CODING, /* a transfer coding other than chunked */
    CALL_PROTOCOL,
    CALL_NO_MEMORY,
};

typedef void (*http_dialled)(void *user, struct transport *t, enum http_call_failure why, uint8_t alert);

/* How connections are made: TLS in the enclave, sockets in native tests. */
struct http_dialer {
    /* done comes once, later, from the worker's loop: with a transport to be closed or aborted by its taker, or with
     * NULL and why; alert: the number of CALL_TLS_ALERT. NULL: no memory, and done never comes. Host is a name or an
     * address without brackets; site says who is believed, and is looked at during the call. */
    void *(*start)(struct worker *worker, const struct http_site *site, const char *host, uint16_t port,
                   http_dialled done, void *user);
    void (*cancel)(void *attempt); /* before done: it never comes */
};

#define CALL_NO_BODY (-2) /* as content_length */
#define CALL_CHUNKED (-1)

struct http_call_request {
    struct worker *worker;
    const struct http_dialer *dialer;
    struct http_site *site;     /* what the request that leads to this one is answered with */
    struct http_keeper *keeper; /* who keeps its connection for the next one; NULL: it is closed */
    const char *host;
    uint16_t port;
    struct http_text method, target, authority; /* valid: the caller checked their characters */
    const struct http_field *fields;            /* without host and what frames or concerns the connection */
    size_t field_count;
    int64_t content_length;                         /* or CALL_CHUNKED, CALL_NO_BODY */
    uint64_t connect_ns, first_byte_ns, between_ns; /* time-outs; UINT64_MAX: none */
    void (*on_event)(void *user);
    void *user;
};

/* Of all workers, since boot. */
struct http_call_counters {
    _Atomic uint64_t requests, failures, connections;
};
extern struct http_call_counters http_call_counters;

struct http_call;

/* Everything is copied. NULL: no memory. */
struct http_call *http_call_start(const struct http_call_request *request);
/* At any time but from inside on_event; what is not complete is cut. */
void http_call_delete(struct http_call *c);
/* The request will not be completed: the server must not take it for whole. */
void http_call_cut(struct http_call *c);

enum http_call_failure http_call_failure(const struct http_call *c);
uint8_t http_call_alert(const struct http_call *c);

/* The request's body. Space is 0 (an event comes), or at least 4096. */
size_t http_call_space(struct http_call *c);
/* All of it, at most the space. -EMSGSIZE: more than content_length; -EPIPE: nobody takes it any more. */
ssize_t http_call_write(struct http_call *c, const void *data, size_t size);
/* -EMSGSIZE: less than content_length was written, and the request is cut. */
int http_call_finish(struct http_call *c, const struct http_field *trailers, size_t count);

/* The response's head, once it is there: its status, else 0; its fields live as long as the call. */
int http_call_status(const struct http_call *c);
size_t http_call_fields(const struct http_call *c, const struct http_field **fields);
/* > 0: bytes of the body. 0: it is complete. -EAGAIN. -EIO: see http_call_failure. */
ssize_t http_call_read(struct http_call *c, void *buf, size_t size);
bool http_call_readable(struct http_call *c); /* http_call_read would not answer -EAGAIN */
size_t http_call_trailers(struct http_call *c, const struct http_field **fields); /* once the body is complete */

#endif
