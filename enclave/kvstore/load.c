/*
 * Loading: the host hands over all that it has; of each record it is learned from it and from its twin what it is, and
 * then whether all of them are what the sealed root says. damage.h says what is concluded from what, and why.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"

static bool take_name(struct index_entry *e, const struct record_name *name)
{
    ENSURE(!e->name);
    ENSURE(name->ns_size <= KV_NAMESPACE_MAX && name->key_size <= KV_KEY_MAX); /* sealed by us, so ours */
    e->name = malloc(name->ns_size + name->key_size + 1u);
    if (!e->name)
        return false;
    memcpy(e->name, name->ns, name->ns_size);
    memcpy(e->name + name->ns_size, name->key, name->key_size);
    e->ns_size = name->ns_size;
    e->key_size = name->key_size;
    return true;
}

static bool same_fact(const struct index_entry *e, const struct record_sight *sight)
{
    return e->version == sight->version && memcmp(e->tag, sight->tag, sizeof e->tag) == 0;
}

/* What it says is what counts from now on. */
static void take_fact(struct index_entry *e, const struct record_sight *sight)
{
    ENSURE(sight->claimed);
    ENSURE(sight->version != 0 && sight->version != UINT64_MAX);
    e->version = sight->version;
    memcpy(e->tag, sight->tag, sizeof e->tag);
    e->size = (uint32_t)sight->size;
    e->found &= FOUND_RECORD | FOUND_OLDER;
    e->found |= sight->authentic ? FOUND_AUTHENTIC : 0;
}

/* A twin from before there were marks has none, and that is right. */
static bool has_right_mark(const struct store *s, const uint8_t storage_key[STORAGE_KEY_SIZE],
                           const struct record_sight *sight)
{
    const struct record_name *name = &sight->opened.name;
    uint8_t mark[MARK_SIZE];
    ENSURE(sight->authentic && sight->opened.plain);
    return !sight->marked ||
           (record_mark(&s->keys, name->ns, record_owner_size(name->ns, name->ns_size), storage_key, mark) == 0 &&
            memcmp(mark, sight->mark, sizeof mark) == 0);
}

/* Of what is authentic the newest; of what is not, the record rather than the twin. */
static void weigh(struct store *s, struct index_entry *e, bool twin, const struct record_sight *sight)
{
    bool first = e->version == UINT64_MAX, proven = !first && (e->found & FOUND_AUTHENTIC);
    bool newer = proven && sight->authentic && sight->version > e->version;
    ENSURE(sight->claimed && !s->open);
    ENSURE(!sight->whole || sight->authentic);
    if (proven && sight->authentic && sight->version != e->version) {
        e->found |= FOUND_OLDER;
        s->has_older = true;
    }
    if (first || newer || (!proven && (sight->authentic || !twin)))
        take_fact(e, sight);
    if (!sight->authentic || !same_fact(e, sight))
        return;
    bool is_right = twin && has_right_mark(s, e->storage_key, sight);
    e->found |= twin ? (is_right ? FOUND_TWIN : 0) | (sight->whole ? FOUND_TWIN_WHOLE : 0) : FOUND_WHOLE;
}

static int take_sight(struct store *s, const uint8_t storage_key[STORAGE_KEY_SIZE], bool twin,
                      const struct record_sight *sight)
{
    bool known = index_find(&s->index, storage_key);
    ENSURE(!s->open);
    ENSURE(sight->claimed || !sight->authentic);
    if (sight->marked && !sight->opened.plain && nameless_note(s, storage_key, sight->mark) < 0)
        return -ENOMEM;
    if (!known && !sight->claimed) { /* there is nothing to be remembered of it; its other half may come yet */
        s->has_strays = true;
        return 0;
    }
    struct index_entry *e = index_put(&s->index, storage_key);
    if (!e)
        return -ENOMEM;
    e->found |= twin ? 0 : FOUND_RECORD;
    if (sight->claimed)
        weigh(s, e, twin, sight);
    return e->name || !sight->opened.plain || take_name(e, &sight->opened.name) ? 0 : -ENOMEM;
}

