/*
 * Connections to servers elsewhere that stay open between two requests, so that not each of them takes a handshake.
 *
 *     struct kept *k = kept_new(&origin);              whose, and to whom
 *     struct transport *t = kept_take(k);              one that waits for just that; NULL: dial
 *     ... a request over it, and the whole of its response, by which the connection is free again ...
 *     if (!kept_put(k, t))                             else both are the pool's, and k is another request's one day
 *         close t, kept_free(k)
 *
 * Nothing is shared that was not opened for the same: the keeper (one app, with the settings that it has), the site
 * (one generation of all that is served, which says who is believed), the dialer (how the server proves who it is),
 * host and port. A connection ends when its site is retired, its worker stops, it has been idle for KEPT_IDLE_MS or
 * there for KEPT_AGE_MS, its peer ends it or says anything that nobody asked for, and is never used again when what its
 * peer proved to be holds no longer.
 *
 * One owner thread, a worker's: a connection belongs to its loop, and so do those that wait there. A keeper is charged
 * for each that waits, and lives until they have ended.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_KEPT_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_KEPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget;
struct http_dialer;
struct http_site;
struct transport;
struct worker;

/* Who pays for connections that wait. Embedded in what knows more, and counted by it. */
struct http_keeper {
    struct budget *memory; /* KEPT_COST each */
    struct budget *count;  /* one each */
    void (*ref)(struct http_keeper *keeper);
    void (*unref)(struct http_keeper *keeper);
};

struct kept_origin {
    struct worker *worker;
    struct http_keeper *keeper;
    struct http_site *site;
    const struct http_dialer *dialer;
    const char *host; /* as it was asked for: what is written otherwise is another */
    uint16_t port;
};

/* A connection's place: what it is for, and when it was opened. */
struct kept;

/* Of all workers. */
struct kept_counters {
    _Atomic uint64_t waiting, taken; /* now; since boot */
};
extern struct kept_counters kept_counters;

/* All of it is copied or counted. NULL: no memory. */
struct kept *kept_new(const struct kept_origin *origin);
void kept_free(struct kept *k); /* NULL is nothing */
const struct kept_origin *kept_origin(const struct kept *k);
/* k's connection is a new one from now on. */
void kept_begin(struct kept *k);

/* The latest that waits for the same and can still be used: the caller's, whose on_ready it needs. NULL: there is none.
 */
struct transport *kept_take(struct kept *k);
/* Whether a request may go over t now: nothing has come over it, and neither its peer nor time has ended it. */
bool kept_is_quiet(struct transport *t);
/* Its response was read to its end. False: it cannot stay, and both are still the caller's. */
bool kept_put(struct kept *k, struct transport *t);

/* Stops unless all that waits on this thread is in order: it walks them. For tests. */
void kept_check(void);

#endif
