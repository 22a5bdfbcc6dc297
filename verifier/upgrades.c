/*
 * What an instance may become, and what it has been: its upgrade rule, and the measurements of the images that have had
 * it before (docs/attestation.md).
 */
#include <errno.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/json.h"
#include "verifier/manifest.h"

/* ---- the rule -------------------------------------------------------------------------------------------------- */

static const char *const kinds[] = {"none", "measurements", "signer"};

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

static bool read_measurements(const struct json *j, uint32_t list, struct upgrade_rule *r)
{
    for (uint32_t i = JSON_FIRST(list); i != JSON_END(j, list); i = JSON_NEXT(j, i))
        if (r->count == UPGRADE_MEASUREMENTS_MAX || !verifier__json_hex(j, i, r->measurements[r->count++], 32))
            return false;
    qsort(r->measurements, r->count, sizeof *r->measurements, by_bytes);
    for (size_t i = 1; i < r->count; i++)
        if (by_bytes(r->measurements[i - 1], r->measurements[i]) == 0)
            return false;
    return true;
}

static bool read_signer(const struct json *j, uint32_t object, struct upgrade_rule *r)
{
    uint32_t mrsigner = verifier__json_member(j, object, "mrsigner", JSON_STRING);
    uint32_t product = verifier__json_member(j, object, "product", JSON_NUMBER);
    uint32_t svn = verifier__json_member(j, object, "svn", JSON_NUMBER);
    return mrsigner && product && svn && verifier__json_hex(j, mrsigner, r->mrsigner, 32) &&
           verifier__json_number(j, product, UINT16_MAX, &r->product) &&
           verifier__json_number(j, svn, UINT16_MAX, &r->svn);
}

/* "none" alone, "measurements" with a list, "signer" with three members; and perhaps "publishers", but of none. */
bool verifier__read_upgrade_rule(const struct json *j, uint32_t object, struct upgrade_rule *r)
{
    static const uint32_t own[] = {1, 2, 4};
    char kind[16] = "";
    *r = (struct upgrade_rule){0};
    if (j->values[object].type != JSON_OBJECT)
        return false;
    uint32_t rule = verifier__json_member(j, object, "rule", JSON_STRING);
    if (!rule || !verifier__json_text(j, rule, kind, sizeof kind))
        return false;
    while (r->kind < 3 && strcmp(kinds[r->kind], kind) != 0)
        r->kind++;
    if (r->kind == 3)
        return false;
    uint32_t publishers = verifier__json_member(j, object, "publishers", JSON_BOOLEAN);
    r->publishers = publishers && j->text[j->values[publishers].start] == 't';
    if (j->values[object].count != own[r->kind] + (publishers != 0) || (publishers && r->kind == 0))
        return false;
    uint32_t list = verifier__json_member(j, object, "measurements", JSON_ARRAY);
    return r->kind == 0 || (r->kind == 1 && list && read_measurements(j, list, r)) ||
           (r->kind == 2 && read_signer(j, object, r));
}

static bool read_text(const char *text, size_t size, struct upgrade_rule *r)
{
    struct json json;
    if (verifier__json_parse(&json, text, size))
        return false;
    bool ok = verifier__read_upgrade_rule(&json, 0, r);
    verifier__json_free(&json);
    return ok;
}

static bool same(const struct upgrade_rule *a, const struct upgrade_rule *b)
{
    return a->kind == b->kind && a->publishers == b->publishers && a->count == b->count && a->product == b->product &&
           a->svn == b->svn && memcmp(a->measurements, b->measurements, sizeof a->measurements) == 0 &&
           memcmp(a->mrsigner, b->mrsigner, 32) == 0;
}

int verifier__expect_upgrade_rule(struct verifier_policy *p, const struct upgrade_rule *r)
{
    if (p->has_upgrade_rule && !same(&p->upgrade_rule, r))
        return -EEXIST;
    p->has_upgrade_rule = true;
    p->upgrade_rule = *r;
    return 0;
}

int verifier_policy_expect_upgrade_rule(struct verifier_policy *p, const char *text, size_t size)
{
    struct upgrade_rule r;
    return read_text(text, size, &r) ? verifier__expect_upgrade_rule(p, &r) : -EINVAL;
}

static void check_rule(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    const struct manifest_leaf *leaf = verifier__manifest_find(v->manifest, "upgrade-rule", "");
    const char *text = leaf ? (const char *)leaf->value : "not told";
    int size = leaf ? (int)(leaf->size < 300 ? leaf->size : 300) : (int)strlen(text);
    struct upgrade_rule shown;
    bool known = leaf && read_text((const char *)leaf->value, leaf->size, &shown);
    if (leaf && !known)
        verifier__fail(v, CHECK_UPGRADE_RULE, "the leaf upgrade-rule is malformed");
    else if (!p->has_upgrade_rule)
        verifier__skip(v, CHECK_UPGRADE_RULE, "%.*s (not pinned by the caller)", size, text);
    else if (!known)
        verifier__fail(v, CHECK_UPGRADE_RULE, "the manifest does not tell it");
    else if (!same(&shown, &p->upgrade_rule))
        verifier__fail(v, CHECK_UPGRADE_RULE, "%.*s; the caller expects another, %s", size, text,
                       kinds[p->upgrade_rule.kind]);
    else
        verifier__pass(v, CHECK_UPGRADE_RULE, "%.*s", size, text);
}

