/* See identity.h. */
#include "enclave/service/identity.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "enclave/early/ecall.h"
#include "enclave/service/trust.h"
#include "enclave/service/proof.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/service/system.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/settings.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"
#include "verifier/verifier.h"

#define RENEW_AFTER_NS (12ull * 3600 * 1000000000)
/* A certificate that could not be had, whoever asked for it, is asked for again, with growing pauses. */
#define RETRY_FIRST_NS (1ull * 1000000000)
#define RETRY_MOST_NS (300ull * 1000000000)
#define QUOTE_MAX 16384u
#define WASMTIME_VERSION_TEXT "wasmtime 48.0.8"

static struct {
    EVP_PKEY *ca_key, *key;
    X509 *ca;
    uint8_t ca_key_hash[32], spki_sha256[32], root[32];
    uint8_t *admin_key;
    size_t admin_key_size;
    struct sgx_targetinfo target;
    bool have_target;
    struct loop_timer renewal;
    uint64_t pause_ns;          /* before the next attempt, should one fail */
    uint64_t serial, installed; /* of the last refresh that was begun, and of the one that is served */
} identity;

/* The owner writes identity.root, every worker reads it. */
static pthread_mutex_t root_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- what first boot fixes ------------------------------------------------------------------------------------- */

static int make_ca(void)
{
    identity.ca_key = certificate_make_key();
    identity.ca = identity.ca_key ? certificate_make_ca(identity.ca_key, time(NULL)) : NULL;
    uint8_t *key = NULL, *certificate = NULL;
    int key_size = identity.ca ? i2d_PrivateKey(identity.ca_key, &key) : 0;
    int certificate_size = identity.ca ? i2d_X509(identity.ca, &certificate) : 0;
    int result = key_size > 0 && certificate_size > 0 ? system_put("ca.key", key, (size_t)key_size) : -EIO;
    if (result == 0)
        result = system_put("ca.crt", certificate, (size_t)certificate_size);
    if (key_size > 0)
        OPENSSL_clear_free(key, (size_t)key_size);
    OPENSSL_free(certificate);
    return result;
}

static int load_ca(void)
{
    uint8_t *key = NULL, *certificate = NULL;
    size_t key_size = 0, certificate_size = 0;
    int result = system_get("ca.key", &key, &key_size);
    if (result == 0)
        result = system_get("ca.crt", &certificate, &certificate_size);
    if (result == 0) {
        const uint8_t *k = key, *c = certificate;
        identity.ca_key = d2i_AutoPrivateKey(NULL, &k, (long)key_size);
        identity.ca = d2i_X509(NULL, &c, (long)certificate_size);
        if (!identity.ca_key || !identity.ca)
            result = -EBADMSG;
    }
    if (key)
        OPENSSL_cleanse(key, key_size);
    free(key);
    free(certificate);
    return result;
}

static int open_ca(void)
{
    int result = load_ca();
    if (result == -ENOENT) /* first boot, or a first boot that was cut short */
        result = make_ca();
    uint8_t *der = NULL;
    int size = result == 0 ? i2d_PrivateKey(identity.ca_key, &der) : 0;
    if (size > 0) {
        SHA256(der, (size_t)size, identity.ca_key_hash);
        OPENSSL_clear_free(der, (size_t)size);
    }
    return result == 0 && size <= 0 ? -EIO : result;
}

/* The key of the first boot is the one for ever: what is given now is compared, and what cannot be mended is told. */
static void tell_of_admin_key(const struct run_args *args)
{
    struct rpc_client *rpc = enclave_system.owner->rpc;
    if (identity.admin_key_size == 0)
        rpc_log(rpc, LOG_WARN,
                "nobody can deploy to this instance: it was first booted without --admin-key%s. To change that, begin "
                "anew: an empty --data folder, and --admin-key FILE.pub of a key that enclavectl keygen makes",
                args->admin_key_size ? ", and the one given now is ignored" : "");
    else if (args->admin_key_size > 0 && (args->admin_key_size != identity.admin_key_size ||
                                          memcmp(args->admin_key, identity.admin_key, identity.admin_key_size) != 0))
        rpc_log(rpc, LOG_WARN, "the admin key given now is not the one of first boot: ignored");
}

