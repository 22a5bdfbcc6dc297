/*
 * The peer's certificate itself: its key, its time, and who signed it.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "verifier/internal.h"

static bool read_spki(struct verification *v)
{
    struct verifier_claims *claims = &v->result->claims;
    uint8_t *spki = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(v->leaf), &spki);
    claims->has_spki = size > 0 && verifier__is_p256(X509_get0_pubkey(v->leaf)) &&
                       verifier__sha256(spki, (size_t)size, claims->spki_sha256);
    OPENSSL_free(spki);
    return claims->has_spki;
}

static void check_issuer(struct verification *v)
{
    X509 *issuer = v->policy->issuer;
    if (!issuer) {
        verifier__skip(v, CHECK_ISSUER, "not pinned by the caller; the quote vouches for the key");
        return;
    }
    const char *problem = verifier__signed_by(v->leaf, issuer);
    if (problem)
        verifier__fail(v, CHECK_ISSUER, "not under the pinned issuer: %s", problem);
    else
        verifier__pass(v, CHECK_ISSUER, "signed by the issuer that the caller pinned");
}

void verifier__check_certificate(struct verification *v)
{
    char text[64];
    if (!v->leaf) {
        verifier__skip(v, CHECK_CERTIFICATE, "a quote alone is verified");
        verifier__skip(v, CHECK_CERTIFICATE_TIME, "a quote alone is verified");
        verifier__skip(v, CHECK_ISSUER, "a quote alone is verified");
        return;
    }
    if (X509_get_extension_flags(v->leaf) & EXFLAG_INVALID)
        verifier__fail(v, CHECK_CERTIFICATE, "one of its extensions is malformed");
    else if (X509_get_extension_flags(v->leaf) & EXFLAG_CRITICAL)
        verifier__fail(v, CHECK_CERTIFICATE, "it has an unknown critical extension");
    else if (!read_spki(v))
        verifier__fail(v, CHECK_CERTIFICATE, "its key is not on P-256");
    else
        verifier__pass(v, CHECK_CERTIFICATE, "well-formed, with a P-256 key");
    if (verifier__time_problem(verifier__asn1_time(X509_get0_notBefore(v->leaf)),
                               verifier__asn1_time(X509_get0_notAfter(v->leaf)), v->now_s, text, sizeof(text)))
        verifier__fail(v, CHECK_CERTIFICATE_TIME, "it %s", text);
    else
        verifier__pass(v, CHECK_CERTIFICATE_TIME, "within its time of validity");
    check_issuer(v);
}
