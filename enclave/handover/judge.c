/* See judge.h. */
#include "enclave/handover/judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "enclave/ratls/peer.h"
#include "enclave/service/upgrade_rule.h"
#include "sgx/trusted/bridge.h"
#include "verifier/verifier.h"

struct verifier_collateral *judge_read_collateral(const void *data, size_t size)
{
    struct verifier_collateral *c = verifier_collateral_create();
    struct bytes_reader r = bytes_reader_make(data, size);
    bool ok = c != NULL;
    for (int i = 0; ok && i < VERIFIER_DOCUMENTS; i++) {
        size_t document_size;
        const uint8_t *document = bytes_take_blob(&r, &document_size);
        ok = !r.failed && verifier_collateral_set(c, (enum verifier_document)i, document, document_size) == 0;
    }
    if (ok && bytes_reader_complete(&r))
        return c;
    verifier_collateral_destroy(c);
    return NULL;
}

static struct verifier_policy *make_policy(bool has_collateral, int64_t now_s)
{
    bool debug = sgx_is_debug();
    struct verifier_policy *policy = peer_policy(debug);
    if (!policy)
        return NULL;
    verifier_policy_set_time(policy, now_s);
    verifier_policy_require_collateral(policy, has_collateral || !debug);
    if (verifier_policy_accept_tcb(policy, VERIFIER_TCB_SW_HARDENING_NEEDED) == 0)
        return policy;
    verifier_policy_destroy(policy);
    return NULL;
}

static void describe(const struct verifier_claims *claims, struct upgrade_candidate *out)
{
    memcpy(out->mrenclave, claims->mrenclave, sizeof out->mrenclave);
    memcpy(out->mrsigner, claims->mrsigner, sizeof out->mrsigner);
    out->product = claims->isv_prod_id;
    out->svn = claims->isv_svn;
    out->debug = claims->debug;
    out->simulated = claims->simulated;
}

int judge_quote(const void *quote, size_t size, const struct verifier_collateral *collateral,
                const uint8_t report_data[64], int64_t now_s, struct upgrade_candidate *out, char *why, size_t why_size)
{
    ENSURE(report_data && out);
    ENSURE(why && why_size > 0);
    struct verifier_policy *policy = make_policy(collateral != NULL, now_s);
    struct verifier_result *result =
        policy ? verifier_verify_quote(policy, collateral, quote, size, report_data) : NULL;
    int error = -EACCES;
    if (!result) {
        snprintf(why, why_size, "out of memory");
        error = -ENOMEM;
    } else if (now_s <= 0) { /* for the verifier that means its own clock, which is another question */
        snprintf(why, why_size, "the host's clock says nothing");
    } else if (!verifier_result_ok(result)) {
        peer_why(result, why, why_size);
    } else if (!collateral && !verifier_result_claims(result)->simulated) {
        snprintf(why, why_size, "collateral: none was given: revocation and TCB level are unknown");
    } else {
        describe(verifier_result_claims(result), out);
        error = 0;
    }
    verifier_result_destroy(result);
    verifier_policy_destroy(policy);
    return error;
}
