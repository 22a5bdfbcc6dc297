/*
 * What the caller expects of apps, by the manifest: which code, whose, which settings, where it may connect. An app
 * that has only its hash expected may be proven by itself, with an inclusion proof.
 */
#include <stdlib.h>
#include <string.h>

#include "verifier/manifest.h"

/* What the manifest says of the app, held against what is expected of it; NULL: nothing is. */
static void compare(struct verification *v, enum check_id check, size_t index, const char *text, const char *expected)
{
    const char *name = v->policy->apps[index]->name;
    if (!expected)
        verifier__set(v, check, index, VERIFIER_NOT_CHECKED, "%s: %s (not pinned by the caller)", name, text);
    else if (strcmp(text, expected) != 0)
        verifier__set(v, check, index, VERIFIER_FAILED, "%s: %s, expected %s", name, text, expected);
    else
        verifier__set(v, check, index, VERIFIER_PASSED, "%s: %s", name, text);
}

/* ---- its code -------------------------------------------------------------------------------------------------- */

static const struct manifest_leaf *find_app(const struct verification *v, const struct expected_app *a)
{
    const struct manifest_leaf *leaf = v->manifest ? verifier__manifest_find(v->manifest, "app:", a->name) : NULL;
    return leaf && leaf->size == 32 ? leaf : NULL;
}

/* Without a manifest: by the proof that came with the expectation. */
static void check_proof(struct verification *v, size_t index)
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
    else if (!verifier__bound(v))
        reason = "is under the configuration root, but that is not bound (no live handshake, no pinned issuer)";
    else {
        outcome = VERIFIER_PASSED;
        reason = "of the expected hash is a leaf under the configuration root";
    }
    verifier__set(v, CHECK_APP, index, outcome, "%s: %s", a->name, reason);
}

static void check_code(struct verification *v, size_t index)
{
    const struct expected_app *a = v->policy->apps[index];
    const struct manifest_leaf *leaf = find_app(v, a);
    char text[65], expected[65];
    if (!v->manifest && !v->manifest_text && a->has_proof)
        check_proof(v, index);
    else if (!v->manifest)
        return;
    else if (!leaf)
        verifier__set(v, CHECK_APP, index, VERIFIER_FAILED, "%s: no app of that name runs there", a->name);
    else
        compare(v, CHECK_APP, index, verifier__hex(leaf->value, 32, text),
                a->has_sha256 ? verifier__hex(a->sha256, 32, expected) : NULL);
}

/* ---- its rule -------------------------------------------------------------------------------------------------- */

static void check_publisher(struct verification *v, size_t index, const struct app_rule *rule)
{
    const struct expected_app *a = v->policy->apps[index];
    unsigned long long version = rule->version, least = a->min_version;
    bool bound_to_it = rule->has_publisher && strcmp(rule->kind, "operator") != 0;
    char text[65], expected[65];
    verifier__hex(rule->publisher, 32, text);
    if (!a->has_publisher && bound_to_it)
        verifier__set(v, CHECK_APP_PUBLISHER, index, VERIFIER_NOT_CHECKED,
                      "%s: %s, version %llu (not pinned by the caller)", a->name, text, version);
    else if (!a->has_publisher)
        verifier__set(v, CHECK_APP_PUBLISHER, index, VERIFIER_NOT_CHECKED,
                      "%s: none, its rule is %s (not pinned by the caller)", a->name,
                      *rule->kind ? rule->kind : "not known");
    else if (!bound_to_it)
        verifier__set(v, CHECK_APP_PUBLISHER, index, VERIFIER_FAILED, "%s: none, its rule is %s; expected %s", a->name,
                      *rule->kind ? rule->kind : "not known", verifier__hex(a->publisher, 32, expected));
    else if (memcmp(rule->publisher, a->publisher, 32) != 0)
        verifier__set(v, CHECK_APP_PUBLISHER, index, VERIFIER_FAILED, "%s: %s, expected %s", a->name, text,
                      verifier__hex(a->publisher, 32, expected));
    else if (version < least)
        verifier__set(v, CHECK_APP_PUBLISHER, index, VERIFIER_FAILED, "%s: version %llu, at least %llu is expected",
                      a->name, version, least);
    else
        verifier__set(v, CHECK_APP_PUBLISHER, index, VERIFIER_PASSED, "%s: %s, version %llu", a->name, text, version);
}

