/*
 * Loading: the host hands over all its records, in pages; each is opened and counted into the root that they make.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "enclave/kvstore/internal.h"
#include "enclave/thread/rpc_client.h"

static bool take_name(struct store *s, struct index_entry *e, const struct record_name *name)
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
    memory_charge(s, e);
    return true;
}

static int load_record(struct store *s, const uint8_t *storage_key, const uint8_t *record, size_t size)
{
    uint64_t version;
    uint8_t tag[16];
    if (record_claims(record, size, &version, tag) < 0)
        return -EBADMSG;
    if (index_find(&s->index, storage_key))
        return -EBADMSG; /* the host lists it twice */
    struct index_entry *e = index_put(&s->index, storage_key);
    if (!e)
        return -ENOMEM;
    e->version = version;
    memcpy(e->tag, tag, 16);
    e->size = (uint32_t)size;
    struct record_opened opened;
    int error = record_open(&s->keys, storage_key, version, record, size, &opened);
    if (error < 0 && error != -EBADMSG) {
        record_opened_free(&opened);
        return error;
    }
    e->damaged = error < 0;
    s->damaged += e->damaged;
    s->nameless += !opened.plain;
    bool ok = !opened.plain || take_name(s, e, &opened.name);
    record_opened_free(&opened);
    return !ok ? -ENOMEM : root_digest(&s->keys, &s->root, storage_key, version, tag, 1);
}

static bool ascends(const uint8_t *key, size_t size, const uint8_t *before, size_t before_size)
{
    int order = memcmp(key, before, size < before_size ? size : before_size);
    return order > 0 || (order == 0 && size > before_size);
}

/* Where a page ended: the next one begins behind it. */
struct position {
    uint8_t key[SCAN_KEY_MAX];
    uint32_t key_size;
    bool more;
};

/* One page of RPC_KV_SCAN. Keys must ascend, as in any ordered map: otherwise a host could go on for ever. */
static int load_page(struct store *s, const uint8_t *page, size_t page_size, struct position *p)
{
    struct bytes_reader r = bytes_reader_make(page, page_size);
    uint32_t count = bytes_take_u32(&r);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        size_t key_size, size;
        const uint8_t *key = bytes_take_blob(&r, &key_size), *record = bytes_take_blob(&r, &size);
        if (r.failed || key_size > SCAN_KEY_MAX || !ascends(key, key_size, p->key, p->key_size))
            return -EBADMSG;
        memcpy(p->key, key, key_size);
        p->key_size = (uint32_t)key_size;
        int error = key_size == STORAGE_KEY_SIZE ? load_record(s, key, record, size) : 0;
        if (error < 0)
            return error;
    }
    p->more = bytes_take_u8(&r);
    return !bytes_reader_complete(&r) || (p->more && count == 0) ? -EBADMSG : 0;
}

static int fetch_page(struct store *s, const struct position *p, uint8_t **page, size_t *size)
{
    uint8_t request[4 + 4 + SCAN_KEY_MAX + 8];
    struct bytes_writer w = bytes_writer_make(request, sizeof request);
    bytes_append_blob(&w, NULL, 0);
    bytes_append_blob(&w, p->key, p->key_size);
    bytes_append_u32(&w, SCAN_PAGE_RECORDS_MAX);
    bytes_append_u32(&w, SCAN_PAGE_MAX);
    return rpc_call_wait(s->owner->rpc, RPC_KV_SCAN, request, w.size, page, size);
}

int load_all(struct store *s)
{
    store_enter(s);
    ENSURE(s->index.count == 0);
    struct position p = {.more = true};
    while (p.more) {
        uint8_t *page;
        size_t size;
        int error = fetch_page(s, &p, &page, &size);
        if (error < 0)
            return error;
        error = load_page(s, page, size, &p);
        free(page);
        if (error < 0)
            return error;
    }
    return 0;
}

int store_is_empty(struct store *s)
{
    store_enter(s);
    ENSURE(!s->open);
    uint8_t *page;
    size_t size;
    int error = fetch_page(s, &(struct position){0}, &page, &size);
    if (error < 0)
        return error;
    /* No record, and none behind: a record too large for a page is one, too. */
    static const uint8_t nothing[5];
    bool empty = size == sizeof nothing && memcmp(page, nothing, sizeof nothing) == 0;
    free(page);
    return empty;
}
