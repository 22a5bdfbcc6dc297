/*
 * What the configuration has in it, by the manifest: whose enclave it is, who may change it, and its limits. A manifest
 * is anybody's text until its leaves make the root that the certificate carries.
 */
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/manifest.h"

/* ---- the manifest ---------------------------------------------------------------------------------------------- */

/* Whether a value that it says of itself is the one in its leaves. */
static bool agrees(const struct manifest *m)
{
    const uint8_t *instance = verifier__manifest_value(m, "instance", 32);
    const uint8_t *generation = verifier__manifest_value(m, "generation", 8);
    return instance && generation && memcmp(m->said_root, m->root, 32) == 0 &&
           memcmp(m->said_instance, instance, 32) == 0 && m->said_generation == verifier__big_endian(generation);
}

static void check_manifest(struct verification *v, struct manifest *m)
{
    const struct verifier_claims *claims = &v->result->claims;
    char text[2][65];
    if (!v->manifest_text) {
        if (verifier_policy_needs_manifest(v->policy))
            verifier__fail(v, CHECK_MANIFEST, "none was given, and the caller's expectations need it");
        else
            verifier__skip(v, CHECK_MANIFEST, "none was given");
        return;
    }
    const char *wrong = verifier__manifest_read(m, v->manifest_text, v->manifest_size);
    if (wrong)
        verifier__fail(v, CHECK_MANIFEST, "malformed: %s", wrong);
    else if (!claims->has_merkle_root)
        verifier__fail(v, CHECK_MANIFEST, "there is no configuration root to prove it by");
    else if (memcmp(m->root, claims->merkle_root, 32) != 0)
        verifier__fail(v, CHECK_MANIFEST, "its leaves make the root %s, not the certificate's %s",
                       verifier__hex(m->root, 32, text[0]), verifier__hex(claims->merkle_root, 32, text[1]));
    else if (!agrees(m))
        verifier__fail(v, CHECK_MANIFEST, "its instance, generation or root is not that of its leaves");
    else if (!verifier__bound(v))
        verifier__fail(v, CHECK_MANIFEST,
                       "its leaves make the configuration root, but that is not bound (no live handshake, no pinned "
                       "issuer)");
    else {
        verifier__pass(v, CHECK_MANIFEST, "its %zu leaves make the configuration root", m->count);
        v->manifest = m;
    }
}

/* ---- whose ----------------------------------------------------------------------------------------------------- */

static void check_instance(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    struct verifier_claims *claims = &v->result->claims;
    struct twice t = verifier__look_twice(v, OID_INSTANCE, "instance", 32);
    char text[65], expected[65];
    claims->has_instance = t.known;
    memcpy(claims->instance, t.value, 32);
    verifier__hex(t.value, 32, text);
    verifier__hex(p->instance, 32, expected);
    if (t.differs)
        verifier__fail(v, CHECK_INSTANCE, "the certificate names another one than the manifest, %s", text);
    else if (!p->has_instance && t.known)
        verifier__skip(v, CHECK_INSTANCE, "%s (not pinned by the caller)", text);
    else if (!p->has_instance)
        verifier__skip(v, CHECK_INSTANCE, "not known (and not pinned by the caller)");
    else if (!t.known)
        verifier__fail(v, CHECK_INSTANCE, "neither certificate nor manifest names it, expected %s", expected);
    else if (memcmp(t.value, p->instance, 32) != 0)
        verifier__fail(v, CHECK_INSTANCE, "%s, expected %s", text, expected);
    else
        verifier__pass(v, CHECK_INSTANCE, "%s", text);
}

static void check_generation(struct verification *v)
{
    struct verifier_claims *claims = &v->result->claims;
    struct twice t = verifier__look_twice(v, OID_GENERATION, "generation", 8);
    unsigned long long number = verifier__big_endian(t.value), least = v->policy->min_generation;
    claims->has_generation = t.known;
    claims->generation = number;
    if (t.differs)
        verifier__fail(v, CHECK_GENERATION, "the certificate has another number than the manifest, %llu", number);
    else if (least == 0 && t.known)
        verifier__skip(v, CHECK_GENERATION, "%llu (the caller has no minimum)", number);
    else if (least == 0)
        verifier__skip(v, CHECK_GENERATION, "not known (and the caller has no minimum)");
    else if (!t.known)
        verifier__fail(v, CHECK_GENERATION, "neither certificate nor manifest tells it; at least %llu is expected",
                       least);
    else if (number < least)
        verifier__fail(v, CHECK_GENERATION, "%llu, at least %llu is expected", number, least);
    else
        verifier__pass(v, CHECK_GENERATION, "%llu, at least %llu is expected", number, least);
}

