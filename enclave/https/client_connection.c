/* See call_internal.h: the connection that a call goes over. */
#include <string.h>

#include "enclave/https/call_internal.h"
#include "enclave/https/fields.h"
#include "enclave/https/kept.h"
#include "enclave/https/site.h"

static void on_ready(struct transport *t, void *user)
{
    http_call_post(user);
}

static void take(struct http_call *c, struct transport *t)
{
    ENSURE(!c->attempt && !c->transport);
    ENSURE(!c->begun && !c->answered);
    c->transport = t;
    t->on_ready = on_ready;
    t->user = c;
    http_call_limit(c, c->first_byte_ns);
}

static void on_dialled(void *user, struct transport *t, enum http_call_failure why, uint8_t alert)
{
    struct http_call *c = user;
    ENSURE(c->attempt && !c->transport); /* later than start, not cancelled, and once */
    ENSURE(t || why);
    c->attempt = NULL;
    c->alert = alert;
    if (t)
        take(c, t);
    else
        http_call_fail(c, why);
    http_call_post(c);
}

static bool dial(struct http_call *c, const struct http_site *site, const char *host, uint16_t port)
{
    ENSURE(!c->attempt && !c->transport);
    c->reused = false;
    if (c->kept)
        kept_begin(c->kept);
    c->attempt = c->dialer->start(c->worker, site, host, port, on_dialled, c);
    if (!c->attempt)
        return false;
    atomic_fetch_add_explicit(&http_call_counters.connections, 1, memory_order_relaxed);
    http_call_limit(c, c->connect_ns);
    return true;
}

bool http_call_connect(struct http_call *c, const struct http_call_request *r)
{
    struct transport *t = c->kept ? kept_take(c->kept) : NULL;
    if (!t)
        return dial(c, r->site, r->host, r->port);
    c->reused = true;
    take(c, t);
    http_call_post(c);
    return true;
}

/* RFC 9110, section 9.2.2; all of such a request is its head, where it has no body. */
static bool is_repeatable(const struct http_call_request *r)
{
    static const char *const idempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof idempotent / sizeof *idempotent; i++)
        if (r->method.size == strlen(idempotent[i]) && memcmp(r->method.data, idempotent[i], r->method.size) == 0)
            return r->content_length == CALL_NO_BODY || r->content_length == 0;
    return false;
}

int http_call_place(struct http_call *c, const struct http_call_request *r)
{
    ENSURE(!c->kept);
    ENSURE(!r->keeper || r->site);
    c->repeatable = is_repeatable(r);
    if (!r->keeper || r->worker->stopping || http_site_cut_ns(r->site))
        return 0;
    const struct kept_origin origin = {.worker = r->worker,
                                       .keeper = r->keeper,
                                       .site = r->site,
                                       .dialer = r->dialer,
                                       .host = r->host,
                                       .port = r->port};
    c->kept = kept_new(&origin);
    return c->kept ? 0 : -ENOMEM;
}

/* The one that it has is no use: another one that waits for the same, or a new one. */
static void replace(struct http_call *c, bool may_reuse)
{
    const struct kept_origin *o = kept_origin(c->kept);
    ENSURE(c->reused && c->transport);
    ENSURE(!c->answered);
    c->transport->ops->abort(c->transport);
    c->transport = NULL;
    c->begun = c->write_broken = false;
    c->out.start = 0; /* nothing was dropped of it */
    struct transport *t = may_reuse ? kept_take(c->kept) : NULL;
    if (t)
        take(c, t);
    else if (!dial(c, o->site, o->host, o->port))
        http_call_fail(c, CALL_NO_MEMORY);
}

bool http_call_is_quiet(struct http_call *c)
{
    char byte;
    ENSURE(!c->begun);
    while (c->reused && c->transport && !kept_is_quiet(c->transport))
        replace(c, true);
    if (c->kept && c->transport && !c->reused && c->transport->ops->read(c->transport, &byte, 1) > 0)
        http_call_fail(c, CALL_PROTOCOL);
    return c->transport && !c->failure;
}

bool http_call_again(struct http_call *c)
{
    if (!c->reused || c->failure || c->answered || (c->begun && !c->repeatable))
        return false;
    replace(c, false);
    return true;
}

void http_call_part(struct http_call *c)
{
    ENSURE(c->message_complete);
    bool over = c->stays && !c->failure && c->in_start == c->in_end; /* and nothing came behind it */
    if (!over || !c->transport || !c->kept || !kept_put(c->kept, c->transport))
        return;
    c->transport = NULL;
    c->kept = NULL;
    c->reused = false;
}

/* What the server sent is no response, or not all of one. */
static bool is_servers_fault(enum http_call_failure failure)
{
    return failure == CALL_INCOMPLETE || failure == CALL_HEAD_SIZE || failure == CALL_CODING ||
           failure == CALL_PROTOCOL;
}

/* A server that has said all that it will hears of the end by TLS; one that would go on is cut. */
void http_call_let_go(struct http_call *c)
{
    bool over = c->failure ? is_servers_fault(c->failure) : c->message_complete;
    if (c->attempt)
        c->dialer->cancel(c->attempt);
    if (c->transport && over)
        c->transport->ops->close(c->transport);
    else if (c->transport)
        c->transport->ops->abort(c->transport);
    c->attempt = NULL;
    c->transport = NULL;
    c->reused = false;
}
