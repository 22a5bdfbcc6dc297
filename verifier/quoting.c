/*
 * The quoting enclave: the PCK key vouches for its report, its report vouches for the attestation key, which signs.
 */
#include "common/bytes.h"
#include "verifier/internal.h"

static void verdict(struct verification *v, enum check_id id, bool ok, const char *good, const char *bad)
{
    if (ok)
        verifier__pass(v, id, "%s", good);
    else
        verifier__fail(v, id, "%s", bad);
}

void verifier__check_quoting_enclave(struct verification *v)
{
    const struct verifier_quote *q = &v->quote;
    if (v->pck)
        verdict(v, CHECK_QE_REPORT,
                verifier__is_p256(X509_get0_pubkey(v->pck)) &&
                    verifier__signature_holds(X509_get0_pubkey(v->pck), q->qe_signature, q->qe_body, BODY_SIZE),
                "signed by the PCK key", "its signature is not the PCK key's");
    verdict(v, CHECK_ATTESTATION_KEY, verifier__binds_attestation_key(q), "bound by the quoting enclave's report",
            "is not the one in the quoting enclave's report");
    verdict(v, CHECK_QE_MODE, !(bytes_u64(BODY_ATTRIBUTES(q->qe_body)) & FLAG_DEBUG), "not debug",
            "a debug enclave: its attestation key is not secret");
    verdict(v, CHECK_SIGNATURE, verifier__quote_signed(q), "signed by the attestation key",
            "is not the attestation key's");
}
