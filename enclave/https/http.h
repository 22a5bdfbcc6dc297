/*
 * HTTP/1.1, as a server and as a client, over any byte stream. Begin here.
 *
 *     static void answer(struct http_server *server, struct http_exchange *x)      the router
 *     {
 *         http_answer_value(x, 200, json_pack("{s:s}", "status", "ok"));          answer.h; or later: exchange.h
 *     }
 *     static struct http_server server;                                            one for all workers
 *     http_server_init(&server, answer, now_ns);
 *     http_connection_start(&server, worker, transport);                           for each client, on its worker,
 *                                                                                  with transport->site filled in
 *
 * The room's public headers: this one, the server; transport.h, the stream below it; exchange.h, a request that is
 * being answered; answer.h and admin.h, answers that it knows itself; target.h and fields.h, parts of messages;
 * client.h, requests to elsewhere; site.h, what a connection is answered with; limits.h, the bounds. The others are its
 * own.
 *
 * Owners. A struct http_server is the caller's: filled once, before the first connection, and read by all workers from
 * then on; it outlives its connections. http_connection_start takes the transport, also when it fails, and closes or
 * aborts it once. Texts and fields of a request are the connection's, and end with the exchange; what an answerer hands
 * over is copied.
 *
 * Threads. A connection, its exchanges and its transport belong to one worker, and only its thread may call; every
 * function here asserts that, in release too, with what holds between two steps (h1_check). Counters may be read from
 * anywhere, and stopping may be set from anywhere.
 *
 * Callbacks. The router runs from the worker's loop and may answer at once or later. An answerer's on_event comes from
 * a turn of the connection, never inside an operation of the exchange.
 *
 * Errors are negative errno values. What a client sends is never an invariant: it is answered with a status and a line
 * that says what was wrong (h1_fault.h), or the connection ends. What an answerer does wrong (a second answer, one
 * after the end, one from another thread) stops the enclave.
 *
 * Memory. Everything is charged to the transport's budget, admin bodies to the server's; where it has no more, 503. A
 * client that does not read is not read from either (limits.h). A connection that waits always has a timer.
 *
 * Units: bytes, milliseconds where a name ends in _ms, nanoseconds of the loop's clock where in _ns.
 *
 * Known weaknesses. One request of a connection is answered at a time. No HTTP/2, no compression, no caching. A
 * client's address is the host's word. How long an answer takes, and how large it is, the host sees.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_HTTP_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/protocol.h"
#include "enclave/budget/budget.h"

struct http_exchange;
struct http_server;
struct json_t;
struct transport;
struct worker;

struct http_limits {
    uint32_t header_bytes;        /* request line and fields; 431, or 414 for the target alone */
    uint32_t header_count;        /* 431 */
    uint64_t buffered_body;       /* bodies of the admin routes; 413 */
    uint64_t streamed_body;       /* bodies that guests read; 413 */
    uint32_t header_timeout_ms;   /* from a request's first byte to its last field; 408 */
    uint32_t idle_timeout_ms;     /* between requests */
    uint32_t progress_timeout_ms; /* without a byte read or written while one is wanted */
    uint32_t requests;            /* per connection */
    uint32_t min_rate;            /* bytes a second that a client must send or take while it is waited for; 0: any */
    uint32_t rate_grace_ms;       /* how far it may fall behind that; 408 if nothing was answered yet */
};
extern const struct http_limits http_limits_default;

