/*
 * Memory that guests hold: how much they may have, and linear memories.
 *
 * All that a guest can make grow is charged to its app (app->memory): linear memory, fiber stack, handles, header
 * fields, bodies and stored values on their way. An app may hold as much as it leaves free for everyone
 * (budget_init_shared). What lies outside that budget, for connections, the store and the compiler, is never a guest's.
 *
 * Memories of components that mark what they write are recycled: those of one instance are kept together when it is
 * over, put back to what they were at first (image.h), and are the next instance's. They are one app's, of one
 * generation of it, and one worker's, so nobody is waited for. wasmtime does not say whose memory it wants, but
 * instantiating makes them in one order, which is known.
 */
#include "enclave/wasm/internal.h"

#define PAGE 65536u
#define KEPT_MAX 64u           /* recycled: of one app, on one worker */
#define GROWTH_MAX (16u << 20) /* beyond what was asked for, so that growing page by page does not copy each time */

static _Thread_local struct guest *running;

void memories_enter(struct guest *g)
{
    running = g;
}

/* ---- linear memories --------------------------------------------------------------------------------------------- */

struct memory {
    struct charge charge; /* capacity, of the app: its guest holds a reference to it for longer */
    uint8_t *base;
    size_t size, capacity; /* zero from size on */
    size_t limit;          /* beside that of the store */
    struct recycled *of;   /* NULL: it is for one instance alone */
};

struct recycled {
    struct recycled *next;
    struct charge kept;        /* of all its memories, while nobody uses them */
    uint32_t count;            /* of memories */
    uint32_t made, left;       /* how many of them this instance has got, and given back */
    uint32_t data, mark_count; /* which one is not marks, and how many are */
    uint8_t **marks;           /* once they are all made */
    struct memory all[];
};

static void memory_end(struct memory *m)
{
    charge_give(&m->charge);
    free(m->base);
    m->base = NULL;
}

static struct kept_memories *kept_of(struct guest *g)
{
    ENSURE(g->worker->index < PROTO_MAX_WORKERS);
    return &g->app->kept_memories[g->worker->index];
}

static void recycled_free(struct recycled *r)
{
    ENSURE(r->made == r->left); /* no store has them */
    for (uint32_t i = 0; i < r->count; i++)
        memory_end(&r->all[i]);
    charge_give(&r->kept);
    free(r);
}

/* Give up those that are kept for the guest's app on its worker; whether there were any. */
static bool recycled_drop(struct guest *g)
{
    struct kept_memories *kept = kept_of(g);
    bool any = kept->first;
    while (kept->first) {
        struct recycled *r = kept->first;
        kept->first = r->next;
        kept->count--;
        recycled_free(r);
    }
    ENSURE(kept->count == 0);
    return any;
}

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

