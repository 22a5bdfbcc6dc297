/* See dial.h. */
#include "enclave/service/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/container.h"
#include "enclave/early/channel.h"
#include "enclave/ratls/connection.h"
#include "enclave/service/generation.h"
#include "enclave/service/limits.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"

#define HOST_MAX 255u

static _Thread_local unsigned dials;

struct dial {
    struct worker *worker;
    SSL *ssl;                      /* until the connection has it; NULL: it is not to be TLS */
    struct connection *connection; /* from the host's answer on */
    struct loop_task failed;       /* when it ends before it begins */
    enum http_call_failure why;
    bool cancelled; /* and the host's answer is still to come */
    http_dialled done;
    void *user;
};

static void dial_free(struct dial *d)
{
    ENSURE(dials > 0);
    dials--;
    SSL_free(d->ssl);
    free(d);
}

static void end(struct dial *d, struct transport *t, enum http_call_failure why, uint8_t alert)
{
    if (!d->cancelled)
        d->done(d->user, t, why, alert);
    dial_free(d);
}

static void on_failed(struct loop_task *task)
{
    struct dial *d = CONTAINER_OF(task, struct dial, failed);
    end(d, NULL, d->why, 0);
}

static void on_opened(void *user, struct transport *t, enum http_call_failure why, uint8_t alert)
{
    end(user, t, why, alert);
}

static enum http_call_failure failure_of(int error)
{
    switch (error) {
    case -EHOSTUNREACH:
        return CALL_NO_NAME;
    case -ECONNREFUSED:
        return CALL_REFUSED;
    case -ETIMEDOUT:
        return CALL_CONNECT_TIMEOUT;
    default:
        return CALL_UNREACHABLE;
    }
}

/* The host says that it is connected, and over which channel. */
static void on_connected(void *user, int error, const uint8_t *payload, size_t size)
{
    struct dial *d = user;
    struct channel_desc desc;
    struct bytes_reader r = bytes_reader_make(payload, size);
    loop_check(&d->worker->loop);
    ENSURE(!d->connection && !d->why);
    uint32_t id = error == 0 ? bytes_take_u32(&r) : 0, generation = error == 0 ? bytes_take_u32(&r) : 0;
    if (error == 0 && (!bytes_reader_complete(&r) ||
                       !channel_take(d->worker->index, CHANNEL_EGRESS, channel_name_make(id, generation), &desc)))
        error = -EIO;
    if (error < 0) {
        end(d, NULL, failure_of(error), 0);
    } else if (d->cancelled) {
        connection_refuse(d->worker, &desc);
        dial_free(d);
    } else {
        d->connection = connection_connect(d->worker, &desc, d->ssl, on_opened, d);
        d->ssl = NULL; /* taken */
        if (!d->connection)
            end(d, NULL, CALL_NO_MEMORY, 0);
    }
}

/* The certificate must be for this name or address. */
static bool expect(SSL *ssl, const char *host)
{
    uint8_t ignored[16];
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (inet_pton(AF_INET, host, ignored) == 1 || inet_pton(AF_INET6, host, ignored) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

MAY_REFUSE static int ask_host(struct dial *d, const char *host, uint16_t port)
{
    uint8_t payload[4 + HOST_MAX + 2];
    struct bytes_writer w = bytes_writer_make(payload, sizeof payload);
    bytes_append_blob(&w, host, strlen(host));
    bytes_append_u16(&w, port);
    return rpc_call(d->worker->rpc, RPC_NET_CONNECT, payload, w.size, on_connected, d);
}

static struct dial *dial_new(struct worker *worker, http_dialled done, void *user)
{
    loop_check(&worker->loop);
    ENSURE(done);
    struct dial *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    dials++;
    d->worker = worker;
    d->done = done;
    d->user = user;
    d->failed.fn = on_failed;
    return d;
}

/* why: what is wrong already. */
static void begin(struct dial *d, const char *host, uint16_t port, enum http_call_failure why)
{
    d->why = why ? why : strlen(host) > HOST_MAX ? CALL_NO_NAME : dials > DIALS_MAX ? CALL_LIMIT : CALL_OK;
    if (!d->why && ask_host(d, host, port) < 0)
        d->why = CALL_NO_MEMORY;
    if (d->why)
        loop_post(&d->worker->loop, &d->failed);
}

static void *start(struct worker *worker, const struct http_site *site, const char *host, uint16_t port,
                   http_dialled done, void *user)
{
    struct dial *d = dial_new(worker, done, user);
    const struct egress_trust *trust = generation_of(site)->trust;
    if (!d)
        return NULL;
    d->ssl = trust ? SSL_new(trust->context) : NULL;
    begin(d, host, port, !trust ? CALL_NO_TRUST : !d->ssl || !expect(d->ssl, host) ? CALL_NO_MEMORY : CALL_OK);
    return d;
}

static void *start_plain(struct worker *worker, const struct http_site *site, const char *host, uint16_t port,
                         http_dialled done, void *user)
{
    struct dial *d = dial_new(worker, done, user);
    if (d)
        begin(d, host, port, CALL_OK);
    return d;
}

/* Nobody is asked who the server is: what it says counts only where a witness has signed it. */
static SSL *anybodys(const char *host)
{
    uint8_t ignored[16];
    bool address = inet_pton(AF_INET, host, ignored) == 1 || inet_pton(AF_INET6, host, ignored) == 1;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context && egress_context_configure(context) ? SSL_new(context) : NULL;
    SSL_CTX_free(context); /* ssl has a reference of its own */
    if (ssl && !address && SSL_set_tlsext_host_name(ssl, host) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    return ssl;
}

static void *start_anybodys(struct worker *worker, const struct http_site *site, const char *host, uint16_t port,
                            http_dialled done, void *user)
{
    struct dial *d = dial_new(worker, done, user);
    if (!d)
        return NULL;
    d->ssl = anybodys(host);
    begin(d, host, port, d->ssl ? CALL_OK : CALL_NO_MEMORY);
    return d;
}

static void cancel(void *attempt)
{
    struct dial *d = attempt;
    d->cancelled = true;
    if (!d->connection)
        return; /* on_connected or on_failed frees it */
    connection_cancel(d->connection);
    dial_free(d);
}

const struct http_dialer egress_dialer = {.start = start, .cancel = cancel};
const struct http_dialer witness_dialer = {.start = start_plain, .cancel = cancel};
const struct http_dialer witness_tls_dialer = {.start = start_anybodys, .cancel = cancel};