static int open_admin_key(int first_boot)
{
    const struct run_args *args = ecall_run_args();
    if (first_boot && args->admin_key_size > 0) {
        const uint8_t *at = args->admin_key;
        EVP_PKEY *key = d2i_PUBKEY(NULL, &at, args->admin_key_size);
        bool usable = key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 256;
        EVP_PKEY_free(key);
        if (!usable)
            return -EINVAL;
        int result = system_put("admin.pub", args->admin_key, args->admin_key_size);
        if (result < 0)
            return result;
    }
    int result = system_get("admin.pub", &identity.admin_key, &identity.admin_key_size);
    if (result == -ENOENT)
        result = 0;
    if (result == 0)
        tell_of_admin_key(args);
    return result;
}

static int open_key(void)
{
    identity.key = certificate_make_key();
    uint8_t *spki = NULL;
    int size = identity.key ? i2d_PUBKEY(identity.key, &spki) : 0;
    if (size <= 0)
        return -EIO;
    SHA256(spki, (size_t)size, identity.spki_sha256);
    OPENSSL_free(spki);
    return 0;
}

static void renew_after(uint64_t ns)
{
    loop_timer_start(&enclave_system.owner->loop, &identity.renewal, enclave_system.owner->loop.now_ns + ns);
}

static void on_renewal(struct loop_timer *timer)
{
    (void)timer;
    int ignored = identity_refresh(NULL, NULL);
    (void)ignored; /* it is tried again */
}

int identity_open(int first_boot, char *error, size_t error_size)
{
    loop_check(&enclave_system.owner->loop);
    int result = certificate_check_names(ecall_run_args()->san, error, error_size);
    if (result < 0)
        return result;
    result = open_ca();
    if (result < 0) {
        snprintf(error, error_size, "identity: the CA cannot be loaded or made (error %d)", -result);
        return result;
    }
    result = open_admin_key(first_boot);
    if (result < 0) {
        snprintf(error, error_size, "identity: the admin key is not a P-256 public key, or cannot be kept (error %d)",
                 -result);
        return result;
    }
    identity.renewal.fn = on_renewal;
    identity.pause_ns = RETRY_FIRST_NS;
    renew_after(RENEW_AFTER_NS);
    return open_key();
}

/* ---- the configuration's root ---------------------------------------------------------------------------------- */

/* A leaf is a label, NUL, and its value; docs/attestation.md has the order. */
static int add_leaf(struct merkle *m, const char *label, const void *value, size_t size)
{
    size_t label_size = strlen(label) + 1;
    uint8_t *leaf = malloc(label_size + size);
    if (!leaf)
        return -ENOMEM;
    memcpy(leaf, label, label_size);
    if (size)
        memcpy(leaf + label_size, value, size);
    int result = merkle_add(m, leaf, label_size + size);
    free(leaf);
    return result;
}

struct collect {
    struct proof_tree *tree;
    EVP_MD_CTX *workloads;
    int result;
};

static void collect_app(void *user, struct app *app)
{
    struct collect *c = user;
    char label[8 + APP_NAME_MAX + 1];
    snprintf(label, sizeof label, "app:%s", app_name(app));
    if (c->result == 0)
        c->result = add_leaf(&c->tree->merkle, label, app_sha256(app), 32);
    if (c->result == 0)
        c->result = proof_tree_name(c->tree, app_name(app));
    EVP_DigestUpdate(c->workloads, app_name(app), strlen(app_name(app)));
    EVP_DigestUpdate(c->workloads, app_sha256(app), 32);
}

/* Behind what every tree has: the settings of each app that has any. */
static void collect_settings(void *user, struct app *app)
{
    struct collect *c = user;
    char label[16 + APP_NAME_MAX + 1];
    const struct app_settings *settings = app_settings_of(app);
    if (app_settings_empty(settings) || c->result < 0)
        return;
    snprintf(label, sizeof label, "settings:%s", app_name(app));
    c->result = add_leaf(&c->tree->merkle, label, settings->digest, 32);
}

static int add_limits(struct merkle *m)
{
    const struct run_args *a = ecall_run_args();
    char text[256];
    int size = snprintf(text, sizeof text, "header-bytes=%u headers=%u body-bytes=%llu request-ms=%u app-memory-mib=%u",
                        a->http_max_header_bytes, a->http_max_headers, (unsigned long long)a->http_max_body_bytes,
                        a->http_request_timeout_ms, a->app_memory_max_mib);
    return add_leaf(m, "limits", text, (size_t)size);
}

