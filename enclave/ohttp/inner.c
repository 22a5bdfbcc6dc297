/* See inner.h. */
#include <errno.h>
#include <string.h>

#include "common/container.h"
#include "enclave/https/answer.h"
#include "enclave/ohttp/internal.h"

#define GATHERED_FIRST 4096u
#define LOOKED_AT_NS UINT64_C(1000000000)

/* ---- what comes -------------------------------------------------------------------------------------------------- */

struct inner *inner_new(struct http_server *server, struct http_exchange *outer, struct budget *memory)
{
    http_exchange_check(outer);
    ENSURE(server && memory);
    struct inner *i = charged_calloc(outer->transport ? outer->transport->memory : NULL, sizeof *i);
    if (!i)
        return NULL;
    i->server = server;
    i->outer = outer;
    i->all = memory;
    budget_init_shared(&i->memory, "an encrypted request", memory);
    return i;
}

uint8_t *inner_room(struct inner *i, size_t *size, int *status)
{
    inner_check(i);
    ENSURE(i->state == INNER_GATHERS);
    if (i->size == i->capacity) {
        size_t capacity = i->capacity ? 2 * i->capacity : GATHERED_FIRST;
        if (capacity > OHTTP_REQUEST_MAX + 1)
            capacity = OHTTP_REQUEST_MAX + 1; /* a byte more shows that it is too long */
        *status = i->size > OHTTP_REQUEST_MAX ? 413 : 503;
        uint8_t *grown = i->size > OHTTP_REQUEST_MAX ? NULL : charged_realloc(&i->memory, i->data, capacity);
        if (!grown)
            return NULL;
        i->data = grown;
        i->capacity = capacity;
    }
    *size = i->capacity - i->size;
    return i->data + i->size;
}

void inner_took(struct inner *i, size_t size)
{
    ENSURE(size <= i->capacity - i->size);
    i->size += size;
    inner_check(i);
}

uint8_t *inner_data(struct inner *i, size_t *size)
{
    inner_check(i);
    *size = i->size;
    return i->data;
}

/* ---- while it is answered ---------------------------------------------------------------------------------------- */

/* Who answers lets go of it. */
static void tell_gone(struct inner *i)
{
    if (i->state == INNER_ANSWERS && i->x.on_event)
        i->x.on_event(&i->x, HTTP_EVENT_GONE, i->x.user);
    i->x.on_event = NULL;
}

/* Not from inside an operation of its own. */
static void answer_instead(struct inner *i)
{
    inner_check(i);
    ENSURE(i->state == INNER_ANSWERS && i->refused);
    const struct inner_refusal refusal = {.status = i->refused, .why = i->refused_why};
    tell_gone(i);
    inner_refuse(i, &refusal);
    inner_send(i);
}

/* Connections of a site whose time is over are cut; this is not on one of them. */
static void on_timer(struct loop_timer *timer)
{
    struct inner *i = CONTAINER_OF(timer, struct inner, timer);
    struct loop *loop = &i->outer->worker->loop;
    ENSURE(loop_timer_start(loop, timer, loop->now_ns + LOOKED_AT_NS) == 0); /* first of all: its place is there */
    inner_check(i);
    ENSURE(i->state == INNER_ANSWERS);
    if (!i->refused && http_site_is_over(i->site, loop->now_ns) && !i->x.spared) {
        i->refused = 503;
        i->refused_why = "what this was encrypted to is served no more: ask for its key anew";
    }
    if (i->refused)
        answer_instead(i);
}

static void on_event(struct http_exchange *outer, enum http_event event, void *user)
{
    struct inner *i = user;
    ENSURE(i->outer == outer);
    if (event == HTTP_EVENT_GONE) {
        tell_gone(i);
        inner_free(i);
    } else if (event == HTTP_EVENT_SPACE && i->state == INNER_SENDS) {
        inner_send_more(i);
    }
}

/* ---- in between -------------------------------------------------------------------------------------------------- */

void inner_begin(struct inner *i, struct http_site *site, const struct ohttp_answer *answer, uint8_t *plain,
                 size_t plain_size)
{
    struct inner_refusal refusal = {0};
    struct loop *loop = &i->outer->worker->loop;
    inner_check(i);
    ENSURE(i->state == INNER_GATHERS && site);
    i->site = site;
    i->state = INNER_ANSWERS;
    i->answer = *answer;
    i->timer.fn = on_timer;
    i->outer->on_event = on_event;
    i->outer->user = i;
    i->transport = (struct transport){
        .memory = i->outer->transport ? i->outer->transport->memory : NULL, .site = site, .peer = i->outer->peer};
    i->x = (struct http_exchange){.ops = &inner_ops,
                                  .worker = i->outer->worker,
                                  .site = site,
                                  .transport = &i->transport,
                                  .peer = i->outer->peer,
                                  .request = {.minor = 1}};
    if (loop_timer_start(loop, &i->timer, loop->now_ns + LOOKED_AT_NS) < 0)
        refusal = (struct inner_refusal){.status = 503, .why = HTTP_NO_MEMORY};
    if (refusal.status == 0 && inner_make_request(i, plain, plain_size, &refusal)) {
        i->server->route(i->server, &i->x);
        return;
    }
    inner_refuse(i, &refusal);
    inner_send(i);
}
