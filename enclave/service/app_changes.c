/* See app_changes.h. */
#include "enclave/service/app_changes.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/budget/budget.h"
#include "enclave/service/apps.h"
#include "enclave/service/administrators.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/rule.h"
#include "enclave/service/spaces.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "sgx/trusted/bridge.h"

struct app_change {
    struct change change; /* first */
    char name[APP_NAME_MAX + 1];
    struct rule_wish wish;
    char *publication; /* NULL: there is none */
    uint8_t *wasm;     /* charged; until it is compiled */
    uint8_t *artefact;
    size_t wasm_size, artefact_size, written;
    struct app_settings *settings; /* of the new app */
    struct deployed *entry;        /* the new one */
    struct app *app;
};

static struct app_change *of(struct change *change)
{
    return (struct app_change *)change;
}

static struct app_change *app_change_new(const struct change_ops *ops, int success, const char *name, bool now)
{
    struct app_change *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->change.ops = ops;
    c->change.success = success;
    c->change.cut_now = now;
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

static void app_change_release(struct change *change)
{
    struct app_change *c = of(change);
    free(c->artefact);
    free(c->publication);
    charged_free(c->wasm);
    deployed_free(c->entry);
    app_settings_unref(c->settings);
    if (c->app)
        app_unref(c->app);
    free(c);
}

static json_t *app_change_describe(const struct change *change)
{
    return json_pack("{s:s}", "name", ((const struct app_change *)change)->name);
}

/* ---- what all of them write -------------------------------------------------------------------------------------- */

/* The apps of the next generation: those that there are, with this one changed, added or gone. NULL: no memory. */
static struct app_table *next_apps(const struct app_change *c, const struct generation *now)
{
    struct app_table *apps = app_table_copy(now->site.apps);
    int error = !apps ? -ENOMEM : c->app ? app_table_put(apps, app_ref(c->app)) : app_table_remove(apps, c->name);
    if (error < 0) {
        app_table_free(apps);
        return NULL;
    }
    return apps;
}

/* The new list, and the records of the artefact that it names no more gone, in one transaction. old: NULL if it stays.
 */
static void propose_list(struct app_change *c, const struct deployed *old)
{
    size_t old_chunks = old ? deployed_chunks(old) : 0, count = 1;
    char *text = deployed_text(c->name, c->entry), space[SPACES_KEY_SIZE];
    struct kv_op *ops = calloc(2 + old_chunks, sizeof *ops);
    char(*keys)[64] = calloc(1 + old_chunks, sizeof *keys);
    struct generation *now = generations_current();
    if (text && ops && keys) {
        ops[0] = (struct kv_op){KV_PUT, enclave_system.settings, "apps", 4, text, strlen(text)};
        for (size_t i = 0; i < old_chunks; i++) {
            deployed_chunk_key(old, i, keys[i]);
            ops[count++] = (struct kv_op){KV_DELETE, enclave_system.settings, keys[i], strlen(keys[i]), NULL, 0};
        }
        if (!c->entry)
            ops[count++] = spaces_op(old->space, space);
        change_propose(&c->change, next_apps(c, now), egress_trust_ref(now->trust),
                       administrators_ref(now->administrators), ops, count);
    } else {
        change_fail(&c->change, 503, "out of memory: nothing was changed");
    }
    http_site_unref(&now->site);
    if (text)
        OPENSSL_clear_free(text, strlen(text)); /* settings may be secrets */
    free(ops);
    free(keys);
}

static void keep(struct app_change *c, const char *what)
{
    ENSURE(c->entry && c->app);
    deployed_put(c->entry);
    c->entry = NULL;
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "app %s %s", c->name, what);
}

static void fail_absent(struct app_change *c)
{
    change_fail(&c->change, 404, "no app is called %s", c->name);
}

/* Of what a rule says against a change. */
static int refused_status(int error)
{
    return error == -EACCES ? 403 : error == -EINVAL ? 422 : 503;
}

/* The app of that name that is served now, with a reference: it is deployed. Any thread. */
static struct app *served_app(const char *name)
{
    struct generation *now = generations_current();
    struct app *app = app_table_find(now->site.apps, name, strlen(name));
    ENSURE(app);
    app_ref(app);
    http_site_unref(&now->site);
    return app;
}

/* ---- new code ---------------------------------------------------------------------------------------------------- */

