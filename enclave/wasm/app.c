/*
 * Apps and tables of apps.
 */
#include "enclave/wasm/app.h"

#include <errno.h>
#include <stdio.h>

#include "common/references.h"
#include "enclave/wasm/component.h"
#include "enclave/wasm/internal.h"

static _Atomic uint64_t next_id = 1;

static bool name_ok(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > APP_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (i == 0 || (c != '-' && c != '_')))
            return false;
    }
    return true;
}

static struct app_settings *settings_of(const struct app_config *config)
{
    static const uint8_t no_salt[SETTINGS_SALT_SIZE];
    char unused[64];
    return config->settings ? app_settings_ref(config->settings)
                            : app_settings_parse("{}", 2, no_salt, unused, sizeof unused);
}

static int resolve(struct app *app, char *why, size_t why_size)
{
    struct link_entry entry;
    const wasmtime_component_t *component = app->component->component;
    if (link_find_entry(component, &entry) != 0) {
        snprintf(why, why_size,
                 "the component exports neither wasi:http/incoming-handler@0.2.x nor wasi:cli/run@0.2.x");
        return -EINVAL;
    }
    app->command = entry.command;
    if (component_fits(component, app->memory_limit, why, why_size) != 0)
        return -EINVAL;
    wasmtime_component_linker_t *linker = wasmtime_component_linker_new(app->rt->engine);
    int error = link_component(app->rt->config.world, linker, component, why, why_size);
    if (error == 0) {
        wasmtime_error_t *failed =
            enclave_pre_new(linker, component, entry.interface, strlen(entry.interface), entry.command, &app->pre);
        if (failed) {
            component_refusal(failed, why, why_size);
            error = -EINVAL;
        }
    }
    wasmtime_component_linker_delete(linker);
    return error;
}

struct app *app_new(struct wasm_runtime *rt, const struct app_config *config, struct wasm_component *component,
                    char *why, size_t why_size)
{
    struct app *app = calloc(1, sizeof *app);
    if (!app) {
        wasm_component_delete(component);
        snprintf(why, why_size, "no memory");
        return NULL;
    }
    atomic_store(&app->refs, 1);
    app->name = app->path + 1;
    app->rt = rt;
    budget_init_shared(&app->memory, app->name, &rt->guests);
    budget_init_shared(&app->stacks, "stacks", &rt->stacks);
    budget_init(&app->calls_out, "calls out", NULL, APP_CALLS_OUT_MAX);
    app->component = component;
    app->id = atomic_fetch_add(&next_id, 1);
    snprintf(app->space, sizeof app->space, "%s", config->space ? config->space : config->name);
    app->fs = rt->config.world->files_of(rt->config.files, app->space);
    app->memory_limit = config->memory_limit ? config->memory_limit : (uint64_t)APP_MEMORY_MIB << 20;
    app->timeout_ns = (config->timeout_ms ? config->timeout_ms : APP_TIMEOUT_MS) * UINT64_C(1000000);
    memcpy(app->sha256, config->sha256, sizeof app->sha256);
    int error = 0;
    if (!name_ok(config->name)) {
        snprintf(why, why_size, "an app's name has 1 to %u letters, digits, '-' or '_'", APP_NAME_MAX);
        error = -EINVAL;
    } else {
        app->path[0] = '/';
        strcpy(app->path + 1, config->name);
        app->settings = settings_of(config);
        app->rule = strdup(config->rule ? config->rule : "");
        error = app->settings && app->rule ? 0 : -ENOMEM;
        if (error)
            snprintf(why, why_size, "no memory");
    }
    if (error == 0)
        error = resolve(app, why, why_size);
    if (error != 0) {
        app_unref(app);
        return NULL;
    }
    app_check(app);
    return app;
}

void app_check(const struct app *app)
{
    ENSURE(atomic_load_explicit(&app->refs, memory_order_relaxed) > 0);
    ENSURE(app->rt && app->component && app->pre && app->settings);
    ENSURE(app->path[0] == '/' && app->name == app->path + 1);
    ENSURE(app->memory_limit > 0 && app->timeout_ns > 0);
}