static void check_identity(struct verification *v, size_t index, const struct app_rule *rule, bool known)
{
    const struct expected_app *a = v->policy->apps[index];
    char text[33] = "not known", expected[33];
    if (known)
        verifier__hex(rule->id, 16, text);
    verifier__hex(a->id, 16, expected);
    compare(v, CHECK_APP_IDENTITY, index, text, a->has_id ? expected : NULL);
}

/* ---- its settings ---------------------------------------------------------------------------------------------- */

static void check_settings(struct verification *v, size_t index)
{
    const struct expected_app *a = v->policy->apps[index];
    const struct manifest_leaf *leaf = verifier__manifest_find(v->manifest, "settings:", a->name);
    char text[65] = "none", expected[65] = "none";
    if (leaf && leaf->size == 32)
        verifier__hex(leaf->value, 32, text);
    else if (leaf)
        strcpy(text, "malformed");
    if (!a->no_settings)
        verifier__hex(a->settings, 32, expected);
    compare(v, CHECK_APP_SETTINGS, index, text, a->has_settings ? expected : NULL);
}

/* Whether the leaf says what is expected, in whatever order and form. */
static bool same_egress(const struct manifest_leaf *leaf, const char *expected)
{
    if (!leaf)
        return !*expected;
    char *text = memchr(leaf->value, '\0', leaf->size) ? NULL : strndup((const char *)leaf->value, leaf->size);
    char *normal = text ? verifier__normal_egress(text) : NULL;
    bool same = normal && strcmp(normal, expected) == 0;
    free(normal);
    free(text);
    return same;
}

static void check_egress(struct verification *v, size_t index)
{
    const struct expected_app *a = v->policy->apps[index];
    const struct manifest_leaf *leaf = verifier__manifest_find(v->manifest, "egress:", a->name);
    const char *text = leaf && leaf->size > 0 ? (const char *)leaf->value : "nowhere";
    size_t size = leaf && leaf->size > 0 ? leaf->size : 7;
    int shown = size < 200 ? (int)size : 200;
    if (!a->has_egress)
        verifier__set(v, CHECK_APP_EGRESS, index, VERIFIER_NOT_CHECKED, "%s: %.*s (not pinned by the caller)", a->name,
                      shown, text);
    else if (!same_egress(leaf, a->egress))
        verifier__set(v, CHECK_APP_EGRESS, index, VERIFIER_FAILED, "%s: %.*s; expected %.200s", a->name, shown, text,
                      *a->egress ? a->egress : "nowhere");
    else
        verifier__set(v, CHECK_APP_EGRESS, index, VERIFIER_PASSED, "%s: %.*s", a->name, shown, text);
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

static bool is_named(const struct verifier_policy *p, const char *name)
{
    for (size_t i = 0; i < p->app_count; i++)
        if (strcmp(p->apps[i]->name, name) == 0)
            return true;
    return false;
}

static void check_only(struct verification *v)
{
    const struct manifest *m = v->manifest;
    size_t count = 0, others = 0;
    const char *other = NULL;
    for (size_t i = 0; m && i < m->count; i++) {
        const char *name = verifier__manifest_name(&m->leaves[i], "app:");
        count += name != NULL;
        if (name && !is_named(v->policy, name)) {
            others++;
            other = other ? other : name;
        }
    }
    if (!m)
        return;
    if (!v->policy->only_apps)
        verifier__skip(v, CHECK_ONLY_APPS, "%zu apps run there (the caller does not mind others than it names)", count);
    else if (others > 0)
        verifier__fail(v, CHECK_ONLY_APPS, "%zu that the caller does not name: %.64s%s", others, other,
                       others > 1 ? " and others" : "");
    else
        verifier__pass(v, CHECK_ONLY_APPS, "%zu apps run there, and no others", count);
}

void verifier__check_apps(struct verification *v)
{
    check_only(v);
    for (size_t i = 0; i < v->policy->app_count; i++) {
        struct app_rule rule;
        check_code(v, i);
        if (!find_app(v, v->policy->apps[i]))
            continue;
        bool known = verifier__manifest_rule(v->manifest, v->policy->apps[i]->name, &rule);
        if (!known)
            rule = (struct app_rule){0};
        check_publisher(v, i, &rule);
        check_identity(v, i, &rule, known);
        check_settings(v, i);
        check_egress(v, i);
    }
    for (int id = CHECK_APP; id < CHECK_COUNT && v->policy->app_count == 0; id++)
        verifier__skip(v, (enum check_id)id, "the caller expects none");
}
