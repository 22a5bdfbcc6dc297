/* See connections.h. */
#include "enclave/ratls/connections.h"

#include <errno.h>
#include <stdlib.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/early/channel.h"
#include "enclave/https/http.h"
#include "enclave/https/site.h"
#include "enclave/ratls/connection.h"
#include "enclave/thread/rpc_client.h"

struct crowd_limits connection_limits;

/* Started once and for all, so that moving it needs no memory. */
static int cut_at(struct connections *cs, uint64_t ns)
{
    return loop_timer_start(&cs->worker->loop, &cs->cut, ns);
}

static void retire(struct connections *cs);

static void on_cut(struct loop_timer *timer)
{
    struct connections *cs = CONTAINER_OF(timer, struct connections, cut);
    ENSURE(cut_at(cs, UINT64_MAX) == 0); /* first of all: its place is still there */
    retire(cs);
}

int connections_init(struct connections *cs, struct worker *w, struct connections *first)
{
    ENSURE(connections_of(w) == cs);
    cs->worker = w;
    cs->by_channel = calloc(PROTO_MAX_CHANNELS, sizeof(struct connection *));
    crowd_init(&cs->crowd, &connection_limits, &w->loop, cs == first ? NULL : &first->crowd);
    connection_crowd_init(&cs->crowd);
    cs->cut.fn = on_cut;
    return cs->by_channel ? cut_at(cs, UINT64_MAX) : -ENOMEM;
}

void connections_check(const struct connections *cs)
{
    loop_check(&cs->worker->loop);
    uint32_t count = 0;
    for (uint32_t id = 0; id < PROTO_MAX_CHANNELS; id++)
        if (cs->by_channel[id]) {
            connection_check(cs->by_channel[id]);
            count++;
        }
    ENSURE(cs->count == count);
    crowd_check(&cs->crowd);
}

/* ---- what the worker calls --------------------------------------------------------------------------------------- */

static void on_control(struct worker *w)
{
    rpc_client_on_news(w->rpc);
}

/* Of a connection, or of a channel that was posted for one: the host says so, and the enclave's own table knows. */
static void on_news(struct worker *w, channel_name name)
{
    loop_check(&w->loop);
    ENSURE((uint32_t)name < PROTO_MAX_CHANNELS);
    struct connections *cs = connections_of(w);
    struct connection *c = cs->by_channel[(uint32_t)name];
    struct channel_desc d;
    if (c)
        connection_on_news(c, name);
    else if (cs->http && cs->site && channel_take(w->index, CHANNEL_CONNECTION, name, &d))
        connection_accept(cs, &d);
}

static void look_at_crowd(struct worker *w)
{
    crowd_look(&connections_of(w)->crowd);
}

static void close_idle(struct worker *w)
{
    struct connections *cs = connections_of(w);
    loop_check(&w->loop);
    if (cs->http)
        atomic_store(&cs->http->stopping, true);
    for (uint32_t id = 0; id < PROTO_MAX_CHANNELS; id++)
        if (cs->by_channel[id])
            connection_drain(cs->by_channel[id]);
}

static bool drained(struct worker *w)
{
    loop_check(&w->loop);
    return connections_of(w)->count == 0;
}

bool connections_retired_are_left(const struct connections *cs)
{
    bool left = false;
    loop_check(&cs->worker->loop);
    for (uint32_t id = 0; id < PROTO_MAX_CHANNELS && !left; id++)
        left = cs->by_channel[id] && connection_cut_ns(cs->by_channel[id]) != UINT64_MAX;
    return left;
}

void connections_cut_clients(struct connections *cs)
{
    loop_check(&cs->worker->loop);
    for (uint32_t id = 0; id < PROTO_MAX_CHANNELS; id++)
        if (cs->by_channel[id] && connection_is_clients(cs->by_channel[id]))
            connection_cut(cs->by_channel[id]);
}

static void abort_all(struct worker *w)
{
    struct connections *cs = connections_of(w);
    loop_check(&w->loop);
    for (uint32_t id = 0; id < PROTO_MAX_CHANNELS; id++)
        if (cs->by_channel[id])
            connection_cut(cs->by_channel[id]);
    loop_run_once(&w->loop, w->loop.now_ns); /* HTTP lets go */
    loop_run_once(&w->loop, w->loop.now_ns); /* and what it let go is freed */
    ENSURE(cs->count == 0);
}

const struct worker_handlers connections_handlers = {.control = on_control,
                                                     .news = on_news,
                                                     .worked = look_at_crowd,
                                                     .drain = close_idle,
                                                     .drained = drained,
                                                     .abort = abort_all};

/* ---- what new connections are served with ------------------------------------------------------------------------ */

/* Those of retired sites: each ends as it may, and the timer stands for the first that is left and will be cut. */
static void retire(struct connections *cs)
{
    uint64_t now_ns = cs->worker->loop.now_ns, next_ns = UINT64_MAX;
    loop_check(&cs->worker->loop);
    for (uint32_t id = 0; id < PROTO_MAX_CHANNELS; id++) {
        if (cs->by_channel[id])
            connection_retire(cs->by_channel[id], now_ns);
        uint64_t cut_ns = cs->by_channel[id] ? connection_cut_ns(cs->by_channel[id]) : UINT64_MAX;
        next_ns = cut_ns < next_ns ? cut_ns : next_ns;
    }
    ENSURE(cut_at(cs, next_ns) == 0);
}

/* Whoever is not to be waited for, is not waited for in the sites before either, whose time would be over later. */
static void hurry_all(struct connections *cs)
{
    for (uint32_t id = 0; id < PROTO_MAX_CHANNELS; id++) {
        struct http_site *site = cs->by_channel[id] ? connection_site(cs->by_channel[id]) : NULL;
        if (site && site != cs->site)
            http_site_retire(site, SITE_CUT_AT_ONCE);
    }
}

static void make_switch(struct loop_task *task)
{
    struct connections_switch *s = CONTAINER_OF(task, struct connections_switch, task);
    struct connections *cs = s->connections;
    loop_check(&cs->worker->loop);
    struct http_site *before = cs->site;
    ENSURE(s->site && s->tls);
    cs->site = http_site_ref(s->site);
    SSL_CTX_free(cs->tls);
    cs->tls = s->tls;
    SSL_CTX_up_ref(cs->tls);
    if (before && http_site_cut_ns(before) == SITE_CUT_AT_ONCE)
        hurry_all(cs);
    if (before && http_site_cut_ns(before))
        retire(cs);
    http_site_unref(before);
    s->done(s);
}

void connections_switch(struct connections_switch *s)
{
    ENSURE(s->connections && s->site && s->tls && s->done);
    s->task.fn = make_switch;
    loop_post_remote(&s->connections->worker->loop, &s->task);
}
