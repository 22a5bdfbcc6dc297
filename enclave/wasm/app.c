/*
 * Apps and tables of apps.
 */
#include "enclave/wasm/app.h"

#include <errno.h>
#include <stdio.h>

#include "common/container.h"
#include "common/references.h"
#include "enclave/wasm/component.h"
#include "enclave/wasm/internal.h"

static _Atomic uint64_t next_id = 1;

static struct app_settings *settings_of(const struct app_config *config)
{
    static const uint8_t no_salt[SETTINGS_SALT_SIZE];
    char unused[64];
    return config->settings ? app_settings_ref(config->settings)
                            : app_settings_parse("{}", 2, no_salt, unused, sizeof unused);
}

static uint64_t least(uint64_t servers, uint64_t own)
{
    return own && own < servers ? own : servers;
}

/* What the settings say beneath what the server, or a publication, allows. */
static void limit(struct app *app)
{
    const struct app_limits *limits = &app->settings->limits;
    app->memory_limit = least(app->memory_limit, limits->memory_mib << 20);
    app->timeout_ns = least(app->timeout_ns, limits->timeout_ms * UINT64_C(1000000));
    app->cpu_limit_ns = limits->cpu_ms * UINT64_C(1000000);
}

static void keeper_ref(struct http_keeper *keeper)
{
    app_ref(CONTAINER_OF(keeper, struct app, keeper));
}

static void keeper_unref(struct http_keeper *keeper)
{
    app_unref(CONTAINER_OF(keeper, struct app, keeper));
}

struct app *app_new(struct wasm_runtime *rt, const struct app_config *config, struct wasm_component *component,
                    char *why, size_t why_size)
{
    struct app *app = calloc(1, sizeof *app);
    ENSURE(!config->stopped == (component != NULL));
    if (!app) {
        wasm_component_delete(component);
        snprintf(why, why_size, "no memory");
        return NULL;
    }
    atomic_store(&app->refs, 1);
    app->name = app->path + 1;
    app->rt = rt;
    budget_init_shared(&app->memory, app->name, &rt->guests);
    budget_init_shared(&app->kept_bytes, "kept memories", &rt->kept_bytes);
    budget_init(&app->calls_out, "calls out", NULL, APP_CALLS_OUT_MAX);
    budget_init_shared(&app->kept, "kept connections", &rt->kept);
    app->keeper =
        (struct http_keeper){.memory = &app->memory, .count = &app->kept, .ref = keeper_ref, .unref = keeper_unref};
    app->id = atomic_fetch_add(&next_id, 1);
    snprintf(app->space, sizeof app->space, "%s", config->space ? config->space : config->name);
    app->fs = rt->config.world->files_of(rt->config.files, app->space);
    app->memory_limit = config->memory_limit ? config->memory_limit : (uint64_t)APP_MEMORY_MIB << 20;
    app->timeout_ns = (config->timeout_ms ? config->timeout_ms : APP_TIMEOUT_MS) * UINT64_C(1000000);
    atomic_store(&app->closed, config->closed);
    app->lost = config->lost;
    memcpy(app->sha256, config->sha256, sizeof app->sha256);
    int error = 0;
    if (!app_name_ok(config->name, strlen(config->name))) {
        snprintf(why, why_size, "an app's name has 1 to %u letters, digits, '-' or '_'", APP_NAME_MAX);
        error = -EINVAL;
    } else {
        app->path[0] = '/';
        strcpy(app->path + 1, config->name);
        app->settings = settings_of(config);
        if (app->settings)
            limit(app);
        app->rule = strdup(config->rule ? config->rule : "");
        app->stopped = config->stopped ? strdup(config->stopped) : NULL;
        error = app->settings && app->rule && !app->stopped == !config->stopped ? 0 : -ENOMEM;
        if (error)
            snprintf(why, why_size, "no memory");
    }
    if (error == 0 && component)
        error = code_begin(app, component, why, why_size);
    else
        wasm_component_delete(component);
    if (error != 0) {
        app_unref(app);
        return NULL;
    }
    app_check(app);
    living_add(app);
    return app;
}

void app_check(const struct app *app)
{
    ENSURE(atomic_load_explicit(&app->refs, memory_order_relaxed) > 0);
    ENSURE(app->rt && app->settings);
    ENSURE(!app->stopped == (atomic_load(&app->code[CODE_FIRST].pre) || atomic_load(&app->code[CODE_BETTER].pre)));
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
    ENSURE(app->rt);
    living_remove(app);
    recycled_drop_all(app);
    code_end(app);
    app_settings_unref(app->settings);
    app->rt->config.world->files_unref(app->fs);
    free(app->rule);
    free(app->stopped);
    budget_deinit(&app->kept_bytes);
    budget_deinit(&app->memory);
    budget_deinit(&app->calls_out);
    budget_deinit(&app->kept);
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

struct app_settings *app_settings_of(const struct app *app)
{
    return app->settings;
}

const char *app_stopped(const struct app *app)
{
    return app->stopped;
}

uint64_t app_lost(const struct app *app)
{
    return app->lost ? atomic_load_explicit(app->lost, memory_order_relaxed) : 0;
}

uint64_t app_calls(const struct app *app)
{
    return atomic_load_explicit(&((struct app *)app)->calls, memory_order_relaxed);
}

bool app_marks(const struct app *app)
{
    return app->code[atomic_load(&((struct app *)app)->code_now)].marks;
}

uint64_t app_recycled(const struct app *app)
{
    return atomic_load_explicit(&((struct app *)app)->recycled, memory_order_relaxed);
}

unsigned app_running(const struct app *app)
{
    return atomic_load(&((struct app *)app)->running);
}

struct app_refusals app_refusals(const struct app *app)
{
    struct admission *a = (struct admission *)&app->admission;
    return (struct app_refusals){atomic_load(&a->busy), atomic_load(&a->fast), atomic_load(&a->large)};
}

uint64_t app_cpu_ns(const struct app *app)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < PROTO_MAX_WORKERS; i++)
        sum += atomic_load_explicit(&((struct app *)app)->turns[i].cpu_ns, memory_order_relaxed);
    return sum;
}

uint64_t app_over_cpu(const struct app *app)
{
    return atomic_load_explicit(&((struct app *)app)->over_cpu, memory_order_relaxed);
}

const struct budget *app_memory(const struct app *app)
{
    return &app->memory;
}
