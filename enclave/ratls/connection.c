/* See connection.h. */
#include "enclave/ratls/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/link.h"
#include "enclave/early/channel.h"
#include "enclave/https/http.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/ratls/connections.h"
#include "enclave/ratls/internal.h"
#include "enclave/ratls/peer.h"
#include "enclave/ratls/tls_challenge.h"
#include "enclave/ratls/tls_names.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"
#include "sgx/trusted/bridge.h"

void connection_check(const struct connection *c)
{
    loop_check(&c->worker->loop);
    ENSURE((c->phase != CLOSED) == link_is_open(&c->link));
    ENSURE(c->phase == CLOSED || connections_of(c->worker)->by_channel[(uint32_t)c->link.name] == c);
    ENSURE(!c->in_use || c->phase != HANDSHAKING);
}

bool connection_is_clients(const struct connection *c)
{
    return c->site != NULL;
}

static void free_memory(struct connection *c)
{
    SSL_free(c->ssl);
    http_site_unref(c->site);
    free(c->identity);
    charge_give(&c->tls);
    charge_give(&c->structure);
    if (c->crowded)
        crowd_leave(&connections_of(c->worker)->crowd, &c->member);
    else
        budget_deinit(&c->member.memory);
    free(c);
}

static void free_connection(struct loop_task *task)
{
    free_memory(CONTAINER_OF(task, struct connection, release));
}

/* ---- what a connection may take ---------------------------------------------------------------------------------- */

static struct connection *of_member(struct crowd_member *m)
{
    return CONTAINER_OF(m, struct connection, member);
}

static bool member_waits(struct crowd_member *m)
{
    struct connection *c = of_member(m);
    return c->phase == HANDSHAKING ||
           (c->phase == SERVING && (!c->transport.waits || c->transport.waits(&c->transport, c->transport.user)));
}

/* Charge c, whose budget is new. False: there are too many, or they have taken all. */
static bool join(struct connection *c, bool crowded)
{
    struct connections *cs = connections_of(c->worker);
    c->crowded = crowded && crowd_join(&cs->crowd, &c->member, CONNECTION_MEMORY_MAX(cs->http->limits.header_bytes));
    if (crowded && !c->crowded)
        return false;
    if (!crowded)
        budget_init(&c->member.memory, "connection to elsewhere", NULL, CONNECTION_EGRESS_MAX);
    c->transport.memory = &c->member.memory;
    charge_open(&c->tls, &c->member.memory);
    return charge_take(&c->structure, &c->member.memory, sizeof *c + PEER_TEXT_SIZE);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* The channel goes back to the host: FIN (what was written is still sent) or RST. */
static void give_back_channel(struct connection *c, bool reset)
{
    struct worker *w = c->worker;
    c->phase = CLOSED;
    loop_timer_stop(&w->loop, &c->handshake_timer);
    connections_of(w)->by_channel[(uint32_t)c->link.name] = NULL;
    connections_of(w)->count--;
    worker_give_back(w, &c->link, reset ? RING_RST : RING_FIN);
}

static void finish(struct connection *c, bool reset)
{
    if (c->phase != CLOSED)
        give_back_channel(c, reset);
    if (!c->in_use)
        loop_post(&c->worker->loop, &c->release);
}

/* The handshake is over without success. */
static void give_up(struct connection *c, bool reset, enum http_call_failure why, uint8_t alert)
{
    http_dialled opened = c->opened;
    c->opened = NULL;
    finish(c, reset);
    if (opened)
        opened(c->opener, NULL, why, alert);
}

void connection_cut(struct connection *c)
{
    loop_check(&c->worker->loop);
    c->transport.broken = true;
    give_up(c, true, CALL_TERMINATED, 0);
    if (c->in_use)
        c->transport.on_ready(&c->transport, c->transport.user);
}

/* Whoever has the transport hears of its end only when on_ready comes to it, and may use it until then. */
static void tls_flush(struct transport *t)
{
    struct connection *c = connection_of(t);
    if (c->phase != CLOSED)
        tls_publish(c);
}

static void tls_close(struct transport *t)
{
    struct connection *c = connection_of(t);
    if (c->phase == SERVING && c->ssl)
        SSL_shutdown(c->ssl); /* our close_notify; the peer's is not waited for */
    ERR_clear_error();
    c->in_use = false;
    finish(c, false);
}

static void tls_abort(struct transport *t)
{
    struct connection *c = connection_of(t);
    c->in_use = false;
    finish(c, !c->alerted);
}

static const struct transport_ops tls_ops = {.read = tls_read,
                                             .write = tls_write,
                                             .flush = tls_flush,
                                             .close = tls_close,
                                             .abort = tls_abort,
                                             .reusable = tls_reusable};

static const struct transport_ops plain_ops = {
    .read = plain_read, .write = plain_write, .flush = tls_flush, .close = tls_close, .abort = tls_abort};

static bool tls_export(struct transport *t, const char *label, const uint8_t context[32], uint8_t out[32])
{
    struct connection *c = connection_of(t);
    connection_check(c);
    if (c->phase != SERVING)
        return false;
    ENSURE(c->ssl);
    bool ok = SSL_export_keying_material(c->ssl, out, 32, label, strlen(label), context, 32, 1) == 1;
    ERR_clear_error();
    return ok;
}

static bool tls_shown_key(struct transport *t, uint8_t sha256[32])
{
    struct connection *c = connection_of(t);
    uint8_t *spki = NULL;
    connection_check(c);
    if (c->phase != SERVING)
        return false;
    ENSURE(c->ssl);
    X509 *shown = SSL_get_certificate(c->ssl);
    int size = shown ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(shown), &spki) : -1;
    if (size > 0)
        SHA256(spki, (size_t)size, sha256);
    OPENSSL_free(spki);
    ERR_clear_error();
    return size > 0;
}

