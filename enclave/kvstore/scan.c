/* All that the host has, in pages. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/hex.h"
#include "enclave/kvstore/internal.h"
#include "enclave/thread/rpc_client.h"

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

/* No record of ours is that large, so this is none, and an honest host does not list it; what cannot be walked over
 * ends the start. By its key somebody can find it, and remove it. */
static int refuse(struct store *s, const char *what, const uint8_t *key, size_t size)
{
    char hex[2 * SCAN_KEY_MAX + 1];
    hex_text(key, size < SCAN_KEY_MAX ? size : SCAN_KEY_MAX, hex);
    rpc_log(s->owner->rpc, LOG_ERROR,
            "store: %s %s (hexadecimal): it never was ours: have it removed, or put back another copy of the folder",
            what, hex);
    return -EBADMSG;
}

/* One page of RPC_KV_SCAN. Keys must ascend, as in any ordered map: otherwise a host could go on for ever. */
static int take_page(struct store *s, const uint8_t *page, size_t page_size, struct position *p, scan_each each,
                     void *user)
{
    struct bytes_reader r = bytes_reader_make(page, page_size);
    uint32_t count = bytes_take_u32(&r);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        size_t key_size, size;
        const uint8_t *key = bytes_take_blob(&r, &key_size), *record = bytes_take_blob(&r, &size);
        if (!r.failed && key_size > SCAN_KEY_MAX)
            return refuse(s, "there is a key that is longer than any, which begins with", key, key_size);
        if (r.failed || !ascends(key, key_size, p->key, p->key_size))
            return -EBADMSG;
        memcpy(p->key, key, key_size);
        p->key_size = (uint32_t)key_size;
        int error = each(user, key, key_size, record, size);
        if (error < 0)
            return error;
    }
    p->more = bytes_take_u8(&r);
    if (!bytes_reader_complete(&r))
        return -EBADMSG;
    return p->more && count == 0
               ? refuse(s, "there is a record that is larger than any, with the key after", p->key, p->key_size)
               : 0;
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

int scan_all(struct store *s, scan_each each, void *user)
{
    store_enter(s);
    ENSURE(!s->open && each);
    struct position p = {.more = true};
    while (p.more) {
        uint8_t *page;
        size_t size;
        int error = fetch_page(s, &p, &page, &size);
        if (error < 0)
            return error;
        error = take_page(s, page, size, &p, each, user);
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
