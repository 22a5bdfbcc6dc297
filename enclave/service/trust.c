/* See trust.h. */
#include "enclave/service/trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/pem.h"
#include "enclave/service/identity.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/service/system.h"

#define RECORD "egress-ca"

struct bundle {
    SSL_CTX *context; /* NULL: no bundle */
    uint8_t sha256[32];
    size_t count; /* of certificates */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bundle current;

/* ---- a bundle as a context ---------------------------------------------------------------------------------- */

/* A bundle's certificate that is not a CA's believes nobody but itself, and only if it signed itself. */
static bool can_be_trusted(X509 *certificate)
{
    return X509_check_ca(certificate) != 0 || X509_self_signed(certificate, 0) == 1;
}

/* 0; -1: number *count + 1 cannot be read; -EINVAL: it cannot vouch for anybody. */
static int add_certificates(X509_STORE *store, BIO *pem, size_t *count)
{
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL))) {
        bool usable = can_be_trusted(certificate);
        int added = usable && X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        if (!added)
            return usable ? -1 : -EINVAL;
        ++*count;
    }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    return at_end ? 0 : -1;
}

static bool configure(SSL_CTX *ctx)
{
    static const uint8_t http11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set_alpn_protos(ctx, http11, sizeof http11) == 0;
}

/* The certificates into the store, and nothing else in the bundle. 0; -EINVAL with a line in error. */
static int read_bundle(X509_STORE *store, BIO *bio, const char *pem, size_t size, size_t *count, char *error,
                       size_t error_size)
{
    char why[PEM_WHY_SIZE];
    long blocks = pem_judge(pem, size, PEM_STRING_X509, why);
    if (blocks < 0) {
        snprintf(error, error_size, "the bundle's %s", why);
        return -EINVAL;
    }
    int added = add_certificates(store, bio, count);
    if (added == -EINVAL)
        snprintf(error, error_size, "the bundle's certificate number %zu is neither a CA's nor signed by itself",
                 *count + 1);
    else if (added < 0 || *count == 0 || *count != (size_t)blocks)
        snprintf(error, error_size, "the bundle's certificate number %zu cannot be read as PEM", *count + 1);
    else
        return 0;
    return -EINVAL;
}

static int bundle_make(struct bundle *b, const void *pem, size_t size, char *error, size_t error_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    BIO *bio = size <= EGRESS_BUNDLE_MAX ? BIO_new_mem_buf(pem, (int)size) : NULL;
    int result = context && bio && configure(context) ? 0 : -ENOMEM;
    if (result == 0)
        result = read_bundle(SSL_CTX_get_cert_store(context), bio, pem, size, &b->count, error, error_size);
    else
        snprintf(error, error_size, "a bundle has at most %u bytes, and memory must suffice", EGRESS_BUNDLE_MAX);
    BIO_free(bio);
    if (result < 0) {
        SSL_CTX_free(context);
        return result;
    }
    SHA256(pem, size, b->sha256);
    b->context = context;
    return 0;
}

static void put_in_force(struct bundle *b)
{
    pthread_mutex_lock(&lock);
    struct bundle before = current;
    current = *b;
    pthread_mutex_unlock(&lock);
    SSL_CTX_free(before.context); /* connections that use it have references of their own */
    *b = (struct bundle){0};
}

int egress_trust_load(char *error, size_t error_size)
{
    uint8_t *pem;
    size_t size;
    struct bundle b = {0};
    char why[128] = "";
    int result = system_get(RECORD, &pem, &size);
    if (result == -ENOENT)
        return 0;
    if (result == 0)
        result = bundle_make(&b, pem, size, why, sizeof why);
    if (result == 0)
        put_in_force(&b);
    else
        snprintf(error, error_size, "egress: the sealed CA bundle cannot be taken up (error %d) %s", -result, why);
    free(pem);
    return result;
}

SSL_CTX *egress_trust_context(void)
{
    pthread_mutex_lock(&lock);
    SSL_CTX *context = current.context;
    if (context)
        SSL_CTX_up_ref(context);
    pthread_mutex_unlock(&lock);
    return context;
}

bool egress_trust_sha256(uint8_t out[32])
{
    pthread_mutex_lock(&lock);
    bool there = current.context != NULL;
    memcpy(out, current.sha256, 32);
    pthread_mutex_unlock(&lock);
    return there;
}

/* ---- a change: made durable, put in force, shown, answered ---------------------------------------------------- */

struct change {
    struct loop_task task; /* first: carries the change between threads */
    struct worker *origin;
    egress_trust_done done;
    void *user;
    struct bundle bundle;
    void *pem;
    size_t size;
    int status;
    char json[256];
};

static void answer(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    c->done(c->user, c->status, c->json);
    SSL_CTX_free(c->bundle.context);
    free(c->pem);
    free(c);
}

static void end_change(struct change *c, int status)
{
    c->status = status;
    c->task.fn = answer;
    loop_post_remote(&c->origin->loop, &c->task);
}

static void on_refreshed(void *user, int status)
{
    struct change *c = user;
    if (status < 0)
        snprintf(c->json, sizeof c->json, "{\"error\":\"in force, but no new certificate could be made (error %d)\"}",
                 -status);
    end_change(c, status < 0 ? 503 : 200);
}

static void describe(struct change *c)
{
    char sha256[65];
    hex_text(c->bundle.sha256, 32, sha256);
    if (c->size)
        snprintf(c->json, sizeof c->json, "{\"certificates\":%zu,\"sha256\":\"%s\"}", c->bundle.count, sha256);
    else
        strcpy(c->json, "{\"certificates\":0}");
}

static void on_committed(void *user, int status)
{
    struct change *c = user;
    if (status < 0) {
        snprintf(c->json, sizeof c->json, "{\"error\":\"the store refused the change (error %d)\"}", -status);
        end_change(c, 503);
        return;
    }
    describe(c);
    put_in_force(&c->bundle);
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "the CA bundle of outgoing requests has changed");
    int asked = identity_refresh(on_refreshed, c);
    if (asked < 0)
        on_refreshed(c, asked);
}

static void begin_on_owner(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    struct kv_op op = {c->size ? KV_PUT : KV_DELETE, enclave_system.settings, RECORD, strlen(RECORD), c->pem, c->size};
    int asked = kv_commit(enclave_system.owner, &op, 1, on_committed, c);
    if (asked < 0)
        on_committed(c, asked);
}

int egress_trust_set(struct worker *origin, const void *pem, size_t size, egress_trust_done done, void *user,
                     char *error, size_t error_size)
{
    loop_check(&origin->loop);
    struct change *c = calloc(1, sizeof *c);
    int result = c && (c->pem = malloc(size ? size : 1)) ? 0 : -ENOMEM;
    snprintf(error, error_size, "out of memory");
    if (result == 0 && size)
        result = bundle_make(&c->bundle, pem, size, error, error_size);
    if (result < 0) {
        if (c)
            free(c->pem);
        free(c);
        return result;
    }
    if (size)
        memcpy(c->pem, pem, size);
    c->size = size;
    c->origin = origin;
    c->done = done;
    c->user = user;
    c->task.fn = begin_on_owner;
    loop_post_remote(&enclave_system.owner->loop, &c->task);
    return 0;
}
