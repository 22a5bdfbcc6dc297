/* See app_changes.h. */
#include "enclave/service/app_changes.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/budget/budget.h"
#include "enclave/service/apps.h"
#include "enclave/service/authority.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/generations.h"
#include "enclave/service/hostnames.h"
#include "enclave/service/optimiser.h"
#include "enclave/service/rule.h"
#include "enclave/service/spaces.h"
#include "enclave/service/system.h"
#include "enclave/service/witnessing.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "sgx/trusted/bridge.h"

struct app_change {
    struct change change; /* first; its subject has the app's name */
    const char *name;
    struct rule_wish wish;
    char *publication; /* NULL: there is none */
    uint8_t *wasm;     /* charged; until it is stored, or the change has failed */
    uint8_t *artefact;
    size_t wasm_size, artefact_size, written; /* the last in records */
    struct app_settings *settings;            /* of the new app */
    struct deployed *entry;                   /* the new one */
    char space[APP_NAME_MAX + 1];             /* what its data is kept under, once it is committed */
    struct app *app;
};

static struct app_change *of(struct change *change)
{
    return CONTAINER_OF(change, struct app_change, change);
}

/* verb: "push", "settings", "rm". */
static struct app_change *app_change_new(const struct change_ops *ops, int success, const char *verb, const char *name)
{
    struct app_change *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    struct change_subject *subject = &c->change.subject;
    c->change.ops = ops;
    c->change.success = success;
    snprintf(subject->app, sizeof subject->app, "%s", name);
    snprintf(subject->what, sizeof subject->what, "app %s %s", verb, subject->app);
    c->name = subject->app;
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
    return json_pack("{s:s}", "name", CONTAINER_OF(change, const struct app_change, change)->name);
}

/* ---- what all of them write -------------------------------------------------------------------------------------- */

/* The apps of the next generation: those that there are, with this one changed, added or gone. False: no memory. */
static bool draft_apps(struct app_change *c, const struct deployed *entry)
{
    struct app_table *apps = c->change.draft.apps;
    memcpy(c->change.subject.sha256, entry->sha256, sizeof entry->sha256);
    return (c->app ? app_table_put(apps, app_ref(c->app)) : app_table_remove(apps, c->name)) == 0;
}

/* The new list, and the records of the artefact that it names no more gone, in one transaction. old: NULL if it stays.
 */
static void propose_list(struct app_change *c, const struct deployed *old)
{
    ENSURE(c->entry || old);
    ENSURE((c->entry != NULL) == (c->app != NULL));
    size_t old_chunks = old ? deployed_records(old) : 0, count = 1;
    char *text = deployed_text(c->name, c->entry), space[SPACES_KEY_SIZE];
    struct kv_op *ops = calloc(2 + old_chunks, sizeof *ops);
    char(*keys)[DEPLOYED_KEY_SIZE] = calloc(1 + old_chunks, sizeof *keys);
    if (text && ops && keys && draft_apps(c, c->entry ? c->entry : old)) {
        ops[0] = (struct kv_op){KV_PUT, enclave_system.settings, "apps", 4, text, strlen(text)};
        for (size_t i = 0; i < old_chunks; i++) {
            deployed_chunk_key(old, i, keys[i]);
            ops[count++] = (struct kv_op){KV_DELETE, enclave_system.settings, keys[i], strlen(keys[i]), NULL, 0};
        }
        if (!c->entry)
            ops[count++] = spaces_op(old->space, space);
        change_propose(&c->change, ops, count);
    } else {
        change_fail(&c->change, 503, "out of memory: nothing was changed");
    }
    if (text)
        OPENSSL_clear_free(text, strlen(text)); /* settings may be secrets */
    free(ops);
    free(keys);
}

/* It is durable: where it is exclusive, nothing begins any more in what was before, nor yet in the new one. */
static void close_before(struct app_change *c, const struct deployed *d)
{
    snprintf(c->space, sizeof c->space, "%s", d->space);
    if (c->change.asker.exclusive)
        app_close_others(c->space, c->app);
}

static bool app_waits(const struct change *change)
{
    const struct app_change *c = CONTAINER_OF(change, const struct app_change, change);
    ENSURE(c->space[0]);
    return app_others_run(c->space, c->app);
}

static void app_over(struct change *change)
{
    app_open(of(change)->app);
}

