/* See owned.h. */
#include "enclave/https/owned.h"

#include <assert.h>
#include <stdlib.h>

#include "common/ensure.h"
#include "enclave/https/answer.h"

struct owned {
    struct charge charge; /* of this, and of data */
    void *data;
    struct http_pieces pieces;
};
static_assert(sizeof(struct owned) + 32 <= HTTP_OWNED_COST, "what it is charged, with malloc's own");

static void owned_free(struct owned *o)
{
    charge_give(&o->charge);
    free(o->data);
    free(o);
}

static void send_more(struct http_exchange *x, struct owned *o)
{
    if (!http_send_pieces(x, &o->pieces))
        return;
    owned_free(o);
    x->ops->finish(x, NULL, 0);
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    if (event == HTTP_EVENT_GONE)
        owned_free(user);
    else if (event == HTTP_EVENT_SPACE)
        send_more(x, user);
}

/* Takes data, NULL if it is nobody's to free, and the charge. */
static void answer(struct http_exchange *x, const struct http_field *fields, size_t count, void *data,
                   struct http_pieces pieces, struct charge *charge)
{
    http_exchange_check(x);
    ENSURE(pieces.data && pieces.sent == 0);
    struct owned *o = calloc(1, sizeof *o);
    if (!o || x->ops->respond(x, 200, fields, count, (int64_t)pieces.size) != 0) {
        free(o);
        free(data);
        charge_give(charge);
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    charge_move(&o->charge, charge);
    o->data = data;
    o->pieces = pieces;
    x->on_event = on_event;
    x->user = o;
    send_more(x, o);
}

void http_answer_owned(struct http_exchange *x, const struct http_field *fields, size_t count, void *data, size_t size,
                       struct charge *charge)
{
    ENSURE(data);
    ENSURE(charge->bytes >= size + HTTP_OWNED_COST);
    answer(x, fields, count, data, (struct http_pieces){data, size, 0}, charge);
}

void http_answer_lasting(struct http_exchange *x, const struct http_field *fields, size_t count, const void *data,
                         size_t size)
{
    struct charge none = {0};
    answer(x, fields, count, NULL, (struct http_pieces){data, size, 0}, &none);
}
