/*
 * One HTTP request being answered, whatever protocol carries it: what a connection offers to the answerer (a guest,
 * a built-in route, the admin routes).
 *
 * One owner thread: the worker of the connection. Reading and writing never block; on_event says when to try again.
 * Events come from the worker's loop, never from inside an operation. The exchange ends for the answerer with finish,
 * with fail, or with HTTP_EVENT_GONE; it must not be touched afterwards.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_EXCHANGE_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "enclave/https/target.h"

struct http_site;
struct transport;
struct worker;

struct http_field {
    struct http_text name; /* lower case in requests */
    struct http_text value;
};

struct http_request {
    struct http_text method;
    struct http_target target;       /* the authority is valid, or empty; the router cuts the app's prefix off */
    const struct http_field *fields; /* without what concerns the connection alone */
    size_t field_count;
    int64_t content_length; /* -1: chunked */
    unsigned minor;         /* of HTTP/1 */
};

enum http_event {
    HTTP_EVENT_BODY,  /* read_body may have more */
    HTTP_EVENT_SPACE, /* write_body may take more */
    HTTP_EVENT_GONE,  /* the client is gone */
};

struct http_exchange;

struct http_exchange_ops {
    /* > 0: bytes read. 0: the body is complete. -EAGAIN: wait for HTTP_EVENT_BODY. Other negative errno: broken; then,
     * unless an answer has begun to be sent, the client is told so, whatever is answered, and HTTP_EVENT_GONE comes. */
    ssize_t (*read_body)(struct http_exchange *x, void *buf, size_t size);
    bool (*body_ready)(struct http_exchange *x); /* read_body would not answer -EAGAIN */
    /* Trailers of the request, once the body is complete. */
    size_t (*trailers)(struct http_exchange *x, const struct http_field **fields);
    /* Start the answer: once. content_length -1: not known. fields are copied and hold no framing headers.
     * Nothing is sent before push, finish, or a body that outgrows the first buffer. 0 or -ENOMEM. */
    int (*respond)(struct http_exchange *x, int status, const struct http_field *fields, size_t count,
                   int64_t content_length);
    /* Send an interim response (RFC 9110, section 15.2) before the answer; a client that would not understand it gets
     * none. -EINVAL: the status is not one, or the answer was begun; -EAGAIN: the client must read first, wait for
     * HTTP_EVENT_SPACE; -ENOMEM. */
    int (*inform)(struct http_exchange *x, int status, const struct http_field *fields, size_t count);
    /* 0 (HTTP_EVENT_SPACE will come), or at least 4096 bytes. */
    size_t (*write_space)(struct http_exchange *x);
    /* Bytes taken, at most write_space; -EAGAIN; -EMSGSIZE: more than content_length; -EPIPE: broken. */
    ssize_t (*write_body)(struct http_exchange *x, const void *buf, size_t size);
    void (*push)(struct http_exchange *x); /* send what is there, without waiting for more */
    /* The answer is complete; the exchange is over in any case. -EMSGSIZE: less than content_length was written. */
    int (*finish)(struct http_exchange *x, const struct http_field *trailers, size_t count);
    /* Answer with this status, and a line that names what was wrong, if nothing was sent yet; else cut the connection.
     * The exchange is over. */
    void (*fail)(struct http_exchange *x, int status, const char *why);
};

struct http_exchange {
    const struct http_exchange_ops *ops;
    struct worker *worker;
    struct http_site *site;      /* what it is answered with; the connection's */
    struct transport *transport; /* the connection, for what is to be bound to it */
    struct http_request request;
    const char *peer;   /* the client's address as the host claims it, or NULL */
    const char *client; /* what the client proved to be, or NULL: see transport.h */
    uint64_t body_max;  /* of the request, set by the answerer; 0: what the server has for all */
    bool head;          /* the answer's body is counted but not sent */
    bool spared;        /* set by the answerer: its connection is not cut because its site's time is over */
    bool shared;        /* set by the answerer, before it answers: browsers let pages of any origin read the answer */
    void (*on_event)(struct http_exchange *x, enum http_event event, void *user); /* set by the answerer */
    void *user;
};

/* What holds of an exchange as long as it is not over, whoever carries it. */
void http_exchange_check(const struct http_exchange *x);

#define HTTP_TEXT(literal) ((struct http_text){literal, sizeof literal - 1})

#endif
