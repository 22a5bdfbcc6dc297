/*
 * A policy file from what was seen. Members that nobody could choose between are written as they are now; whether the
 * caller believes what he saw is his to know (trust at first use).
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "verifier/manifest.h"
#include "verifier/text.h"

static void put_hex(struct text *t, const uint8_t *data, size_t size)
{
    char hex[65];
    text_put(t, "\"%s\"", verifier__hex(data, size, hex));
}

static void put_certificates(struct text *t, const char *name, X509 *const *list, int count)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && count > 0;
    for (int i = 0; ok && i < count; i++)
        ok = PEM_write_bio_X509(bio, list[i]) == 1;
    ok = ok && BIO_write(bio, "", 1) == 1; /* its NUL */
    char *pem;
    if (ok && BIO_get_mem_data(bio, &pem) > 0) {
        text_put(t, ",\n  \"%s\": ", name);
        text_string(t, pem);
    } else {
        t->failed = true;
    }
    BIO_free(bio);
}

/* ---- which program, and whose ---------------------------------------------------------------------------------- */

static void put_program(struct text *t, const struct verifier_policy *p, const struct verifier_claims *c)
{
    text_put(t, ",\n  \"mrenclave\": [");
    put_hex(t, c->mrenclave, 32);
    text_put(t, "]");
    if (c->simulated)
        text_put(t, ",\n  \"allow_simulation\": true");
    if (c->debug && !c->simulated)
        text_put(t, ",\n  \"allow_debug\": true");
    if (p->roots) {
        X509 *roots[ROOTS_MAX];
        int count = sk_X509_num(p->roots);
        for (int i = 0; i < count; i++)
            roots[i] = sk_X509_value(p->roots, i);
        put_certificates(t, "roots", roots, count);
    }
}

static void put_collateral(struct text *t, const struct verifier_policy *p, const struct verifier_result *r)
{
    bool first = true;
    if (!r->has_collateral)
        return;
    text_put(t, ",\n  \"collateral\": {\"required\": true, \"accept_tcb\": [");
    for (int status = VERIFIER_TCB_UP_TO_DATE + 1; status < VERIFIER_TCB_REVOKED; status++) {
        if (!(p->accepted_tcb & 1u << status))
            continue;
        text_put(t, "%s\"%s\"", first ? "" : ", ", verifier_tcb_status_name((enum verifier_tcb_status)status));
        first = false;
    }
    text_put(t, "], \"min_evaluation_number\": %u}", (unsigned)r->claims.evaluation_number);
}

static X509 *read_certificate(const void *der, size_t size)
{
    const uint8_t *at = der;
    return der && size <= VERIFIER_DOCUMENT_SIZE_MAX ? d2i_X509(NULL, &at, (long)size) : NULL;
}

/* The CA that issued the certificate: the one that the configuration lists, or that came along. */
static X509 *find_ca(const struct verifier_evidence *evidence, const struct manifest *m)
{
    const struct manifest_leaf *leaf = m ? verifier__manifest_find(m, "ca-certificate", "") : NULL;
    X509 *certificate = read_certificate(evidence->certificate, evidence->certificate_size);
    X509 *ca =
        leaf ? read_certificate(leaf->value, leaf->size) : read_certificate(evidence->issuer, evidence->issuer_size);
    if (!certificate || !ca || verifier__signed_by(certificate, ca)) {
        X509_free(ca);
        ca = NULL;
    }
    X509_free(certificate);
    ERR_clear_error();
    return ca;
}

static void put_whose(struct text *t, const struct verifier_claims *c, const struct verifier_evidence *evidence,
                      const struct manifest *m)
{
    X509 *ca = find_ca(evidence, m);
    if (ca)
        put_certificates(t, "issuer", &ca, 1);
    else
        t->failed = true;
    if (c->has_instance) {
        text_put(t, ",\n  \"instance\": ");
        put_hex(t, c->instance, 32);
    }
    X509_free(ca);
}

/* ---- what its administrators may change ------------------------------------------------------------------------ */

static void put_administrators(struct text *t, const struct manifest *m)
{
    static const char *const roles[] = {"admin", "deploy", "monitor"};
    unsigned threshold;
    bool first = true;
    if (!verifier__manifest_threshold(m, &threshold)) {
        t->failed = true;
        return;
    }
    text_put(t, ",\n  \"administrators\": {\"threshold\": %u, \"keys\": [", threshold);
    for (size_t i = 0; i < m->count; i++) {
        struct verifier_administrator one;
        if (!verifier__manifest_administrator(&m->leaves[i], &one))
            continue;
        text_put(t, "%s\n    {\"role\": \"%s\", \"key\": ", first ? "" : ",", roles[one.role]);
        put_hex(t, one.key, 32);
        text_put(t, "}");
        first = false;
    }
    text_put(t, "]}");
}