/* Whether there is the bundle of CAs that the rule wants, or none. */
static int trusts(const struct rule *rule, char *why, size_t why_size)
{
    struct generation *now = generations_current();
    int error = rule_trusts(rule, now->trust ? now->trust->sha256 : NULL, why, why_size);
    http_site_unref(&now->site);
    return error;
}

/* Whether the app's rule lets this code in, and what the app is from then on: c->entry, with the settings that there
 * are. False: the change has failed. */
static bool judge(struct app_change *c)
{
    static const uint8_t no_salt[SETTINGS_SALT_SIZE];
    uint8_t sha256[32], id[RULE_ID_SIZE];
    const struct deployed *old = deployed_find_preparing(c->name);
    char *why = c->change.why;
    size_t why_size = sizeof c->change.why;
    struct rule *rule;
    SHA256(c->wasm, c->wasm_size, sha256);
    sgx_random(id, sizeof id);
    const struct rule_push push = {.name = c->name,
                                   .sha256 = sha256,
                                   .wish = &c->wish,
                                   .publication = c->publication,
                                   .publication_size = c->publication ? strlen(c->publication) : 0};
    int error = old ? rule_next(old->rule, &push, &rule, why, why_size) : rule_first(id, &push, &rule, why, why_size);
    if (error == 0 && old)
        error = rule_fits(rule, old->settings, why, why_size);
    if (error == 0)
        error = trusts(rule, why, why_size);
    if (error < 0) {
        rule_unref(rule);
        change_fail_why(&c->change, refused_status(error));
        return false;
    }
    c->entry = old ? deployed_copy(old) : deployed_new(c->name);
    if (c->entry && old)
        deployed_rule(c->entry, rule);
    else if (c->entry)
        deployed_found(c->entry, rule);
    else
        rule_unref(rule);
    if (c->entry && !old)
        c->entry->settings = app_settings_parse("{}", 2, no_salt, why, why_size);
    if (!c->entry || !c->entry->settings) {
        change_fail(&c->change, 503, "out of memory: nothing was changed");
        return false;
    }
    memcpy(c->entry->sha256, sha256, sizeof sha256);
    return true;
}

/* An app of the new code. True, or c->change.why says what is wrong. */
static bool compile(struct app_change *c)
{
    char *why = c->change.why;
    size_t why_size = sizeof c->change.why;
    uint8_t artefact[16];
    struct wasm_component *component = wasm_compile(enclave_system.wasm, c->wasm, c->wasm_size, why, why_size);
    if (!component)
        return false;
    if (change_is_stopping()) { /* what becomes of it, nobody will see */
        wasm_component_delete(component);
        return false;
    }
    if (wasm_serialize(component, &c->artefact, &c->artefact_size) < 0) {
        wasm_component_delete(component);
        snprintf(why, why_size, "out of memory");
        return false;
    }
    sgx_random(artefact, sizeof artefact);
    hex_text(artefact, sizeof artefact, c->entry->artefact);
    c->entry->size = c->artefact_size;
    c->app = app_make(c->entry, component, why, why_size);
    return c->app != NULL;
}

static void push_prepare(struct change *change)
{
    struct app_change *c = of(change);
    if (judge(c) && !compile(c))
        change_fail_why(change, 422);
    charged_free(c->wasm);
    c->wasm = NULL;
}

/* The artefact, record by record, and then the list that names it: until then no list does, and boot removes it. */
static void write_next_chunk(void *user, int error)
{
    struct app_change *c = user;
    size_t left = c->artefact_size - c->written, size = left < DEPLOYED_CHUNK ? left : DEPLOYED_CHUNK;
    if (error < 0) {
        change_fail_store(&c->change, error);
        return;
    }
    if (left == 0) {
        propose_list(c, deployed_find(c->name));
        return;
    }
    char key[64];
    deployed_chunk_key(c->entry, c->written / DEPLOYED_CHUNK, key);
    struct kv_op op = {KV_PUT, enclave_system.settings, key, strlen(key), c->artefact + c->written, size};
    c->written += size;
    int refused = kv_commit(enclave_system.owner, &op, 1, write_next_chunk, c);
    if (refused < 0)
        change_fail_store(&c->change, refused);
}

static void push_write(struct change *change)
{
    write_next_chunk(of(change), 0);
}

