/*
 * What apps' records take of the enclave's memory. Everything that is stored has its name and place in the index, and
 * an app that stored without end would fill the heap for all: so an app may hold as much as it leaves free (as
 * enclave/wasm/memories.c has it for guests). Of the owner's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"

struct holder {
    struct holder *next;
    uint64_t bytes;
    size_t size;
    uint8_t name[KV_NAMESPACE_MAX];
};

static struct holder *holders; /* the one asked for last is the first */
static uint64_t all_bytes;

/* "app:NAME" of a namespace of an app's; 0: it is the system's own, which is not limited. */
static size_t holder_name_size(const uint8_t *ns, size_t size)
{
    static const char app[4] = "app:";
    if (size <= sizeof app || memcmp(ns, app, sizeof app) != 0)
        return 0;
    const uint8_t *end = memchr(ns + sizeof app, ':', size - sizeof app);
    return end ? (size_t)(end - ns) : size;
}

static struct holder *find(const uint8_t *ns, size_t size)
{
    size_t name_size = holder_name_size(ns, size);
    for (struct holder **at = &holders, *h; name_size && (h = *at); at = &h->next)
        if (h->size == name_size && !memcmp(h->name, ns, name_size)) {
            *at = h->next;
            h->next = holders;
            return holders = h;
        }
    struct holder *made = name_size ? calloc(1, sizeof *made) : NULL;
    if (!made)
        return NULL;
    memcpy(made->name, ns, made->size = name_size);
    made->next = holders;
    return holders = made;
}

void store_memory_take(const uint8_t *ns, size_t ns_size, size_t bytes)
{
    struct holder *h = find(ns, ns_size);
    if (h) {
        h->bytes += bytes;
        all_bytes += bytes;
    }
}

void store_memory_give(const uint8_t *ns, size_t ns_size, size_t bytes)
{
    struct holder *h = find(ns, ns_size);
    if (h) {
        h->bytes -= bytes;
        all_bytes -= bytes;
    }
}

void kv_memory_take(const struct kv_namespace *ns, size_t bytes)
{
    store_memory_take(ns->name, ns->size, bytes);
}

void kv_memory_give(const struct kv_namespace *ns, size_t bytes)
{
    store_memory_give(ns->name, ns->size, bytes);
}

bool kv_memory_left(const struct kv_namespace *ns, size_t bytes)
{
    const struct holder *h = find(ns->name, ns->size);
    if (!h)
        return holder_name_size(ns->name, ns->size) == 0;
    return all_bytes + bytes <= KV_MEMORY && h->bytes + bytes <= KV_MEMORY - (all_bytes + bytes);
}

void store_memory_reset(void)
{
    for (struct holder *h = holders, *next; h; h = next) {
        next = h->next;
        free(h);
    }
    holders = NULL;
    all_bytes = 0;
}
