/*
 * Memory that guests hold: how much they may have, and linear memories.
 *
 * All that a guest can make grow is charged to its app (app->memory): linear memory, fiber stack, handles, header
 * fields, bodies and stored values on their way. An app may hold as much as it leaves free for everyone
 * (budget_init_shared). What lies outside that budget, for connections, the store and the compiler, is never a guest's.
 */
#include "enclave/wasm/internal.h"

#define PAGE 65536u
#define GROWTH_MAX (16u << 20) /* beyond what was asked for, so that growing page by page does not copy each time */

static _Thread_local struct app *running_app;

void memories_enter_app(struct app *app)
{
    running_app = app;
}

/* ---- linear memories --------------------------------------------------------------------------------------------- */

struct memory {
    struct charge charge; /* capacity, of the app: its guest holds a reference to it for longer */
    uint8_t *base;
    size_t size, capacity; /* zero from size on */
    size_t limit;          /* beside that of the store */
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

/* What is collected lies in a memory as any other, but one that begins with nothing and says no maximum. One of the
 * guest's own that does the same cannot be told from it. */
static size_t limit_of(const wasm_memorytype_t *type)
{
    uint64_t maximum;
    bool collected = wasmtime_memorytype_minimum(type) == 0 && !wasmtime_memorytype_maximum(type, &maximum);
    return collected ? GUEST_COLLECTED_MAX : SIZE_MAX;
}

static wasmtime_error_t *grow_memory(void *env, size_t size)
{
    struct memory *m = env;
    ENSURE(m->size <= m->capacity && m->size <= size); /* it only grows */
    if (size > m->limit)
        return refused();
    if (size <= m->capacity) {
        m->size = size;
        return NULL;
    }
    size_t extra = size / 4 < GROWTH_MAX ? size / 4 & ~(size_t)(PAGE - 1) : GROWTH_MAX;
    if (size + extra > m->limit || !charge_resize(&m->charge, size + extra)) {
        extra = 0;
        if (!charge_resize(&m->charge, size))
            return refused();
    }
    uint8_t *base = realloc(m->base, size + extra);
    if (!base) {
        charge_resize(&m->charge, m->capacity);
        return refused();
    }
    memset(base + m->capacity, 0, size + extra - m->capacity);
    ENSURE(m->charge.bytes >= size + extra);
    m->base = base;
    m->size = size;
    m->capacity = size + extra;
    return NULL;
}

static void delete_memory(void *env)
{
    struct memory *m = env;
    charge_give(&m->charge);
    free(m->base);
    free(m);
}

static wasmtime_error_t *new_memory(void *env, const wasm_memorytype_t *type, size_t minimum, size_t maximum,
                                    size_t reserved, size_t guard, wasmtime_linear_memory_t *out)
{
    struct app *app = running_app;
    size_t capacity = minimum ? minimum : PAGE;
    struct charge charge = {0};
    if (reserved || guard || !app || !charge_take(&charge, &app->memory, capacity))
        return refused();
    struct memory *m = malloc(sizeof *m);
    uint8_t *base = calloc(1, capacity);
    if (!m || !base) {
        charge_give(&charge);
        free(m);
        free(base);
        return refused();
    }
    ENSURE(charge.from == &app->memory && charge.bytes == capacity);
    ENSURE(minimum <= capacity);
    *m = (struct memory){charge, base, minimum, capacity, limit_of(type)};
    *out = (wasmtime_linear_memory_t){m, get_memory, grow_memory, delete_memory};
    return NULL;
}

void memories_install(wasm_config_t *config)
{
    wasmtime_memory_creator_t creator = {.env = NULL, .new_memory = new_memory, .finalizer = NULL};
    wasmtime_config_host_memory_creator_set(config, &creator);
}
