/* See generation.h. */
#include "enclave/service/generation.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/service/acme_settings.h"
#include "enclave/service/administrators.h"
#include "enclave/history/history.h"
#include "enclave/service/identity.h"
#include "enclave/service/issuer.h"
#include "enclave/service/lineage.h"
#include "enclave/service/recovery.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/service/upgrade_rule.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/settings.h"
#include "enclave/witness/set.h"

/* ---- those that are there ---------------------------------------------------------------------------------------- */

struct standing {
    struct http_site *site; /* borrowed: it leaves before it goes */
    struct standing *next;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct standing *all;

static bool join(struct http_site *site)
{
    struct standing *one = malloc(sizeof *one);
    if (!one)
        return false;
    pthread_mutex_lock(&lock);
    *one = (struct standing){site, all};
    all = one;
    pthread_mutex_unlock(&lock);
    return true;
}

static void leave(const struct http_site *site)
{
    pthread_mutex_lock(&lock);
    struct standing **at = &all;
    while (*at && (*at)->site != site)
        at = &(*at)->next;
    struct standing *one = *at; /* NULL: there was no memory for it */
    if (one)
        *at = one->next;
    pthread_mutex_unlock(&lock);
    free(one);
}

void generation_hurry_retired(void)
{
    pthread_mutex_lock(&lock);
    for (const struct standing *one = all; one; one = one->next)
        if (http_site_cut_ns(one->site))
            http_site_retire(one->site, SITE_CUT_AT_ONCE);
    pthread_mutex_unlock(&lock);
}

static void generation_release(struct http_site *site)
{
    struct generation *g = generation_of(site);
    leave(site);
    app_table_free(g->site.apps);
    egress_trust_unref(g->trust);
    issuer_unref(g->issuer);
    administrators_unref(g->administrators);
    upgrade_rule_unref(g->upgrade_rule);
    lineage_unref(g->lineage);
    witness_set_unref(g->witnesses);
    recovery_unref(g->recovery);
    acme_settings_unref(g->acme);
    manifest_free(&g->manifest);
    free(g->manifest_json);
    free(g);
}

/* ---- its leaves: docs/attestation.md has their order ------------------------------------------------------------- */

struct collect {
    struct generation *generation;
    EVP_MD_CTX *workloads;
    int error;
};

static void add(struct collect *c, const char *label, const void *value, size_t size)
{
    if (c->error == 0)
        c->error = manifest_add(&c->generation->manifest, label, value, size);
}

static void add_of_app(struct collect *c, const char *kind, const struct app *app, const void *value, size_t size)
{
    char label[16 + APP_NAME_MAX + 1];
    snprintf(label, sizeof label, "%s:%s", kind, app_name(app));
    add(c, label, value, size);
}

static void add_code(void *user, struct app *app)
{
    struct collect *c = user;
    add_of_app(c, "app", app, app_sha256(app), 32);
    EVP_DigestUpdate(c->workloads, app_name(app), strlen(app_name(app)));
    EVP_DigestUpdate(c->workloads, app_sha256(app), 32);
    c->generation->request_peers |= app_settings_of(app)->request_peers;
}

static void add_settings(void *user, struct app *app)
{
    const struct app_settings *settings = app_settings_of(app);
    if (!app_settings_empty(settings))
        add_of_app(user, "settings", app, settings->digest, 32);
}

static void add_egress(void *user, struct app *app)
{
    struct collect *c = user;
    char *text = app_settings_egress_text(app_settings_of(app));
    if (!text)
        c->error = c->error ? c->error : -ENOMEM;
    else if (*text)
        add_of_app(c, "egress", app, text, strlen(text));
    free(text);
}

static void add_rule(void *user, struct app *app)
{
    add_of_app(user, "rule", app, app_rule(app), strlen(app_rule(app)));
}

static void add_hostnames(void *user, struct app *app)
{
    struct collect *c = user;
    const struct app_settings *settings = app_settings_of(app);
    char *text = app_settings_hostnames_text(settings);
    if (!text)
        c->error = c->error ? c->error : -ENOMEM;
    else if (*text)
        add_of_app(c, "hostnames", app, text, strlen(text));
    free(text);
}

static int add_one(void *user, const char *label, const void *value, size_t size)
{
    add(user, label, value, size);
    return 0;
}

static void add_limits(struct collect *c)
{
    const struct run_args *a = ecall_run_args();
    char text[256];
    int size = snprintf(text, sizeof text, "header-bytes=%u headers=%u body-bytes=%llu request-ms=%u app-memory-mib=%u",
                        a->http_max_header_bytes, a->http_max_headers, (unsigned long long)a->http_max_body_bytes,
                        a->http_request_timeout_ms, a->app_memory_max_mib);
    add(c, "limits", text, (size_t)size);
}

static void add_upgrades(struct collect *c)
{
    const struct generation *g = c->generation;
    char *rule = upgrade_rule_record(g->upgrade_rule);
    if (rule)
        add(c, "upgrade-rule", rule, strlen(rule));
    else
        c->error = c->error ? c->error : -ENOMEM;
    free(rule);
    if (g->lineage)
        add(c, "lineage", g->lineage->of, g->lineage->count * sizeof *g->lineage->of);
}

static void add_recovery(struct collect *c)
{
    const struct recovery *r = c->generation->recovery;
    if (r)
        add(c, "recovery", r->text, strlen(r->text));
}

static void add_acme(struct collect *c)
{
    const struct acme_settings *s = c->generation->acme;
    if (s)
        add(c, "acme", s->record, strlen(s->record));
}

static void add_ca(struct collect *c)
{
    uint8_t *ca = NULL;
    const struct issuer *issuer = c->generation->issuer;
    int size = i2d_X509(issuer_certificate(issuer), &ca);
    if (size <= 0 && c->error == 0)
        c->error = -EIO;
    add(c, "ca-certificate", ca, size > 0 ? (size_t)size : 0);
    add(c, "ca-key", issuer_key_sha256(issuer), 32);
    OPENSSL_free(ca);
}

static int add_leaves(struct generation *g)
{
    uint8_t number[8];
    struct collect c = {g, EVP_MD_CTX_new(), 0};
    if (!c.workloads || EVP_DigestInit_ex(c.workloads, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(c.workloads);
        return -ENOMEM;
    }
    add_ca(&c);
    app_table_each(g->site.apps, add_code, &c);
    (void)administrators_leaves(g->administrators, add_one, &c); /* c has its error */
    add_upgrades(&c);
    add_limits(&c);
    if (g->trust)
        add(&c, "egress-ca", g->trust->sha256, 32);
    app_table_each(g->site.apps, add_settings, &c);
    app_table_each(g->site.apps, add_egress, &c);
    app_table_each(g->site.apps, add_rule, &c);
    add(&c, "instance", identity_instance(), 32);
    bytes_put_be64(number, g->site.number);
    add(&c, "generation", number, sizeof number);
    add(&c, "log-key", history_public_key(enclave_system.history), 32);
    if (g->witnesses)
        (void)witness_set_leaves(g->witnesses, add_one, &c); /* c has its error */
    else
        add(&c, "witnesses", "quorum=0", 8);
    add_recovery(&c);
    app_table_each(g->site.apps, add_hostnames, &c);
    add_acme(&c);
    if (EVP_DigestFinal_ex(c.workloads, g->workloads, NULL) != 1 && c.error == 0)
        c.error = -EIO;
    EVP_MD_CTX_free(c.workloads);
    return c.error;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

int generation_parts_of(const struct generation *g, struct generation_parts *out)
{
    ENSURE(g && g->site.apps && g->administrators && g->upgrade_rule);
    *out = (struct generation_parts){.apps = app_table_copy(g->site.apps)};
    if (!out->apps)
        return -ENOMEM;
    out->trust = egress_trust_ref(g->trust);
    out->issuer = issuer_ref(g->issuer);
    out->administrators = administrators_ref(g->administrators);
    out->upgrade_rule = upgrade_rule_ref(g->upgrade_rule);
    out->lineage = lineage_ref(g->lineage);
    out->witnesses = witness_set_ref(g->witnesses);
    out->recovery = recovery_ref(g->recovery);
    out->acme = acme_settings_ref(g->acme);
    return 0;
}

void generation_parts_trust(struct generation_parts *parts, struct egress_trust *trust)
{
    egress_trust_unref(parts->trust);
    parts->trust = trust;
}

void generation_parts_issuer(struct generation_parts *parts, struct issuer *issuer)
{
    issuer_unref(parts->issuer);
    parts->issuer = issuer;
}

void generation_parts_administrators(struct generation_parts *parts, struct administrators *administrators)
{
    ENSURE(administrators);
    administrators_unref(parts->administrators);
    parts->administrators = administrators;
}

void generation_parts_upgrade_rule(struct generation_parts *parts, struct upgrade_rule *rule)
{
    ENSURE(rule);
    upgrade_rule_unref(parts->upgrade_rule);
    parts->upgrade_rule = rule;
}

void generation_parts_witnesses(struct generation_parts *parts, struct witness_set *witnesses)
{
    witness_set_unref(parts->witnesses);
    parts->witnesses = witnesses;
}

void generation_parts_recovery(struct generation_parts *parts, struct recovery *recovery)
{
    recovery_unref(parts->recovery);
    parts->recovery = recovery;
}

void generation_parts_acme(struct generation_parts *parts, struct acme_settings *acme)
{
    acme_settings_unref(parts->acme);
    parts->acme = acme;
}

void generation_parts_release(struct generation_parts *parts)
{
    app_table_free(parts->apps);
    egress_trust_unref(parts->trust);
    issuer_unref(parts->issuer);
    administrators_unref(parts->administrators);
    upgrade_rule_unref(parts->upgrade_rule);
    lineage_unref(parts->lineage);
    witness_set_unref(parts->witnesses);
    recovery_unref(parts->recovery);
    acme_settings_unref(parts->acme);
    *parts = (struct generation_parts){0};
}

struct generation *generation_make(uint64_t number, struct generation_parts *parts)
{
    struct generation *g = calloc(1, sizeof *g);
    ENSURE(number > 0 && parts->apps);
    ENSURE(parts->administrators && parts->upgrade_rule);
    if (!g) {
        generation_parts_release(parts);
        return NULL;
    }
    http_site_init(&g->site, number, parts->apps, generation_release);
    g->trust = parts->trust;
    g->issuer = parts->issuer;
    g->administrators = parts->administrators;
    g->upgrade_rule = parts->upgrade_rule;
    g->lineage = parts->lineage;
    g->witnesses = parts->witnesses;
    g->recovery = parts->recovery;
    g->acme = parts->acme;
    *parts = (struct generation_parts){0};
    g->request_peers = ecall_run_args()->request_client_certificates;
    if (join(&g->site) && add_leaves(g) == 0) {
        manifest_root(&g->manifest, g->root);
        g->manifest_json = manifest_json(&g->manifest, number, identity_instance(), &g->manifest_size);
    }
    if (g->manifest_json)
        return g;
    http_site_unref(&g->site);
    return NULL;
}

void generation_record(const struct generation *g, uint8_t record[GENERATION_RECORD_SIZE])
{
    bytes_put_be64(record, g->site.number);
    memcpy(record + 8, g->root, 32);
}

int generation_record_read(const uint8_t *record, size_t size, uint64_t *number, uint8_t root[32])
{
    *number = 0;
    if (size != GENERATION_RECORD_SIZE)
        return -EBADMSG;
    *number = bytes_be64(record);
    memcpy(root, record + 8, 32);
    return *number > 0 ? 0 : -EBADMSG;
}
