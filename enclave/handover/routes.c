/*
 * HTTP to the old side: a request's body is gathered within its limit, its bytes go to the owner's thread, and what
 * comes back is sent. What a stranger can make of it is bounded by the number of those that are read at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/handover/giver.h"
#include "enclave/handover/handover.h"
#include "enclave/https/answer.h"
#include "enclave/https/exchange.h"
#include "enclave/https/fields.h"
#include "enclave/https/gather.h"
#include "enclave/https/site.h"
#include "enclave/service/system.h"
#include "enclave/thread/worker.h"

#define PREFIX "/_enclave/hand-over/"

static const struct {
    const char *name;
    size_t most;
} routes[] = {
    [HANDOVER_OFFER] = {"offer", HANDOVER_OFFER_ASKED_SIZE},
    [HANDOVER_ACCEPT] = {"accept", HANDOVER_REQUEST_MAX},
    [HANDOVER_SEALED] = {"sealed", HANDOVER_SEALED_OVERHEAD + HANDOVER_ASKED_MAX + AEAD_OVERHEAD},
};
static atomic_uint under_way[2]; /* by whether they are sealed */

struct route_request {
    struct handover_request request; /* first */
    struct worker *worker;
    struct http_exchange *x; /* NULL: the client is gone */
    bool is_asked;           /* it is the owner's */
    bool is_sending;
    struct http_gather body;
    struct http_pieces pieces;
};

static atomic_uint *place_of(enum handover_route route)
{
    return &under_way[route == HANDOVER_SEALED];
}

static void request_free(struct route_request *r)
{
    ENSURE(atomic_fetch_sub(place_of(r->request.route), 1) > 0);
    http_gather_free(&r->body);
    free(r->request.answer);
    free(r);
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

static void send_more(struct route_request *r)
{
    struct http_exchange *x = r->x;
    if (!http_send_pieces(x, &r->pieces))
        return;
    request_free(r);
    x->ops->finish(x, NULL, 0);
}

static void send_answer(struct route_request *r)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("application/octet-stream")},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")}};
    struct http_exchange *x = r->x;
    http_exchange_check(x);
    ENSURE(r->request.answer && !r->is_sending);
    if (x->ops->respond(x, 200, fields, 2, (int64_t)r->request.answer_size) != 0) {
        request_free(r);
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    r->pieces = (struct http_pieces){r->request.answer, r->request.answer_size, 0};
    r->is_sending = true;
    send_more(r);
}

static void on_answered(struct loop_task *task)
{
    struct route_request *r = CONTAINER_OF(task, struct route_request, request.errand.task);
    struct http_exchange *x = r->x;
    loop_check(&r->worker->loop);
    errand_end(&r->request.errand);
    if (!x) {
        request_free(r);
    } else if (r->request.status == 200) {
        send_answer(r);
    } else {
        json_t *why = json_pack("{s:s}", "error", r->request.why);
        int status = r->request.status;
        request_free(r);
        http_answer_value(x, status, why);
    }
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

static void ask(struct route_request *r)
{
    ENSURE(r->x && !r->is_asked);
    r->is_asked = true;
    r->x->spared = true; /* who takes over must hear it, though what its connection shows is over */
    r->request.body = r->body.data;
    r->request.body_size = r->body.size;
    r->request.deliver = on_answered;
    errand_send(&r->request.errand, &r->worker->loop, &enclave_system.owner->loop, handover_giver_arrive);
}

static void fail(struct route_request *r, int status, const char *why)
{
    struct http_exchange *x = r->x;
    request_free(r);
    x->ops->fail(x, status, why);
}

static void gather(struct route_request *r)
{
    ENSURE(r->x && !r->is_asked);
    int status = http_gather(r->x, &r->body);
    if (status == 0)
        ask(r);
    else if (status != HTTP_GATHER_MORE)
        fail(r, status, http_gather_why(status));
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    struct route_request *r = user;
    ENSURE(r->x == x);
    if (event == HTTP_EVENT_GONE) {
        r->x = NULL;
        atomic_store(&r->request.gone, true);
        if (!r->is_asked || r->is_sending)
            request_free(r);
    } else if (event == HTTP_EVENT_BODY && !r->is_asked) {
        gather(r);
    } else if (event == HTTP_EVENT_SPACE && r->is_sending) {
        send_more(r);
    }
}

static void start(struct http_exchange *x, enum handover_route route)
{
    static const struct http_field later = {HTTP_TEXT("retry-after"), HTTP_TEXT("1")};
    http_exchange_check(x);
    ENSURE(!x->on_event); /* nobody answers it yet */
    if (!http_name_is(x->request.method, "POST")) {
        http_refuse(x, 405, "Allow says which methods there are",
                    (struct http_field){HTTP_TEXT("allow"), HTTP_TEXT("POST")});
        return;
    }
    if (atomic_fetch_add(place_of(route), 1) >= HANDOVER_REQUESTS_MAX) {
        atomic_fetch_sub(place_of(route), 1);
        http_refuse(x, 503, "others are asking right now", later);
        return;
    }
    struct route_request *r = calloc(1, sizeof *r);
    if (!r) {
        atomic_fetch_sub(place_of(route), 1);
        x->ops->fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    r->request.route = route;
    r->body.most = routes[route].most;
    r->worker = x->worker;
    r->x = x;
    x->on_event = on_event;
    x->user = r;
    gather(r);
}

/* The route's name behind the prefix; false: it is another path. */
static bool find_route(struct http_text path, enum handover_route *route)
{
    size_t prefix = sizeof PREFIX - 1;
    if (path.size < prefix || memcmp(path.data, PREFIX, prefix) != 0)
        return false;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (path.size - prefix == strlen(routes[i].name) &&
            memcmp(path.data + prefix, routes[i].name, path.size - prefix) == 0) {
            *route = (enum handover_route)i;
            return true;
        }
    return false;
}

bool handover_answer(void *user, struct http_exchange *x)
{
    static const struct http_field later = {HTTP_TEXT("retry-after"), HTTP_TEXT("5")};
    enum handover_route route;
    char why[HANDOVER_WHY_SIZE];
    (void)user;
    http_exchange_check(x);
    if (find_route(x->request.target.path, &route)) {
        start(x, route);
        return true;
    }
    /* Those of before the pause are served as they were; they are waited for. */
    bool is_before = handover_serving() != HANDOVER_IS_GIVEN && http_site_cut_ns(x->site) != 0;
    if (is_before || !handover_withholds(why, sizeof why))
        return false;
    http_refuse(x, 503, why, later);
    return true;
}
