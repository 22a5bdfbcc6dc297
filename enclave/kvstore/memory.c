/*
 * What apps' records take: of the enclave's memory and of the host's disk. Everything that is stored has its name and
 * place in the index, and an app that stored without end would fill the heap for all: so an app may hold as much as it
 * leaves free. Its bytes on disk have a limit of their own. Of the owner's thread, but for giving back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"

/* One for each app that ever stored something since boot; goes with the store alone, since charges outlive closing. */
struct holder {
    struct holder *next;
    struct budget memory, disk;
    struct charge records, stored; /* of the two, by all records in the index */
    size_t count;                  /* of these */
    _Atomic uint64_t lost;         /* of these: damaged (damage.h). Any thread reads it */
    bool withdrawn;                /* they are being removed, or were: nothing is stored here any more */
    bool only_proven;              /* its commits are acknowledged once they are proven */
    size_t size;
    uint8_t name[KV_NAMESPACE_MAX];
};

/* "app:NAME" of a namespace of an app's; 0: it is the system's own, which is not limited. */
static size_t holder_name_size(const uint8_t *ns, size_t size)
{
    return size > 4 && memcmp(ns, "app:", 4) == 0 ? record_owner_size(ns, size) : 0;
}

static struct holder *holder_new(struct store *s, const uint8_t *name, size_t size)
{
    ENSURE(size > 0);
    ENSURE(size <= KV_NAMESPACE_MAX);
    struct holder *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    budget_init_shared(&made->memory, "app's names", &s->all_memory);
    budget_init(&made->disk, "app's disk", NULL, s->disk_limit);
    charge_open(&made->records, &made->memory);
    charge_open(&made->stored, &made->disk);
    memcpy(made->name, name, made->size = size);
    made->next = s->holders;
    return s->holders = made;
}

struct holder *memory_holder(struct store *s, const uint8_t *ns, size_t size)
{
    size_t name_size = holder_name_size(ns, size);
    for (struct holder **at = &s->holders, *h; name_size && (h = *at); at = &h->next)
        if (h->size == name_size && !memcmp(h->name, ns, name_size)) {
            *at = h->next;
            h->next = s->holders;
            return s->holders = h;
        }
    return name_size ? holder_new(s, ns, name_size) : NULL;
}

void memory_each(struct store *s, void (*visit)(struct store *s, const uint8_t *name, size_t size))
{
    for (struct holder *h = s->holders, *next; h; h = next) { /* whoever is asked for becomes the first */
        next = h->next;
        visit(s, h->name, h->size);
    }
}

bool memory_is_of_app(const uint8_t *ns, size_t size)
{
    return size > 0 && holder_name_size(ns, size) == size;
}

bool holder_is_of(const struct holder *h, const uint8_t *ns, size_t size)
{
    return holder_name_size(ns, size) == h->size && memcmp(ns, h->name, h->size) == 0;
}

bool holder_has(const struct holder *h, const struct index_entry *e)
{
    return e->name && holder_is_of(h, e->name, e->ns_size);
}

void holder_lost(struct holder *h, bool more)
{
    ENSURE(more || h->lost > 0);
    h->lost += more ? 1 : (uint64_t)-1;
}

const _Atomic uint64_t *holder_losses(const struct holder *h)
{
    return &h->lost;
}

size_t holder_count(const struct holder *h)
{
    return h->count;
}

void holder_withdraw(struct holder *h)
{
    h->withdrawn = true;
}

void holder_only_proven(struct holder *h, bool only)
{
    h->only_proven = only;
}

bool holder_is_only_proven(const struct holder *h)
{
    return h->only_proven && !h->withdrawn;
}

static size_t cost_of(const struct index_entry *e)
{
    return KV_RECORD_COST + e->ns_size + e->key_size;
}

void memory_init(struct store *s)
{
    budget_init(&s->all_memory, "stored names", NULL, KV_MEMORY);
    s->disk_limit = KV_DISK_DEFAULT;
}

void memory_charge(struct store *s, const struct index_entry *e)
{
    ENSURE(e->version);
    struct holder *h = e->name ? memory_holder(s, e->name, e->ns_size) : NULL;
    if (h) {
        h->count++;
        charge_grow(&h->records, cost_of(e));
        charge_grow(&h->stored, e->size);
    }
}

void memory_uncharge(struct store *s, const struct index_entry *e)
{
    ENSURE(e->version);
    struct holder *h = e->name ? memory_holder(s, e->name, e->ns_size) : NULL;
    if (h) {
        ENSURE(h->count > 0);
        h->count--;
        charge_shrink(&h->records, cost_of(e));
        charge_shrink(&h->stored, e->size);
    }
}

