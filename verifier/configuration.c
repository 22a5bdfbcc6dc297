/*
 * The certificate's extensions: the configuration's root, and values that the caller expects. They
 * are not in the quote. What makes them the enclave's word is a handshake that proves the attested key, whose holder
 * chose this certificate, a signature of the enclave's own CA that the caller pinned, or DICE evidence that binds them.
 */
#include <openssl/objects.h>
#include <string.h>

#include "verifier/internal.h"

static void check_root(struct verification *v)
{
    struct verifier_claims *claims = &v->result->claims;
    char text[65];
    if (!verifier__read_extension(v, OID_MERKLE_ROOT, claims->merkle_root, 32)) {
        verifier__fail(v, CHECK_CONFIGURATION, "the certificate does not carry exactly one root of 32 bytes");
        return;
    }
    claims->has_merkle_root = true;
    verifier__hex(claims->merkle_root, 32, text);
    if (verifier__bound(v))
        verifier__pass(v, CHECK_CONFIGURATION, "%s, vouched for by the %s", text,
                       v->live         ? "handshake"
                       : v->dice_bound ? "evidence: extensions are bound"
                                       : "issuer");
    else
        verifier__skip(v, CHECK_CONFIGURATION, "%s; extensions: not bound (no live handshake, no pinned issuer)", text);
}

static void check_extension(struct verification *v, size_t index)
{
    const struct expected_extension *e = v->policy->extensions[index];
    int count;
    const ASN1_OCTET_STRING *value = v->leaf ? verifier__extension(v->leaf, e->oid, &count) : NULL;
    enum verifier_outcome outcome = VERIFIER_FAILED;
    const char *reason;
    if (!v->leaf)
        reason = "there is no certificate to look at";
    else if (!value)
        reason = count ? "stands more than once" : "is missing";
    else if ((size_t)ASN1_STRING_length(value) != e->size ||
             (e->size && memcmp(ASN1_STRING_get0_data(value), e->value, e->size) != 0))
        reason = "has another value than the caller expects";
    else if (!verifier__bound(v))
        reason = "has the expected value, but extensions are not bound (no live handshake, no pinned issuer)";
    else {
        outcome = VERIFIER_PASSED;
        reason = "has the expected value";
        v->result->extension_names_instance |=
            v->is_v2 ? strcmp(e->text, OID_V2_MERKLE_ROOT) == 0
                     : strcmp(e->text, OID_MERKLE_ROOT) == 0 || strcmp(e->text, OID_INSTANCE) == 0;
    }
    verifier__set(v, CHECK_EXTENSION, index, outcome, "%s %s", e->text, reason);
}

void verifier__check_configuration(struct verification *v)
{
    if (v->leaf)
        check_root(v);
    else
        verifier__skip(v, CHECK_CONFIGURATION, "a quote alone is verified");
    for (size_t i = 0; i < v->policy->extension_count; i++)
        check_extension(v, i);
    if (v->policy->extension_count == 0)
        verifier__skip(v, CHECK_EXTENSION, "the caller expects none");
    verifier__check_contents(v);
}
