/* See apps.h. */
#include "enclave/service/apps.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "enclave/budget/budget.h"
#include "enclave/service/deployed.h"
#include "enclave/early/ecall.h"
#include "enclave/service/identity.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/service/system.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "common/alive.h"
#include "sgx/trusted/bridge.h"

struct change {
    struct loop_task task;    /* first: carries the change between threads */
    struct loop_task dropped; /* answers it where the enclave stops before it has begun */
    bool being_compiled;      /* then: its memory is the compiler's thread's for good */
    struct change *next;
    enum { PUSH, SET, REMOVE } kind;
    char name[APP_NAME_MAX + 1];
    uint8_t *wasm; /* charged */
    uint8_t *artefact;
    size_t wasm_size, artefact_size, written;
    struct app_settings *settings; /* of the new app */
    struct deployed *entry;        /* the new one */
    struct app *app;
    struct worker *origin;
    apps_done done;
    void *user;
    int status;
    char error[512];
};

/* Shared with the compiler's thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct change *queue, **queue_end = &queue;
static struct change *compiling; /* by the compiler's thread; NULL: it waits, or has ended */
static bool change_under_way, stopping;

/* ---- boot --------------------------------------------------------------------------------------------------- */

static struct app *make_app(const char *name, const uint8_t sha256[32], struct app_settings *settings,
                            struct wasm_component *component, char *error, size_t error_size)
{
    struct app_config config = {.name = name,
                                .settings = settings,
                                .memory_limit = (uint64_t)ecall_run_args()->app_memory_max_mib << 20,
                                .timeout_ms = ecall_run_args()->http_request_timeout_ms};
    memcpy(config.sha256, sha256, 32);
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

static int load_app(const struct deployed *d, char *error, size_t error_size)
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
    struct app *app = component ? make_app(d->name, d->sha256, d->settings, component, why, sizeof why) : NULL;
    if (!app) {
        snprintf(error, error_size, "app %s: %s", d->name, why);
        return -EBADMSG;
    }
    return app_table_put(enclave_system.apps, app);
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
static void remove_orphans(void *user, int status, const struct kv_name *names, size_t count, uint64_t cursor)
{
    (void)user, (void)cursor; /* what does not fit one page goes at the next boot */
    struct kv_op *ops = status == 0 ? calloc(count + 1, sizeof *ops) : NULL;
    size_t orphans = 0;
    for (size_t i = 0; ops && i < count; i++)
        if (is_orphan(&names[i]))
            ops[orphans++] = (struct kv_op){KV_DELETE, enclave_system.settings, names[i].data, names[i].size, NULL, 0};
    int ignored = orphans > 0 ? kv_commit(enclave_system.owner, ops, orphans, NULL, NULL) : 0;
    (void)ignored; /* what stays goes at the next boot */
    free(ops);
}

int apps_load(char *error, size_t error_size)
{
    loop_check(&enclave_system.owner->loop);
    int result = deployed_load();
    if (result < 0)
        snprintf(error, error_size, "apps: the sealed list cannot be read (error %d)", -result);
    for (const struct deployed *d = deployed_first(); d && result == 0; d = d->next)
        result = load_app(d, error, error_size);
    if (result == 0)
        result = kv_list(enclave_system.owner, enclave_system.settings, 0, remove_orphans, NULL);
    return result;
}

/* ---- a change, step by step --------------------------------------------------------------------------------- */

static void change_free(struct change *c)
{
    free(c->artefact);
    charged_free(c->wasm);
    deployed_free(c->entry);
    app_settings_unref(c->settings);
    if (c->app)
        app_unref(c->app);
    free(c);
}

static void answer(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    json_t *body = c->status < 300 ? json_pack("{s:s}", "name", c->name) : json_pack("{s:s}", "error", c->error);
    char *text = json_dumps(body, JSON_COMPACT);
    c->done(c->user, text ? c->status : 500, text ? text : "{}");
    free(text);
    json_decref(body);
    change_free(c);
}

/* Step 5: let the next change begin, and answer this one on its own worker. */
static void end_change(struct change *c, int status)
{
    c->status = status;
    pthread_mutex_lock(&lock);
    change_under_way = false;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
    c->task.fn = answer;
    loop_post_remote(&c->origin->loop, &c->task);
}

static void on_refreshed(void *user, int status)
{
    struct change *c = user;
    if (status < 0) {
        snprintf(c->error, sizeof c->error, "deployed, but no new certificate could be made (error %d)", -status);
        end_change(c, 503);
    } else {
        end_change(c, c->kind == PUSH ? 201 : 200);
    }
}

/* Step 4: it is durable; put it in force and show it. */
static void on_list_committed(void *user, int status)
{
    struct change *c = user;
    if (status < 0) {
        snprintf(c->error, sizeof c->error, "the store refused the change (error %d)", -status);
        end_change(c, 503);
        return;
    }
    static const char *const done[] = {"deployed", "has new settings", "removed"};
    if (c->kind == REMOVE) {
        deployed_remove(c->name);
        app_table_remove(enclave_system.apps, c->name);
    } else {
        deployed_put(c->entry);
        c->entry = NULL;
        app_table_put(enclave_system.apps, app_ref(c->app));
    }
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "app %s %s", c->name, done[c->kind]);
    int asked = identity_refresh(on_refreshed, c);
    if (asked < 0)
        on_refreshed(c, asked);
}

