/* See attest.h. */
#include "enclave/service/attest.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/service/generation.h"
#include "enclave/service/identity.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"
#include "verifier/verifier.h"

#define QUOTE_MAX 16384u

struct attestation {
    struct generation *generation;
    attest_done done;
    void *user;
    int64_t not_before_s;
    struct sgx_report_body report; /* what the quote must be over */
};

/* The quoting enclave that reports are for. Another may have taken its place when a quote is refused. */
static struct {
    struct sgx_targetinfo info;
    bool known;
} target;

static void attestation_free(struct attestation *a)
{
    http_site_unref(&a->generation->site);
    free(a);
}

/* From the loop only. */
static void attestation_end(struct attestation *a, int error, SSL_CTX *tls)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE((error == 0) == (tls != NULL));
    if (error < 0)
        target.known = false;
    a->done(a->user, error, tls);
    attestation_free(a);
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

static SSL_CTX *make_context(const struct attestation *a, const uint8_t *quote, size_t quote_size)
{
    const struct generation *g = a->generation;
    uint8_t runtime_hash[32];
    SHA256((const uint8_t *)WASMTIME_VERSION_TEXT, sizeof WASMTIME_VERSION_TEXT - 1, runtime_hash);
    const struct leaf_content content = {.not_before_s = a->not_before_s,
                                         .names = ecall_run_args()->san,
                                         .quote = quote,
                                         .quote_size = quote_size,
                                         .merkle_root = g->root,
                                         .generation = g->site.number,
                                         .instance = identity_instance(),
                                         .runtime_hash = runtime_hash,
                                         .workloads_hash = app_table_count(g->site.apps) > 0 ? g->workloads : NULL,
                                         .egress_hash = g->trust ? g->trust->sha256 : NULL};
    X509 *leaf = certificate_make_leaf(identity_key(), identity_ca_key(), identity_ca(), &content);
    SSL_CTX *tls = leaf ? tls_context_new(identity_key(), leaf, identity_ca(), g->request_peers) : NULL;
    if (leaf)
        foresee_refusals(leaf, a->report.mrenclave);
    X509_free(leaf);
    return tls;
}

static void on_quote(void *user, int error, const uint8_t *quote, size_t size)
{
    struct attestation *a = user;
    /* The host made it: a certificate that no client can verify must not replace one that they can. */
    const char *wrong = error != 0         ? NULL
                        : size > QUOTE_MAX ? "too long"
                                           : verifier_quote_is_for(quote, size, (const uint8_t *)&a->report);
    if (wrong) {
        rpc_log(enclave_system.owner->rpc, LOG_ERROR, "the host's quote is of no use: %s", wrong);
        error = -EBADMSG;
    }
    SSL_CTX *tls = error == 0 ? make_context(a, quote, size) : NULL;
    if (error == 0 && !tls)
        error = -ENOMEM;
    attestation_end(a, error, tls);
    SSL_CTX_free(tls);
}

MAY_REFUSE static int ask_for_quote(struct attestation *a)
{
    uint8_t data[64];
    struct sgx_report report;
    int error = certificate_report_data(identity_key(), a->not_before_s, data);
    if (error < 0)
        return error;
    sgx_report(&target.info, data, &report);
    a->report = report.body;
    return rpc_call(enclave_system.owner->rpc, RPC_QUOTE, &report, sizeof report, on_quote, a);
}

static void on_target_info(void *user, int error, const uint8_t *info, size_t size)
{
    struct attestation *a = user;
    if (error == 0 && size != sizeof target.info)
        error = -EBADMSG;
    if (error == 0) {
        memcpy(&target.info, info, size);
        target.known = true;
        error = ask_for_quote(a);
    }
    if (error < 0)
        attestation_end(a, error, NULL);
}

int attest(struct generation *g, attest_done done, void *user)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(g && done);
    struct attestation *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    http_site_ref(&g->site);
    a->generation = g;
    a->done = done;
    a->user = user;
    a->not_before_s = certificate_not_before(time(NULL));
    int error = target.known ? ask_for_quote(a)
                             : rpc_call(enclave_system.owner->rpc, RPC_QUOTE_TARGET_INFO, NULL, 0, on_target_info, a);
    if (error < 0)
        attestation_free(a);
    return error;
}
