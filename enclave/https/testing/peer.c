/* See peer.h. */
#include "enclave/https/testing/peer.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/container.h"
#include "enclave/https/admin.h"
#include "enclave/https/answer.h"
#include "enclave/https/fields.h"
#include "enclave/https/h1_internal.h"

struct peer peer;
bool peer_reads_slowly;
const char *peer_app, *peer_name;
struct http_server server;
struct http_site peer_site;
struct worker worker;

static ssize_t mem_read(struct transport *t, void *buf, size_t size)
{
    struct peer *m = CONTAINER_OF(t, struct peer, t);
    if (m->at == m->in_size)
        return m->keep_open ? -EAGAIN : 0;
    size_t count = m->in_size - m->at;
    if (count > size)
        count = size;
    if (m->step && count > m->step)
        count = m->step;
    memcpy(buf, m->in + m->at, count);
    m->at += count;
    return (ssize_t)count;
}

static ssize_t mem_write(struct transport *t, const void *buf, size_t size)
{
    struct peer *m = CONTAINER_OF(t, struct peer, t);
    if (peer_reads_slowly && m->allowance == 0)
        return -EAGAIN;
    if (peer_reads_slowly && size > m->allowance)
        size = m->allowance;
    m->allowance -= peer_reads_slowly ? size : 0;
    if (m->window && size > m->window)
        size = m->window;
    if (m->full && size > m->limit - m->out_size)
        size = m->limit - m->out_size;
    if (m->full && size == 0)
        return -EAGAIN;
    assert_true(m->out_size + size < sizeof m->out);
    memcpy(m->out + m->out_size, buf, size);
    m->out_size += size;
    return (ssize_t)size;
}

static void mem_flush(struct transport *t)
{
}
static void mem_close(struct transport *t)
{
    CONTAINER_OF(t, struct peer, t)->closed = true;
}
static void mem_abort(struct transport *t)
{
    CONTAINER_OF(t, struct peer, t)->aborted = true;
}
const struct transport_ops peer_ops = {
    .read = mem_read, .write = mem_write, .flush = mem_flush, .close = mem_close, .abort = mem_abort};

static int admit(struct http_admin_hook *hook, const struct http_admin_request *request, const char **why)
{
    *why = "no token";
    return request->authorization[0] ? 0 : 401;
}

static const char *methods(struct http_admin_hook *hook, const char *path)
{
    return "GET, PUT";
}

static bool hold; /* the next admin request is answered by the test */
static struct http_admin_reply *held_reply;

static void echo_admin(struct http_admin_hook *hook, struct worker *w, const struct http_admin_request *request,
                       struct http_admin_reply *reply)
{
    if (hold) {
        held_reply = reply;
        return;
    }
    char text[512];
    int size =
        snprintf(text, sizeof text, "{%s %s [%s] %.*s%s%s}", request->method, request->path, request->authorization,
                 request->body_size < 100 ? (int)request->body_size : 0, (const char *)request->body,
                 request->publication ? " published " : "", request->publication ? request->publication : "");
    const char *approval = request->approvals;
    for (size_t i = 0; i < request->approval_count; i++, approval += strlen(approval) + 1)
        size += snprintf(text + size, sizeof text - (size_t)size, "<%s>", approval);
    http_admin_reply_value(reply, 200, json_pack("{s:s}", "asked", text));
}

static bool may(void *user, const char *method, const char *path, const char *authorization)
{
    return strcmp(authorization, "Bearer right") == 0;
}

void peer_run(const char *in, size_t size, size_t step, bool keep_open)
{
    memset(&peer, 0, sizeof peer);
    peer.t.ops = &peer_ops;
    peer.t.site = &peer_site;
    peer.t.app = peer_app;
    peer.t.server_name = peer_name;
    peer.in = in;
    peer.in_size = size;
    peer.step = step;
    peer.keep_open = keep_open;
    assert_int_equal(http_connection_start(&server, &worker, &peer.t), 0);
    for (int i = 0; i < 200000 && !peer.closed && !peer.aborted; i++)
        if (!loop_run_once(&worker.loop, worker.loop.now_ns + 1))
            break;
    if (!peer.closed && !peer.aborted)
        h1_check(peer.t.user);
    peer.out[peer.out_size] = 0;
}

void peer_turn(void)
{
    peer.t.on_ready(&peer.t, peer.t.user);
    loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    if (!peer.closed && !peer.aborted)
        h1_check(peer.t.user);
}

void peer_hang_up(void)
{
    peer.keep_open = false;
    for (int i = 0; i < 100 && !peer.closed && !peer.aborted; i++)
        peer_turn();
    assert_true(peer.closed || peer.aborted);
}

const char *peer_statuses(void)
{
    static char text[4096];
    text[0] = 0;
    for (const char *at = peer.out; (at = strstr(at, "HTTP/1.1 ")) && strlen(text) + 5 < sizeof text; at += 9)
        strncat(strncat(text, at + 9, 3), " ", 2);
    return text;
}

size_t peer_count(const char *what)
{
    size_t found = 0;
    for (const char *at = peer.out; (at = strstr(at, what)); at += strlen(what))
        found++;
    return found;
}

struct http_exchange *peer_take(const char *in)
{
    hold = true;
    peer_run(in, strlen(in), 0, true);
    hold = false;
    struct http_exchange *x = &((struct h1 *)peer.t.user)->x;
    x->on_event(x, HTTP_EVENT_GONE, x->user); /* the hook lets go */
    http_admin_reply_value(held_reply, 200, json_object());
    x->on_event = NULL;
    return x;
}

static bool path_begins(const struct http_exchange *x, const char *with)
{
    struct http_text path = x->request.target.path;
    return path.size >= strlen(with) && memcmp(path.data, with, strlen(with)) == 0;
}

void peer_route(struct http_server *served, struct http_exchange *x)
{
    struct http_field allow = {HTTP_TEXT("allow"), HTTP_TEXT("GET, HEAD")};
    bool reads = http_name_is(x->request.method, "GET") || http_name_is(x->request.method, "HEAD");
    if (path_begins(x, "/_enclave/"))
        http_admin_start(served, x);
    else if (!path_begins(x, "/healthz"))
        (x->ops->fail)(x, 404, "there is nothing");
    else if (!reads || x->request.method.data[0] == 'g')
        http_refuse(x, 405, "another method", allow);
    else
        http_answer_value(x, 200, json_pack("{s:s}", "status", "ok"));
}

void peer_setup(http_router route, struct app_table *apps)
{
    static struct http_admin_hook hook = {admit, methods, echo_admin};
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    http_site_init(&peer_site, 1, apps, NULL);
    http_server_init(&server, route ? route : peer_route, 1);
    server.admin = &hook;
    server.authorize_monitoring = may;
}

void peer_is_refused(const char *const asked[][2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        peer_run(asked[i][0], strlen(asked[i][0]), 0, false);
        const char *found = strstr(peer.out, asked[i][1]), *body = strstr(peer.out, "\r\n\r\n");
        if (!found || !body || found < body)
            fail_msg("%s: %s", asked[i][1], peer.out);
    }
}