/* Step 3: the new list, and the old artefact's records gone, in one transaction. */
static void commit_list(struct change *c)
{
    const struct deployed *old = c->kind == SET ? NULL : deployed_find(c->name);
    size_t old_chunks = old ? deployed_chunks(old) : 0;
    char *text = deployed_text(c->name, c->entry);
    struct kv_op *ops = calloc(1 + old_chunks, sizeof *ops);
    char(*keys)[64] = calloc(1 + old_chunks, sizeof *keys);
    int asked = -ENOMEM;
    if (text && ops && keys) {
        ops[0] = (struct kv_op){KV_PUT, enclave_system.settings, "apps", 4, text, strlen(text)};
        for (size_t i = 0; i < old_chunks; i++) {
            deployed_chunk_key(old, i, keys[i]);
            ops[1 + i] = (struct kv_op){KV_DELETE, enclave_system.settings, keys[i], strlen(keys[i]), NULL, 0};
        }
        asked = kv_commit(enclave_system.owner, ops, 1 + old_chunks, on_list_committed, c);
    }
    if (text)
        OPENSSL_clear_free(text, strlen(text)); /* settings may be secrets */
    free(ops);
    free(keys);
    if (asked < 0)
        on_list_committed(c, asked);
}

/* Step 2: the artefact, record by record. */
static void write_next_chunk(void *user, int status)
{
    struct change *c = user;
    if (status < 0) {
        on_list_committed(c, status);
        return;
    }
    if (c->written == c->artefact_size) {
        commit_list(c);
        return;
    }
    size_t left = c->artefact_size - c->written, size = left < DEPLOYED_CHUNK ? left : DEPLOYED_CHUNK;
    char key[64];
    deployed_chunk_key(c->entry, c->written / DEPLOYED_CHUNK, key);
    struct kv_op op = {KV_PUT, enclave_system.settings, key, strlen(key), c->artefact + c->written, size};
    c->written += size;
    int asked = kv_commit(enclave_system.owner, &op, 1, write_next_chunk, c);
    if (asked < 0)
        on_list_committed(c, asked);
}

/* New settings, and the artefact as it is. */
static struct deployed *entry_with_settings(const struct deployed *old, struct app_settings *settings)
{
    struct deployed *entry = malloc(sizeof *entry);
    if (entry) {
        *entry = *old;
        entry->settings = app_settings_ref(settings);
    }
    return entry;
}

static void begin_on_owner(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    const struct deployed *old = deployed_find(c->name);
    if (c->status == 0 && c->kind != PUSH && !old) {
        snprintf(c->error, sizeof c->error, "no app is called %s", c->name);
        c->status = 404;
    }
    if (c->status == 0 && c->kind == SET) {
        c->entry = entry_with_settings(old, c->settings);
        c->status = c->entry ? 0 : 503;
    }
    if (c->status)
        end_change(c, c->status);
    else if (c->kind == PUSH)
        write_next_chunk(c, 0);
    else
        commit_list(c);
}

/* Step 1, on the compiler's thread: a new app, of new code with the settings there are, or of the code there is. */
static void compile(struct change *c)
{
    static const uint8_t no_salt[SETTINGS_SALT_SIZE];
    uint8_t id[16];
    c->status = 422;
    struct app *old = app_table_find(enclave_system.apps, c->name, strlen(c->name));
    c->settings =
        old ? app_settings_ref(app_settings_of(old)) : app_settings_parse("{}", 2, no_salt, c->error, sizeof c->error);
    app_unref(old);
    struct wasm_component *component =
        wasm_compile(enclave_system.wasm, c->wasm, c->wasm_size, c->error, sizeof c->error);
    c->entry = calloc(1, sizeof *c->entry);
    if (!component || !c->entry || !c->settings) {
        wasm_component_delete(component);
        return;
    }
    c->entry->settings = app_settings_ref(c->settings);
    SHA256(c->wasm, c->wasm_size, c->entry->sha256);
    strcpy(c->entry->name, c->name);
    sgx_random(id, sizeof id);
    hex_text(id, sizeof id, c->entry->artefact);
    if (wasm_serialize(component, &c->artefact, &c->artefact_size) < 0) {
        wasm_component_delete(component);
        snprintf(c->error, sizeof c->error, "out of memory");
        return;
    }
    c->entry->size = c->artefact_size;
    c->app = make_app(c->name, c->entry->sha256, c->settings, component, c->error, sizeof c->error);
    if (c->app)
        c->status = 0;
}

static void rebuild(struct change *c)
{
    struct app *old = app_table_find(enclave_system.apps, c->name, strlen(c->name));
    if (!old)
        return; /* the owner says so */
    struct wasm_component *component = wasm_component_clone(app_component(old));
    if (component)
        c->app = make_app(c->name, app_sha256(old), c->settings, component, c->error, sizeof c->error);
    if (!c->app)
        c->status = 503;
    app_unref(old);
}

