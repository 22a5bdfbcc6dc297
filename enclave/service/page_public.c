/* See page_public.h. */
#include "enclave/service/page_public.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/budget/budget.h"
#include "enclave/history/read.h"
#include "enclave/https/answer.h"
#include "enclave/https/owned.h"
#include "enclave/page/page.h"
#include "enclave/service/generation.h"
#include "enclave/service/limits.h"
#include "enclave/service/system.h"

static struct budget memory; /* boot makes it */

void page_public_open(void)
{
    budget_init(&memory, "page", NULL, PAGE_MEMORY);
}

/* It loads nothing from elsewhere, runs nothing but its own file, makes no markup of texts, and nobody frames it. */
#define POLICY                                                                                                   \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action " \
    "'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
#define NOSNIFF                                                   \
    {                                                             \
        HTTP_TEXT("x-content-type-options"), HTTP_TEXT("nosniff") \
    }
#define NO_ROOM "too many read this page at once"

/* From the request until the newest of the history was read. */
struct page_request {
    struct http_exchange *x;       /* NULL: the client is gone */
    struct charge charge;          /* PAGE_COST */
    struct generation *generation; /* counted */
    uint64_t log_size, next;       /* the first entry that was not read yet */
    json_t *entries;
    char authority[264];
};

static void request_free(struct page_request *r)
{
    charge_give(&r->charge);
    http_site_unref(&r->generation->site);
    json_decref(r->entries);
    free(r);
}

static void refuse(struct page_request *r, int status, const char *why)
{
    struct http_exchange *x = r->x;
    request_free(r);
    if (x)
        x->ops->fail(x, status, why);
}

static char *render(const struct page_request *r, size_t *size)
{
    const struct generation *g = r->generation;
    ENSURE(r->next == r->log_size); /* all entries are there */
    struct page_leaf *leaves = calloc(g->manifest.count, sizeof *leaves);
    const struct page_leaf *instance = NULL;
    for (size_t i = 0; leaves && i < g->manifest.count; i++) {
        const struct manifest_leaf *leaf = &g->manifest.leaves[i];
        leaves[i] = (struct page_leaf){leaf->label, leaf->value, leaf->size};
        if (strcmp(leaf->label, "instance") == 0)
            instance = &leaves[i];
    }
    if (!leaves)
        return NULL;
    ENSURE(instance && instance->size == 32);
    const struct page_facts facts = {.leaves = leaves,
                                     .leaf_count = g->manifest.count,
                                     .generation = g->site.number,
                                     .instance = instance->value,
                                     .root = g->root,
                                     .entries = r->entries,
                                     .log_size = r->log_size,
                                     .authority = r->authority};
    char *page = page_render(&facts, size);
    free(leaves);
    return page;
}

static void answer(struct page_request *r)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("text/html; charset=utf-8")},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")},
                                               {HTTP_TEXT("content-security-policy"), HTTP_TEXT(POLICY)},
                                               {HTTP_TEXT("referrer-policy"), HTTP_TEXT("no-referrer")},
                                               NOSNIFF};
    size_t size;
    http_exchange_check(r->x);
    char *page = render(r, &size);
    if (!page) {
        refuse(r, 503, HTTP_NO_MEMORY);
        return;
    }
    ENSURE(size + HTTP_OWNED_COST <= r->charge.bytes);
    charge_resize(&r->charge, size + HTTP_OWNED_COST); /* less than it was */
    http_answer_owned(r->x, fields, sizeof fields / sizeof *fields, page, size, &r->charge);
    request_free(r);
}

/* Of a bundle, those that the page shows: each behind its size in two bytes. 0, -EBADMSG or -ENOMEM. */
static int take_entries(struct page_request *r, uint64_t first, const uint8_t *data, size_t size)
{
    const uint8_t *at = data, *end = data + size;
    ENSURE(first <= r->next);
    ENSURE(json_array_size(r->entries) < PAGE_ENTRIES_MAX);
    for (uint64_t index = first; at < end; index++) {
        size_t length = end - at >= 2 ? (size_t)at[0] << 8 | at[1] : SIZE_MAX;
        if (length > (size_t)(end - at) - 2)
            return -EBADMSG;
        if (index == r->next) {
            json_t *entry = json_loadb((const char *)at + 2, length, 0, NULL);
            if (!entry || json_array_append_new(r->entries, entry) < 0)
                return entry ? -ENOMEM : -EBADMSG;
            r->next++;
        }
        at += 2 + length;
    }
    return 0;
}

static void read_next(struct page_request *r);

static void on_read(void *user, int error, uint8_t *data, size_t size)
{
    struct page_request *r = user;
    uint64_t before = r->next;
    ENSURE(error < 0 || data);
    ENSURE(r->next < r->log_size);
    if (error == 0)
        error = take_entries(r, before / MERKLE_TILE_WIDTH * MERKLE_TILE_WIDTH, data, size);
    free(data);
    if (error == 0 && r->next == before)
        error = -EBADMSG;
    if (!r->x)
        request_free(r);
    else if (error < 0)
        refuse(r, error == -ENOMEM ? 503 : 500,
               error == -ENOMEM ? HTTP_NO_MEMORY : "the store does not give the log as it was written");
    else if (r->next < r->log_size)
        read_next(r);
    else
        answer(r);
}

static void read_next(struct page_request *r)
{
    uint64_t index = r->next / MERKLE_TILE_WIDTH, left = r->log_size - index * MERKLE_TILE_WIDTH;
    const struct history_part part = {.kind = HISTORY_ENTRIES,
                                      .index = index,
                                      .width = left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH};
    if (history_read(r->x->worker, enclave_system.history, &part, on_read, r) < 0)
        refuse(r, 503, HTTP_NO_MEMORY);
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    struct page_request *r = user;
    (void)x;
    if (event == HTTP_EVENT_GONE)
        r->x = NULL;
}

void page_public_answer(struct http_exchange *x)
{
    http_exchange_check(x);
    struct charge charge = {0};
    if (!charge_take(&charge, &memory, PAGE_COST)) {
        x->ops->fail(x, 503, NO_ROOM);
        return;
    }
    struct page_request *r = calloc(1, sizeof *r);
    json_t *entries = r ? json_array() : NULL;
    if (!entries) {
        charge_give(&charge);
        free(r);
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    charge_move(&r->charge, &charge);
    r->x = x;
    r->entries = entries;
    r->generation = generation_of(http_site_ref(x->site));
    r->log_size = history_head(enclave_system.history).size;
    r->next = r->log_size > PAGE_ENTRIES_MAX ? r->log_size - PAGE_ENTRIES_MAX : 0;
    http_header(x, "host", r->authority, sizeof r->authority);
    ENSURE(r->log_size > 0); /* boot is in it */
    x->on_event = on_event;
    x->user = r;
    read_next(r);
}

void page_public_style(struct http_exchange *x)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("text/css; charset=utf-8")},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("no-cache")},
                                               NOSNIFF};
    http_answer_lasting(x, fields, sizeof fields / sizeof *fields, page_style, page_style_size);
}

void page_public_script(struct http_exchange *x)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("text/javascript; charset=utf-8")},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("no-cache")},
                                               NOSNIFF};
    http_answer_lasting(x, fields, sizeof fields / sizeof *fields, page_script, page_script_size);
}
