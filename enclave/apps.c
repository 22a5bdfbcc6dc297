/* See apps.h. */
#include "enclave/apps.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/ecall.h"
#include "enclave/identity.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/rpc_client.h"
#include "enclave/system.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "sgx/trusted/bridge.h"

#define CHUNK_SIZE (2u << 20) /* of a compiled artefact, one record each */

/* What the sealed list says of one app. */
struct deployed {
    struct deployed *next;
    char name[APP_NAME_MAX + 1];
    uint8_t sha256[32];
    char artefact[33]; /* random name of the artefact's records */
    size_t size;
};

struct change {
    struct loop_task task; /* first: carries the change between threads */
    struct change *next;
    bool remove;
    char name[APP_NAME_MAX + 1];
    const uint8_t *wasm; /* the caller's */
    uint8_t *artefact;
    size_t wasm_size, artefact_size, written;
    struct deployed *entry; /* the new one */
    struct app *app;
    struct worker *origin;
    apps_done done;
    void *user;
    int status;
    char error[512];
};

/* Only the owner's thread touches deployed; the queue is shared with the compiler's. */
static struct deployed *deployed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct change *queue, **queue_end = &queue;
static bool change_under_way, stopping;

static void hex(const uint8_t *data, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        snprintf(out + 2 * i, 3, "%02x", data[i]);
}

static int unhex(const char *text, uint8_t *out, size_t size)
{
    if (!text || strlen(text) != 2 * size)
        return -EBADMSG;
    for (size_t i = 0; i < size; i++)
        if (sscanf(text + 2 * i, "%2hhx", &out[i]) != 1)
            return -EBADMSG;
    return 0;
}

int apps_name_ok(const char *name, size_t size)
{
    static const char *const reserved[] = {"healthz",  "readyz",     "status", "metrics", "data", "attestation-servers",
                                           "shutdown", ".well-known"};
    if (size == 0 || size > APP_NAME_MAX)
        return 0;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        int alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (i == 0 || (c != '-' && c != '_')))
            return 0;
    }
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strlen(reserved[i]) == size && !memcmp(reserved[i], name, size))
            return 0;
    return 1;
}