static void keep(struct app_change *c, const char *what)
{
    ENSURE(c->entry && c->app);
    close_before(c, c->entry);
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

/* The same code for an app that is stopped, which no rule need be asked about: it is what the rule has let in. */
static bool mends(const struct app_change *c, const struct deployed *old, const uint8_t sha256[32])
{
    if (!old || c->wish.given || c->publication || memcmp(old->sha256, sha256, 32) != 0)
        return false;
    struct app *served = served_app(c->name);
    bool stopped = app_stopped(served);
    app_unref(served);
    return stopped;
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
    int error = 0;
    if (mends(c, old, sha256))
        rule = rule_ref(old->rule);
    else
        error = old ? rule_next(old->rule, &push, &rule, why, why_size) : rule_first(id, &push, &rule, why, why_size);
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
    uint8_t names[2][16];
    struct wasm_component *component = wasm_compile_quick(enclave_system.wasm, c->wasm, c->wasm_size, why, why_size);
    if (!component)
        return false;
    if (change_is_stopping()) { /* what becomes of it, nobody will see */
        wasm_component_delete(component);
        return false;
    }
    bool quick = wasm_is_quick(component); /* then the artefact is the optimiser's to make */
    if (!quick && wasm_serialize(component, &c->artefact, &c->artefact_size) < 0) {
        wasm_component_delete(component);
        snprintf(why, why_size, "out of memory");
        return false;
    }
    sgx_random(names, sizeof names);
    if (quick)
        c->entry->artefact[0] = 0;
    else
        hex_text(names[0], sizeof names[0], c->entry->artefact);
    hex_text(names[1], sizeof names[1], c->entry->wasm);
    memcpy(c->entry->engine, wasm_engine_id, sizeof c->entry->engine);
    c->entry->size = c->artefact_size;
    c->entry->wasm_size = c->wasm_size;
    c->entry->tries = 0;
    c->app = app_make(c->entry, component, c->change.asker.exclusive, why, why_size);
    return c->app != NULL;
}

static void push_prepare(struct change *change)
{
    struct app_change *c = of(change);
    if (judge(c) && !compile(c))
        change_fail_why(change, 422);
}

/* The next piece of the artefact, or behind it of the component. */
static size_t next_chunk(const struct app_change *c, const uint8_t **data)
{
    bool compiled = c->written < deployed_chunks(c->entry);
    size_t chunk = compiled ? c->written : c->written - deployed_chunks(c->entry);
    size_t size = compiled ? c->artefact_size : c->wasm_size, at = chunk * DEPLOYED_CHUNK;
    ENSURE(at < size);
    *data = (compiled ? c->artefact : c->wasm) + at;
    return size - at < DEPLOYED_CHUNK ? size - at : DEPLOYED_CHUNK;
}

/* The artefact and what it was made of, record by record, and then the list that names them: until then no list does,
 * and boot removes them. */
static void write_next_chunk(void *user, int error)
{
    struct app_change *c = user;
    const uint8_t *data;
    if (error < 0) {
        change_fail_store(&c->change, error);
        return;
    }
    if (c->written == deployed_records(c->entry)) {
        charged_free(c->wasm);
        c->wasm = NULL;
        propose_list(c, deployed_find(c->name));
        return;
    }
    char key[DEPLOYED_KEY_SIZE];
    size_t size = next_chunk(c, &data);
    deployed_chunk_key(c->entry, c->written, key);
    struct kv_op op = {KV_PUT, enclave_system.settings, key, strlen(key), data, size};
    c->written++;
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
    char key[DEPLOYED_KEY_SIZE];
    deployed_chunk_key(c->entry, i, key);
    const struct kv_op op = {KV_DELETE, enclave_system.settings, key, strlen(key), NULL, 0};
    int ignored = kv_commit(enclave_system.owner, &op, 1, NULL, NULL);
    (void)ignored; /* what stays goes at the next boot */
}

static void push_undo(struct change *change)
{
    struct app_change *c = of(change);
    for (size_t i = 0; i < deployed_records(c->entry); i++)
        forget_chunk(c, i);
}

static void push_committed(struct change *change)
{
    keep(of(change), "deployed");
    optimiser_look();
}

int app_push(const struct change_asker *asker, const struct app_push *push)
{
    static const struct change_ops ops = {.prepare = push_prepare,
                                          .write = push_write,
                                          .committed = push_committed,
                                          .undo = push_undo,
                                          .waits = app_waits,
                                          .over = app_over,
                                          .describe = app_change_describe,
                                          .release = app_change_release};
    loop_check(&asker->worker->loop);
    struct app_change *c = app_change_new(&ops, 201, "push", push->name);
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
    change_ask(&c->change, asker);
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
    if (app_stopped(served)) {
        change_fail(change, 503, "%s; settings can be changed then", app_stopped(served));
        app_unref(served);
        return;
    }
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
    c->app = app_make(c->entry, component, change->asker.exclusive, change->why, sizeof change->why);
    if (!c->app)
        change_fail_why(change, 422);
}

static bool has_witnesses(const struct change *change)
{
    return change->draft.witnesses && change->draft.witnesses->count > 0;
}

static void set_write(struct change *change)
{
    struct app_change *c = of(change);
    const struct deployed *old = deployed_find(c->name);
    ENSURE(old && c->entry);
    ENSURE(c->settings == c->entry->settings);
    int error = hostnames_judge(c->name, c->settings, change->why, sizeof change->why);
    if (error < 0)
        change_fail_why(change, error == -EEXIST ? 409 : 422);
    else if (c->settings->witnessed && !has_witnesses(change))
        change_fail(change, 422, "durable: there are no witnesses that could prove anything (enclavectl witness set)");
    else if (c->settings->witnessed && witnessing_app(c->entry->space, old->settings->witnessed) < 0)
        change_fail(change, 503, "out of memory: nothing was changed"); /* or committed could fail */
    else
        propose_list(c, NULL);
}

static void set_committed(struct change *change)
{
    struct app_change *c = of(change);
    bool witnessed = c->settings->witnessed;
    if (witnessed || deployed_find(c->name)->settings->witnessed)
        ENSURE(witnessing_app(c->entry->space, witnessed) == 0);
    keep(c, "has new settings");
}

int app_set(const struct change_asker *asker, const char *name, const char *json, size_t size, char *error,
            size_t error_size)
{
    static const struct change_ops ops = {.prepare = set_prepare,
                                          .write = set_write,
                                          .committed = set_committed,
                                          .waits = app_waits,
                                          .over = app_over,
                                          .describe = app_change_describe,
                                          .release = app_change_release};
    uint8_t salt[SETTINGS_SALT_SIZE];
    loop_check(&asker->worker->loop);
    sgx_random(salt, sizeof salt);
    struct app_settings *settings = app_settings_parse(json, size, salt, error, error_size);
    if (!settings)
        return -EINVAL;
    struct app_change *c = app_change_new(&ops, 200, "settings", name);
    if (!c) {
        app_settings_unref(settings);
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    c->settings = settings;
    change_ask(&c->change, asker);
    return 0;
}

/* ---- none any more ----------------------------------------------------------------------------------------------- */

static void remove_write(struct change *change)
{
    struct app_change *c = of(change);
    const struct deployed *old = deployed_find(c->name);
    char why[AUTHORITY_WHY_SIZE];
    if (!old)
        fail_absent(c);
    else if (old->rule->kind != RULE_OPERATOR &&
             !authors_suffice(change->asker.authors, AUTHORITY_RULES, change->draft.administrators, why))
        change_fail(change, 403, "the rule of %s binds administrators, and ends with it: %s", c->name, why);
    else
        propose_list(c, old);
}

static void remove_committed(struct change *change)
{
    struct app_change *c = of(change);
    const struct deployed *old = deployed_find(c->name);
    ENSURE(old);
    close_before(c, old);
    deployed_remove(c->name);
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "app %s removed", c->name);
}

/* Until here, a next boot would have done it. */
static void remove_over(struct change *change)
{
    spaces_remove(of(change)->space);
}

int app_remove(const struct change_asker *asker, const char *name)
{
    static const struct change_ops ops = {.write = remove_write,
                                          .committed = remove_committed,
                                          .waits = app_waits,
                                          .over = remove_over,
                                          .describe = app_change_describe,
                                          .release = app_change_release};
    loop_check(&asker->worker->loop);
    struct app_change *c = app_change_new(&ops, 200, "rm", name);
    if (!c)
        return -ENOMEM;
    change_ask(&c->change, asker);
    return 0;
}