static int64_t tls_shown_until(struct transport *t)
{
    struct connection *c = connection_of(t);
    struct tm until;
    connection_check(c);
    if (c->phase != SERVING)
        return -1;
    ENSURE(c->ssl);
    X509 *shown = SSL_get_certificate(c->ssl);
    return shown && ASN1_TIME_to_tm(X509_get0_notAfter(shown), &until) == 1 ? timegm(&until) : -1;
}

static void on_handshake_timeout(struct loop_timer *timer)
{
    give_up(CONTAINER_OF(timer, struct connection, handshake_timer), true, CALL_CONNECT_TIMEOUT, 0);
}

/* A client need not be anyone; one that shows a certificate is known by it if it holds, and by nothing if not. */
static void identify(struct connection *c)
{
    char text[PEER_TEXT_SIZE] = "out of memory";
    int error = peer_describe(c->ssl, sgx_is_debug(), text);
    if (error == 0)
        c->transport.identity = c->identity = strdup(text);
    else if (error != -ENOENT)
        rpc_log(c->worker->rpc, LOG_WARN, "a client's certificate is not verified: %s", text);
    ERR_clear_error();
}

/* An authority has seen the certificate of its challenge: there is nothing else to be had on such a connection. */
static void end_challenge(struct connection *c)
{
    ENSURE(c->site && !c->opened);
    SSL_shutdown(c->ssl);
    ERR_clear_error();
    tls_publish(c);
    finish(c, false);
}

