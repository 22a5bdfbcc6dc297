/*
 * The certificate's extensions: the configuration's root, values that the caller expects, and apps under the root. They
 * are not in the quote. What makes them the enclave's word is a handshake that proves the attested key, whose holder
 * chose this certificate, or a signature of the enclave's own CA that the caller pinned.
 */
#include <openssl/objects.h>
#include <string.h>

#include "verifier/internal.h"

#define OID_MERKLE_ROOT "1.3.6.1.4.1.65230.1.1"

static bool bound(const struct verification *v)
{
    return v->live || verifier__passed(v, CHECK_ISSUER);
}

static void check_root(struct verification *v)
{
    struct verifier_claims *claims = &v->result->claims;
    char text[65];
    int count;
    ASN1_OBJECT *oid = OBJ_txt2obj(OID_MERKLE_ROOT, 1);
    const ASN1_OCTET_STRING *value = oid ? verifier__extension(v->leaf, oid, &count) : NULL;
    ASN1_OBJECT_free(oid);
    if (!value) {
        verifier__fail(v, CHECK_CONFIGURATION, "the certificate does not carry exactly one configuration root");
        return;
    }
    if (ASN1_STRING_length(value) != 32) {
        verifier__fail(v, CHECK_CONFIGURATION, "the configuration root in the certificate is not one of 32 bytes");
        return;
    }
    claims->has_merkle_root = true;
    memcpy(claims->merkle_root, ASN1_STRING_get0_data(value), 32);
    verifier__hex(claims->merkle_root, 32, text);
    if (bound(v))
        verifier__pass(v, CHECK_CONFIGURATION, "%s, vouched for by the %s", text, v->live ? "handshake" : "issuer");
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
    else if (!bound(v))
        reason = "has the expected value, but extensions are not bound (no live handshake, no pinned issuer)";
    else {
        outcome = VERIFIER_PASSED;
        reason = "has the expected value";
    }
    verifier__set(v, CHECK_EXTENSION, index, outcome, "%s %s", e->text, reason);
}

static void check_app(struct verification *v, size_t index)
{
    const struct expected_app *a = v->policy->apps[index];
    const struct verifier_inclusion proof = {a->leaf_index, a->tree_size, a->path, a->path_count};
    uint8_t leaf[4 + NAME_SIZE_MAX + 1 + 32] = "app:";
    size_t name_size = strlen(a->name);
    memcpy(leaf + 4, a->name, name_size + 1);
    memcpy(leaf + 4 + name_size + 1, a->sha256, 32);
    enum verifier_outcome outcome = VERIFIER_FAILED;
    const char *reason;
    if (!v->result->claims.has_merkle_root)
        reason = "there is no configuration root to prove it under";
    else if (!verifier_inclusion_holds(&proof, leaf, 4 + name_size + 1 + 32, v->result->claims.merkle_root))
        reason = "no app of the expected hash is where the proof says under the configuration root";
    else if (!bound(v))
        reason = "is under the configuration root, but that is not bound (no live handshake, no pinned issuer)";
    else {
        outcome = VERIFIER_PASSED;
        reason = "of the expected hash is a leaf under the configuration root";
    }
    verifier__set(v, CHECK_APP, index, outcome, "%s: %s", a->name, reason);
}

void verifier__check_configuration(struct verification *v)
{
    if (v->leaf)
        check_root(v);
    else
        verifier__skip(v, CHECK_CONFIGURATION, "a quote alone is verified");
    for (size_t i = 0; i < v->policy->extension_count; i++)
        check_extension(v, i);
    for (size_t i = 0; i < v->policy->app_count; i++)
        check_app(v, i);
    if (v->policy->extension_count == 0)
        verifier__skip(v, CHECK_EXTENSION, "the caller expects none");
    if (v->policy->app_count == 0)
        verifier__skip(v, CHECK_APP, "the caller expects none");
}
