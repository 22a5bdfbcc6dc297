/*
 * What the room's files share of a connection: its life is connection.c's, what TLS reads and writes tls_io.c's. All of
 * it on the worker's thread.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_RATLS_INTERNAL_H

#include <openssl/ssl.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/link.h"
#include "enclave/https/transport.h"
#include "enclave/ratls/connection.h"
#include "enclave/ratls/crowd.h"
#include "enclave/ratls/ring_bio.h"

enum phase { HANDSHAKING, SERVING, CLOSED };

struct connection {
    struct transport transport; /* first: HTTP knows the connection by it */
    struct worker *worker;
    struct link link; /* empty once CLOSED */
    enum phase phase;
    bool in_use;            /* HTTP has the transport: it is freed only after close or abort */
    bool alerted;           /* OpenSSL has told the peer what it did wrong: that must arrive, whatever HTTP wants */
    SSL *ssl;               /* NULL: it is not TLS, but one of our own without it */
    struct http_site *site; /* a client's: what its handshake shows, and it is answered with; counted */
    bool crowded;           /* a client's: it is in the worker's crowd */
    struct crowd_member member;
    struct charge structure, tls;
    int64_t tls_bytes;
    struct ring_use use;
    uint64_t use_pass;    /* of the loop, for which use's turn is */
    uint32_t key_updates; /* since there was last data */
    http_dialled opened;  /* a client's own: told of the handshake's end, then NULL */
    void *opener;
    struct loop_timer handshake_timer;
    struct loop_task retry;   /* space appeared while we were about to wait for it */
    struct loop_task release; /* frees the connection once nothing of it is on the stack */
    char peer[48];
    char *identity; /* what the client proved to be, or NULL */
};

static inline struct connection *connection_of(struct transport *t)
{
    struct connection *c = CONTAINER_OF(t, struct connection, transport);
    loop_check(&c->worker->loop);
    ENSURE(c->in_use); /* or HTTP has let go of it */
    return c;
}

/* ---- tls_io.c ---------------------------------------------------------------------------------------------------- */

/* Takes ssl, which a client's is; NULL: be the server. 0 or -ENOMEM; what was made is in c in any case. */
int tls_attach(struct connection *c, SSL *ssl, const struct channel_desc *d);
/* Before OpenSSL is called for the connection, and after. It may take some of the input in each pass of the loop, and
 * so much memory. */
void tls_begin(struct connection *c);
void tls_end(struct connection *c);
/* What OpenSSL's result, which was no success, means: 0: the peer has ended its side; -EAGAIN: later, from the loop;
 * -ECONNRESET. */
ssize_t tls_error(struct connection *c, int result);
/* Tell the host what moved: new bytes for it, or space it waits for. */
void tls_publish(struct connection *c);
/* Nothing more can be written before the host has made room for so much. -EAGAIN. */
ssize_t tls_wait_for_space(struct connection *c, uint64_t needed);
/* As struct transport_ops has them. */
ssize_t tls_read(struct transport *t, void *buf, size_t size);
ssize_t tls_write(struct transport *t, const void *buf, size_t size);
bool tls_reusable(struct transport *t);

/* ---- plain_io.c: the same without TLS ---------------------------------------------------------------------------- */

int plain_attach(struct connection *c, const struct channel_desc *d);
ssize_t plain_read(struct transport *t, void *buf, size_t size);
ssize_t plain_write(struct transport *t, const void *buf, size_t size);

#endif