static int load_one(void *user, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    struct store *s = user;
    uint8_t storage_key[STORAGE_KEY_SIZE];
    bool twin = record_of_twin_key(key, key_size, storage_key);
    ENSURE(!s->open && s->damaged == 0);
    ENSURE(value || size == 0);
    if (!twin && key_size != STORAGE_KEY_SIZE)
        return 0; /* one that has a name, or none of ours */
    struct record_sight sight;
    int error = record_look(&s->keys, twin ? storage_key : key, twin, value, size, &sight);
    if (error == 0)
        error = take_sight(s, twin ? storage_key : key, twin, &sight);
    record_sight_free(&sight);
    return error;
}

int load_all(struct store *s)
{
    store_enter(s);
    ENSURE(s->index.count == 0 && s->damaged == 0);
    s->has_older = s->has_strays = false;
    return scan_all(s, load_one, s);
}

/* ---- whether it adds up ------------------------------------------------------------------------------------------ */

static bool is_sealed(const struct store *s, const struct root *sealed)
{
    return s->root.count == sealed->count && CRYPTO_memcmp(s->root.digest, sealed->digest, 32) == 0;
}

/* Nothing of it is authentic, not even a name: it need not be a record at all. */
static bool is_doubtful(const struct index_entry *e)
{
    return !(e->found & FOUND_AUTHENTIC) && !e->name;
}

static int add_up(struct store *s, bool doubtful, struct root *sum)
{
    *sum = (struct root){.epoch = s->root.epoch};
    for (size_t i = 0; i < s->index.capacity; i++) {
        const struct index_entry *e = &s->index.entries[i];
        if (e->version && (doubtful || !is_doubtful(e)) &&
            root_digest(&s->keys, sum, e->storage_key, e->version, e->tag, 1) < 0)
            return -EIO;
    }
    return 0;
}

/* The table moves entries about when one goes: so until a walk finds none. */
static void forget_doubtful(struct store *s)
{
    ENSURE(s->root.count <= s->index.count);
    for (size_t i = 0; s->index.count > s->root.count;) {
        struct index_entry *e = &s->index.entries[i];
        if (e->version && is_doubtful(e))
            index_remove(&s->index, e);
        else
            i = i + 1 < s->index.capacity ? i + 1 : 0;
    }
    s->has_strays = true;
}

/* What was concluded of each: all facts are right now. */
static void conclude(struct store *s, struct index_entry *e)
{
    bool lost = !(e->found & (FOUND_WHOLE | FOUND_TWIN_WHOLE));
    ENSURE(e->version && e->version != UINT64_MAX);
    ENSURE(e->name || lost);
    if (e->name) {
        struct record_name name = index_name(e);
        e->size = (uint32_t)record_disk_size(&name, e->size);
        memory_charge(s, e);
    }
    s->nameless += !e->name;
    if (lost)
        damage_set(s, e,
                   !(e->found & FOUND_RECORD) ? DAMAGE_MISSING
                   : (e->found & FOUND_OLDER) ? DAMAGE_OLDER
                                              : DAMAGE_CHANGED);
}

bool load_adds_up(struct store *s, const struct root *sealed)
{
    store_enter(s);
    ENSURE(!s->open);
    if (add_up(s, true, &s->root) < 0)
        return false;
    if (!is_sealed(s, sealed)) {
        if (add_up(s, false, &s->root) < 0 || !is_sealed(s, sealed))
            return false;
        forget_doubtful(s);
    }
    ENSURE(s->root.count == s->index.count);
    s->is_older = true;
    for (size_t i = 0; i < s->index.capacity; i++) {
        struct index_entry *e = &s->index.entries[i];
        if (!e->version)
            continue;
        conclude(s, e);
        s->is_older = s->is_older && !(e->found & FOUND_TWIN);
    }
    nameless_find_owners(s);
    return true;
}
