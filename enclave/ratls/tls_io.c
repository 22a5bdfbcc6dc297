/* What TLS reads from a connection's rings, and writes to them. */
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/ratls/connections.h"
#include "enclave/ratls/internal.h"
#include "enclave/ratls/limits.h"
#include "enclave/ratls/proof.h"
#include "enclave/ratls/tls_memory.h"
#include "enclave/thread/worker.h"

void tls_publish(struct connection *c)
{
    if (link_publish(&c->link))
        worker_ring_host(c->worker, c->link.name);
}

void tls_begin(struct connection *c)
{
    if (c->use_pass != c->worker->loop.passes) {
        c->use_pass = c->worker->loop.passes;
        c->use.bytes = TURN_BYTES;
        c->use.reads = TURN_READS;
        c->use.used_up = false;
    }
    if (ERR_peek_error()) /* another's, by which SSL_get_error would say that this connection has failed */
        ERR_clear_error();
    tls_memory_begin(c->tls_bytes, TLS_MAX);
}

void tls_end(struct connection *c)
{
    int64_t bytes = tls_memory_end();
    if (bytes != c->tls_bytes)
        charge_must(&c->tls, bytes > 0 ? (size_t)bytes : 0);
    c->tls_bytes = bytes;
}

static void progress(struct connection *c)
{
    c->key_updates = 0;
    if (c->crowded)
        crowd_progress(&connections_of(c->worker)->crowd, &c->member);
}

/* OpenSSL tells of each record that it is about to write, and of each message that it has read. */
static void on_message(int sent, int version, int type, const void *data, size_t size, SSL *ssl, void *user)
{
    (void)version, (void)ssl;
    struct connection *c = user;
    int first = size > 0 ? *(const uint8_t *)data : -1;
    if (sent && (type == SSL3_RT_HEADER || type == SSL3_RT_INNER_CONTENT_TYPE))
        c->use.alert = first == SSL3_RT_ALERT;
    if (!sent && type == SSL3_RT_HANDSHAKE && first == SSL3_MT_KEY_UPDATE && ++c->key_updates > KEY_UPDATES_MAX)
        c->use.refuse = true;
}

int tls_attach(struct connection *c, SSL *ssl, const struct channel_desc *d)
{
    ENSURE(c->phase == HANDSHAKING && !c->ssl);
    c->tls_bytes = ssl ? TLS_BEGUN : 0;
    tls_begin(c);
    c->ssl = ssl ? ssl : SSL_new(connections_of(c->worker)->tls);
    ENSURE(link_init_enclave(&c->link, d) == 0); /* checked when it was posted */
    BIO *bio = c->ssl ? ring_bio_new(&c->link.from, &c->link.to, &c->use) : NULL;
    tls_end(c);
    if (!bio)
        return -ENOMEM;
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_msg_callback(c->ssl, on_message);
    SSL_set_msg_callback_arg(c->ssl, c);
    return 0;
}

ssize_t tls_wait_for_space(struct connection *c, uint64_t needed)
{
    tls_publish(c); /* the host makes space only by reading what it has been told of */
    if (!queue_producer_wait_space(&c->link.to, needed) && !c->link.to.error)
        loop_post(&c->worker->loop, &c->retry);
    return -EAGAIN;
}

ssize_t tls_error(struct connection *c, int result)
{
    loop_check(&c->worker->loop);
    ENSURE(c->phase != CLOSED && result <= 0);
    int error = SSL_get_error(c->ssl, result);
    ERR_clear_error();
    switch (error) {
    case SSL_ERROR_WANT_READ:
        if (c->use.used_up) /* there is more: when the others have had theirs */
            loop_post(&c->worker->loop, &c->retry);
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        return tls_wait_for_space(c, 2 * RING_ALERT_ROOM);
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SSL:
        c->alerted = true;
        return -ECONNRESET;
    default:
        return -ECONNRESET;
    }
}

/* OpenSSL says that the peer has ended its side. A client that has ended its stream too, with a close_notify or without
 * one, is gone. What comes behind a close_notify counts for nothing (RFC 8446, section 6.1). */
static ssize_t side_ended(struct connection *c)
{
    if (!c->site) /* it is no client's */
        return 0;
    queue_consumer_skip(&c->link.from, c->link.from.capacity);
    if (link_release(&c->link))
        worker_ring_host(c->worker, c->link.name);
    return queue_consumer_ended(&c->link.from) ? -EPIPE : 0;
}

ssize_t tls_read(struct transport *t, void *buf, size_t size)
{
    struct connection *c = connection_of(t);
    if (c->phase != SERVING)
        return -ECONNRESET;
    tls_begin(c);
    int result = SSL_read(c->ssl, buf, size > INT32_MAX ? INT32_MAX : (int)size);
    tls_end(c);
    if (result > 0)
        progress(c);
    if (link_release(&c->link))
        worker_ring_host(c->worker, c->link.name);
    ssize_t got = result > 0 ? result : tls_error(c, result);
    return got == 0 ? side_ended(c) : got;
}

/* The most that TLS may put around so much content. */
static uint64_t around(uint64_t size)
{
    return (size / RECORD_LEAST + 1) * RECORD_AROUND;
}

/* How much of size can be written now, in whole records; 0: too little to be worth a record, wait for *needed. */
static size_t room_for(struct connection *c, size_t size, uint64_t *needed)
{
    uint64_t wanted = size + around(size), worth_while = c->link.to.capacity / 4;
    int64_t space = queue_producer_space_for(&c->link.to, wanted + WRITE_RESERVE);
    uint64_t room = space > WRITE_RESERVE ? (uint64_t)space - WRITE_RESERVE : 0;
    *needed = WRITE_RESERVE + (wanted < worth_while ? wanted : worth_while);
    if (room >= wanted)
        return size;
    return room < worth_while ? 0 : (size_t)(room - around(room));
}

ssize_t tls_write(struct transport *t, const void *buf, size_t size)
{
    struct connection *c = connection_of(t);
    if (c->phase != SERVING)
        return -ECONNRESET;
    if (size == 0)
        return 0;
    uint64_t needed;
    size = room_for(c, size < INT32_MAX ? size : INT32_MAX, &needed);
    if (size == 0 && c->link.to.error)
        return -ECONNRESET;
    if (size == 0)
        return tls_wait_for_space(c, needed);
    tls_begin(c);
    int result = SSL_write(c->ssl, buf, (int)size);
    tls_end(c);
    if (result > 0)
        progress(c);
    return result > 0 ? result : tls_error(c, result);
}

bool tls_reusable(struct transport *t)
{
    struct connection *c = connection_of(t);
    if (c->phase != SERVING || c->alerted || c->link.to.error)
        return false;
    /* Half a record is the beginning of something, too. */
    bool silent = queue_consumer_available(&c->link.from) == 0 && !queue_consumer_ended(&c->link.from) &&
                  !SSL_has_pending(c->ssl) && strcmp(SSL_rstate_string(c->ssl), "RH") == 0;
    return silent && proof_holds(c->ssl);
}
