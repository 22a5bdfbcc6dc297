/* See apps.h. */
#include "enclave/service/apps.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "enclave/service/deployed.h"
#include "enclave/early/ecall.h"
#include "enclave/service/generation.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/service/rule.h"
#include "enclave/service/spaces.h"
#include "enclave/service/system.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"

struct app *app_make(const struct deployed *d, struct wasm_component *component, char *error, size_t error_size)
{
    const struct run_args *args = ecall_run_args();
    uint32_t memory_mib = args->app_memory_max_mib ? args->app_memory_max_mib : APP_MEMORY_MIB;
    uint32_t timeout_ms = args->http_request_timeout_ms ? args->http_request_timeout_ms : APP_TIMEOUT_MS;
    char *rule = rule_text(d->rule);
    struct app_config config = {.name = d->name,
                                .space = d->space,
                                .rule = rule,
                                .settings = d->settings,
                                .memory_limit = (uint64_t)rule_memory_mib(d->rule, memory_mib) << 20,
                                .timeout_ms = rule_timeout_ms(d->rule, timeout_ms)};
    if (!rule) {
        wasm_component_delete(component);
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    memcpy(config.sha256, d->sha256, 32);
    struct app *app = app_new(enclave_system.wasm, &config, component, error, error_size);
    free(rule);
    return app;
}

static int read_artefact(const struct deployed *d, uint8_t **out)
{
    uint8_t *artefact = malloc(d->size), *chunk;
    size_t at = 0, size;
    if (!artefact)
        return -ENOMEM;
    for (size_t i = 0; i < deployed_chunks(d); i++) {
        char key[64];
        deployed_chunk_key(d, i, key);
        int result = system_get(key, &chunk, &size);
        if (result < 0 || size > d->size - at) {
            free(artefact);
            return result < 0 ? result : -EBADMSG;
        }
        memcpy(artefact + at, chunk, size);
        at += size;
        free(chunk);
    }
    *out = artefact;
    return at == d->size ? 0 : -EBADMSG;
}

static int load_app(struct app_table *apps, const struct deployed *d, char *error, size_t error_size)
{
    uint8_t *artefact;
    int result = read_artefact(d, &artefact);
    if (result < 0) {
        snprintf(error, error_size, "app %s: its sealed artefact cannot be read (error %d)", d->name, -result);
        return result;
    }
    char why[400] = "";
    struct wasm_component *component = wasm_deserialize(enclave_system.wasm, artefact, d->size, why, sizeof why);
    free(artefact);
    struct app *app = component ? app_make(d, component, why, sizeof why) : NULL;
    if (!app) {
        snprintf(error, error_size, "app %s: %s", d->name, why);
        return -EBADMSG;
    }
    return app_table_put(apps, app);
}

static bool is_orphan(const struct kv_name *name)
{
    static const char prefix[] = "artefact/";
    size_t id = sizeof prefix - 1;
    if (name->size < id + 32 || memcmp(name->data, prefix, id) != 0)
        return false;
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        if (!memcmp(d->artefact, name->data + id, 32))
            return false;
    return true;
}

/* A deployment that was cut off leaves records that no list names. */
static void remove_orphans(void *user, int error, const struct kv_name *names, size_t count, uint64_t cursor)
{
    (void)user, (void)cursor; /* what does not fit one page goes at the next boot */
    struct kv_op *ops = error == 0 ? calloc(count + 1, sizeof *ops) : NULL;
    size_t orphans = 0;
    for (size_t i = 0; ops && i < count; i++)
        if (is_orphan(&names[i]))
            ops[orphans++] = (struct kv_op){KV_DELETE, enclave_system.settings, names[i].data, names[i].size, NULL, 0};
    int ignored = orphans > 0 ? kv_commit(enclave_system.owner, ops, orphans, NULL, NULL) : 0;
    (void)ignored; /* what stays goes at the next boot */
    free(ops);
}

int apps_load(struct app_table *apps, char *error, size_t error_size)
{
    loop_check(&enclave_system.owner->loop);
    int result = deployed_load();
    if (result < 0)
        snprintf(error, error_size, "apps: the sealed list cannot be read (error %d)", -result);
    for (const struct deployed *d = deployed_first(); d && result == 0; d = d->next)
        result = load_app(apps, d, error, error_size);
    if (result == 0)
        spaces_resume();
    if (result == 0)
        result = kv_list(enclave_system.owner, enclave_system.settings, 0, remove_orphans, NULL);
    return result;
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

char *apps_settings_json(const struct generation *g, const char *name)
{
    struct app *app = app_table_find(g->site.apps, name, strlen(name));
    if (!app)
        return NULL;
    const struct app_settings *settings = app_settings_of(app);
    char salt[2 * SETTINGS_SALT_SIZE + 1], digest[65];
    hex_text(settings->salt, sizeof settings->salt, salt);
    hex_text(settings->digest, 32, digest);
    json_t *values = json_loads(settings->json, 0, NULL);
    json_t *body = json_pack("{s:o,s:s,s:s}", "settings", values, "salt", salt, "sha256", digest);
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(body);
    return text;
}

/* What a line of the app's rule says; a JSON null: there is none. */
static json_t *of_rule(const struct app *app, const char *line)
{
    size_t name = strlen(line);
    for (const char *at = app_rule(app); *at; at += strcspn(at, "\n") + 1)
        if (strncmp(at, line, name) == 0)
            return json_stringn(at + name, strcspn(at + name, "\n"));
    return json_null();
}

static void append_app(void *user, struct app *app)
{
    char sha[65];
    hex_text(app_sha256(app), 32, sha);
    json_t *version = of_rule(app, "version="), *publisher = of_rule(app, "key=");
    json_t *entry = json_pack("{s:s,s:s,s:o,s:o}", "name", app_name(app), "sha256", sha, "id", of_rule(app, "id="),
                              "rule", of_rule(app, "rule="));
    if (json_is_string(publisher)) {
        json_object_set(entry, "publisher", publisher);
        json_object_set_new(entry, "version", json_integer(strtoll(json_string_value(version), NULL, 10)));
    }
    json_decref(version);
    json_decref(publisher);
    json_array_append_new(user, entry);
}

char *apps_list_json(const struct generation *g)
{
    char root[65];
    json_t *array = json_array();
    app_table_each(g->site.apps, append_app, array);
    hex_text(g->root, 32, root);
    json_t *body =
        json_pack("{s:o,s:s,s:I}", "apps", array, "merkle_root", root, "generation", (json_int_t)g->site.number);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}
