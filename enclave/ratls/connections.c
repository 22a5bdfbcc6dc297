/* See connections.h. */
#include "enclave/ratls/connections.h"

#include <errno.h>
#include <stdlib.h>

#include "common/ensure.h"
#include "enclave/early/channel.h"
#include "enclave/https/http.h"
#include "enclave/ratls/connection.h"
#include "enclave/thread/rpc_client.h"

struct crowd_limits connection_limits;

int connections_init(struct connections *cs, struct worker *w, struct connections *first)
{
    ENSURE(connections_of(w) == cs);
    cs->worker = w;
    cs->by_channel = calloc(PROTO_MAX_CHANNELS, sizeof(struct connection *));
    crowd_init(&cs->crowd, &connection_limits, &w->loop, cs == first ? NULL : &first->crowd);
    connection_crowd_init(&cs->crowd);
    return cs->by_channel ? 0 : -ENOMEM;
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
    else if (cs->http && channel_take(w->index, CHANNEL_CONNECTION, name, &d))
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

struct tls_change {
    struct loop_task task; /* first */
    struct connections *connections;
    SSL_CTX *tls;
};

static void change_tls(struct loop_task *task)
{
    struct tls_change *change = (struct tls_change *)task;
    SSL_CTX_free(change->connections->tls);
    change->connections->tls = change->tls;
    free(change);
}

void connections_set_tls(struct connections *cs, SSL_CTX *tls)
{
    struct tls_change *change = calloc(1, sizeof *change);
    if (!change)
        return; /* the old certificate stays in use: still valid, still true of what was deployed then */
    SSL_CTX_up_ref(tls);
    change->task.fn = change_tls;
    change->connections = cs;
    change->tls = tls;
    loop_post_remote(&cs->worker->loop, &change->task);
}
