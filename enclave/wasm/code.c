/*
 * Memory for compiled code: mapped here, filled with an artefact, and lent to wasmtime, which uses it where it lies and
 * says when it is through with it. Before code runs its pages lose the permission to be written; where nobody can take
 * that away (SGX1), nobody is asked to.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "enclave/wasm/component.h"
#include "enclave/wasm/internal.h"

struct code_region {
    struct code_region *next;
    uint64_t number; /* never used twice */
    uint8_t *base;
    size_t size;
};

/* Takes the region that is looked for off the list. NULL: it is gone already. */
static struct code_region *take_off(struct code_regions *all, const uint8_t *within, uint64_t number)
{
    pthread_mutex_lock(&all->lock);
    struct code_region **at = &all->first, *found;
    while (*at && !(number ? (*at)->number == number : within >= (*at)->base && within < (*at)->base + (*at)->size))
        at = &(*at)->next;
    found = *at;
    if (found)
        *at = found->next;
    pthread_mutex_unlock(&all->lock);
    return found;
}

static void give_back(struct code_region *region)
{
    if (region)
        ENSURE(munmap(region->base, region->size) == 0);
    free(region);
}

static void release(void *user, const uint8_t *text)
{
    struct code_region *region = take_off(user, text, 0);
    ENSURE(region);
    give_back(region);
}

/* The artefact is read only from here on, and its text can be executed. */
static bool publish(void *user, const uint8_t *text, size_t size)
{
    struct code_regions *all = user;
    uint8_t *base = NULL;
    size_t whole = 0;
    if (all->fixed)
        return true;
    pthread_mutex_lock(&all->lock);
    for (struct code_region *r = all->first; r; r = r->next) {
        if (text < r->base || text >= r->base + r->size)
            continue;
        ENSURE(!base); /* regions lie apart */
        base = r->base;
        whole = r->size;
    }
    pthread_mutex_unlock(&all->lock);
    ENSURE(base && size <= whole - (size_t)(text - base));
    return mprotect(base, whole, PROT_READ) == 0 && mprotect((void *)text, size, PROT_READ | PROT_EXEC) == 0;
}

void code_install(wasm_config_t *config, struct code_regions *all, bool fixed)
{
    *all = (struct code_regions){.lock = PTHREAD_MUTEX_INITIALIZER, .fixed = fixed};
    const struct code_memory memory = {publish, release, all};
    enclave_config_code_memory(config, &memory);
}

static struct code_region *map_region(struct code_regions *all, size_t size)
{
    struct code_region *region = malloc(sizeof *region);
    void *base = region ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
    if (base == MAP_FAILED) {
        free(region);
        return NULL;
    }
    *region = (struct code_region){.base = base, .size = size};
    pthread_mutex_lock(&all->lock);
    region->number = ++all->last_number;
    ENSURE(!all->first || all->first->number < region->number);
    ENSURE(!all->first || region->base != all->first->base);
    region->next = all->first;
    all->first = region;
    pthread_mutex_unlock(&all->lock);
    return region;
}

bool code_has_room(struct wasm_runtime *rt, size_t size)
{
    struct code_region *region = map_region(&rt->code, size);
    if (region)
        give_back(take_off(&rt->code, NULL, region->number));
    return region;
}

wasmtime_component_t *code_load(struct wasm_runtime *rt, const uint8_t *artefact, size_t size, char *why,
                                size_t why_size)
{
    wasmtime_component_t *component = NULL;
    ENSURE(artefact || size == 0);
    struct code_region *region = map_region(&rt->code, size);
    if (!region) {
        snprintf(why, why_size,
                 "the compiled code takes %zu MiB, and the enclave's region for code has no room for it: remove an "
                 "app, or give the enclave a larger region (ReservedMemMaxSize)",
                 size >> 20);
        return NULL;
    }
    uint64_t number = region->number;
    memcpy(region->base, artefact, size);
    wasmtime_error_t *failed = enclave_component_load(rt->engine, region->base, size, &component);
    ENSURE(failed || component);
    if (!failed)
        return component;
    give_back(take_off(&rt->code, NULL, number)); /* if it did not come so far that wasmtime has done it */
    component_refusal(failed, why, why_size);
    return NULL;
}
