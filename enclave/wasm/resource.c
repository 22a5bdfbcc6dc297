/*
 * A guest's resources: what its handles stand for.
 *
 * Addresses never change (chunks), freed entries are used again, and everything goes with the guest. A resource is
 * kept by the guest's handle and by other resources that need it, so the order in which a guest drops its handles
 * does not matter.
 */
#include "common/ensure.h"
#include "enclave/wasm/internal.h"

/* Chunk n holds RESOURCE_FIRST << n entries; entry rep lies in chunk log2(rep / FIRST + 1). */
static struct resource *entry(const struct guest *g, uint32_t rep)
{
    ENSURE(rep < g->resource_count);
    unsigned chunk = 31u - (unsigned)__builtin_clz(rep / RESOURCE_FIRST + 1);
    uint32_t begin = RESOURCE_FIRST * ((1u << chunk) - 1);
    return &g->chunks[chunk][rep - begin];
}

static struct resource *grow(struct guest *g)
{
    uint32_t rep = g->resource_count;
    unsigned chunk = 31u - (unsigned)__builtin_clz(rep / RESOURCE_FIRST + 1);
    if (chunk >= RESOURCE_CHUNKS)
        return NULL;
    ENSURE(rep < RESOURCES_MAX);
    if (!g->chunks[chunk]) {
        size_t size = (RESOURCE_FIRST << chunk) * sizeof(struct resource);
        g->chunks[chunk] = chunk == 0 ? g->first : charged_calloc(&g->app->memory, size);
        if (!g->chunks[chunk])
            return NULL;
    }
    g->resource_count++;
    struct resource *r = entry(g, rep);
    r->rep = rep;
    return r;
}

void resources_check(const struct guest *g)
{
    uint32_t unused = 0;
    ENSURE(g->resource_count <= RESOURCES_MAX);
    for (uint32_t rep = 0; rep < g->resource_count; rep++) {
        const struct resource *r = entry(g, rep);
        ENSURE(r->rep == rep);
        if (r->kind != KIND_FREE)
            resource_check(r);
        ENSURE((r->kind == KIND_FREE) == (r->refs == 0));
        unused += r->kind == KIND_FREE;
    }
    ENSURE(unused == g->free_count);
    for (const struct resource *r = g->free; r; r = r->on, unused--) {
        ENSURE(r->kind == KIND_FREE);
        ENSURE(unused > 0); /* no circle, and each once */
    }
    ENSURE(unused == 0);
}

struct resource *resource_new(struct guest *g, enum kind kind)
{
    struct resource *r = g->free;
    ENSURE(kind != KIND_FREE && (!r || (r->kind == KIND_FREE && r->refs == 0)));
    ENSURE(!r == !g->free_count);
    if (r) {
        g->free = r->on;
        g->free_count--;
    } else {
        r = grow(g);
    }
    if (!r) {
        g->trap = "too many resources, or no memory is left for them";
        return NULL;
    }
    uint32_t rep = r->rep;
    ENSURE(rep < g->resource_count);
    memset(r, 0, sizeof *r);
    r->rep = rep;
    r->kind = (uint8_t)kind;
    r->refs = 1;
    if (kind == KIND_FIELDS)
        r->fields.memory = &g->app->memory;
    return r;
}

struct resource *resource_get(struct guest *g, const struct slot *handle, enum kind kind)
{
    if (handle->size != kind || handle->word >= g->resource_count)
        return NULL;
    struct resource *r = entry(g, (uint32_t)handle->word);
    if (r->kind != kind)
        return NULL;
    resource_check(r);
    return r;
}

struct resource *resource_keep(struct resource *r)
{
    ENSURE(r->kind != KIND_FREE && r->refs > 0);
    ENSURE(r->refs < UINT16_MAX); /* each holder is a resource, and there are fewer than 2^16 of them */
    r->refs++;
    return r;
}

void resource_put(struct guest *g, struct resource *r)
{
    ENSURE(!r || (r->kind != KIND_FREE && r->refs > 0));
    while (r && --r->refs == 0) {
        struct resource *on = r->on;
        g->app->rt->config.world->release(g, r, false);
        ENSURE(r->refs == 0);
        r->kind = KIND_FREE;
        r->on = g->free;
        g->free = r;
        g->free_count++;
        r = on;
    }
}

void resource_drop_handle(struct guest *g, uint32_t rep, enum kind kind)
{
    struct slot handle = {rep, kind};
    struct resource *r = resource_get(g, &handle, kind);
    resource_put(g, r);
    if (r)
        g->app->rt->config.world->dropped(g, kind);
}

/* All are looked at here, so what is unused is counted on the way: one that was lost shows. */
void resources_free(struct guest *g)
{
    uint32_t unused = 0;
    for (uint32_t rep = 0; rep < g->resource_count; rep++) {
        struct resource *r = entry(g, rep);
        if (r->kind != KIND_FREE)
            g->app->rt->config.world->release(g, r, true);
        else
            unused++;
    }
    ENSURE(unused == g->free_count);
    for (unsigned chunk = 1; chunk < RESOURCE_CHUNKS && g->chunks[chunk]; chunk++)
        charged_free(g->chunks[chunk]);
}

/* Replies ------------------------------------------------------------------------------------------------------- */

/* As long as one list that a host function gives. */
static bool grow_reply(struct guest *g)
{
    size_t capacity = g->reply_capacity * 2;
    struct slot *grown = charged_alloc(&g->app->memory, capacity * sizeof *grown);
    if (!grown)
        return false;
    memcpy(grown, g->reply, g->reply_count * sizeof *grown);
    if (g->reply != g->reply_first)
        charged_free(g->reply);
    g->reply = grown;
    g->reply_capacity = capacity;
    return true;
}

/* Without memory for one more the guest ends (host_call sees to it), and what is said to it goes nowhere. */
static void put_slot(struct guest *g, uint64_t word, uint64_t size)
{
    if (g->reply_count < g->reply_capacity || grow_reply(g))
        g->reply[g->reply_count++] = (struct slot){word, size};
    else
        guest_trap(g, "no memory is left for this app");
}

void reply_word(struct guest *g, uint64_t word)
{
    put_slot(g, word, 0);
}

void reply_text(struct guest *g, const void *data, size_t size)
{
    put_slot(g, (uintptr_t)data, size);
}

void reply_own(struct guest *g, const struct resource *r)
{
    put_slot(g, r->rep, r->kind);
}

enum host_result reply_closed(struct guest *g)
{
    reply_word(g, 1);
    reply_word(g, 1);
    return HOST_DONE;
}

struct resource *reply_new_error(struct guest *g, const char *message)
{
    struct resource *error = resource_new(g, KIND_ERROR);
    if (!error)
        return NULL;
    error->error.message = message;
    reply_word(g, 1);
    reply_word(g, 0);
    reply_own(g, error);
    return error;
}

enum host_result reply_error(struct guest *g, const char *message)
{
    return reply_new_error(g, message) ? HOST_DONE : HOST_TRAP;
}