/* A leaf's value as a string; it is text, or the leaf is malformed. */
static void put_text(struct text *t, const struct manifest_leaf *leaf)
{
    char *copy = memchr(leaf->value, '\0', leaf->size) ? NULL : strndup((const char *)leaf->value, leaf->size);
    if (copy)
        text_string(t, copy);
    else
        t->failed = true;
    free(copy);
}

static void put_hash_or_none(struct text *t, const struct manifest_leaf *leaf)
{
    if (!leaf)
        text_put(t, "null");
    else if (leaf->size == 32)
        put_hex(t, leaf->value, 32);
    else
        t->failed = true;
}

static void put_egress(struct text *t, const struct manifest_leaf *leaf)
{
    char *list = leaf ? strndup((const char *)leaf->value, leaf->size) : NULL, *rest = list;
    bool first = true;
    t->failed |= leaf && !list;
    text_put(t, ", \"egress\": [");
    for (const char *entry; rest && *rest && (entry = strsep(&rest, ",")); first = false) {
        text_put(t, "%s", first ? "" : ", ");
        text_string(t, entry);
    }
    text_put(t, "]}");
    free(list);
}

static void put_app(struct text *t, const struct manifest *m, const struct manifest_leaf *leaf, bool first)
{
    const char *name = verifier__manifest_name(leaf, "app:");
    struct app_rule rule;
    text_put(t, "%s\n    {\"name\": ", first ? "" : ",");
    text_string(t, name);
    bool known = verifier__manifest_rule(m, name, &rule);
    if (known && rule.has_publisher && strcmp(rule.kind, "operator") != 0) {
        text_put(t, ", \"publisher\": ");
        put_hex(t, rule.publisher, 32);
        text_put(t, ", \"min_version\": %llu", (unsigned long long)rule.version);
    } else {
        text_put(t, ", \"sha256\": ");
        put_hash_or_none(t, leaf);
    }
    if (known) {
        text_put(t, ", \"id\": ");
        put_hex(t, rule.id, sizeof(rule.id));
    }
    text_put(t, ", \"settings\": ");
    put_hash_or_none(t, verifier__manifest_find(m, "settings:", name));
    put_egress(t, verifier__manifest_find(m, "egress:", name));
}

static void put_contents(struct text *t, const struct verifier_policy *p, const struct verifier_claims *c,
                         const struct manifest *m)
{
    const struct manifest_leaf *limits = verifier__manifest_find(m, "limits", "");
    bool first = true;
    put_administrators(t, m);
    text_put(t, ",\n  \"min_generation\": %llu", (unsigned long long)c->generation);
    if (limits) {
        text_put(t, ",\n  \"limits\": ");
        put_text(t, limits);
    }
    text_put(t, ",\n  \"egress_ca\": ");
    put_hash_or_none(t, verifier__manifest_find(m, "egress-ca", ""));
    text_put(t, ",\n  \"apps\": [");
    for (size_t i = 0; i < m->count; i++) {
        if (!verifier__manifest_name(&m->leaves[i], "app:"))
            continue;
        put_app(t, m, &m->leaves[i], first);
        first = false;
    }
    text_put(t, "]");
    if (p->only_apps)
        text_put(t, ",\n  \"only_apps\": true");
}

char *verifier_policy_write(const struct verifier_policy *policy, const struct verifier_result *result,
                            const struct verifier_evidence *evidence, bool who)
{
    struct manifest m = {0};
    struct text t = {0};
    if (!verifier_result_ok(result))
        return NULL;
    bool listed = verifier__has_passed(result, CHECK_MANIFEST) && evidence->manifest &&
                  !verifier__manifest_read(&m, evidence->manifest, evidence->manifest_size);
    if (!listed && !who)
        return NULL;
    text_put(&t, "{\n  \"format\": \"enclave-os-policy/1\"");
    put_program(&t, policy, &result->claims);
    put_collateral(&t, policy, result);
    if (policy->max_lifetime_s != VERIFIER_LIFETIME_DEFAULT_S)
        text_put(&t, ",\n  \"max_lifetime\": %lld", (long long)policy->max_lifetime_s);
    put_whose(&t, &result->claims, evidence, listed ? &m : NULL);
    if (!who)
        put_contents(&t, policy, &result->claims, &m);
    text_put(&t, "\n}\n");
    verifier__manifest_free(&m);
    return text_take(&t);
}
