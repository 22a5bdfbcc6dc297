/*
 * A policy file from what was seen. Members that nobody could choose between are written as they are now; whether the
 * caller believes what he saw is his to know (trust at first use). What the policy that it was judged by says of other
 * things is kept: policy_test.c looks at each member of the schema.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
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

static void put_extensions(struct text *t, const struct verifier_policy *p)
{
    for (size_t i = 0; i < p->extension_count; i++) {
        const struct expected_extension *e = p->extensions[i];
        char hex[2 * EXTENSION_SIZE_MAX + 1];
        text_put(t, "%s\"%s\": \"%s\"", i ? ", " : ",\n  \"extensions\": {", e->text,
                 verifier__hex(e->value, e->size, hex));
    }
    if (p->extension_count)
        text_put(t, "}");
}

/* ---- which program, and whose ---------------------------------------------------------------------------------- */

static void put_program(struct text *t, const struct verifier_policy *p, const struct verifier_claims *c)
{
    text_put(t, ",\n  \"mrenclave\": [");
    put_hex(t, c->mrenclave, 32);
    text_put(t, "]");
    if (p->has_mrsigner) {
        text_put(t, ",\n  \"mrsigner\": ");
        put_hex(t, p->mrsigner, 32);
    }
    if (p->has_prod_id)
        text_put(t, ",\n  \"prod_id\": %u", p->prod_id);
    if (p->has_min_svn)
        text_put(t, ",\n  \"min_svn\": %u", p->min_svn);
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

/* Which images have had it before, as its certificate says, which was judged. */
static void put_predecessors(struct text *t, const struct verifier_evidence *evidence)
{
    const uint8_t *at = evidence->certificate, *list = NULL;
    size_t size = 0;
    X509 *leaf = evidence->certificate_size <= INT32_MAX ? d2i_X509(NULL, &at, (long)evidence->certificate_size) : NULL;
    t->failed |= !leaf || !verifier__lineage_of(leaf, &list, &size);
    if (!t->failed && size > 0) {
        text_put(t, ",\n  \"predecessors\": [");
        for (size_t i = 0; i < size; i += 32) {
            text_put(t, "%s", i ? ", " : "");
            put_hex(t, list + i, 32);
        }
        text_put(t, "]");
    }
    X509_free(leaf);
}

/* Where there was none, what is expected of it if there is. */
static void put_collateral(struct text *t, const struct verifier_policy *p, const struct verifier_result *r)
{
    bool first = true;
    if (!r->has_collateral && p->accepted_tcb == 1u << VERIFIER_TCB_UP_TO_DATE && !p->min_evaluation_number)
        return;
    text_put(t, ",\n  \"collateral\": {%s\"accept_tcb\": [", r->has_collateral ? "\"required\": true, " : "");
    for (int status = VERIFIER_TCB_UP_TO_DATE + 1; status < VERIFIER_TCB_REVOKED; status++) {
        if (!(p->accepted_tcb & 1u << status))
            continue;
        text_put(t, "%s\"%s\"", first ? "" : ", ", verifier_tcb_status_name((enum verifier_tcb_status)status));
        first = false;
    }
    text_put(t, "], \"min_evaluation_number\": %u}",
             r->has_collateral ? (unsigned)r->claims.evaluation_number : p->min_evaluation_number);
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

/* ---- its history ----------------------------------------------------------------------------------------------- */

static void put_key(struct text *t, const struct note_key *k)
{
    char text[NOTE_KEY_TEXT_SIZE];
    if (note_key_text(k, text, sizeof text) == 0)
        text_string(t, text);
    else
        t->failed = true;
}

static void put_witnesses(struct text *t, const struct verifier_policy *p)
{
    text_put(t, "\"witnesses\": [");
    for (size_t i = 0; i < p->witness_count; i++) {
        text_put(t, "%s", i ? ", " : "");
        put_key(t, &p->witnesses[i]);
    }
    text_put(t, "]");
    if (p->quorum)
        text_put(t, ", \"quorum\": %u", p->quorum);
    if (p->cosigned_within_s)
        text_put(t, ", \"max_age\": %lld", (long long)p->cosigned_within_s);
}

static void put_head(struct text *t, const struct note_key *key, uint64_t size, const uint8_t root[32])
{
    text_put(t, "\"key\": ");
    put_key(t, key);
    if (size == 0)
        return;
    text_put(t, ", \"size\": %llu, \"root\": ", (unsigned long long)size);
    put_hex(t, root, 32);
}

/* The head that was shown, or else the latest that is known; and which witnesses it should carry. */
static void put_log(struct text *t, const struct verifier_policy *p, const struct verifier_result *r)
{
    const struct verifier_claims *c = &r->claims;
    struct remembered known = {0};
    bool shown = verifier__has_passed(r, CHECK_LOG_CHECKPOINT);
    char name[NOTE_NAME_SIZE_MAX + 1], hex[65];
    struct note_key key;
    if (!shown && !p->has_log && p->witness_count == 0)
        return;
    for (size_t i = 0; i < p->head_count; i++)
        if (p->heads[i].size > known.size)
            known = p->heads[i];
    text_put(t, ",\n  \"log\": {");
    snprintf(name, sizeof name, "enclave-os/%s", verifier__hex(c->instance, 32, hex));
    bool made = shown && note_key_make(name, NOTE_ED25519, c->log_key, &key) == 0;
    if (made)
        put_head(t, &key, c->checkpoint_size, c->checkpoint_root);
    else if (p->has_log)
        put_head(t, &p->log_key, known.size, known.root);
    if (p->witness_count) {
        text_put(t, "%s", made || p->has_log ? ", " : "");
        put_witnesses(t, p);
    }
    text_put(t, "}");
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

/* Whether this very code is expected. */
static bool expects_code(const struct verifier_policy *p, const char *name)
{
    for (size_t i = 0; i < p->app_count; i++)
        if (p->apps[i]->has_sha256 && strcmp(p->apps[i]->name, name) == 0)
            return true;
    return false;
}

static void put_app(struct text *t, const struct verifier_policy *p, const struct manifest *m,
                    const struct manifest_leaf *leaf, bool first)
{
    const char *name = verifier__manifest_name(leaf, "app:");
    struct app_rule rule;
    text_put(t, "%s\n    {\"name\": ", first ? "" : ",");
    text_string(t, name);
    bool known = verifier__manifest_rule(m, name, &rule);
    bool published = known && rule.has_publisher && strcmp(rule.kind, "operator") != 0;
    if (published) {
        text_put(t, ", \"publisher\": ");
        put_hex(t, rule.publisher, 32);
        text_put(t, ", \"min_version\": %llu", (unsigned long long)rule.version);
    }
    if (!published || expects_code(p, name)) {
        text_put(t, ", \"sha256\": ");
        put_hash_or_none(t, leaf);
    }
    if (known) {
        text_put(t, ", \"id\": ");
        put_hex(t, rule.id, sizeof rule.id);
    }
    text_put(t, ", \"settings\": ");
    put_hash_or_none(t, verifier__manifest_find(m, "settings:", name));
    put_egress(t, verifier__manifest_find(m, "egress:", name));
}

static void put_contents(struct text *t, const struct verifier_policy *p, const struct verifier_claims *c,
                         const struct manifest *m)
{
    const struct manifest_leaf *limits = verifier__manifest_find(m, "limits", "");
    const struct manifest_leaf *rule = verifier__manifest_find(m, "upgrade-rule", "");
    bool first = true;
    put_administrators(t, m);
    if (rule) /* JSON: its check has passed, or was skipped as well-formed */
        text_put(t, ",\n  \"upgrade_rule\": %.*s", (int)rule->size, (const char *)rule->value);
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
        put_app(t, p, m, &m->leaves[i], first);
        first = false;
    }
    text_put(t, "]");
    if (p->only_apps)
        text_put(t, ",\n  \"only_apps\": true");
}

const char *verifier_policy_beyond_who(const struct verifier_policy *p)
{
    return p->has_administrators ? "administrators"
           : p->has_upgrade_rule ? "upgrade_rule"
           : p->min_generation   ? "min_generation"
           : p->has_limits       ? "limits"
           : p->has_egress_ca    ? "egress_ca"
           : p->app_count        ? "apps"
           : p->only_apps        ? "only_apps"
                                 : NULL;
}

char *verifier_policy_write(const struct verifier_policy *policy, const struct verifier_result *result,
                            const struct verifier_evidence *evidence, bool who)
{
    struct manifest m = {0};
    struct text t = {0};
    if (!verifier_result_ok(result) || (who && verifier_policy_beyond_who(policy)))
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
    put_predecessors(&t, evidence);
    put_extensions(&t, policy);
    put_whose(&t, &result->claims, evidence, listed ? &m : NULL);
    if (!who || policy->has_log || policy->witness_count)
        put_log(&t, policy, result);
    if (!who)
        put_contents(&t, policy, &result->claims, &m);
    text_put(&t, "\n}\n");
    verifier__manifest_free(&m);
    return text_take(&t);
}
