/*
 * The peer's certificate itself: its key, its time, and who signed it.
 */
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "verifier/manifest.h"

bool verifier__bound(const struct verification *v)
{
    return v->live || v->dice_bound || verifier__passed(v, CHECK_ISSUER);
}

bool verifier__read_extension(const struct verification *v, const char *oid_text, uint8_t *out, size_t size)
{
    int count;
    if (v->is_v2 && (strcmp(oid_text, OID_GENERATION) == 0 || strcmp(oid_text, OID_INSTANCE) == 0))
        return false; /* these numbers stand for something else there; the manifest tells them */
    if (v->is_v2 && strcmp(oid_text, OID_MERKLE_ROOT) == 0)
        oid_text = OID_V2_MERKLE_ROOT;
    ASN1_OBJECT *oid = v->leaf ? OBJ_txt2obj(oid_text, 1) : NULL;
    const ASN1_OCTET_STRING *value = oid ? verifier__extension(v->leaf, oid, &count) : NULL;
    bool found = value && (size_t)ASN1_STRING_length(value) == size;
    ASN1_OBJECT_free(oid);
    if (found)
        memcpy(out, ASN1_STRING_get0_data(value), size);
    return found;
}

uint64_t verifier__big_endian(const uint8_t bytes[8])
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | bytes[i];
    return number;
}

struct twice verifier__look_twice(const struct verification *v, const char *oid, const char *label, size_t size)
{
    struct twice t = {0};
    const uint8_t *leaf = v->manifest ? verifier__manifest_value(v->manifest, label, size) : NULL;
    t.known = verifier__bound(v) && verifier__read_extension(v, oid, t.value, size);
    t.differs = t.known && leaf && memcmp(t.value, leaf, size) != 0;
    if (leaf)
        memcpy(t.value, leaf, size);
    t.known |= leaf != NULL;
    return t;
}

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

/* "23 h 10 min", with room for any number. */
static const char *duration(int64_t seconds, char out[48])
{
    if (seconds < 3600)
        snprintf(out, 48, "%lld min", (long long)(seconds / 60));
    else
        snprintf(out, 48, "%lld h %lld min", (long long)(seconds / 3600), (long long)(seconds / 60 % 60));
    return out;
}

static void check_time(struct verification *v)
{
    char text[64];
    struct verifier_claims *c = &v->result->claims;
    c->not_before_s = verifier__asn1_time(X509_get0_notBefore(v->leaf));
    c->not_after_s = verifier__asn1_time(X509_get0_notAfter(v->leaf));
    if (verifier__time_problem(c->not_before_s, c->not_after_s, v->now_s, text, sizeof text))
        verifier__fail(v, CHECK_CERTIFICATE_TIME, "it %s", text);
    else
        verifier__pass(v, CHECK_CERTIFICATE_TIME, "within its time of validity, %s old",
                       duration(v->now_s - c->not_before_s, text));
    c->has_validity = c->not_before_s != INT64_MIN && c->not_after_s != INT64_MIN;
    c->age_s = c->has_validity ? v->now_s - c->not_before_s : 0;
}

/* NotAfter is not in the quote: who once got hold of an enclave's keys may make it what he likes. */
static void check_lifetime(struct verification *v)
{
    const struct verifier_claims *c = &v->result->claims;
    char text[2][48];
    int64_t most = v->policy->max_lifetime_s;
    if (v->policy->mode != VERIFIER_DETERMINISTIC)
        verifier__skip(v, CHECK_LIFETIME, "its quote is for this connection alone");
    else if (most == 0)
        verifier__skip(v, CHECK_LIFETIME, "the caller has no maximum");
    else if (!c->has_validity)
        verifier__fail(v, CHECK_LIFETIME, "it has no readable time of validity");
    else if (c->not_after_s - c->not_before_s > most)
        verifier__fail(v, CHECK_LIFETIME, "%s, at most %s is expected",
                       duration(c->not_after_s - c->not_before_s, text[0]), duration(most, text[1]));
    else
        verifier__pass(v, CHECK_LIFETIME, "%s, at most %s is expected",
                       duration(c->not_after_s - c->not_before_s, text[0]), duration(most, text[1]));
}

void verifier__check_certificate(struct verification *v)
{
    if (!v->leaf) {
        verifier__skip(v, CHECK_CERTIFICATE, "a quote alone is verified");
        verifier__skip(v, CHECK_CERTIFICATE_TIME, "a quote alone is verified");
        verifier__skip(v, CHECK_LIFETIME, "a quote alone is verified");
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
    check_time(v);
    check_lifetime(v);
    check_issuer(v);
}
