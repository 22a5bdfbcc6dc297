/*
 * A byte stream with back-pressure under HTTP: TLS over a ring pair in the enclave, a socket in native tests.
 *
 * One owner thread. Nothing blocks: when read or write can do no more, the transport calls on_ready later, from
 * the owner's loop, once there is something to read or space to write (spurious calls are allowed).
 *
 * Its end may come before its user hears of it: of one that is broken, read and write fail, flush does nothing, and
 * what it can tell of its handshake is not known. Only close and abort are left to be called.
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
    /* Up to size plaintext bytes into buf. > 0: that many. 0: the peer ended its side cleanly, and may still read.
     * -EPIPE: a client ended its stream, which may come after that; it is gone, though what was written is still sent.
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
    /* Of one to a server elsewhere that has nothing to read: whether another request may go over it (kept.h). No part
     * of what was not read has come, and what its peer proved to be holds to this day. NULL: none may. */
    bool (*reusable)(struct transport *t);
};

struct transport {
    const struct transport_ops *ops;
    void (*on_ready)(struct transport *t, void *user);
    void *user;
    /* Whether it waits for its peer (for input, or to take output) rather than for what answers: then it may be cut
     * when connections have used up their memory. NULL: it does. */
    bool (*waits)(struct transport *t, void *user);
    /* Whether it has an answer to come that must not be lost because its site is over (site.h): it ends with that
     * answer. NULL: it has not. */
    bool (*spared)(struct transport *t, void *user);
    /* 32 bytes of TLS's exporter (RFC 8446, section 7.5) with this label and context: what both ends of this connection
     * know, and nobody in between. NULL: it has none. False: not now. */
    bool (*export_key)(struct transport *t, const char *label, const uint8_t context[32], uint8_t out[32]);
    /* SHA-256 of the SubjectPublicKeyInfo of the certificate that its handshake showed the client. NULL: it showed
     * none. False: not now. */
    bool (*shown_key)(struct transport *t, uint8_t sha256[32]);
    /* When the certificate that its client was shown ends, in seconds since 1970. NULL: none was shown. Negative: it is
     * not known. */
    int64_t (*shown_until)(struct transport *t);
    struct http_site *site;  /* what a client is answered with (site.h); lives as long as the transport */
    struct budget *memory;   /* what is allocated for the connection is charged here; NULL: nobody is */
    bool broken;             /* nothing can be read or written any more: on_ready, then close or abort it */
    const char *server_name; /* SNI, or NULL; lives as long as the transport */
    const char *app;         /* the one app that its handshake spoke for, by the name that was asked for, which is all
                              * that there is on it; NULL: the whole server; lives as long */
    const char *identity;    /* what the client proved to be (enclave/ratls/peer.h), or NULL; lives as long */
    const char *peer;        /* textual peer address, a host claim; lives as long as the transport */
};

#endif
