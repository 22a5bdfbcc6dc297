/* Which records are lost. See damage.h. */
#include "enclave/kvstore/damage.h"

#include "enclave/kvstore/internal.h"

const char *damage_name(enum record_damage damage)
{
    static const char *const names[] = {"whole", "changed", "missing", "older"};
    ENSURE((size_t)damage < sizeof names / sizeof *names);
    return names[damage];
}

struct record_name index_name(const struct index_entry *e)
{
    ENSURE(e->name);
    return (struct record_name){e->name, e->name + e->ns_size, e->ns_size, e->key_size};
}

void damage_set(struct store *s, struct index_entry *e, enum record_damage damage)
{
    bool was = e->damage != DAMAGE_NONE, is = damage != DAMAGE_NONE;
    struct holder *h = was != is && e->name ? memory_holder(s, e->name, e->ns_size) : NULL;
    ENSURE(!was || s->damaged > 0);
    e->damage = (uint8_t)damage;
    if (was == is)
        return;
    s->damaged += is ? 1 : (uint64_t)-1;
    if (h)
        holder_lost(h, is);
}

void store_each_lost(struct store *s, store_lost_visit visit, void *user)
{
    store_enter(s);
    ENSURE(s->open && visit);
    for (size_t i = 0; s->damaged > 0 && i < s->index.capacity; i++) {
        const struct index_entry *e = &s->index.entries[i];
        if (!e->version || !e->damage)
            continue;
        struct store_lost lost = {.version = e->version, .how = e->damage, .id = e->storage_key};
        if (e->name) {
            lost.ns = e->name;
            lost.ns_size = e->ns_size;
        }
        if (!index_is_nameless(e)) {
            lost.key = e->name + e->ns_size;
            lost.key_size = e->key_size;
        }
        if (!visit(user, &lost))
            return;
    }
}

uint64_t store_mended_count(const struct store *s)
{
    ENSURE(s);
    return s->mended;
}
