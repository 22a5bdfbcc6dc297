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
#include "enclave/service/system.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"

struct app *app_make(const struct deployed *d, struct wasm_component *component, char *error, size_t error_size)
{
    struct app_config config = {.name = d->name,
                                .settings = d->settings,
                                .memory_limit = (uint64_t)ecall_run_args()->app_memory_max_mib << 20,
                                .timeout_ms = ecall_run_args()->http_request_timeout_ms};
    memcpy(config.sha256, d->sha256, 32);
    return app_new(enclave_system.wasm, &config, component, error, error_size);
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

static void append_app(void *user, struct app *app)
{
    char sha[65];
    hex_text(app_sha256(app), 32, sha);
    json_array_append_new(user, json_pack("{s:s,s:s}", "name", app_name(app), "sha256", sha));
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