static void begin_serving(struct connection *c)
{
    http_dialled opened = c->opened;
    ENSURE(c->phase == HANDSHAKING && !c->in_use);
    ENSURE((opened != NULL) == (c->site == NULL)); /* ours to a server elsewhere, or a client's */
    ERR_clear_error(); /* of certificates that were tried: SSL_get_error would take them for the connection's */
    loop_timer_stop(&c->worker->loop, &c->handshake_timer);
    if (c->ssl && !opened && tls_challenge_was(c->ssl)) {
        end_challenge(c);
        return;
    }
    c->phase = SERVING;
    tls_publish(c);
    c->in_use = true;
    c->opened = NULL;
    if (opened) {
        opened(c->opener, &c->transport, CALL_OK, 0);
        return;
    }
    c->transport.export_key = tls_export;
    c->transport.shown_key = tls_shown_key;
    c->transport.shown_until = tls_shown_until;
    struct connections *cs = connections_of(c->worker);
    uint64_t handshakes = atomic_load_explicit(&cs->handshakes, memory_order_relaxed);
    atomic_store_explicit(&cs->handshakes, handshakes + 1, memory_order_relaxed); /* nobody else writes it */
    c->transport.server_name = SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name);
    c->transport.app = tls_names_app(c->ssl);
    identify(c);
    http_connection_start(cs->http, c->worker, &c->transport);
}

/* What a server elsewhere did wrong; OpenSSL's errors are still there. */
static enum http_call_failure why_failed(const struct connection *c, int result, uint8_t *alert)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    *alert = 0;
    if (SSL_get_verify_result(c->ssl) != X509_V_OK)
        return CALL_TLS_CERTIFICATE;
    if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + UINT8_MAX) {
        *alert = (uint8_t)(reason - SSL_AD_REASON_OFFSET);
        return CALL_TLS_ALERT;
    }
    bool ended = SSL_get_error(c->ssl, result) == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    return ended ? CALL_TERMINATED : CALL_TLS_PROTOCOL;
}

static void handshake(struct connection *c)
{
    uint8_t alert = 0;
    ENSURE(c->phase == HANDSHAKING && !c->in_use);
    ENSURE(c->ssl || c->opened); /* without TLS it is ours */
    if (!c->ssl) {
        begin_serving(c);
        return;
    }
    tls_begin(c);
    int result = SSL_do_handshake(c->ssl);
    tls_end(c);
    if (result == 1) {
        begin_serving(c);
        return;
    }
    enum http_call_failure why = c->opened ? why_failed(c, result, &alert) : CALL_OK;
    ssize_t error = tls_error(c, result);
    tls_publish(c); /* also the alert that tells the peer what was wrong */
    if (error != -EAGAIN)
        give_up(c, false, why, alert);
}

static void on_ready(struct connection *c)
{
    connection_check(c);
    if (c->phase == CLOSED)
        return;
    if (queue_consumer_ended(&c->link.from) & RING_RST) {
        connection_cut(c);
        return;
    }
    if (c->phase == HANDSHAKING)
        handshake(c);
    else
        c->transport.on_ready(&c->transport, c->transport.user);
    if (c->phase != CLOSED)
        tls_publish(c);
}

static void on_retry(struct loop_task *task)
{
    on_ready(CONTAINER_OF(task, struct connection, retry));
}

void connection_on_news(struct connection *c, channel_name name)
{
    loop_check(&c->worker->loop);
    if (name != c->link.name)
        return;
    link_on_name(&c->link);
    on_ready(c);
}

void connection_refuse(struct worker *w, const struct channel_desc *d)
{
    loop_check(&w->loop);
    struct link link;
    ENSURE(link_init_enclave(&link, d) == 0);
    worker_give_back(w, &link, RING_RST);
}

enum whose { CLIENTS, OURS, OURS_WITHOUT_TLS };

