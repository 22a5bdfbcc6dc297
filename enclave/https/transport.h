/*
 * A byte stream with back-pressure under HTTP: TLS over a ring pair in the enclave, a socket in native tests.
 *
 * One owner thread. Nothing blocks: when read or write can do no more, the transport calls on_ready later, from
 * the owner's loop, once there is something to read or space to write (spurious calls are allowed).
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_TRANSPORT_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct budget;
struct http_site;
struct transport;

struct transport_ops {
    /* Up to size plaintext bytes into buf. > 0: that many. 0: the peer ended its side cleanly.
     * -EAGAIN: nothing now. Any other negative errno: the connection is broken. */
    ssize_t (*read)(struct transport *t, void *buf, size_t size);
    /* Up to size bytes from buf. > 0: that many were taken. -EAGAIN: no space now. Other negative errno: broken. */
    ssize_t (*write)(struct transport *t, const void *buf, size_t size);
    /* Send what was written without waiting for more (end of a burst). */
    void (*flush)(struct transport *t);
    /* Close both sides, sending what is already written first; on_ready is not called again. The transport frees
     * itself when it is done, and never before one of these was called. abort drops what is unsent. */
    void (*close)(struct transport *t);
    void (*abort)(struct transport *t);
};

struct transport {
    const struct transport_ops *ops;
    void (*on_ready)(struct transport *t, void *user);
    void *user;
    /* Whether it waits for its peer (for input, or to take output) rather than for what answers: then it may be cut
     * when connections have used up their memory. NULL: it does. */
    bool (*waits)(struct transport *t, void *user);
    struct http_site *site;  /* what a client is answered with (site.h); lives as long as the transport */
    struct budget *memory;   /* what is allocated for the connection is charged here; NULL: nobody is */
    bool broken;             /* nothing can be read or written any more: on_ready, then close or abort it */
    const char *server_name; /* SNI, or NULL; lives as long as the transport */
    const char *identity;    /* what the client proved to be (enclave/ratls/peer.h), or NULL; lives as long */
    const char *peer;        /* textual peer address, a host claim; lives as long as the transport */
};

#endif