static void look_for_peers(void *user, struct app *app)
{
    *(bool *)user |= app_settings_of(app)->request_peers;
}

/* TLS asks before anything says which app a request is for: so one app that wants to know asks for all. */
static bool peers_are_wanted(void)
{
    bool wanted = ecall_run_args()->request_client_certificates;
    app_table_each(enclave_system.apps, look_for_peers, &wanted);
    return wanted;
}

/* The tree, its root, and the workloads hash: SHA-256(name || hash ...) over the apps sorted by name. */
static int configuration(struct proof_tree *tree, uint8_t root[32], uint8_t workloads[32], const uint8_t *egress)
{
    struct collect c = {tree, EVP_MD_CTX_new(), 0};
    uint8_t *ca = NULL;
    int ca_size = i2d_X509(identity.ca, &ca);
    if (!c.workloads || EVP_DigestInit_ex(c.workloads, EVP_sha256(), NULL) != 1 || ca_size <= 0)
        c.result = -EIO;
    if (c.result == 0)
        c.result = add_leaf(&tree->merkle, "ca-certificate", ca, (size_t)ca_size);
    if (c.result == 0)
        c.result = add_leaf(&tree->merkle, "ca-key", identity.ca_key_hash, 32);
    if (c.result == 0)
        app_table_each(enclave_system.apps, collect_app, &c);
    if (c.result == 0)
        c.result = add_leaf(&tree->merkle, "admin-key", identity.admin_key, identity.admin_key_size);
    if (c.result == 0)
        c.result = add_limits(&tree->merkle);
    if (c.result == 0 && egress)
        c.result = add_leaf(&tree->merkle, "egress-ca", egress, 32);
    if (c.result == 0)
        app_table_each(enclave_system.apps, collect_settings, &c);
    if (c.result == 0)
        merkle_root(&tree->merkle, root);
    if (c.workloads)
        EVP_DigestFinal_ex(c.workloads, workloads, NULL);
    EVP_MD_CTX_free(c.workloads);
    OPENSSL_free(ca);
    return c.result;
}

/* ---- a new certificate ----------------------------------------------------------------------------------------- */

struct refresh {
    void (*done)(void *user, int error);
    void *user;
    int64_t not_before_s;
    uint64_t serial;
    uint8_t root[32], workloads[32], egress[32];
    struct proof_tree tree;
    struct sgx_report_body report; /* what the quote must be over */
    bool has_apps, has_egress, request_peers;
};

static void refresh_free(struct refresh *r)
{
    proof_tree_free(&r->tree);
    free(r);
}

static void plan_next(int error)
{
    if (error == 0) {
        identity.pause_ns = RETRY_FIRST_NS;
        renew_after(RENEW_AFTER_NS);
        return;
    }
    rpc_log(enclave_system.owner->rpc, LOG_ERROR, "no new certificate: error %d; the next attempt is in %lu s", -error,
            (unsigned long)(identity.pause_ns / 1000000000));
    renew_after(identity.pause_ns);
    identity.pause_ns = identity.pause_ns * 2 < RETRY_MOST_NS ? identity.pause_ns * 2 : RETRY_MOST_NS;
}

/* From the loop only. */
static void refresh_end(struct refresh *r, int error)
{
    plan_next(error);
    if (r->done)
        r->done(r->user, error);
    refresh_free(r);
}

/* What any client will find, by the clients' own verifier: whoever runs this learns now, not from complaints. Which
 * roots a client trusts, the enclave cannot know: Intel's, or a simulation's if that is what the host has. */
static void foresee_refusals(X509 *leaf, const uint8_t mrenclave[32])
{
    struct verifier_policy *policy = verifier_policy_create();
    struct verifier_result *result = NULL;
    if (policy && verifier_policy_add_mrenclave(policy, mrenclave) == 0) {
        verifier_policy_allow_simulation(policy, true);
        verifier_policy_allow_debug(policy, true);
        verifier_policy_set_live(policy, true);
        result = verifier_verify_certificate(policy, NULL, leaf);
    }
    for (size_t i = 0; result && i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED)
            rpc_log(enclave_system.owner->rpc, LOG_ERROR, "clients will refuse this certificate: %s: %s", check.name,
                    check.reason);
    }
    verifier_result_destroy(result);
    verifier_policy_destroy(policy);
}