/* A connection that begins its handshake, as tls_attach leaves it; NULL: the channel was given back. */
static struct connection *begin(struct worker *w, const struct channel_desc *d, SSL *ssl, enum whose whose)
{
    ENSURE((uint32_t)d->name < PROTO_MAX_CHANNELS);
    ENSURE(!connections_of(w)->by_channel[(uint32_t)d->name]); /* or channel_take had not given it away */
    struct connection *c = calloc(1, sizeof *c);
    ENSURE((whose == OURS) == (ssl != NULL));
    if (c) {
        c->worker = w;
        c->site = whose == CLIENTS ? http_site_ref(connections_of(w)->site) : NULL;
    }
    if (!c || !join(c, whose == CLIENTS) ||
        (whose == OURS_WITHOUT_TLS ? plain_attach(c, d) : tls_attach(c, ssl, d)) < 0) {
        if (c && !c->ssl)
            c->ssl = ssl;
        if (c)
            free_memory(c);
        else
            SSL_free(ssl);
        connection_refuse(w, d);
        return NULL;
    }
    c->transport.ops = whose == OURS_WITHOUT_TLS ? &plain_ops : &tls_ops;
    c->transport.site = c->site;
    inet_ntop(AF_INET6, d->peer, c->peer, sizeof c->peer);
    c->transport.peer = c->peer;
    c->handshake_timer.fn = on_handshake_timeout;
    c->retry.fn = on_retry;
    c->release.fn = free_connection;
    connections_of(w)->by_channel[(uint32_t)d->name] = c;
    connections_of(w)->count++;
    uint64_t deadline_ns = w->loop.now_ns + CONNECTION_HANDSHAKE_TIMEOUT_MS * 1000000ull;
    if (loop_timer_start_about(&w->loop, &c->handshake_timer, deadline_ns) == 0)
        return c;
    finish(c, true);
    return NULL;
}

void connection_accept(struct connections *cs, const struct channel_desc *d)
{
    loop_check(&cs->worker->loop);
    struct connection *c = begin(cs->worker, d, NULL, CLIENTS);
    if (!c)
        return;
    SSL_set_accept_state(c->ssl);
    connection_on_news(c, d->name);
}

struct connection *connection_connect(struct worker *w, const struct channel_desc *d, SSL *ssl, http_dialled opened,
                                      void *user)
{
    loop_check(&w->loop);
    ENSURE(opened);
    struct connection *c = begin(w, d, ssl, ssl ? OURS : OURS_WITHOUT_TLS);
    if (!c)
        return NULL;
    if (ssl)
        SSL_set_connect_state(c->ssl);
    c->opened = opened;
    c->opener = user;
    link_on_name(&c->link);
    loop_post(&w->loop, &c->retry); /* the first flight, from the loop: opened is not called from in here */
    return c;
}

static void cut_member(struct crowd_member *m)
{
    connection_cut(of_member(m));
}

void connection_crowd_init(struct crowd *crowd)
{
    crowd->waits = member_waits;
    crowd->cut = cut_member;
}

void connection_cancel(struct connection *c)
{
    connection_check(c);
    c->opened = NULL;
    finish(c, true);
}

static bool is_spared(const struct connection *c)
{
    struct transport *t = (struct transport *)&c->transport;
    return c->phase == SERVING && t->spared && t->spared(t, t->user);
}

void connection_retire(struct connection *c, uint64_t now_ns)
{
    connection_check(c);
    if (!c->site && c->phase == SERVING)
        on_ready(c); /* one that waits for its app's next request sees that there will be none */
    if (!c->site || !http_site_cut_ns(c->site))
        return;
    if (http_site_is_over(c->site, now_ns) && !is_spared(c))
        connection_cut(c);
    else if (c->phase == SERVING)
        on_ready(c); /* HTTP sees that it should stop, and closes what is idle */
}

uint64_t connection_cut_ns(const struct connection *c)
{
    connection_check(c);
    bool ends = c->site && http_site_cut_ns(c->site) && !is_spared(c);
    return ends ? http_site_cut_ns(c->site) : UINT64_MAX;
}

struct http_site *connection_site(const struct connection *c)
{
    connection_check(c);
    return c->site;
}

void connection_drain(struct connection *c)
{
    connection_check(c);
    if (c->phase == HANDSHAKING)
        give_up(c, true, CALL_TERMINATED, 0);
    else
        on_ready(c); /* HTTP sees that it should stop, and closes what is idle */
}