static void forget_chunk(struct app_change *c, size_t i)
{
    char key[64];
    deployed_chunk_key(c->entry, i, key);
    const struct kv_op op = {KV_DELETE, enclave_system.settings, key, strlen(key), NULL, 0};
    int ignored = kv_commit(enclave_system.owner, &op, 1, NULL, NULL);
    (void)ignored; /* what stays goes at the next boot */
}

static void push_undo(struct change *change)
{
    struct app_change *c = of(change);
    for (size_t i = 0; i < deployed_chunks(c->entry); i++)
        forget_chunk(c, i);
}

static void push_committed(struct change *change)
{
    keep(of(change), "deployed");
}

int app_push(struct worker *origin, const struct app_push *push, change_done done, void *user)
{
    static const struct change_ops ops = {push_prepare, push_write,          push_committed,
                                          push_undo,    app_change_describe, app_change_release};
    loop_check(&origin->loop);
    struct app_change *c = app_change_new(&ops, 201, push->name, push->now);
    if (c && push->publication && !(c->publication = strdup(push->publication))) {
        free(c);
        c = NULL;
    }
    if (!c) {
        charged_free(push->wasm);
        return -ENOMEM;
    }
    c->wish = push->wish;
    c->wasm = push->wasm;
    c->wasm_size = push->size;
    change_ask(&c->change, origin, done, user);
    return 0;
}

/* ---- new settings ------------------------------------------------------------------------------------------------ */

/* An app of the code that there is, if its rule lets it have these settings. */
static void set_prepare(struct change *change)
{
    struct app_change *c = of(change);
    const struct deployed *old = deployed_find_preparing(c->name);
    if (!old) {
        fail_absent(c);
        return;
    }
    int error = rule_allows(old->rule, c->settings, change->why, sizeof change->why);
    if (error < 0) {
        change_fail_why(change, refused_status(error));
        return;
    }
    struct app *served = served_app(c->name);
    struct wasm_component *component = wasm_component_clone(app_component(served));
    app_unref(served);
    c->entry = deployed_copy(old); /* the artefact as it is */
    if (!c->entry || !component) {
        wasm_component_delete(component);
        change_fail(change, 503, "out of memory: nothing was changed");
        return;
    }
    app_settings_unref(c->entry->settings);
    c->entry->settings = app_settings_ref(c->settings);
    c->app = app_make(c->entry, component, change->why, sizeof change->why);
    if (!c->app)
        change_fail_why(change, 503);
}

static void set_write(struct change *change)
{
    propose_list(of(change), NULL);
}

static void set_committed(struct change *change)
{
    keep(of(change), "has new settings");
}

int app_set(struct worker *origin, const char *name, bool now, const char *json, size_t size, change_done done,
            void *user, char *error, size_t error_size)
{
    static const struct change_ops ops = {set_prepare, set_write,           set_committed,
                                          NULL,        app_change_describe, app_change_release};
    uint8_t salt[SETTINGS_SALT_SIZE];
    loop_check(&origin->loop);
    sgx_random(salt, sizeof salt);
    struct app_settings *settings = app_settings_parse(json, size, salt, error, error_size);
    if (!settings)
        return -EINVAL;
    struct app_change *c = app_change_new(&ops, 200, name, now);
    if (!c) {
        app_settings_unref(settings);
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    c->settings = settings;
    change_ask(&c->change, origin, done, user);
    return 0;
}

/* ---- none any more ----------------------------------------------------------------------------------------------- */

static void remove_write(struct change *change)
{
    struct app_change *c = of(change);
    const struct deployed *old = deployed_find(c->name);
    if (old)
        propose_list(c, old);
    else
        fail_absent(c);
}

static void remove_committed(struct change *change)
{
    struct app_change *c = of(change);
    const struct deployed *old = deployed_find(c->name);
    ENSURE(old);
    spaces_remove(old->space);
    deployed_remove(c->name);
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "app %s removed", c->name);
}

int app_remove(struct worker *origin, const char *name, bool now, change_done done, void *user)
{
    static const struct change_ops ops = {NULL, remove_write,        remove_committed,
                                          NULL, app_change_describe, app_change_release};
    loop_check(&origin->loop);
    struct app_change *c = app_change_new(&ops, 200, name, now);
    if (!c)
        return -ENOMEM;
    change_ask(&c->change, origin, done, user);
    return 0;
}
