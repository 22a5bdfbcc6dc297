/*
 * Records from the other side's host into ours, page by page. All of them are sealed under a key that neither host has:
 * whatever is wrong with them is found when the store is opened, and nothing of it is looked at here. See taker.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/handover/taker.h"
#include "enclave/kvstore/raw.h"
#include "enclave/service/system.h"
#include "enclave/thread/worker.h"

/* Where a page ended. */
struct place {
    uint8_t key[SCAN_KEY_MAX];
    size_t size;
};

static int compare(const void *a, size_t a_size, const void *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

/* The records of one page, in their order. */
struct batch {
    struct handover_record *records;
    size_t count;
};

/* -EBADMSG unless its keys ascend from there on: so it ends. */
static int read_batch(struct handover_page *page, struct place *place, struct batch *out)
{
    struct handover_page rest = *page;
    struct handover_record r;
    int more;
    *out = (struct batch){.records = calloc(SCAN_PAGE_RECORDS_MAX + 1, sizeof *out->records)};
    if (!out->records)
        return -ENOMEM;
    while ((more = handover_next_record(&rest, &r)) == 1) {
        if (out->count == SCAN_PAGE_RECORDS_MAX || compare(r.key.data, r.key.size, place->key, place->size) <= 0)
            return -EBADMSG;
        memcpy(place->key, r.key.data, r.key.size);
        place->size = r.key.size;
        out->records[out->count++] = r;
    }
    return more < 0 ? more : page->more && out->count == 0 ? -EBADMSG : 0;
}

static int put_batch(const struct batch *b)
{
    size_t count = 0;
    struct raw_op *ops = calloc(b->count + 1, sizeof *ops);
    if (!ops)
        return -ENOMEM;
    for (size_t i = 0; i < b->count; i++)
        if (b->records[i].value.data)
            ops[count++] = (struct raw_op){KV_PUT, b->records[i].key.data, b->records[i].key.size,
                                           b->records[i].value.data, b->records[i].value.size};
    int error = count ? raw_commit_wait(enclave_system.owner, ops, count) : 0;
    free(ops);
    return error;
}

/* What we are to keep, whatever the other side has. */
static bool is_own(const struct raw_record *r)
{
    return r->key_size == strlen(TAKER_STATE_KEY) && memcmp(r->key, TAKER_STATE_KEY, r->key_size) == 0;
}

static bool has(const struct batch *b, const struct raw_record *r)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct handover_bytes *key = &b->records[middle].key;
        int order = compare(key->data, key->size, r->key, r->key_size);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Of one page of ours: what the batch, which is all of the other side's up to last, has not. last NULL: to the end.
 * 1: there may be more; 0: that was all; or a negative errno. */
static int prune_page(struct raw_page *page, const struct batch *b, const struct place *last, struct place *at)
{
    struct raw_record r;
    struct raw_op *ops = calloc(page->count + 1u, sizeof *ops);
    size_t count = 0;
    bool over = !page->more;
    if (!ops)
        return -ENOMEM;
    while (raw_page_next(page, &r)) {
        if (last && compare(r.key, r.key_size, last->key, last->size) > 0) {
            over = true;
            break;
        }
        memcpy(at->key, r.key, r.key_size);
        at->size = r.key_size;
        if (!is_own(&r) && !has(b, &r))
            ops[count++] = (struct raw_op){KV_DELETE, r.key, r.key_size, NULL, 0};
    }
    int error = count ? raw_commit_wait(enclave_system.owner, ops, count) : 0;
    free(ops);
    return error < 0 ? error : !over;
}

static int prune(const struct batch *b, const struct place *from, const struct place *last)
{
    struct place at = *from;
    int more = 1;
    while (more == 1) {
        uint8_t *bytes = NULL;
        size_t size = 0;
        struct raw_page page;
        struct place before = at;
        more = raw_scan_wait(enclave_system.owner, at.key, at.size, &bytes, &size);
        if (more == 0)
            more = raw_page_read(bytes, size, &page) ? prune_page(&page, b, last, &at) : -EBADMSG;
        if (more == 1 && compare(at.key, at.size, before.key, before.size) <= 0)
            more = -EBADMSG; /* our host goes round and round */
        free(bytes);
    }
    return more;
}

/* One page: 1, there are more; 0, that was the last one. */
static int take_page(const uint8_t *plain, size_t size, struct place *place, uint64_t *epoch)
{
    struct handover_page page;
    struct batch b = {0};
    struct place from = *place;
    if (!handover_read_page(plain, size, &page))
        return -EBADMSG;
    *epoch = page.epoch;
    int error = read_batch(&page, place, &b);
    if (error == 0)
        error = put_batch(&b);
    if (error == 0)
        error = prune(&b, &from, page.more ? place : NULL);
    free(b.records);
    return error < 0 ? error : page.more;
}

int taker_copy(struct taker *t, uint64_t since, uint64_t *epoch, int *status, char *why, size_t why_size)
{
    struct place place = {.size = 0};
    uint64_t first = 0, ignored;
    int more = 1;
    for (bool is_first = true; more == 1; is_first = false) {
        uint8_t *plain;
        size_t size;
        const struct handover_asked asked = {HANDOVER_ASK_RECORDS, since, {place.key, place.size}};
        int error = taker_ask(t, &asked, &plain, &size, status, why, why_size);
        if (error < 0)
            return error;
        more = take_page(plain, size, &place, is_first ? &first : &ignored);
        free(plain);
    }
    if (more == -ENOSPC)
        snprintf(why, why_size, "this host has no room left for the records (error %d)", -more);
    else if (more == -ENOMEM)
        snprintf(why, why_size, "out of memory");
    else if (more < 0)
        snprintf(why, why_size, "what is given of its records, or of ours, cannot be used (error %d)", -more);
    *epoch = first;
    return more == -EBADMSG ? -EAGAIN : more;
}