/* What is kept for the app's next requests goes first. */
static bool resize_charge(struct memory *m, size_t capacity)
{
    return charge_resize(&m->charge, capacity) || (recycled_drop(running) && charge_resize(&m->charge, capacity));
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
        if (!resize_charge(m, size))
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

/* Of an empty structure: memory of zeros for the guest that runs. False, and it stays empty: there is none left. */
static bool memory_make(struct memory *m, size_t minimum, size_t limit)
{
    struct app *app = running->app;
    ENSURE(!m->base && !m->charge.from);
    size_t capacity = minimum ? minimum : PAGE;
    charge_open(&m->charge, &app->memory);
    if (!resize_charge(m, capacity)) {
        charge_give(&m->charge);
        return false;
    }
    m->base = calloc(1, capacity);
    if (!m->base) {
        charge_give(&m->charge);
        return false;
    }
    ENSURE(m->charge.from == &app->memory && m->charge.bytes == capacity);
    m->size = minimum;
    m->capacity = capacity;
    m->limit = limit;
    return true;
}

void recycled_drop_all(struct app *app)
{
    ENSURE(atomic_load(&app->running) == 0); /* so no worker has any of them in its hands */
    for (unsigned i = 0; i < PROTO_MAX_WORKERS; i++) {
        struct recycled *next;
        for (struct recycled *r = app->kept_memories[i].first; r; r = next) {
            next = r->next;
            recycled_free(r);
        }
        app->kept_memories[i] = (struct kept_memories){0};
    }
    ENSURE(budget_used(&app->kept_bytes) == 0);
}

/* ---- an instance begins ------------------------------------------------------------------------------------------ */

static struct recycled *new_set(const struct memory_image *image)
{
    size_t memories = image->memories * sizeof(struct memory), marks = image->memories * sizeof(uint8_t *);
    struct recycled *r = calloc(1, sizeof *r + memories + marks);
    ENSURE(image->memories > 0);
    if (!r)
        return NULL;
    ENSURE((uintptr_t)&r->all[image->memories] % _Alignof(uint8_t *) == 0);
    r->count = image->memories;
    r->marks = (uint8_t **)&r->all[r->count];
    for (uint32_t i = 0; i < r->count; i++) {
        r->all[i].of = r;
        if (image->roles[i] == MEMORY_DATA)
            r->data = i;
    }
    return r;
}

/* One that is kept, charged to the app as any other memory that its guests have. NULL: there is none, or no room. */
static struct recycled *take_kept(struct guest *g)
{
    struct kept_memories *kept = kept_of(g);
    struct recycled *r = kept->first;
    if (!r)
        return NULL;
    ENSURE(kept->count > 0 && r->made == 0);
    kept->first = r->next;
    kept->count--;
    charge_give(&r->kept);
    bool room = true;
    for (uint32_t i = 0; i < r->count && room; i++)
        room = charge_take(&r->all[i].charge, &g->app->memory, r->all[i].capacity);
    if (!room) {
        recycled_free(r);
        return NULL;
    }
    ENSURE(r->all[r->data].charge.from == &g->app->memory);
    atomic_fetch_add_explicit(&g->app->recycled, 1, memory_order_relaxed);
    return r;
}

/* The next one of those that the guest's instance has. NULL: no memory is left, or it wants what was not foreseen. */
static struct memory *recycled_next(struct guest *g, size_t minimum)
{
    const struct memory_image *image = g->app->component->image;
    if (!g->recycled)
        g->recycled = take_kept(g);
    if (!g->recycled)
        g->recycled = new_set(image);
    struct recycled *r = g->recycled;
    if (!r || r->made >= r->count)
        return NULL;
    ENSURE(r->count == image->memories);
    bool is_data = r->made == r->data;
    struct memory *m = &r->all[r->made];
    if (minimum != (is_data ? image->memory_bytes : IMAGE_MARKS))
        return NULL;
    if (!m->base) {
        if (!memory_make(m, minimum, SIZE_MAX))
            return NULL;
        if (is_data)
            image_fill(image, m->base);
    }
    r->made++;
    ENSURE(m->of == r && m->size == minimum);
    return m;
}

static void recycled_leave(struct memory *m)
{
    m->of->left++;
    ENSURE(m->of->left <= m->of->made);
}

/* ---- and is over ------------------------------------------------------------------------------------------------- */

static void put_back(struct guest *g, struct recycled *r)
{
    const struct memory_image *image = g->app->component->image;
    struct memory *data = &r->all[r->data];
    r->mark_count = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (i != r->data)
            r->marks[r->mark_count++] = r->all[i].base;
    ENSURE(r->mark_count == r->count - 1 && data->base);
    image_restore(image, data->base, data->capacity, r->marks, r->mark_count);
    data->size = image->memory_bytes;
    if (g->app->rt->config.compare_memories)
        ENSURE(image_is(image, data->base, data->capacity));
}

static bool charge_kept(struct guest *g, struct recycled *r)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        bytes += r->all[i].capacity;
        charge_give(&r->all[i].charge);
    }
    ENSURE(!r->kept.from);
    return charge_take(&r->kept, &g->app->kept_bytes, bytes);
}

void recycled_settle(struct guest *g)
{
    struct recycled *r = g->recycled;
    if (!r)
        return;
    ENSURE(!g->store); /* so nothing of it runs or will */
    ENSURE(r->left == r->made);
    g->recycled = NULL;
    bool whole = r->made == r->count;
    r->made = r->left = 0;
    struct kept_memories *kept = kept_of(g);
    if (!whole || kept->count >= KEPT_MAX) {
        recycled_free(r);
        return;
    }
    if (!charge_kept(g, r)) {
        recycled_free(r);
        return;
    }
    put_back(g, r);
    r->next = kept->first;
    kept->first = r;
    kept->count++;
}

/* ---- what wasmtime asks for ------------------------------------------------------------------------------------- */

static void delete_memory(void *env)
{
    struct memory *m = env;
    if (m->of) {
        recycled_leave(m);
        return;
    }
    memory_end(m);
    free(m);
}

static struct memory *new_alone(const wasm_memorytype_t *type, size_t minimum)
{
    struct memory *m = calloc(1, sizeof *m);
    if (m && memory_make(m, minimum, limit_of(type)))
        return m;
    free(m);
    return NULL;
}

static wasmtime_error_t *new_memory(void *env, const wasm_memorytype_t *type, size_t minimum, size_t maximum,
                                    size_t reserved, size_t guard, wasmtime_linear_memory_t *out)
{
    if (reserved || guard || !running)
        return refused();
    ENSURE(running->polling && running->app->component);
    struct memory *m = running->app->component->image ? recycled_next(running, minimum) : new_alone(type, minimum);
    if (!m)
        return refused();
    ENSURE(m->size == minimum && minimum <= m->capacity);
    *out = (wasmtime_linear_memory_t){m, get_memory, grow_memory, delete_memory};
    return NULL;
}

void memories_install(wasm_config_t *config)
{
    wasmtime_memory_creator_t creator = {.env = NULL, .new_memory = new_memory, .finalizer = NULL};
    wasmtime_config_host_memory_creator_set(config, &creator);
}
