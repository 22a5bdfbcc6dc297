/*
 * What start-up writes again: of a pair of which one is whole, the other; of what has two names, the other one. All of
 * it is what the root says is there already, so that it changes nothing that the root covers, and whoever is killed in
 * between does it again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "enclave/kvstore/internal.h"
#include "enclave/thread/rpc_client.h"

struct mending {
    struct store *store;
    struct bytes_writer w; /* a transaction: count, operations */
    uint32_t count;
    uint64_t records, twins, strays;
};

static void begin(struct mending *m)
{
    m->w.size = 0;
    m->count = 0;
    bytes_append_u32(&m->w, 0);
}

/* What has gathered, to the host. */
static int send(struct mending *m)
{
    if (m->count == 0)
        return 0;
    ENSURE(!m->w.failed);
    memcpy(m->w.data, &m->count, sizeof m->count);
    int error = rpc_call_wait(m->store->owner->rpc, RPC_KV_COMMIT, m->w.data, m->w.size, NULL, NULL);
    begin(m);
    return error;
}

static int add(struct mending *m, enum kv_op_kind kind, const uint8_t *key, size_t key_size, const uint8_t *value,
               size_t size)
{
    ENSURE(kind == KV_PUT || kind == KV_DELETE);
    bytes_append_u8(&m->w, (uint8_t)kind);
    bytes_append_blob(&m->w, key, key_size);
    if (kind == KV_PUT)
        bytes_append_blob(&m->w, value, size);
    m->count++;
    return m->w.size > MEND_STEP ? send(m) : 0;
}

static bool is_what_counts(const struct index_entry *e, const struct record_sight *sight)
{
    return sight->whole && sight->version == e->version && memcmp(sight->tag, e->tag, sizeof e->tag) == 0;
}

static int write_twin(struct mending *m, const struct index_entry *e, const uint8_t *record, size_t size)
{
    struct record_name name = index_name(e);
    uint8_t key[TWIN_KEY_SIZE];
    size_t twin_size = record_twin_size(&name, size);
    uint8_t *twin = malloc(twin_size);
    if (!twin)
        return -ENOMEM;
    record_twin_key(e->storage_key, key);
    int error = record_twin(&m->store->keys, &name, e->storage_key, record, size, twin);
    if (error == 0)
        error = add(m, KV_PUT, key, sizeof key, twin, twin_size);
    free(twin);
    m->twins++;
    return error;
}

/* The host may have changed its mind since it was loaded: what is not what it was stays as it is. */
static int mend_pair(struct mending *m, struct index_entry *e, bool twin, const uint8_t *value, size_t size)
{
    bool whole = e->found & FOUND_WHOLE, twin_whole = e->found & FOUND_TWIN_WHOLE;
    bool needs_twin = !twin && whole && !(e->found & FOUND_TWIN), needs_record = twin && twin_whole && !whole;
    struct record_sight sight;
    ENSURE(e->version);
    if (!needs_twin && !needs_record)
        return 0;
    int error = record_look(&m->store->keys, e->storage_key, twin, value, size, &sight);
    if (error == 0 && is_what_counts(e, &sight) && needs_twin)
        error = write_twin(m, e, value, size);
    else if (error == 0 && is_what_counts(e, &sight)) {
        const uint8_t *record;
        size_t record_size;
        ENSURE(record_in_twin(value, size, &record, &record_size));
        error = add(m, KV_PUT, e->storage_key, STORAGE_KEY_SIZE, record, record_size);
        m->records++;
    }
    record_sight_free(&sight);
    return error;
}

static int mend_one(void *user, const uint8_t *key, size_t key_size, const uint8_t *value, size_t size)
{
    struct mending *m = user;
    uint8_t storage_key[STORAGE_KEY_SIZE];
    bool twin = record_of_twin_key(key, key_size, storage_key);
    if (!twin && key_size != STORAGE_KEY_SIZE)
        return 0;
    struct index_entry *e = index_find(&m->store->index, twin ? storage_key : key);
    if (e)
        return mend_pair(m, e, twin, value, size);
    m->strays++;
    return add(m, KV_DELETE, key, key_size, NULL, 0);
}

static bool is_readable(const struct index_entry *e)
{
    return e->version && !e->damage;
}

static bool is_wanted(const struct store *s)
{
    bool wanted = s->has_strays;
    for (size_t i = 0; !wanted && i < s->index.capacity; i++) {
        const struct index_entry *e = &s->index.entries[i];
        wanted = is_readable(e) && !(e->found & FOUND_WHOLE && e->found & FOUND_TWIN);
    }
    return wanted;
}

static void note_whole(struct store *s)
{
    for (size_t i = 0; i < s->index.capacity; i++)
        if (is_readable(&s->index.entries[i]))
            s->index.entries[i].found |= FOUND_WHOLE | FOUND_TWIN;
}

static void tell(struct store *s, const struct mending *m)
{
    struct rpc_client *rpc = s->owner->rpc;
    bool older = s->is_older;
    ENSURE(!s->open);
    ENSURE(m->store == s && m->count == 0);
    uint64_t twins = older ? 0 : m->twins;
    if (older && m->twins > 0)
        rpc_log(rpc, LOG_INFO, "store: it is from before records were kept twice: now they are (%lu)",
                (unsigned long)m->twins);
    s->mended += m->records + twins + m->strays;
    if (m->records + twins + m->strays > 0)
        rpc_log(rpc, LOG_ERROR,
                "store: %lu records and %lu second copies were changed, missing or older than acknowledged%s: they are "
                "mended from the other of the two; %lu that never were records are removed. Whatever keeps this store "
                "does not keep it well",
                (unsigned long)m->records, (unsigned long)twins, s->has_older ? " (some were put back)" : "",
                (unsigned long)m->strays);
}

int mend_all(struct store *s)
{
    store_enter(s);
    ENSURE(!s->open);
    if (!is_wanted(s))
        return 0;
    struct mending m = {.store = s, .w = bytes_writer_make(malloc(PROTO_RPC_MAX), PROTO_RPC_MAX)};
    int error = m.w.data ? 0 : -ENOMEM;
    if (error == 0) {
        begin(&m);
        error = scan_all(s, mend_one, &m);
    }
    if (error == 0)
        error = send(&m);
    free(m.w.data);
    if (error == 0) {
        note_whole(s);
        tell(s, &m);
    } else {
        rpc_log(s->owner->rpc, LOG_ERROR, "store: what is damaged cannot be mended now (error %d)", -error);
    }
    return error;
}

int mend_named(struct store *s, const char *key, const char *copy, const uint8_t *value, size_t size)
{
    uint8_t payload[4 + 2 * (COMMIT_OP_SIZE + STORE_MASTER_SIZE_MAX)];
    struct mending m = {.store = s, .w = bytes_writer_make(payload, sizeof payload)};
    static_assert(ROOT_SIZE <= STORE_MASTER_SIZE_MAX, "the root fits");
    ENSURE(strlen(key) < STORAGE_KEY_SIZE && strlen(copy) < STORAGE_KEY_SIZE);
    ENSURE(size <= STORE_MASTER_SIZE_MAX);
    begin(&m);
    int error = add(&m, KV_PUT, (const uint8_t *)key, strlen(key), value, size);
    if (error == 0)
        error = add(&m, KV_PUT, (const uint8_t *)copy, strlen(copy), value, size);
    return error == 0 ? send(&m) : error;
}