/* Batches are of one app's or of the enclave's own, nearly always: so this looks once. */
static bool stores_where_withdrawn(struct job *j)
{
    const struct kv_namespace *before = NULL;
    loop_check(&j->store->owner->loop);
    ENSURE(j->ops || j->op_count == 0);
    for (size_t i = 0; i < j->op_count; i++) {
        const struct kv_namespace *ns = &j->ops[i].ns;
        if (j->ops[i].kind != KV_PUT || (before && kv_same_namespace(before, ns)))
            continue;
        const struct holder *h = memory_holder(j->store, ns->name, ns->size);
        if (h && h->withdrawn)
            return true;
        before = ns;
    }
    return false;
}

int memory_reserve(struct job *j)
{
    struct store *s = j->store;
    size_t in_index = 0, on_disk = 0;
    ENSURE(j->op_count > 0);
    ENSURE(!j->memory.from && !j->disk.from);
    if (stores_where_withdrawn(j))
        return -ESTALE;
    struct holder *h = memory_holder(s, j->ops[0].ns.name, j->ops[0].ns.size);
    if (!h)
        return holder_name_size(j->ops[0].ns.name, j->ops[0].ns.size) ? -ENOMEM : 0;
    for (size_t i = 0; i < j->op_count; i++) {
        const struct job_op *op = &j->ops[i];
        if (op->kind != KV_PUT)
            continue;
        const struct index_entry *old = index_find(&s->index, op->storage_key);
        struct record_name name = {op->ns.name, op->key, op->ns.size, (uint16_t)op->key_size};
        size_t size = record_disk_size(&name, record_size(&name, op->value_size));
        size_t before = old && old->name ? old->size : 0;
        in_index += old ? 0 : KV_RECORD_COST + op->ns.size + op->key_size;
        on_disk += size > before ? size - before : 0;
    }
    if ((on_disk == 0 || charge_take(&j->disk, &h->disk, on_disk)) &&
        (in_index == 0 || charge_take(&j->memory, &h->memory, in_index)))
        return 0;
    return -ENOSPC; /* what was taken goes with the job */
}

int memory_reserve_read(struct job *j, size_t size)
{
    ENSURE(j->op_count == 1);
    struct holder *h = memory_holder(j->store, j->ops[0].ns.name, j->ops[0].ns.size);
    return !h || charge_take(&j->memory, &h->memory, 2 * size) ? 0 : -ENOMEM;
}

void memory_release(struct job *j)
{
    charge_give(&j->memory);
    charge_give(&j->disk);
}

struct budget *kv_memory(const struct kv_namespace *ns)
{
    ENSURE(ns);
    store_enter(ns->store);
    struct holder *h = memory_holder(ns->store, ns->name, ns->size);
    return h ? &h->memory : NULL;
}

void store_limit_disk(struct store *s, uint64_t bytes)
{
    store_enter(s);
    s->disk_limit = bytes;
    for (struct holder *h = s->holders; h; h = h->next)
        h->disk.limit = bytes;
}

void memory_reset(struct store *s)
{
    for (struct holder *h = s->holders; h; h = h->next) {
        charge_must(&h->records, 0);
        charge_must(&h->stored, 0);
        h->count = 0;
        h->lost = 0;
        h->withdrawn = false;
        h->only_proven = false;
    }
}

void memory_deinit(struct store *s)
{
    for (struct holder *h = s->holders, *next; h; h = next) {
        next = h->next;
        charge_give(&h->records);
        charge_give(&h->stored);
        budget_deinit(&h->memory);
        budget_deinit(&h->disk);
        free(h);
    }
    s->holders = NULL;
    budget_deinit(&s->all_memory);
}

void memory_check(struct store *s)
{
    for (const struct holder *h = s->holders; h; h = h->next) {
        uint64_t records = 0, stored = 0;
        size_t count = 0;
        uint64_t lost = 0;
        ENSURE(h->size > 0 && h->size <= KV_NAMESPACE_MAX);
        for (size_t i = 0; i < s->index.capacity; i++) {
            const struct index_entry *e = &s->index.entries[i];
            if (!e->version || !holder_has(h, e))
                continue;
            count++;
            lost += e->damage != DAMAGE_NONE;
            records += cost_of(e);
            stored += e->size;
        }
        ENSURE(h->count == count);
        ENSURE(h->lost == lost);
        ENSURE(h->records.bytes == records);
        ENSURE(h->stored.bytes == stored);
        ENSURE(budget_used(&h->memory) >= records);
        ENSURE(budget_used(&h->disk) >= stored);
    }
}
