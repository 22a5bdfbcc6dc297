/* Apps and bundles: see played.h. */
#include "enclave/service/testing/played.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/https/exchange.h"
#include "enclave/service/apps.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/optimiser.h"
#include "enclave/service/rule.h"
#include "enclave/service/trust.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "enclave/wasm/settings.h"

/* ---- components and apps ----------------------------------------------------------------------------------------- */

struct wasm_component {
    char code[16];
};

struct app {
    unsigned references;
    char name[APP_NAME_MAX + 1], prefix[APP_NAME_MAX + 2];
    struct wasm_component *component;
    uint8_t sha256[32];
    char *rule;
    struct app_settings *settings;
};

struct wasm_component *wasm_compile_quick(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, char *why,
                                          size_t why_size)
{
    (void)rt;
    played_pause(); /* it takes long */
    if (chance_of(played_malice / 4)) {
        snprintf(why, why_size, "it does not compile");
        return NULL;
    }
    struct wasm_component *component = calloc(1, sizeof *component);
    ENSURE(component && size < sizeof component->code);
    memcpy(component->code, wasm, size);
    return component;
}

/* What is large is not what is tested here. */
bool wasm_is_quick(const struct wasm_component *component)
{
    (void)component;
    return false;
}

bool app_is_quick(const struct app *app)
{
    (void)app;
    return false;
}

void optimiser_look(void)
{
}

int wasm_serialize(const struct wasm_component *component, uint8_t **out, size_t *out_size)
{
    *out_size = strlen(component->code);
    *out = played_copy(component->code, *out_size);
    return 0;
}

struct wasm_component *wasm_component_clone(const struct wasm_component *component)
{
    return played_copy(component, sizeof *component);
}

void wasm_component_delete(struct wasm_component *component)
{
    free(component);
}

struct app *app_make(const struct deployed *d, struct wasm_component *component, bool closed, char *error,
                     size_t error_size)
{
    (void)closed, (void)error, (void)error_size; /* what is asked of an app here is answered at once: it need not end */
    struct app *app = calloc(1, sizeof *app);
    ENSURE(app);
    app->references = 1;
    snprintf(app->name, sizeof app->name, "%s", d->name);
    snprintf(app->prefix, sizeof app->prefix, "/%s", d->name);
    app->component = component;
    memcpy(app->sha256, d->sha256, 32);
    app->rule = rule_text(d->rule);
    app->settings = app_settings_ref(d->settings);
    return app;
}

void app_close_others(const char *space, const struct app *next)
{
    (void)space, (void)next;
}

bool app_others_run(const char *space, const struct app *next)
{
    (void)space, (void)next;
    return chance(2); /* somebody else's */
}

void app_open(struct app *app)
{
    (void)app;
}

struct app *app_ref(struct app *app)
{
    app->references++;
    return app;
}

void app_unref(struct app *app)
{
    if (!app || --app->references > 0)
        return;
    wasm_component_delete(app->component);
    app_settings_unref(app->settings);
    free(app->rule);
    memset(app, 0xee, sizeof *app);
    free(app);
}

const char *app_name(const struct app *app)
{
    return app->name;
}

const char *app_prefix(const struct app *app)
{
    return app->prefix;
}

const uint8_t *app_sha256(const struct app *app)
{
    return app->sha256;
}

const char *app_rule(const struct app *app)
{
    return app->rule;
}

const struct wasm_component *app_component(const struct app *app)
{
    return app->component;
}

struct app_settings *app_settings_of(const struct app *app)
{
    return app->settings;
}

const char *app_stopped(const struct app *app)
{
    (void)app;
    return NULL;
}

uint64_t app_lost(const struct app *app)
{
    (void)app;
    return 0;
}

bool app_marks(const struct app *app)
{
    (void)app;
    return false;
}

uint64_t app_recycled(const struct app *app)
{
    (void)app;
    return 0;
}

uint64_t app_calls(const struct app *app)
{
    (void)app;
    return 0;
}

/* A guest that says who it is, and by which bundle it would believe servers. */
void app_handle(struct app *app, struct http_exchange *x)
{
    const struct generation *g = generation_of(x->site);
    struct played_answer a = {0};
    const char *v = setting_find(&app->settings->config, "v", 1);
    memcpy(a.code, app->component->code, sizeof a.code);
    snprintf(a.setting, sizeof a.setting, "%s", v ? v : "");
    memcpy(a.settings_digest, app->settings->digest, 32);
    a.has_trust = g->trust != NULL;
    if (g->trust)
        memcpy(a.trust, g->trust->sha256, 32);
    ENSURE(x->ops->respond(x, 200, NULL, 0, sizeof a) == 0);
    ENSURE(x->ops->write_body(x, &a, sizeof a) == sizeof a);
    x->ops->finish(x, NULL, 0);
}

/* ---- the bundle of outgoing requests ----------------------------------------------------------------------------- */

int egress_trust_make(struct egress_trust **out, const void *pem, size_t size, char *error, size_t error_size)
{
    (void)error, (void)error_size;
    struct egress_trust *t = calloc(1, sizeof *t);
    ENSURE(t);
    t->references = 1;
    SHA256(pem, size, t->sha256);
    *out = t;
    return 0;
}

struct egress_trust *egress_trust_ref(struct egress_trust *t)
{
    if (t)
        t->references++;
    return t;
}

void egress_trust_unref(struct egress_trust *t)
{
    if (t && --t->references == 0)
        free(t);
}
