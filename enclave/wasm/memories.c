/*
 * Memory that guests hold: how much they may have, and linear memories.
 *
 * All that a guest can make grow is charged to its app: linear memory, fiber stack, handles, header fields, bodies
 * and stored values on their way. An app may hold as much as it leaves free for everyone (a dynamic threshold): one
 * that takes what it can gets half of the budget, two get a third each, and something is always left for those that
 * need little. What lies outside the budget, for connections, the store and the compiler, is never a guest's.
 */
#include "enclave/wasm/internal.h"

#define PAGE 65536u
#define GROWTH_MAX (16u << 20) /* beyond what was asked for, so that growing page by page does not copy each time */

static _Thread_local struct app *running_app;

void memories_enter_app(struct app *app)
{
    running_app = app;
}

bool app_charge(struct app *app, size_t size)
{
    struct wasm_runtime *rt = app->rt;
    uint64_t budget = rt->config.guest_memory;
    uint64_t all = atomic_fetch_add_explicit(&rt->guest_memory, size, memory_order_relaxed) + size;
    uint64_t own = atomic_fetch_add_explicit(&app->memory, size, memory_order_relaxed) + size;
    if (all <= budget && own <= budget - all)
        return true;
    app_uncharge(app, size);
    return false;
}

void app_uncharge(struct app *app, size_t size)
{
    atomic_fetch_sub_explicit(&app->memory, size, memory_order_relaxed);
    atomic_fetch_sub_explicit(&app->rt->guest_memory, size, memory_order_relaxed);
}

bool guest_hold(struct guest *g, size_t size)
{
    bool granted = app_charge(g->app, size);
    if (granted)
        g->held += size;
    return granted;
}

void guest_release(struct guest *g, size_t size)
{
    g->held -= size;
    app_uncharge(g->app, size);
}

/* ---- linear memories --------------------------------------------------------------------------------------------- */

struct memory {
    struct app *app; /* its guest holds a reference for longer */
    uint8_t *base;
    size_t size, capacity; /* zero from size on */
};

static uint8_t *get_memory(void *env, size_t *size, size_t *capacity)
{
    struct memory *m = env;
    *size = m->size;
    *capacity = m->capacity;
    return m->base;
}

static wasmtime_error_t *refused(void)
{
    return wasmtime_error_new("no memory is left for this app");
}

static wasmtime_error_t *grow_memory(void *env, size_t size)
{
    struct memory *m = env;
    if (size <= m->capacity) {
        m->size = size;
        return NULL;
    }
    size_t extra = size / 4 < GROWTH_MAX ? size / 4 & ~(size_t)(PAGE - 1) : GROWTH_MAX;
    if (!app_charge(m->app, size + extra - m->capacity)) {
        extra = 0;
        if (!app_charge(m->app, size - m->capacity))
            return refused();
    }
    uint8_t *base = realloc(m->base, size + extra);
    if (!base) {
        app_uncharge(m->app, size + extra - m->capacity);
        return refused();
    }
    memset(base + m->capacity, 0, size + extra - m->capacity);
    *m = (struct memory){m->app, base, size, size + extra};
    return NULL;
}

static void delete_memory(void *env)
{
    struct memory *m = env;
    app_uncharge(m->app, m->capacity);
    free(m->base);
    free(m);
}

static wasmtime_error_t *new_memory(void *env, const wasm_memorytype_t *type, size_t minimum, size_t maximum,
                                    size_t reserved, size_t guard, wasmtime_linear_memory_t *out)
{
    struct app *app = running_app;
    size_t capacity = minimum ? minimum : PAGE;
    if (reserved || guard || !app || !app_charge(app, capacity))
        return refused();
    struct memory *m = malloc(sizeof *m);
    uint8_t *base = calloc(1, capacity);
    if (!m || !base) {
        app_uncharge(app, capacity);
        free(m);
        free(base);
        return refused();
    }
    *m = (struct memory){app, base, minimum, capacity};
    *out = (wasmtime_linear_memory_t){m, get_memory, grow_memory, delete_memory};
    return NULL;
}

void memories_install(wasm_config_t *config)
{
    wasmtime_memory_creator_t creator = {.env = NULL, .new_memory = new_memory, .finalizer = NULL};
    wasmtime_config_host_memory_creator_set(config, &creator);
}