static struct deployed **find(const char *name)
{
    struct deployed **at = &deployed;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static size_t chunk_count(const struct deployed *d)
{
    return (d->size + CHUNK_SIZE - 1) / CHUNK_SIZE;
}

static void chunk_key(const struct deployed *d, size_t index, char out[64])
{
    snprintf(out, 64, "artefact/%s/%zu", d->artefact, index);
}

/* ---- the sealed list ---------------------------------------------------------------------------------------- */

static json_t *entry_json(const struct deployed *d)
{
    char sha[65];
    hex(d->sha256, 32, sha);
    return json_pack("{s:s,s:s,s:s,s:I}", "name", d->name, "sha256", sha, "artefact", d->artefact, "size",
                     (json_int_t)d->size);
}

static int parse_entry(const json_t *item, struct deployed **out)
{
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *artefact = json_string_value(json_object_get(item, "artefact"));
    json_int_t size = json_integer_value(json_object_get(item, "size"));
    struct deployed *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    if (!name || !apps_name_ok(name, strlen(name)) || !artefact || strlen(artefact) != 32 || size <= 0 ||
        unhex(json_string_value(json_object_get(item, "sha256")), d->sha256, 32) < 0) {
        free(d);
        return -EBADMSG;
    }
    strcpy(d->name, name);
    strcpy(d->artefact, artefact);
    d->size = (size_t)size;
    *out = d;
    return 0;
}

static int load_list(void)
{
    uint8_t *text;
    size_t size;
    int result = system_get("apps", &text, &size);
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return result;
    json_t *array = json_loadb((const char *)text, size, 0, NULL);
    free(text);
    size_t index;
    json_t *item;
    json_array_foreach(array, index, item)
    {
        struct deployed *d = NULL;
        result = result == 0 ? parse_entry(item, &d) : result;
        if (d) {
            d->next = deployed;
            deployed = d;
        }
    }
    json_decref(array);
    return array ? result : -EBADMSG;
}

/* ---- boot --------------------------------------------------------------------------------------------------- */

static struct app *make_app(const char *name, const uint8_t sha256[32], struct wasm_component *component, char *error,
                            size_t error_size)
{
    struct app_config config = {.name = name,
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
    for (size_t i = 0; i < chunk_count(d); i++) {
        char key[64];
        chunk_key(d, i, key);
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
    struct app *app = component ? make_app(d->name, d->sha256, component, why, sizeof why) : NULL;
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
    for (const struct deployed *d = deployed; d; d = d->next)
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
    if (orphans > 0)
        kv_commit(enclave_system.owner, ops, orphans, NULL, NULL);
    free(ops);
}

int apps_load(char *error, size_t error_size)
{
    int result = load_list();
    if (result < 0)
        snprintf(error, error_size, "apps: the sealed list cannot be read (error %d)", -result);
    for (const struct deployed *d = deployed; d && result == 0; d = d->next)
        result = load_app(d, error, error_size);
    if (result == 0)
        kv_list(enclave_system.owner, enclave_system.settings, 0, remove_orphans, NULL);
    return result;
}

/* ---- a change, step by step --------------------------------------------------------------------------------- */

static void change_free(struct change *c)
{
    free(c->artefact);
    free(c->entry);
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
        end_change(c, c->remove ? 200 : 201);
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
    struct deployed **at = find(c->name), *old = *at;
    if (old) {
        *at = old->next;
        free(old);
    }
    if (c->remove) {
        app_table_remove(enclave_system.apps, c->name);
    } else {
        c->entry->next = deployed;
        deployed = c->entry;
        c->entry = NULL;
        app_table_put(enclave_system.apps, app_ref(c->app));
    }
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "app %s %s", c->name, c->remove ? "removed" : "deployed");
    identity_refresh(on_refreshed, c);
}

/* What the list will say once the change is durable. */
static char *future_list_text(const struct change *c)
{
    json_t *array = json_array();
    for (const struct deployed *d = deployed; d; d = d->next)
        if (strcmp(d->name, c->name) != 0)
            json_array_append_new(array, entry_json(d));
    if (c->entry)
        json_array_append_new(array, entry_json(c->entry));
    char *text = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    return text;
}

/* Step 3: the new list, and the old artefact's records gone, in one transaction. */
static void commit_list(struct change *c)
{
    const struct deployed *old = *find(c->name);
    size_t old_chunks = old ? chunk_count(old) : 0;
    char *text = future_list_text(c);
    struct kv_op *ops = calloc(1 + old_chunks, sizeof *ops);
    char(*keys)[64] = calloc(1 + old_chunks, sizeof *keys);
    if (!text || !ops || !keys) {
        on_list_committed(c, -ENOMEM);
    } else {
        ops[0] = (struct kv_op){KV_PUT, enclave_system.settings, "apps", 4, text, strlen(text)};
        for (size_t i = 0; i < old_chunks; i++) {
            chunk_key(old, i, keys[i]);
            ops[1 + i] = (struct kv_op){KV_DELETE, enclave_system.settings, keys[i], strlen(keys[i]), NULL, 0};
        }
        kv_commit(enclave_system.owner, ops, 1 + old_chunks, on_list_committed, c);
    }
    free(text);
    free(ops);
    free(keys);
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
    size_t left = c->artefact_size - c->written, size = left < CHUNK_SIZE ? left : CHUNK_SIZE;
    char key[64];
    chunk_key(c->entry, c->written / CHUNK_SIZE, key);
    struct kv_op op = {KV_PUT, enclave_system.settings, key, strlen(key), c->artefact + c->written, size};
    c->written += size;
    kv_commit(enclave_system.owner, &op, 1, write_next_chunk, c);
}

static void begin_on_owner(struct loop_task *task)
{
    struct change *c = (struct change *)task;
    if (c->status) {
        end_change(c, c->status);
    } else if (!c->remove) {
        write_next_chunk(c, 0);
    } else if (!*find(c->name)) {
        snprintf(c->error, sizeof c->error, "no app is called %s", c->name);
        end_change(c, 404);
    } else {
        commit_list(c);
    }
}

/* Step 1, on the compiler's thread. */
static void compile(struct change *c)
{
    uint8_t id[16];
    c->status = 422;
    struct wasm_component *component =
        wasm_compile(enclave_system.wasm, c->wasm, c->wasm_size, c->error, sizeof c->error);
    c->entry = calloc(1, sizeof *c->entry);
    if (!component || !c->entry)
        return;
    SHA256(c->wasm, c->wasm_size, c->entry->sha256);
    strcpy(c->entry->name, c->name);
    sgx_random(id, sizeof id);
    hex(id, sizeof id, c->entry->artefact);
    if (wasm_serialize(component, &c->artefact, &c->artefact_size) < 0) {
        wasm_component_delete(component);
        snprintf(c->error, sizeof c->error, "out of memory");
        return;
    }
    c->entry->size = c->artefact_size;
    c->app = make_app(c->name, c->entry->sha256, component, c->error, sizeof c->error);
    if (c->app)
        c->status = 0;
}

void *apps_compiler(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!stopping && (!queue || change_under_way))
            pthread_cond_wait(&wake, &lock);
        if (stopping)
            break;
        struct change *c = queue;
        queue = c->next;
        if (!queue)
            queue_end = &queue;
        change_under_way = true;
        pthread_mutex_unlock(&lock);
        if (!c->remove)
            compile(c);
        c->task.fn = begin_on_owner;
        loop_post_remote(&enclave_system.owner->loop, &c->task);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

void apps_stop(void)
{
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);
}

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
    *queue_end = c;
    queue_end = &c->next;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

void apps_push(struct worker *origin, const char *name, const uint8_t *wasm, size_t size, apps_done done, void *user)
{
    struct change *c = change_new(origin, name, done, user);
    if (!c) {
        done(user, 503, "{\"error\":\"out of memory\"}");
        return;
    }
    c->wasm = wasm;
    c->wasm_size = size;
    enqueue(c);
}

void apps_remove(struct worker *origin, const char *name, apps_done done, void *user)
{
    struct change *c = change_new(origin, name, done, user);
    if (!c) {
        done(user, 503, "{\"error\":\"out of memory\"}");
        return;
    }
    c->remove = true;
    enqueue(c);
}

static void append_app(void *user, struct app *app)
{
    char sha[65];
    hex(app_sha256(app), 32, sha);
    json_array_append_new(user, json_pack("{s:s,s:s}", "name", app_name(app), "sha256", sha));
}

char *apps_list_json(void)
{
    char root[65];
    json_t *array = json_array();
    app_table_each(enclave_system.apps, append_app, array);
    hex(identity_merkle_root(), 32, root);
    json_t *body = json_pack("{s:o,s:s}", "apps", array, "merkle_root", root);
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}
