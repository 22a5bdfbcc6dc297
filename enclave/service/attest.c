/* See attest.h. */
#include "enclave/service/attest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/early/ecall.h"
#include "enclave/history/history.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/dice.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/ratls/tls_names.h"
#include "enclave/service/generation.h"
#include "enclave/service/identity.h"
#include "enclave/service/issuer.h"
#include "enclave/service/lineage.h"
#include "enclave/service/quote.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/settings.h"
#include "sgx/include/arch.h"
#include "verifier/verifier.h"

/* What gets a certificate: the server, or an app's own name. Both texts outlive the attestation. */
struct subject {
    struct app *app; /* NULL: the server */
    const char *names;
};

struct attestation {
    struct generation *generation;
    struct history_head head;
    attest_done done;
    void *user;
    int64_t not_before_s;
    uint8_t runtime_hash[32];
    SSL_CTX *tls; /* the server's, as soon as it is there; then its apps' names come, one after the other */

    /* Of the subject that is under way: */
    EVP_PKEY *key;  /* the boot's, or a name's, which is owned */
    uint8_t *quote; /* the first, over the key */
    size_t quote_size;
    uint8_t mrenclave[32];
    uint8_t app_root[32], app_id[RULE_ID_SIZE];
    struct leaf_app app;
    struct dice_made_claims claims; /* what the second is over */

    size_t at, count;
    struct subject subjects[];
};

static void subject_end(struct attestation *a)
{
    if (a->at > 0)
        EVP_PKEY_free(a->key);
    free(a->quote);
    a->key = NULL;
    a->quote = NULL;
}

static void attestation_free(struct attestation *a)
{
    http_site_unref(&a->generation->site);
    subject_end(a);
    SSL_CTX_free(a->tls);
    free(a);
}

/* From the loop only. A certificate that no client can verify must not replace one that they can, nor may a part of
 * them: whatever failed, there is none. */
static void attestation_end(struct attestation *a, int error)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(error < 0 || (a->tls && a->at == a->count));
    a->done(a->user, error, error == 0 ? a->tls : NULL);
    attestation_free(a);
}

/* What any client will find, by the clients' own verifier: whoever runs this learns now, not from complaints. Which
 * roots a client trusts, the enclave cannot know: Intel's, or a simulation's if that is what the host has. */