/* A complete admin request (/_enclave/...). All texts live until the reply. */
struct http_admin_request {
    const char *method, *path; /* zero-terminated; path with query */
    const char *authorization; /* the header's value, or "" */
    struct http_site *site;    /* the connection's */
    const char *publication;   /* Enclave-Publication's, of which there is one at most; NULL: there is none */
    const char *approvals;     /* those of the Enclave-Approval fields: approval_count texts, each with its NUL */
    size_t approval_count;
    int64_t asked_s; /* wall clock when the head was complete: what a token's time is judged by */
    const uint8_t *body;
    size_t body_size;
};
struct http_admin_reply;
struct http_admin_hook {
    /* Asked before the body is gathered, with a request that has none yet: 0, or the status to answer, with why.
     * Memory is spent only on who may have it. */
    int (*admit)(struct http_admin_hook *hook, const struct http_admin_request *request, const char **why);
    /* The methods that a path has, as Allow lists them (405), or NULL: there is no such path. */
    const char *(*methods)(struct http_admin_hook *hook, const char *path);
    /* Called on the connection's worker; must lead to exactly one answer, now or later. */
    void (*handle)(struct http_admin_hook *hook, struct worker *worker, const struct http_admin_request *request,
                   struct http_admin_reply *reply);
};
/* Answer, from the same worker's thread, with a value of jansson's, which it takes (answer.h). Frees reply and what the
 * request pointed to. */
void http_admin_reply_value(struct http_admin_reply *reply, int status, struct json_t *value);
/* What whoever answers keeps with the reply: malloc'ed, freed with it. Once; then anybody may look until the answer. */
void http_admin_keep(struct http_admin_reply *reply, void *kept);
const void *http_admin_kept(const struct http_admin_reply *reply); /* NULL: nothing */
/* The request's body, a charged block (budget.h), becomes the caller's and may outlive the reply. Once. */
uint8_t *http_admin_take_body(struct http_admin_reply *reply);

/* A worker's own, in lines of the cache that no other worker writes: it alone counts, by http_count, and whoever wants
 * to know adds them up. */
struct http_counters {
    _Alignas(64) _Atomic uint64_t connections;
    _Atomic uint64_t requests, app_calls;
    _Atomic uint64_t responses[6]; /* by first digit of the status */
};

/* Lets the exchange be answered, now or later, by what the request is for. On the connection's worker. */
typedef void (*http_router)(struct http_server *server, struct http_exchange *x);

struct http_server {
    struct http_limits limits;
    http_router route;
    struct http_admin_hook *admin; /* NULL: these routes answer 404 */
    /* May this Authorization value ("" if none) see readyz, status and metrics? NULL: nobody may. */
    bool (*authorize_monitoring)(void *user, const char *method, const char *path, const char *authorization);
    /* Answers a request that is for a route of its own: true; false: it is not. May be NULL. */
    bool (*more_routes)(void *user, struct http_exchange *x);
    /* Adds members to /metrics, and to what /status says of the server itself. 0 or -ENOMEM. May be NULL. */
    int (*more_metrics)(void *user, const struct http_site *site, struct json_t *into);
    int (*more_status)(void *user, const struct http_site *site, struct json_t *into);
    /* Whether something else than its own stopping keeps the server from being ready, and why, in at most size bytes
     * with the zero; for /readyz. Any worker. May be NULL. */
    bool (*not_ready)(void *user, char *why, size_t size);
    void *user;
    _Atomic bool withheld;      /* neither apps nor administrators are answered */
    _Atomic bool stopping;      /* answer with "connection: close", accept no further requests */
    uint64_t started_ns;        /* set by http_server_init */
    struct budget admin_memory; /* requests to the admin routes, with their bodies: 503 beyond */
    struct http_counters counters[PROTO_MAX_WORKERS];
};

static inline void http_count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* The counters of a worker, on its thread; and of all, on any. */
struct http_counters *http_counters_of(struct http_server *server, const struct worker *worker);
void http_counters_sum(const struct http_server *server, struct http_counters *sum);

void http_server_init(struct http_server *server, http_router route, uint64_t now_ns);

/* Serve the transport until it ends; takes it over, sets on_ready and user. On the worker's thread. -ENOMEM: the
 * transport was aborted. */
int http_connection_start(struct http_server *server, struct worker *worker, struct transport *transport);

#endif