static int install(struct refresh *r, const uint8_t *quote, size_t quote_size)
{
    /* The host may answer in any order: a later configuration is not replaced by an earlier one. */
    if (r->serial < identity.installed)
        return 0;
    uint8_t runtime_hash[32];
    SHA256((const uint8_t *)WASMTIME_VERSION_TEXT, sizeof WASMTIME_VERSION_TEXT - 1, runtime_hash);
    struct leaf_content content = {.not_before_s = r->not_before_s,
                                   .names = ecall_run_args()->san,
                                   .quote = quote,
                                   .quote_size = quote_size,
                                   .merkle_root = r->root,
                                   .runtime_hash = runtime_hash,
                                   .workloads_hash = r->has_apps ? r->workloads : NULL,
                                   .egress_hash = r->has_egress ? r->egress : NULL};
    X509 *leaf = certificate_make_leaf(identity.key, identity.ca_key, identity.ca, &content);
    SSL_CTX *tls = leaf ? tls_context_new(identity.key, leaf, identity.ca, r->request_peers) : NULL;
    if (leaf)
        foresee_refusals(leaf, r->report.mrenclave);
    X509_free(leaf);
    if (!tls)
        return -EIO;
    identity.installed = r->serial;
    pthread_mutex_lock(&root_lock);
    memcpy(identity.root, r->root, 32);
    pthread_mutex_unlock(&root_lock);
    proof_publish(&r->tree);
    for (uint32_t i = 0; i < enclave_system.worker_count; i++)
        connections_set_tls(&enclave_system.connections[i], tls);
    SSL_CTX_free(tls);
    return 0;
}

static void on_quote(void *user, int error, const uint8_t *quote, size_t size)
{
    struct refresh *r = user;
    /* The host made it: a certificate that no client can verify must not replace one that they can. */
    const char *wrong = error != 0         ? NULL
                        : size > QUOTE_MAX ? "too long"
                                           : verifier_quote_is_for(quote, size, (const uint8_t *)&r->report);
    if (wrong) {
        rpc_log(enclave_system.owner->rpc, LOG_ERROR, "the host's quote is of no use: %s", wrong);
        error = -EBADMSG;
    }
    refresh_end(r, error == 0 ? install(r, quote, size) : error);
}

MAY_REFUSE static int ask_for_quote(struct refresh *r)
{
    uint8_t data[64];
    struct sgx_report report;
    int result = certificate_report_data(identity.key, r->not_before_s, data);
    if (result < 0)
        return result;
    sgx_report(&identity.target, data, &report);
    r->report = report.body;
    return rpc_call(enclave_system.owner->rpc, RPC_QUOTE, &report, sizeof report, on_quote, r);
}

static void on_target_info(void *user, int error, const uint8_t *target, size_t size)
{
    struct refresh *r = user;
    if (error == 0 && size != sizeof identity.target)
        error = -EBADMSG;
    if (error == 0) {
        memcpy(&identity.target, target, size);
        identity.have_target = true;
        error = ask_for_quote(r);
    }
    if (error < 0)
        refresh_end(r, error);
}

int identity_refresh(void (*done)(void *user, int error), void *user)
{
    loop_check(&enclave_system.owner->loop);
    struct refresh *r = calloc(1, sizeof *r);
    if (!r) {
        plan_next(-ENOMEM);
        return -ENOMEM;
    }
    r->done = done;
    r->user = user;
    r->not_before_s = certificate_not_before(time(NULL));
    r->serial = ++identity.serial;
    r->has_apps = app_table_count(enclave_system.apps) > 0;
    r->has_egress = egress_trust_sha256(r->egress);
    r->request_peers = peers_are_wanted();
    int result = configuration(&r->tree, r->root, r->workloads, r->has_egress ? r->egress : NULL);
    if (result == 0 && identity.have_target)
        result = ask_for_quote(r);
    else if (result == 0)
        result = rpc_call(enclave_system.owner->rpc, RPC_QUOTE_TARGET_INFO, NULL, 0, on_target_info, r);
    if (result < 0) {
        plan_next(result);
        refresh_free(r);
    }
    return result;
}

const uint8_t *identity_spki_sha256(void)
{
    return identity.spki_sha256;
}

const uint8_t *identity_admin_key(size_t *size)
{
    *size = identity.admin_key_size;
    return identity.admin_key;
}

void identity_merkle_root(uint8_t out[32])
{
    pthread_mutex_lock(&root_lock);
    memcpy(out, identity.root, 32);
    pthread_mutex_unlock(&root_lock);
}
