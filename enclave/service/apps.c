/* See apps.h. */
#include "enclave/service/apps.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/early/ecall.h"
#include "enclave/service/compiler.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/service/rule.h"
#include "enclave/service/salvage.h"
#include "enclave/service/spaces.h"
#include "enclave/service/system.h"
#include "enclave/service/witnessing.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "sgx/trusted/bridge.h"

/* component and stopped: one of the two. */
static struct app *make(const struct deployed *d, struct wasm_component *component, const char *stopped, bool closed,
                        char *error, size_t error_size)
{
    const struct run_args *args = ecall_run_args();
    ENSURE(!component == (stopped != NULL));
    ENSURE(d->name[0] && d->rule && d->settings);
    uint32_t memory_mib = args->app_memory_max_mib ? args->app_memory_max_mib : APP_MEMORY_MIB;
    uint32_t timeout_ms = args->http_request_timeout_ms ? args->http_request_timeout_ms : APP_TIMEOUT_MS;
    char *rule = rule_text(d->rule);
    struct app_config config = {.name = d->name,
                                .space = d->space,
                                .rule = rule,
                                .settings = d->settings,
                                .closed = closed,
                                .stopped = stopped,
                                .lost = salvage_lost_of(d->space),
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

struct app *app_make(const struct deployed *d, struct wasm_component *component, bool closed, char *error,
                     size_t error_size)
{
    ENSURE(component);
    return make(d, component, NULL, closed, error, error_size);
}

static struct app *app_make_stopped(const struct deployed *d, const char *why, char *error, size_t error_size)
{
    ENSURE(why && *why);
    return make(d, NULL, why, false, error, error_size);
}

/* The records from one to another, which are to hold so many bytes. 0 and malloc'ed, or a negative errno. */
static int read_chunks(const struct deployed *d, size_t from, size_t to, size_t expected, uint8_t **out)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(expected > 0 && from < to);
    uint8_t *whole = malloc(expected), *chunk;
    size_t at = 0, size;
    if (!whole)
        return -ENOMEM;
    for (size_t i = from; i < to; i++) {
        char key[DEPLOYED_KEY_SIZE];
        deployed_chunk_key(d, i, key);
        int result = system_get(key, &chunk, &size);
        if (result == 0 && size <= expected - at)
            memcpy(whole + at, chunk, size);
        else if (result == 0)
            result = -EBADMSG;
        at += size;
        free(chunk);
        if (result < 0) {
            free(whole);
            return result == -ENOENT ? -EBADMSG : result;
        }
    }
    *out = whole;
    if (at == expected)
        return 0;
    free(whole);
    return -EBADMSG;
}

/* The compiled code, if it is whole and this engine's. */
static struct wasm_component *load_artefact(const struct deployed *d, int *error, char *why, size_t why_size)
{
    uint8_t *artefact;
    loop_check(&enclave_system.owner->loop);
    ENSURE(d->name[0]);
    *error = -ENODATA;
    snprintf(why, why_size, "it was not optimised yet");
    if (!d->artefact[0])
        return NULL;
    *error = memcmp(d->engine, wasm_engine_id, sizeof d->engine) == 0 ? 0 : -ESTALE;
    snprintf(why, why_size, "its compiled code is another engine's");
    if (*error == 0) {
        *error = read_chunks(d, 0, deployed_chunks(d), d->size, &artefact);
        snprintf(why, why_size, "its compiled code is damaged (error %d)", -*error);
    }
    if (*error < 0)
        return NULL;
    struct wasm_component *component = wasm_deserialize(enclave_system.wasm, artefact, d->size, why, why_size);
    *error = component ? 0 : -EBADMSG;
    free(artefact);
    return component;
}

/* Compiled again, of the component that was kept: if that is what the app is known by. */
static struct wasm_component *compile_again(const struct deployed *d, int *error, char *why, size_t why_size)
{
    uint8_t *wasm, sha256[32];
    loop_check(&enclave_system.owner->loop);
    ENSURE(!d->wasm[0] || d->wasm_size > 0);
    *error = d->wasm[0] ? read_chunks(d, deployed_chunks(d), deployed_records(d), d->wasm_size, &wasm) : -ENOENT;
    if (*error < 0) {
        snprintf(why, why_size,
                 *error == -ENOENT ? "the component that it was made of was not kept"
                                   : "the component that it was made of is damaged");
        return NULL;
    }
    SHA256(wasm, d->wasm_size, sha256);
    bool same = memcmp(sha256, d->sha256, sizeof sha256) == 0;
    snprintf(why, why_size, "the component that was kept is another one");
    struct wasm_component *component = same ? compiler_compile(wasm, d->wasm_size, why, why_size) : NULL;
    *error = component ? 0 : -EBADMSG;
    free(wasm);
    return component;
}

/* What it was compiled to takes the place of what is damaged, in the list, too; NULL: nothing does, so that it will be
 * optimised. 0 or a negative errno: then the next boot compiles it once more. */
static int keep_artefact(struct deployed *d, const struct deployed *old, const uint8_t *artefact)
{
    uint8_t name[16];
    int error = 0;
    ENSURE(!artefact == !d->size);
    ENSURE(strcmp(d->name, old->name) == 0);
    sgx_random(name, sizeof name);
    d->artefact[0] = 0;
    if (artefact)
        hex_text(name, sizeof name, d->artefact);
    memcpy(d->engine, wasm_engine_id, sizeof d->engine);
    for (size_t i = 0; i < deployed_chunks(d) && error == 0; i++) {
        char key[DEPLOYED_KEY_SIZE];
        size_t at = i * DEPLOYED_CHUNK, left = d->size - at;
        deployed_chunk_key(d, i, key);
        error = system_put(key, artefact + at, left < DEPLOYED_CHUNK ? left : DEPLOYED_CHUNK);
    }
    char *text = error == 0 ? deployed_text(d->name, d) : NULL;
    struct kv_op *ops = calloc(1 + deployed_chunks(old), sizeof *ops);
    char(*keys)[DEPLOYED_KEY_SIZE] = calloc(1 + deployed_chunks(old), sizeof *keys);
    if (text && ops && keys) {
        ops[0] = (struct kv_op){KV_PUT, enclave_system.settings, "apps", 4, text, strlen(text)};
        for (size_t i = 0; i < deployed_chunks(old); i++) {
            deployed_chunk_key(old, i, keys[i]);
            ops[1 + i] = (struct kv_op){KV_DELETE, enclave_system.settings, keys[i], strlen(keys[i]), NULL, 0};
        }
        error = kv_commit_wait(enclave_system.owner, ops, 1 + deployed_chunks(old));
    } else if (error == 0) {
        error = -ENOMEM;
    }
    if (text)
        OPENSSL_clear_free(text, strlen(text)); /* settings may be secrets */
    free(ops);
    free(keys);
    return error;
}

static void store_again(const struct deployed *d, const struct wasm_component *component)
{
    struct deployed *fresh = deployed_copy(d);
    uint8_t *artefact = NULL;
    int error = fresh ? 0 : -ENOMEM;
    if (fresh)
        fresh->size = 0;
    if (fresh && !wasm_is_quick(component))
        error = wasm_serialize(component, &artefact, &fresh->size);
    if (error == 0)
        error = keep_artefact(fresh, d, artefact);
    free(artefact);
    if (error == 0) {
        deployed_put(fresh); /* and d is gone */
        return;
    }
    deployed_free(fresh);
    rpc_log(enclave_system.owner->rpc, LOG_ERROR, "app %s: what was compiled again cannot be kept (error %d)", d->name,
            -error);
}

/* Whatever is left of it, under its name: nobody else's requests, settings or data are any different. */
static struct app *stop_app(const struct deployed *d, const char *code, const char *component, char *error,
                            size_t error_size)
{
    char why[600];
    snprintf(why, sizeof why,
             "app %s is stopped: %s, and %s. To go on, push the same component again (enclavectl app push), or remove "
             "the app",
             d->name, code, component);
    for (char *at = why; *at; at++) /* it is shown in JSON and as text */
        *at = *at == '"' || *at == '\\' || (unsigned char)*at < ' ' ? ' ' : *at;
    rpc_log(enclave_system.owner->rpc, LOG_ERROR, "%s", why);
    return app_make_stopped(d, why, error, error_size);
}

/* NULL: no memory, or what ends the boot, with a line in error. What is damaged stops it alone. */
static struct app *open_app(const struct deployed *d, char *error, size_t error_size)
{
    char code[200] = "", component_why[200] = "", name[APP_NAME_MAX + 1];
    int failed, again = 0;
    struct wasm_component *component = load_artefact(d, &failed, code, sizeof code);
    snprintf(error, error_size, "app %s: out of memory", d->name);
    if (!component && failed != -ENOMEM)
        component = compile_again(d, &again, component_why, sizeof component_why);
    if (failed == -ENOMEM || again == -ENOMEM)
        return NULL;
    if (!component)
        return stop_app(d, code, component_why, error, error_size);
    if (failed < 0 && (d->artefact[0] || !wasm_is_quick(component))) {
        snprintf(name, sizeof name, "%s", d->name);
        rpc_log(enclave_system.owner->rpc, LOG_WARN, "app %s: %s: it was compiled again", d->name, code);
        store_again(d, component);
        d = deployed_find(name);
        ENSURE(d);
    }
    struct app *app = app_make(d, component, false, code, sizeof code);
    return app ? app : stop_app(d, code, "it cannot be served as it is", error, error_size);
}

static int load_app(struct app_table *apps, const struct deployed *d, char *error, size_t error_size)
{
    ENSURE(apps);
    ENSURE(d->rule && d->settings);
    struct app *app = open_app(d, error, error_size);
    int result = app ? app_table_put(apps, app) : -ENOMEM;
    d = result == 0 ? deployed_find(app_name(app)) : NULL; /* it may be another since */
    return d && d->settings->witnessed ? witnessing_app(d->space, true) : result;
}

/* Each of those that there are now: loading one may put another in its place. */
static int load_apps(struct app_table *apps, char *error, size_t error_size)
{
    size_t count = 0, at = 0;
    int result = 0;
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        count++;
    char(*names)[APP_NAME_MAX + 1] = calloc(count + 1, sizeof *names);
    if (!names)
        return -ENOMEM;
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        snprintf(names[at++], sizeof *names, "%s", d->name);
    for (size_t i = 0; i < count && result == 0; i++)
        result = load_app(apps, deployed_find(names[i]), error, error_size);
    free(names);
    return result;
}

static bool is_orphan(const struct kv_name *name)
{
    const char *random = deployed_name_in_key(name->data, name->size);
    for (const struct deployed *d = deployed_first(); d && random; d = d->next)
        if (!memcmp(d->artefact, random, 32) || (d->wasm[0] && !memcmp(d->wasm, random, 32)))
            return false;
    return random != NULL;
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
    if (result == 0)
        result = salvage_boot(error, error_size);
    if (result == 0)
        result = load_apps(apps, error, error_size);
    if (result == 0)
        spaces_resume();
    if (result == 0)
        result = kv_list(enclave_system.owner, enclave_system.settings, 0, remove_orphans, NULL);
    return result;
}
