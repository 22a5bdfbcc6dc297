/* Certificates, connections and requests: see played.h. */
#include "enclave/service/testing/played.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/early/channel.h"
#include "enclave/https/exchange.h"
#include "enclave/https/http.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/dice.h"
#include "enclave/ratls/connection.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/ratls/tls_names.h"
#include "enclave/service/identity.h"
#include "enclave/service/public.h"
#include "enclave/service/router.h"
#include "enclave/service/system.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"
#include "verifier/verifier.h"

/* ---- who it is, and certificates --------------------------------------------------------------------------------- */

static const uint8_t same[32] = "of all boots";

EVP_PKEY *identity_ca_key(void)
{
    return NULL;
}

X509 *identity_ca(void)
{
    return NULL;
}

EVP_PKEY *identity_key(void)
{
    return NULL;
}

const uint8_t *identity_ca_key_sha256(void)
{
    return same;
}

const uint8_t *identity_instance(void)
{
    return same;
}

int __wrap_i2d_X509(const X509 *x, unsigned char **out)
{
    ENSURE(!x && !*out);
    *out = OPENSSL_malloc(2);
    memcpy(*out, "CA", 2);
    return 2;
}

EVP_PKEY *certificate_make_key(void)
{
    return EVP_PKEY_new();
}

/* No instance is handed over here. */
X509 *certificate_make_ca(EVP_PKEY *key, int64_t now_s)
{
    (void)key, (void)now_s;
    ENSURE(false);
    return NULL;
}

int64_t certificate_not_before(int64_t now_s)
{
    (void)now_s;
    return (int64_t)(played_clock_ns / UINT64_C(60000000000)) * 60;
}

int certificate_report_data(EVP_PKEY *key, int64_t not_before_s, uint8_t out[64])
{
    (void)key;
    memset(out, 0, 64);
    memcpy(out, &not_before_s, sizeof not_before_s);
    return 0;
}

bool sgx_is_debug(void)
{
    return false;
}

void sgx_report(const struct sgx_targetinfo *target, const uint8_t reportdata[64], struct sgx_report *out)
{
    (void)target;
    memset(out, 0, sizeof *out);
    memcpy(out->body.reportdata, reportdata, 64);
}

const char *verifier_quote_is_for(const void *bytes, size_t size, const uint8_t report_body[384])
{
    return size == 384 && memcmp(bytes, report_body, 384) == 0 ? NULL : "it is over another report";
}

struct verifier_policy *verifier_policy_create(void)
{
    return NULL;
}

void verifier_policy_destroy(struct verifier_policy *policy)
{
    ENSURE(!policy);
}

void verifier_policy_allow_simulation(struct verifier_policy *policy, bool allow)
{
    (void)policy, (void)allow;
}

void verifier_policy_allow_debug(struct verifier_policy *policy, bool allow)
{
    (void)policy, (void)allow;
}

int verifier_policy_add_predecessor(struct verifier_policy *policy, const uint8_t mrenclave[32])
{
    (void)policy, (void)mrenclave;
    return 0;
}

int verifier_policy_add_mrenclave(struct verifier_policy *policy, const uint8_t mrenclave[32])
{
    (void)policy, (void)mrenclave;
    return -ENOMEM;
}

void verifier_policy_set_live(struct verifier_policy *policy, bool live)
{
    (void)policy, (void)live;
}

struct verifier_result *verifier_verify_certificate(const struct verifier_policy *policy,
                                                    const struct verifier_collateral *collateral, X509 *certificate)
{
    (void)policy, (void)collateral, (void)certificate;
    return NULL;
}

size_t verifier_result_count(const struct verifier_result *result)
{
    (void)result;
    return 0;
}

struct verifier_check verifier_result_check(const struct verifier_result *result, size_t index)
{
    (void)result, (void)index;
    return (struct verifier_check){0};
}

void verifier_result_destroy(struct verifier_result *result)
{
    ENSURE(!result);
}

int dice_claims_make(EVP_PKEY *key, X509 *ca, const struct leaf_content *content, struct dice_made_claims *out)
{
    (void)key, (void)ca;
    ENSURE(content->quote && content->quote_size > 0); /* the first is there */
    memcpy(out->text, content->merkle_root, 32);
    out->size = 32;
    return 0;
}

void dice_report_data(const struct dice_made_claims *claims, uint8_t out[64])
{
    memset(out, 0, 64);
    memcpy(out, claims->text, claims->size);
}

ssize_t dice_evidence_make(const struct dice_made_claims *claims, const uint8_t *quote, size_t size,
                           uint8_t out[DICE_SIZE_MAX])
{
    ENSURE(size == 384 && memcmp(quote + 320, claims->text, claims->size) == 0); /* the second is over the claims */
    memcpy(out, claims->text, claims->size);
    return (ssize_t)claims->size;
}

/* A leaf, and the context that serves it, are one and the same here. */
X509 *certificate_make_leaf(EVP_PKEY *key, EVP_PKEY *ca_key, X509 *ca, const struct leaf_content *content)
{
    (void)key, (void)ca_key, (void)ca;
    ENSURE(content->dice_size == 32 && memcmp(content->dice, content->merkle_root, 32) == 0);
    struct played_certificate *c = calloc(1, sizeof *c);
    ENSURE(c);
    static uint64_t last;
    played_renewals += !content->app && content->generation == last;
    last = content->generation;
    c->references = 1;
    c->generation = content->generation;
    memcpy(c->root, content->merkle_root, 32);
    c->log.size = content->log_size;
    memcpy(c->log.root, content->log_root, 32);
    c->has_trust = content->egress_hash != NULL;
    if (c->has_trust)
        memcpy(c->trust, content->egress_hash, 32);
    return (X509 *)c;
}