struct app *app_ref(struct app *app)
{
    references_take(&app->refs);
    return app;
}

void app_unref(struct app *app)
{
    if (!app || !references_give(&app->refs))
        return;
    enclave_pre_delete(app->pre);
    wasm_component_delete(app->component);
    app_settings_unref(app->settings);
    free(app->rule);
    budget_deinit(&app->memory);
    budget_deinit(&app->stacks);
    budget_deinit(&app->calls_out);
    free(app);
}

const char *app_name(const struct app *app)
{
    return app->name;
}

const char *app_prefix(const struct app *app)
{
    return app->path;
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

uint64_t app_calls(const struct app *app)
{
    return atomic_load_explicit(&((struct app *)app)->calls, memory_order_relaxed);
}

const struct budget *app_memory(const struct app *app)
{
    return &app->memory;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

struct app_table {
    struct app **apps; /* sorted by name */
    size_t count, capacity;
};

struct app_table *app_table_new(void)
{
    return calloc(1, sizeof(struct app_table));
}

struct app_table *app_table_copy(const struct app_table *table)
{
    struct app_table *copy = app_table_new();
    ENSURE(table);
    if (!copy || table->count == 0)
        return copy;
    copy->apps = calloc(table->count, sizeof *copy->apps);
    if (!copy->apps) {
        free(copy);
        return NULL;
    }
    for (size_t i = 0; i < table->count; i++)
        copy->apps[i] = app_ref(table->apps[i]);
    copy->count = copy->capacity = table->count;
    return copy;
}

void app_table_free(struct app_table *table)
{
    for (size_t i = 0; table && i < table->count; i++)
        app_unref(table->apps[i]);
    free(table ? table->apps : NULL);
    free(table);
}

static int compare(const char *name, const char *wanted, size_t size)
{
    int order = strncmp(name, wanted, size);
    return order ? order : name[size] != 0;
}

/* The app's position, or where it would be. */
static size_t position(const struct app_table *table, const char *name, size_t size, bool *found)
{
    size_t low = 0, high = table->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(table->apps[middle]->name, name, size);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What holds between any two changes. */
static void table_check(const struct app_table *table)
{
    ENSURE(table->count <= table->capacity);
    for (size_t i = 0; i < table->count; i++) {
        app_check(table->apps[i]);
        ENSURE(i == 0 || strcmp(table->apps[i - 1]->name, table->apps[i]->name) < 0);
    }
}

static int insert(struct app_table *table, size_t at, struct app *app)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 16;
        struct app **grown = realloc(table->apps, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        table->apps = grown;
        table->capacity = capacity;
    }
    memmove(&table->apps[at + 1], &table->apps[at], (table->count - at) * sizeof *table->apps);
    table->apps[at] = app;
    table->count++;
    return 0;
}

int app_table_put(struct app_table *table, struct app *app)
{
    bool found;
    ENSURE(table && app);
    int error = 0;
    struct app *old = NULL;
    size_t at = position(table, app->name, strlen(app->name), &found);
    if (found) {
        old = table->apps[at];
        table->apps[at] = app;
    } else {
        error = insert(table, at, app);
    }
    table_check(table);
    app_unref(error ? app : old);
    return error;
}

int app_table_remove(struct app_table *table, const char *name)
{
    bool found;
    ENSURE(table && name);
    size_t at = position(table, name, strlen(name), &found);
    if (!found)
        return -ENOENT;
    struct app *old = table->apps[at];
    memmove(&table->apps[at], &table->apps[at + 1], (table->count - at - 1) * sizeof *table->apps);
    table->count--;
    table_check(table);
    app_unref(old);
    return 0;
}

struct app *app_table_find(const struct app_table *table, const char *name, size_t name_size)
{
    bool found;
    size_t at = position(table, name, name_size, &found);
    return found ? table->apps[at] : NULL;
}

void app_table_each(const struct app_table *table, void (*visit)(void *user, struct app *app), void *user)
{
    for (size_t i = 0; i < table->count; i++)
        visit(user, table->apps[i]);
}

size_t app_table_count(const struct app_table *table)
{
    return table->count;
}