static const struct verifier_administrator *find_expected(const struct verifier_policy *p, const uint8_t key[32])
{
    for (size_t i = 0; i < p->administrator_count; i++)
        if (memcmp(p->administrators[i].key, key, 32) == 0)
            return &p->administrators[i];
    return NULL;
}

static void check_administrators(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    char text[65];
    unsigned threshold = 0;
    size_t count = 0;
    if (!v->manifest)
        return;
    if (!verifier__manifest_threshold(v->manifest, &threshold)) {
        verifier__fail(v, CHECK_ADMINISTRATORS, "the manifest does not say how many of them a change takes");
        return;
    }
    for (size_t i = 0; i < v->manifest->count; i++) {
        const struct manifest_leaf *leaf = &v->manifest->leaves[i];
        struct verifier_administrator one;
        const char *name = verifier__manifest_name(leaf, "admin:");
        if (!name)
            continue;
        count++;
        if (!verifier__manifest_administrator(leaf, &one)) {
            verifier__fail(v, CHECK_ADMINISTRATORS, "the leaf admin:%s is malformed", name);
            return;
        }
        const struct verifier_administrator *expected = find_expected(p, one.key);
        if (p->has_administrators && (!expected || expected->role != one.role)) {
            verifier__fail(v, CHECK_ADMINISTRATORS, "%s is one, as %s, which the caller does not expect",
                           verifier__hex(one.key, 32, text), (const char *)leaf->value);
            return;
        }
    }
    if (!p->has_administrators)
        verifier__skip(v, CHECK_ADMINISTRATORS, "%zu of them, of whom %u are needed (not pinned by the caller)", count,
                       threshold);
    else if (count != p->administrator_count)
        verifier__fail(v, CHECK_ADMINISTRATORS, "%zu of them, expected %zu", count, p->administrator_count);
    else if (threshold != p->threshold)
        verifier__fail(v, CHECK_ADMINISTRATORS, "%u of them are needed for a change, expected %u", threshold,
                       p->threshold);
    else
        verifier__pass(v, CHECK_ADMINISTRATORS, "%zu of them, of whom %u are needed", count, threshold);
    v->result->administrators_name_instance = verifier__has_passed(v->result, CHECK_ADMINISTRATORS) && count > 0;
}

/* ---- for all apps ---------------------------------------------------------------------------------------------- */

static void check_limits(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    const struct manifest_leaf *leaf = v->manifest ? verifier__manifest_find(v->manifest, "limits", "") : NULL;
    const char *text = leaf ? (const char *)leaf->value : "none";
    int size = leaf ? (int)(leaf->size < 200 ? leaf->size : 200) : 4;
    if (!v->manifest)
        return;
    if (!p->has_limits)
        verifier__skip(v, CHECK_LIMITS, "%.*s (not pinned by the caller)", size, text);
    else if (leaf && leaf->size == strlen(p->limits) && memcmp(leaf->value, p->limits, leaf->size) == 0)
        verifier__pass(v, CHECK_LIMITS, "%.*s", size, text);
    else
        verifier__fail(v, CHECK_LIMITS, "%.*s; expected %.200s", size, text, p->limits);
}

static void check_egress_ca(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    const uint8_t *hash = v->manifest ? verifier__manifest_value(v->manifest, "egress-ca", 32) : NULL;
    char text[65] = "none", expected[65] = "none";
    if (!v->manifest)
        return;
    if (hash)
        verifier__hex(hash, 32, text);
    if (!p->no_egress_ca)
        verifier__hex(p->egress_ca, 32, expected);
    if (!p->has_egress_ca)
        verifier__skip(v, CHECK_EGRESS_CA, "%s (not pinned by the caller)", text);
    else if (strcmp(text, expected) == 0)
        verifier__pass(v, CHECK_EGRESS_CA, "%s", text);
    else
        verifier__fail(v, CHECK_EGRESS_CA, "%s, expected %s", text, expected);
}

void verifier__check_contents(struct verification *v)
{
    struct manifest m = {0};
    check_manifest(v, &m);
    check_instance(v);
    check_generation(v);
    verifier__check_history(v);
    check_administrators(v);
    verifier__check_upgrades(v);
    verifier__check_hand_over(v);
    check_limits(v);
    check_egress_ca(v);
    verifier__check_apps(v);
    v->manifest = NULL;
    verifier__manifest_free(&m);
}