SSL_CTX *tls_context_new(EVP_PKEY *key, X509 *leaf, X509 *ca, bool request_peers)
{
    (void)key, (void)ca, (void)request_peers;
    ((struct played_certificate *)leaf)->references++;
    return (SSL_CTX *)leaf;
}

/* What stands beside a certificate is of the same generation. */
int tls_names_add(SSL_CTX *tls, const char *name, const char *app, SSL_CTX *own)
{
    struct played_certificate *c = (struct played_certificate *)tls;
    const struct played_certificate *of_name = (const struct played_certificate *)own;
    uint32_t bit = UINT32_C(1) << (app[1] - '0');
    ENSURE(of_name->generation == c->generation && memcmp(of_name->root, c->root, sizeof c->root) == 0);
    ENSURE(app[0] == 'a' && strncmp(name, app, 2) == 0 && !(c->names & bit));
    c->names |= bit;
    return 0;
}

static void certificate_unref(void *certificate)
{
    struct played_certificate *c = certificate;
    if (!c || --c->references > 0)
        return;
    memset(c, 0xee, sizeof *c);
    free(c);
}

void __wrap_X509_free(X509 *x)
{
    certificate_unref(x);
}

void __wrap_SSL_CTX_free(SSL_CTX *tls)
{
    certificate_unref(tls);
}

int __wrap_SSL_CTX_up_ref(SSL_CTX *tls)
{
    ((struct played_certificate *)tls)->references++;
    return 1;
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

struct connection *played_connections;
static struct connection *accepted;

bool channel_take(uint32_t worker, enum channel_kind kind, channel_name name, struct channel_desc *out)
{
    ENSURE(worker < PLAYED_WORKERS && kind == CHANNEL_CONNECTION);
    *out = (struct channel_desc){.name = name};
    return true;
}

/* As connection.c begins one. */
bool connection_is_clients(const struct connection *c)
{
    (void)c;
    return true;
}

void connection_accept(struct connections *cs, const struct channel_desc *d)
{
    struct connection *c = calloc(1, sizeof *c);
    ENSURE(c && cs->site && cs->tls);
    c->of = cs;
    c->id = (uint32_t)d->name;
    c->site = http_site_ref(cs->site);
    c->certificate = (struct played_certificate *)cs->tls;
    c->certificate->references++;
    c->next = played_connections;
    played_connections = c;
    cs->by_channel[c->id] = c;
    cs->count++;
    accepted = c;
}

void connection_on_news(struct connection *c, channel_name name)
{
    (void)c, (void)name;
}

void connection_check(const struct connection *c)
{
    ENSURE(c->of->by_channel[c->id] == c);
}

void connection_cut(struct connection *c)
{
    played_close(c);
}

void connection_drain(struct connection *c)
{
    played_close(c);
}

void connection_retire(struct connection *c, uint64_t now_ns)
{
    bool idle = http_site_cut_ns(c->site) && c->answered && chance(4) == 0; /* HTTP closes it */
    if (http_site_is_over(c->site, now_ns) || idle)
        played_close(c);
}

uint64_t connection_cut_ns(const struct connection *c)
{
    return http_site_cut_ns(c->site) ? http_site_cut_ns(c->site) : UINT64_MAX;
}

struct http_site *connection_site(const struct connection *c)
{
    return c->site;
}

void connection_crowd_init(struct crowd *crowd)
{
    (void)crowd;
}

void played_close(struct connection *c)
{
    struct connection **at = &played_connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->of->by_channel[c->id] = NULL;
    c->of->count--;
    http_site_unref(c->site);
    certificate_unref(c->certificate);
    free(c);
}

struct connection *played_connect(uint32_t worker)
{
    struct connections *cs = &enclave_system.connections[worker];
    uint32_t id = 0;
    while (id < PROTO_MAX_CHANNELS && cs->by_channel[id])
        id++;
    ENSURE(id < PROTO_MAX_CHANNELS);
    accepted = NULL;
    connections_handlers.news(cs->worker, id);
    return accepted;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

char played_body[32768];
size_t played_body_size;
static int played_status;

static int respond(struct http_exchange *x, int status, const struct http_field *fields, size_t count, int64_t length)
{
    (void)x, (void)fields, (void)count, (void)length;
    played_status = status;
    return 0;
}

static size_t write_space(struct http_exchange *x)
{
    (void)x;
    return sizeof played_body - 1 - played_body_size;
}

static ssize_t write_body(struct http_exchange *x, const void *data, size_t size)
{
    ENSURE(size <= write_space(x));
    memcpy(played_body + played_body_size, data, size);
    played_body_size += size;
    return (ssize_t)size;
}

static int finish(struct http_exchange *x, const struct http_field *trailers, size_t count)
{
    (void)x, (void)trailers, (void)count;
    return 0;
}

static void fail(struct http_exchange *x, int status, const char *why)
{
    (void)x, (void)why;
    played_status = status;
}

int played_ask(struct connection *c, const char *path)
{
    static const struct http_exchange_ops ops = {
        .respond = respond, .write_space = write_space, .write_body = write_body, .finish = finish, .fail = fail};
    struct http_server server = {.more_routes = public_answer};
    char target[64];
    struct http_field fields[4];
    struct http_exchange x = {.ops = &ops,
                              .worker = c->of->worker,
                              .site = c->site, /* as HTTP has it of the transport */
                              .request = {.method = HTTP_TEXT("GET"), .fields = fields}};
    snprintf(target, sizeof target, "%s", path);
    ENSURE(http_target_parse((struct http_text){target, strlen(target)}, false, &x.request.target) == 0);
    played_body_size = 0;
    played_status = 0;
    route_request(&server, &x);
    played_body[played_body_size] = 0;
    c->answered = true;
    return played_status;
}
