/* Whose a record is of which both names are damaged. See damage.h; the mark is record.h's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"

struct mark {
    uint8_t storage_key[STORAGE_KEY_SIZE], mark[MARK_SIZE];
};

int nameless_note(struct store *s, const uint8_t storage_key[STORAGE_KEY_SIZE], const uint8_t mark[MARK_SIZE])
{
    ENSURE(!s->open);
    ENSURE(s->mark_count <= s->mark_room);
    if (s->mark_count == s->mark_room) {
        size_t room = s->mark_room ? 2 * s->mark_room : 64;
        void *grown = realloc(s->marks, room * sizeof *s->marks);
        if (!grown)
            return -ENOMEM;
        s->marks = grown;
        s->mark_room = room;
    }
    struct mark *m = &s->marks[s->mark_count++];
    memcpy(m->storage_key, storage_key, sizeof m->storage_key);
    memcpy(m->mark, mark, sizeof m->mark);
    return 0;
}

/* False: no memory, and it stays nobody's. */
static bool give(struct store *s, struct index_entry *e, const uint8_t *owner, size_t size)
{
    enum record_damage damage = e->damage;
    ENSURE(!e->name && damage != DAMAGE_NONE);
    ENSURE(s->nameless > 0 && size <= KV_NAMESPACE_MAX);
    uint8_t *name = malloc(size + 1);
    if (!name)
        return false;
    memcpy(name, owner, size);
    damage_set(s, e, DAMAGE_NONE); /* it was counted as nobody's */
    e->name = name;
    e->ns_size = (uint16_t)size;
    e->key_size = 0;
    e->found |= FOUND_OWNER;
    s->nameless--;
    memory_charge(s, e);
    damage_set(s, e, damage);
    return true;
}

void nameless_find_owner(struct store *s, const uint8_t *owner, size_t size)
{
    uint8_t mark[MARK_SIZE];
    loop_check(&s->owner->loop);
    ENSURE(size > 0 && record_owner_size(owner, size) == size);
    for (size_t i = 0; i < s->mark_count;) {
        struct mark *m = &s->marks[i];
        struct index_entry *e = index_find(&s->index, m->storage_key);
        bool is_open = e && !e->name;
        bool found = is_open && record_mark(&s->keys, owner, size, m->storage_key, mark) == 0 &&
                     memcmp(mark, m->mark, sizeof mark) == 0 && give(s, e, owner, size);
        if (is_open && !found)
            i++;
        else
            *m = s->marks[--s->mark_count];
    }
}

#define OWN_MAX 32 /* namespaces of the enclave's own: a few */

/* Of the enclave's own. Apps' are memory.c's. */
static size_t own_namespaces(struct store *s, struct kv_namespace own[OWN_MAX])
{
    size_t count = 0;
    ENSURE(s->mark_count > 0);
    ENSURE(!s->open);
    for (size_t i = 0; i < s->index.capacity && count < OWN_MAX; i++) {
        const struct index_entry *e = &s->index.entries[i];
        if (!e->version || index_is_nameless(e) || record_owner_size(e->name, e->ns_size) < e->ns_size)
            continue;
        struct kv_namespace ns = {.store = s, .size = e->ns_size};
        memcpy(ns.name, e->name, e->ns_size);
        size_t known = 0;
        while (known < count && !kv_same_namespace(&own[known], &ns))
            known++;
        if (known == count)
            own[count++] = ns;
    }
    return count;
}

void nameless_find_owners(struct store *s)
{
    struct kv_namespace own[OWN_MAX];
    ENSURE(!s->open);
    ENSURE(s->nameless <= s->damaged);
    if (s->nameless == 0)
        nameless_forget(s);
    size_t count = s->mark_count > 0 ? own_namespaces(s, own) : 0;
    for (size_t i = 0; i < count; i++)
        nameless_find_owner(s, own[i].name, own[i].size);
    if (s->mark_count > 0)
        memory_each(s, nameless_find_owner);
}

const _Atomic uint64_t *store_lost_of(struct store *s, const struct kv_namespace *app)
{
    store_enter(s);
    ENSURE(memory_is_of_app(app->name, app->size));
    nameless_find_owner(s, app->name, app->size);
    struct holder *h = memory_holder(s, app->name, app->size);
    return h ? holder_losses(h) : NULL;
}

bool nameless_may_be_of(const struct index_entry *e, const struct kv_namespace *ns)
{
    return !e->name || ((e->found & FOUND_OWNER) && record_owner_size(ns->name, ns->size) == e->ns_size &&
                        memcmp(ns->name, e->name, e->ns_size) == 0);
}

void nameless_forget(struct store *s)
{
    free(s->marks);
    s->marks = NULL;
    s->mark_count = s->mark_room = 0;
}
