/* See log_public.h. */
#include "enclave/service/log_public.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/budget/budget.h"
#include "enclave/https/answer.h"
#include "enclave/https/exchange.h"
#include "enclave/https/owned.h"
#include "enclave/service/system.h"

static struct budget memory; /* boot makes it */

void log_public_open(void)
{
    budget_init(&memory, "log", NULL, LOG_MEMORY);
}

/* ---- what a path names ------------------------------------------------------------------------------------------ */

static bool skip(struct http_text *t, const char *literal)
{
    size_t size = strlen(literal);
    if (t->size < size || memcmp(t->data, literal, size) != 0)
        return false;
    t->data += size;
    t->size -= size;
    return true;
}

static bool three_digits(struct http_text *t, uint64_t *n)
{
    uint64_t value = 0;
    if (t->size < 3)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (t->data[i] < '0' || t->data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(t->data[i] - '0');
    }
    t->data += 3;
    t->size -= 3;
    *n = *n * 1000 + value;
    return true;
}

/* Groups of three digits, all but the last behind an x: "x001/x234/067". */
static bool take_index(struct http_text *t, uint64_t *index)
{
    *index = 0;
    for (unsigned groups = 0; skip(t, "x"); groups++)
        if (groups == 5 || !three_digits(t, index) || !skip(t, "/") || *index == 0)
            return false; /* as large as it gets, or with zeros in front */
    return three_digits(t, index);
}

/* 1 to 255, without zeros in front, and nothing behind. */
static bool take_width(struct http_text t, unsigned *width)
{
    *width = 0;
    if (t.size == 0 || t.size > 3 || t.data[0] == '0')
        return false;
    for (size_t i = 0; i < t.size; i++) {
        if (t.data[i] < '0' || t.data[i] > '9')
            return false;
        *width = *width * 10 + (unsigned)(t.data[i] - '0');
    }
    return *width < MERKLE_TILE_WIDTH;
}

bool log_public_part(struct http_text rest, struct history_part *part)
{
    *part = (struct history_part){.width = MERKLE_TILE_WIDTH};
    if (!skip(&rest, "tile/"))
        return false;
    if (skip(&rest, "entries/")) {
        part->kind = HISTORY_ENTRIES;
    } else {
        if (rest.size < 2 || rest.data[0] < '0' || rest.data[0] >= '0' + (char)MERKLE_TILE_LEVELS)
            return false;
        part->kind = HISTORY_TILE;
        part->level = (unsigned)(rest.data[0] - '0');
        rest.data++;
        rest.size--;
        if (!skip(&rest, "/"))
            return false;
    }
    if (!take_index(&rest, &part->index))
        return false;
    return rest.size == 0 || (skip(&rest, ".p/") && take_width(rest, &part->width));
}

/* ---- its answer ------------------------------------------------------------------------------------------------- */

/* From the request until its part was read. */
struct log_request {
    struct http_exchange *x; /* NULL: the client is gone */
    struct charge charge;    /* of this, and of what is read */
};

static void request_free(struct log_request *r)
{
    charge_give(&r->charge);
    free(r);
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    struct log_request *r = user;
    (void)x;
    if (event == HTTP_EVENT_GONE)
        r->x = NULL;
}

static void refuse(struct log_request *r, int status, const char *why)
{
    struct http_exchange *x = r->x;
    request_free(r);
    x->ops->fail(x, status, why);
}

#define NO_ROOM "too many read the log at once"

/* What the store's answer means to the client; NULL: there is a part. */
static const char *read_error(int error, int *status)
{
    *status = error == -ENOENT ? 404 : error == -ENOMEM ? 503 : 500;
    return error == 0         ? NULL
           : error == -ENOENT ? "the log has no such part, or not yet"
           : error == -ENOMEM ? HTTP_NO_MEMORY
                              : "the store does not give the log as it was written";
}

static void on_read(void *user, int error, uint8_t *data, size_t size)
{
    /* It never changes: a part of so many hashes or entries stays what it is, however long the log becomes. */
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("application/octet-stream")},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("max-age=31536000, immutable")}};
    struct log_request *r = user;
    int status;
    const char *why = read_error(error, &status);
    ENSURE(r->charge.bytes > 0);
    ENSURE(why || data);
    if (r->x && !why && charge_resize(&r->charge, r->charge.bytes + size + HTTP_OWNED_COST)) {
        http_answer_owned(r->x, fields, 2, data, size, &r->charge);
        request_free(r);
        return;
    }
    free(data);
    if (!r->x)
        request_free(r);
    else if (why)
        refuse(r, status, why);
    else
        refuse(r, 503, NO_ROOM);
}

static void answer_part(struct http_exchange *x, const struct history_part *part)
{
    http_exchange_check(x);
    struct log_request *r = calloc(1, sizeof *r);
    if (!r) {
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    r->x = x;
    charge_open(&r->charge, &memory);
    if (!charge_resize(&r->charge, sizeof *r + HISTORY_READ_COST)) {
        refuse(r, 503, NO_ROOM);
        return;
    }
    if (history_read(x->worker, enclave_system.history, part, on_read, r) < 0) {
        refuse(r, 503, HTTP_NO_MEMORY);
        return;
    }
    x->on_event = on_event;
    x->user = r;
}

static void answer_checkpoint(struct http_exchange *x)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("text/plain; charset=utf-8")},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")}};
    static _Thread_local char text[HISTORY_CHECKPOINT_MAX]; /* too large for a stack */
    http_exchange_check(x);
    size_t size = history_checkpoint(enclave_system.history, text, NULL);
    ENSURE(size > 0 && size <= sizeof text);
    struct charge charge = {0};
    if (!charge_take(&charge, &memory, size + HTTP_OWNED_COST)) {
        x->ops->fail(x, 503, NO_ROOM);
        return;
    }
    uint8_t *copy = malloc(size);
    if (!copy) {
        charge_give(&charge);
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    memcpy(copy, text, size);
    http_answer_owned(x, fields, 2, copy, size, &charge);
}

void log_public_answer(struct http_exchange *x, struct http_text rest)
{
    static const char checkpoint[] = "checkpoint";
    struct history_part part;
    http_exchange_check(x);
    if (rest.size == sizeof checkpoint - 1 && memcmp(rest.data, checkpoint, rest.size) == 0)
        answer_checkpoint(x);
    else if (log_public_part(rest, &part))
        answer_part(x, &part);
    else
        x->ops->fail(x, 404, "the log has checkpoint, tile/L/N and tile/entries/N, as C2SP's tlog-tiles has them");
}
