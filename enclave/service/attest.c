/* See attest.h. */
#include "enclave/service/attest.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/history/history.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/dice.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/service/generation.h"
#include "enclave/service/identity.h"
#include "enclave/service/lineage.h"
#include "enclave/service/quote.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"
#include "sgx/include/arch.h"
#include "verifier/verifier.h"

struct attestation {
    struct generation *generation;
    struct history_head head;
    attest_done done;
    void *user;
    int64_t not_before_s;
    uint8_t runtime_hash[32];
    uint8_t *quote; /* the first, over the key */
    size_t quote_size;
    struct dice_made_claims claims; /* what the second is over */
    uint8_t mrenclave[32];
};

static void attestation_free(struct attestation *a)
{
    http_site_unref(&a->generation->site);
    free(a->quote);
    free(a);
}

/* From the loop only. */
static void attestation_end(struct attestation *a, int error, SSL_CTX *tls)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE((error == 0) == (tls != NULL));
    a->done(a->user, error, tls);
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

/* The leaf, as far as it is known: all but its evidence. What it points to is a's. */
static struct leaf_content content_of(const struct attestation *a)
{
    const struct generation *g = a->generation;
    return (struct leaf_content){.not_before_s = a->not_before_s,
                                 .names = ecall_run_args()->san,
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

static SSL_CTX *make_context(const struct attestation *a, const uint8_t *evidence, size_t evidence_size)
{
    const struct generation *g = a->generation;
    struct leaf_content content = content_of(a);
    content.dice = evidence;
    content.dice_size = evidence_size;
    X509 *leaf = certificate_make_leaf(identity_key(), identity_ca_key(), identity_ca(), &content);
    SSL_CTX *tls = leaf ? tls_context_new(identity_key(), leaf, identity_ca(), g->request_peers) : NULL;
    if (leaf)
        foresee_refusals(leaf, a->mrenclave, g->lineage);
    X509_free(leaf);
    return tls;
}

/* The second quote, over what the certificate says. A certificate that no client can verify must not replace one that
 * they can: a quote that is none is an error. */
static void on_evidence(void *user, int error, const uint8_t *quote, size_t size, const struct sgx_report_body *self)
{
    struct attestation *a = user;
    uint8_t evidence[DICE_SIZE_MAX];
    SSL_CTX *tls = NULL;
    (void)self;
    if (error == 0) {
        ssize_t made = dice_evidence_make(&a->claims, quote, size, evidence);
        if (made < 0)
            rpc_log(enclave_system.owner->rpc, LOG_WARN,
                    "certificates are without DICE evidence: a quote of %zu bytes is too long for it", size);
        tls = make_context(a, made < 0 ? NULL : evidence, made < 0 ? 0 : (size_t)made);
        error = tls ? 0 : -ENOMEM;
    }
    attestation_end(a, error, tls);
    SSL_CTX_free(tls);
}

/* The first, over the key. */
static void on_quote(void *user, int error, const uint8_t *quote, size_t size, const struct sgx_report_body *self)
{
    struct attestation *a = user;
    uint8_t data[64];
    if (error == 0) {
        a->quote = malloc(size);
        error = a->quote ? 0 : -ENOMEM;
    }
    if (error == 0) {
        memcpy(a->quote, quote, size);
        a->quote_size = size;
        memcpy(a->mrenclave, self->mrenclave, sizeof a->mrenclave);
        const struct leaf_content content = content_of(a);
        error = dice_claims_make(identity_key(), identity_ca(), &content, &a->claims);
    }
    if (error == 0) {
        dice_report_data(&a->claims, data);
        error = quote_make(data, on_evidence, a);
    }
    if (error < 0)
        attestation_end(a, error, NULL);
}

int attest(struct generation *g, const struct history_head *head, attest_done done, void *user)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(g && head && done);
    struct attestation *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    http_site_ref(&g->site);
    a->generation = g;
    a->head = *head;
    a->done = done;
    a->user = user;
    a->not_before_s = certificate_not_before(time(NULL));
    SHA256((const uint8_t *)WASMTIME_VERSION_TEXT, sizeof WASMTIME_VERSION_TEXT - 1, a->runtime_hash);
    uint8_t data[64];
    int error = certificate_report_data(identity_key(), a->not_before_s, data);
    if (error == 0)
        error = quote_make(data, on_quote, a);
    if (error < 0)
        attestation_free(a);
    return error;
}