/* ---- the lineage ----------------------------------------------------------------------------------------------- */

int verifier_policy_add_predecessor(struct verifier_policy *p, const uint8_t mrenclave[32])
{
    if (p->predecessor_count == PREDECESSORS_MAX)
        return -E2BIG;
    void *grown = realloc(p->predecessors, (p->predecessor_count + 1) * sizeof *p->predecessors);
    if (!grown)
        return -ENOMEM;
    p->predecessors = grown;
    memcpy(p->predecessors[p->predecessor_count++], mrenclave, 32);
    return 0;
}

static bool is_among(const uint8_t (*list)[32], size_t count, const uint8_t mrenclave[32])
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(list[i], mrenclave, 32) == 0)
            return true;
    return false;
}

bool verifier__lineage_of(X509 *leaf, const uint8_t **list, size_t *size)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(OID_LINEAGE, 1);
    int count = 0;
    const ASN1_OCTET_STRING *value = oid ? verifier__extension(leaf, oid, &count) : NULL;
    *list = value ? ASN1_STRING_get0_data(value) : NULL;
    *size = value ? (size_t)ASN1_STRING_length(value) : 0;
    ASN1_OBJECT_free(oid);
    return oid && count <= 1 && *size % 32 == 0 && !value == (*size == 0);
}

/* What the manifest says must be the same. */
static bool differs(const struct verification *v, const uint8_t *list, size_t size)
{
    const struct manifest_leaf *leaf = v->manifest ? verifier__manifest_find(v->manifest, "lineage", "") : NULL;
    size_t told = leaf ? leaf->size : 0;
    return v->manifest && (told != size || (size > 0 && memcmp(leaf->value, list, size) != 0));
}

/* The first that the caller names neither as one of those that may have it nor as one that may have had it. */
static const uint8_t *find_unknown(const struct verifier_policy *p, const uint8_t *list, size_t size)
{
    for (size_t i = 0; i < size; i += 32)
        if (!is_among((const uint8_t(*)[32])p->mrenclaves, p->mrenclave_count, list + i) &&
            !is_among((const uint8_t(*)[32])p->predecessors, p->predecessor_count, list + i))
            return list + i;
    return NULL;
}

/* Who has the instance now will have had it before. */
static void check_predecessor(struct verification *v)
{
    char text[65];
    verifier__hex(v->predecessor, 32, text);
    if (v->result->claims.has_quote && memcmp(v->result->claims.mrenclave, v->predecessor, 32) == 0)
        verifier__pass(v, CHECK_LINEAGE, "the same image has the instance now");
    else if (find_unknown(v->policy, v->predecessor, 32))
        verifier__fail(v, CHECK_LINEAGE,
                       "%s has the instance now, and the caller does not expect that it had it before", text);
    else
        verifier__pass(v, CHECK_LINEAGE, "%s has the instance now, which the caller expects", text);
}

static void check_lineage(struct verification *v)
{
    const struct verifier_policy *p = v->policy;
    bool pinned = p->mrenclave_count > 0 || p->predecessor_count > 0;
    const uint8_t *list, *unknown;
    size_t size;
    char text[65];
    if (!v->leaf && v->predecessor && pinned)
        check_predecessor(v);
    else if (!v->leaf)
        verifier__skip(v, CHECK_LINEAGE, "a quote alone is verified");
    else if (!verifier__lineage_of(v->leaf, &list, &size))
        verifier__fail(v, CHECK_LINEAGE, "what the certificate says of it is malformed");
    else if (!verifier__bound(v))
        verifier__skip(v, CHECK_LINEAGE, "extensions: not bound (no live handshake, no pinned issuer)");
    else if (differs(v, list, size))
        verifier__fail(v, CHECK_LINEAGE, "the certificate has another one than the manifest");
    else if (!pinned)
        verifier__skip(v, CHECK_LINEAGE, "%zu images have had it before (not pinned by the caller)", size / 32);
    else if ((unknown = find_unknown(p, list, size)))
        verifier__fail(v, CHECK_LINEAGE, "%s has had the instance before, which the caller does not expect",
                       verifier__hex(unknown, 32, text));
    else if (size == 0)
        verifier__pass(v, CHECK_LINEAGE, "no other image has had it before");
    else
        verifier__pass(v, CHECK_LINEAGE, "%zu have had it before, each of which the caller expects", size / 32);
}

void verifier__check_upgrades(struct verification *v)
{
    check_lineage(v);
    if (v->manifest)
        check_rule(v);
}
