/* See peer.h. */
#include "enclave/ratls/peer.h"

#include <errno.h>
#include <stdio.h>

#include "common/hex.h"
#include "verifier/verifier.h"

struct verifier_policy *peer_policy(bool debug)
{
    struct verifier_policy *policy = verifier_policy_create();
    if (!policy)
        return NULL;
    verifier_policy_allow_simulation(policy, debug);
    verifier_policy_allow_debug(policy, debug);
    return policy;
}

void peer_why(const struct verifier_result *result, char *out, size_t size)
{
    snprintf(out, size, "not every check could be made");
    for (size_t i = 0; i < verifier_result_count(result); i++) {
        struct verifier_check check = verifier_result_check(result, i);
        if (check.outcome == VERIFIER_FAILED) {
            snprintf(out, size, "%s: %s", check.name, check.reason);
            return;
        }
    }
}

static int describe(const struct verifier_result *result, char out[PEER_TEXT_SIZE])
{
    const struct verifier_claims *claims = verifier_result_claims(result);
    char mrenclave[65], mrsigner[65];
    hex_text(claims->mrenclave, 32, mrenclave);
    hex_text(claims->mrsigner, 32, mrsigner);
    snprintf(out, PEER_TEXT_SIZE, "mrenclave=%s;mrsigner=%s;prod-id=%u;svn=%u;debug=%d;simulated=%d", mrenclave,
             mrsigner, claims->isv_prod_id, claims->isv_svn, claims->debug, claims->simulated);
    return 0;
}

int peer_describe(SSL *ssl, bool debug, char out[PEER_TEXT_SIZE])
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    if (!leaf)
        return -ENOENT;
    struct verifier_policy *policy = peer_policy(debug);
    if (!policy)
        return -ENOMEM;
    verifier_policy_set_live(policy, true);
    struct verifier_result *result = verifier_verify_certificate(policy, NULL, leaf);
    int error = !result ? -ENOMEM : verifier_result_ok(result) ? describe(result, out) : -EACCES;
    if (error == -EACCES)
        peer_why(result, out, PEER_TEXT_SIZE);
    verifier_result_destroy(result);
    verifier_policy_destroy(policy);
    return error;
}