static void foresee_refusals(X509 *leaf, const uint8_t mrenclave[32], const struct lineage *lineage)
{
    struct verifier_policy *policy = verifier_policy_create();
    struct verifier_result *result = NULL;
    if (policy && verifier_policy_add_mrenclave(policy, mrenclave) == 0) {
        verifier_policy_allow_simulation(policy, true);
        verifier_policy_allow_debug(policy, true);
        verifier_policy_set_live(policy, true);
        int error = 0;
        for (size_t i = 0; lineage && i < lineage->count && error == 0; i++)
            error = verifier_policy_add_predecessor(policy, lineage->of[i]);
        result = error < 0 ? NULL : verifier_verify_certificate(policy, NULL, leaf);
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

/* ---- one certificate --------------------------------------------------------------------------------------------- */

/* Evidence is asked for behind the handshake alone. */
static bool is_v2(void)
{
    return ecall_run_args()->ratls == 2;
}

/* The leaf, as far as it is known: all but its evidence. What it points to is a's. */
static struct leaf_content content_of(const struct attestation *a)
{
    const struct generation *g = a->generation;
    const struct subject *subject = &a->subjects[a->at];
    return (struct leaf_content){.not_before_s = a->not_before_s,
                                 .names = subject->names,
                                 .app = subject->app ? &a->app : NULL,
                                 .quote = a->quote,
                                 .quote_size = a->quote_size,
                                 .merkle_root = g->root,
                                 .generation = g->site.number,
                                 .instance = identity_instance(),
                                 .log_size = a->head.size,
                                 .log_root = a->head.root,
                                 .log_key = history_public_key(enclave_system.history),
                                 .lineage = g->lineage ? g->lineage->of[0] : NULL,
                                 .lineage_size = g->lineage ? g->lineage->count * sizeof *g->lineage->of : 0,
                                 .runtime_hash = a->runtime_hash,
                                 .workloads_hash = app_table_count(g->site.apps) > 0 ? g->workloads : NULL,
                                 .egress_hash = g->trust ? g->trust->sha256 : NULL};
}

static bool requests_peers(const struct attestation *a)
{
    const struct app *app = a->subjects[a->at].app;
    return app ? app_settings_of(app)->request_peers || ecall_run_args()->request_client_certificates
               : a->generation->request_peers;
}

static SSL_CTX *make_context(const struct attestation *a, const uint8_t *evidence, size_t evidence_size)
{
    struct leaf_content content = content_of(a);
    content.dice = evidence;
    content.dice_size = evidence_size;
    const struct issuer *issuer = a->generation->issuer;
    X509 *ca = issuer_certificate(issuer);
    X509 *leaf = certificate_make_leaf(a->key, issuer_signing_key(issuer), ca, &content);
    SSL_CTX *tls = leaf ? tls_context_new(a->key, leaf, ca, requests_peers(a)) : NULL;
    if (leaf && content.quote) /* without one, there is nothing that could be refused for it */
        foresee_refusals(leaf, a->mrenclave, a->generation->lineage);
    X509_free(leaf);
    return tls;
}

static void next_subject(struct attestation *a);

/* 0 or a negative errno; tls is taken. */
static int take_context(struct attestation *a, SSL_CTX *tls)
{
    const struct subject *subject = &a->subjects[a->at];
    ENSURE((a->at == 0) == !a->tls && (a->at == 0) == !subject->app);
    if (!tls)
        return -ENOMEM;
    if (!subject->app) {
        a->tls = tls;
        return 0;
    }
    int error = tls_names_add(a->tls, subject->names, app_name(subject->app), tls);
    SSL_CTX_free(tls);
    return error;
}

/* One certificate is over; or all of them, where it failed. */
static void go_on(struct attestation *a, int error)
{
    if (error < 0) {
        attestation_end(a, error);
        return;
    }
    subject_end(a);
    a->at++;
    next_subject(a);
}

/* The second quote, over what the certificate says. A certificate that no client can verify must not replace one that
 * they can: a quote that is none is an error. */
static void on_evidence(void *user, int error, const uint8_t *quote, size_t size, const struct sgx_report_body *self)
{
    struct attestation *a = user;
    uint8_t evidence[DICE_SIZE_MAX];
    (void)self;
    if (error == 0) {
        ssize_t made = dice_evidence_make(&a->claims, quote, size, evidence);
        if (made < 0)
            rpc_log(enclave_system.owner->rpc, LOG_WARN,
                    "certificates are without DICE evidence: a quote of %zu bytes is too long for it", size);
        error = take_context(a, make_context(a, made < 0 ? NULL : evidence, made < 0 ? 0 : (size_t)made));
    }
    go_on(a, error);
}

/* The first, over the key. */
static void on_quote(void *user, int error, const uint8_t *quote, size_t size, const struct sgx_report_body *self)
{
    struct attestation *a = user;
    uint8_t data[64];
    ENSURE(!a->quote);
    ENSURE(a->at < a->count);
    if (error == 0 && is_v2()) { /* it was asked for to see that clients will get theirs */
        go_on(a, take_context(a, make_context(a, NULL, 0)));
        return;
    }
    if (error == 0) {
        a->quote = malloc(size);
        error = a->quote ? 0 : -ENOMEM;
    }
    if (error == 0) {
        memcpy(a->quote, quote, size);
        a->quote_size = size;
        memcpy(a->mrenclave, self->mrenclave, sizeof a->mrenclave);
        const struct leaf_content content = content_of(a);
        error = dice_claims_make(a->key, issuer_certificate(a->generation->issuer), &content, &a->claims);
    }
    if (error == 0) {
        dice_report_data(&a->claims, data);
        error = quote_make(data, on_evidence, a);
    }
    if (error < 0)
        attestation_end(a, error);
}

/* ---- what the certificates are of -------------------------------------------------------------------------------- */

/* Its identity, as its rule's leaf says it. */
static bool read_id(const struct app *app, uint8_t id[RULE_ID_SIZE])
{
    const char *rule = app_rule(app);
    return strncmp(rule, "id=", 3) == 0 && hex_read(rule + 3, strcspn(rule + 3, "\n"), id, RULE_ID_SIZE);
}

/* What the leaf of an app's name says of the app. 0 or a negative errno. */
static int describe(struct attestation *a, const struct app *app)
{
    int error =
        read_id(app, a->app_id) ? manifest_app_root(&a->generation->manifest, app_name(app), a->app_root) : -EINVAL;
    a->app = (struct leaf_app){a->app_root, app_sha256(app), app_settings_of(app)->digest, a->app_id};
    return error;
}

/* Its key, which is the boot's for the server and a new one for a name, and the quote over that. */
static int begin_subject(struct attestation *a)
{
    const struct app *app = a->subjects[a->at].app;
    uint8_t data[64];
    ENSURE(!a->key && !a->quote);
    int error = app ? describe(a, app) : 0;
    if (error < 0)
        return error;
    a->key = app ? certificate_make_key() : identity_key();
    error = a->key || !app ? certificate_report_data(a->key, a->not_before_s, data) : -ENOMEM;
    return error == 0 ? quote_make(data, on_quote, a) : error;
}

static attest_named named_elsewhere; /* boot fills it in */

void attest_names_by(attest_named named)
{
    ENSURE(!named_elsewhere);
    named_elsewhere = named;
}

/* Those in a row that have certificates from elsewhere. 0 or a negative errno. */
static int skip_named(struct attestation *a)
{
    X509 *ca = issuer_certificate(a->generation->issuer);
    ENSURE(a->tls && !a->key);
    for (int error = 0; a->at < a->count; a->at++) {
        const char *name = a->subjects[a->at].names;
        SSL_CTX *tls = named_elsewhere ? named_elsewhere(a->generation, name, requests_peers(a) ? ca : NULL) : NULL;
        if (!tls)
            return 0;
        error = take_context(a, tls);
        if (error < 0)
            return error;
    }
    return 0;
}

static void next_subject(struct attestation *a)
{
    ENSURE(a->tls && a->at <= a->count);
    int error = skip_named(a);
    if (error == 0 && a->at < a->count)
        error = begin_subject(a);
    if (error < 0 || a->at == a->count)
        attestation_end(a, error);
}

static void count_names(void *user, struct app *app)
{
    size_t *count = user;
    *count += app_settings_of(app)->hostnames.count;
}

static void take_names(void *user, struct app *app)
{
    struct attestation *a = user;
    const struct app_hostnames *names = &app_settings_of(app)->hostnames;
    for (size_t i = 0; i < names->count; i++)
        a->subjects[a->count++] = (struct subject){app, names->names[i]};
}

int attest(struct generation *g, const struct history_head *head, attest_done done, void *user)
{
    size_t count = 1;
    loop_check(&enclave_system.owner->loop);
    ENSURE(g && head && done);
    app_table_each(g->site.apps, count_names, &count);
    struct attestation *a = calloc(1, sizeof *a + count * sizeof *a->subjects);
    if (!a)
        return -ENOMEM;
    http_site_ref(&g->site);
    a->generation = g;
    a->head = *head;
    a->done = done;
    a->user = user;
    a->not_before_s = certificate_not_before(time(NULL));
    SHA256((const uint8_t *)WASMTIME_VERSION_TEXT, sizeof WASMTIME_VERSION_TEXT - 1, a->runtime_hash);
    a->subjects[a->count++] = (struct subject){NULL, ecall_run_args()->san};
    app_table_each(g->site.apps, take_names, a);
    ENSURE(a->count == count);
    int error = begin_subject(a);
    if (error < 0)
        attestation_free(a);
    return error;
}
