/* See generation.h. */
#include "enclave/service/generation.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/service/administrators.h"
#include "enclave/service/identity.h"
#include "enclave/service/trust.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/settings.h"

static void generation_release(struct http_site *site)
{
    struct generation *g = generation_of(site);
    app_table_free(g->site.apps);
    egress_trust_unref(g->trust);
    administrators_unref(g->administrators);
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

static void add_ca(struct collect *c)
{
    uint8_t *ca = NULL;
    int size = i2d_X509(identity_ca(), &ca);
    if (size <= 0 && c->error == 0)
        c->error = -EIO;
    add(c, "ca-certificate", ca, size > 0 ? (size_t)size : 0);
    add(c, "ca-key", identity_ca_key_sha256(), 32);
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
    add_limits(&c);
    if (g->trust)
        add(&c, "egress-ca", g->trust->sha256, 32);
    app_table_each(g->site.apps, add_settings, &c);
    app_table_each(g->site.apps, add_egress, &c);
    app_table_each(g->site.apps, add_rule, &c);
    add(&c, "instance", identity_instance(), 32);
    bytes_put_be64(number, g->site.number);
    add(&c, "generation", number, sizeof number);
    if (EVP_DigestFinal_ex(c.workloads, g->workloads, NULL) != 1 && c.error == 0)
        c.error = -EIO;
    EVP_MD_CTX_free(c.workloads);
    return c.error;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

struct generation *generation_make(uint64_t number, struct app_table *apps, struct egress_trust *trust,
                                   struct administrators *administrators)
{
    struct generation *g = calloc(1, sizeof *g);
    ENSURE(number > 0 && apps);
    ENSURE(administrators);
    if (!g) {
        app_table_free(apps);
        egress_trust_unref(trust);
        administrators_unref(administrators);
        return NULL;
    }
    http_site_init(&g->site, number, apps, generation_release);
    g->trust = trust;
    g->administrators = administrators;
    g->request_peers = ecall_run_args()->request_client_certificates;
    if (add_leaves(g) == 0) {
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