void *apps_compiler(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        sgx_stop_if_dead();
        while (!stopping && (!queue || change_under_way))
            pthread_cond_wait(&wake, &lock);
        if (stopping)
            break;
        struct change *c = queue;
        queue = c->next;
        if (!queue)
            queue_end = &queue;
        change_under_way = true;
        compiling = c;
        pthread_mutex_unlock(&lock);
        if (c->kind == PUSH)
            compile(c);
        else if (c->kind == SET)
            rebuild(c);
        charged_free(c->wasm);
        c->wasm = NULL;
        pthread_mutex_lock(&lock);
        compiling = NULL;
        if (stopping)
            break; /* c was dropped, and its memory goes with the enclave */
        pthread_mutex_unlock(&lock);
        c->task.fn = begin_on_owner;
        loop_post_remote(&enclave_system.owner->loop, &c->task);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* ---- shutdown ------------------------------------------------------------------------------------------------- */

static void answer_dropped(struct loop_task *task)
{
    struct change *c = (struct change *)((char *)task - offsetof(struct change, dropped));
    c->done(c->user, 503, "{\"error\":\"the server is stopping: nothing was changed\"}");
    if (!c->being_compiled)
        change_free(c);
}

static void drop(struct change *c)
{
    c->dropped.fn = answer_dropped;
    loop_post_remote(&c->origin->loop, &c->dropped);
}

void apps_stop(void)
{
    loop_check(&enclave_system.owner->loop);
    pthread_mutex_lock(&lock);
    struct change *waiting = queue;
    stopping = true;
    queue = NULL;
    queue_end = &queue;
    if (compiling) {
        compiling->being_compiled = true;
        drop(compiling);
    }
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
    for (struct change *next; waiting; waiting = next) {
        next = waiting->next;
        drop(waiting);
    }
}

bool apps_are_compiling(void)
{
    pthread_mutex_lock(&lock);
    bool are = compiling != NULL;
    pthread_mutex_unlock(&lock);
    return are;
}

uint32_t apps_waiting(void)
{
    uint32_t count = 0;
    pthread_mutex_lock(&lock);
    for (const struct change *c = queue; c; c = c->next)
        count++;
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- asking for a change -------------------------------------------------------------------------------------- */

static struct change *change_new(struct worker *origin, const char *name, apps_done done, void *user)
{
    struct change *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    snprintf(c->name, sizeof c->name, "%s", name);
    c->origin = origin;
    c->done = done;
    c->user = user;
    return c;
}

static void enqueue(struct change *c)
{
    pthread_mutex_lock(&lock);
    bool too_late = stopping;
    if (!too_late) {
        *queue_end = c;
        queue_end = &c->next;
        pthread_cond_signal(&wake);
    }
    pthread_mutex_unlock(&lock);
    if (too_late)
        drop(c);
}

int apps_push(struct worker *origin, const char *name, uint8_t *wasm, size_t size, apps_done done, void *user)
{
    loop_check(&origin->loop);
    struct change *c = change_new(origin, name, done, user);
    if (!c) {
        charged_free(wasm);
        return -ENOMEM;
    }
    c->wasm = wasm;
    c->wasm_size = size;
    enqueue(c);
    return 0;
}

int apps_remove(struct worker *origin, const char *name, apps_done done, void *user)
{
    loop_check(&origin->loop);
    struct change *c = change_new(origin, name, done, user);
    if (!c)
        return -ENOMEM;
    c->kind = REMOVE;
    enqueue(c);
    return 0;
}

int apps_set(struct worker *origin, const char *name, const char *json, size_t size, apps_done done, void *user,
             char *error, size_t error_size)
{
    uint8_t salt[SETTINGS_SALT_SIZE];
    loop_check(&origin->loop);
    sgx_random(salt, sizeof salt);
    struct app_settings *settings = app_settings_parse(json, size, salt, error, error_size);
    if (!settings)
        return -EINVAL;
    struct change *c = change_new(origin, name, done, user);
    if (!c) {
        app_settings_unref(settings);
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    c->kind = SET;
    c->settings = settings;
    enqueue(c);
    return 0;
}

char *apps_settings_json(const char *name)
{
    struct app *app = app_table_find(enclave_system.apps, name, strlen(name));
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
    app_unref(app);
    return text;
}

static void append_app(void *user, struct app *app)
{
    char sha[65];
    hex_text(app_sha256(app), 32, sha);
    json_array_append_new(user, json_pack("{s:s,s:s}", "name", app_name(app), "sha256", sha));
}

char *apps_list_json(void)
{
    char root[65];
    json_t *array = json_array();
    app_table_each(enclave_system.apps, append_app, array);
    uint8_t hash[32];
    identity_merkle_root(hash);
    hex_text(hash, 32, root);
    json_t *body = json_pack("{s:o,s:s}", "apps", array, "merkle_root", root);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}
