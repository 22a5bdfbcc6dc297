/* See kept.h. */
#include "enclave/https/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/budget/budget.h"
#include "enclave/https/limits.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/thread/loop.h"
#include "enclave/thread/worker.h"

struct kept {
    struct kept *next, **link;   /* among those that wait; link NULL: it is a request's */
    struct transport *transport; /* while it waits */
    struct kept_origin origin;   /* its host is the text behind */
    uint64_t opened_ns;
    struct loop_timer timer; /* the end of its wait */
    struct charge memory, count;
    char host[];
};

/* The worker's, the latest first: a busy app finds its own at once, and what is too many has waited longest. */
static _Thread_local struct kept *waiting;

struct kept_counters kept_counters;

struct kept *kept_new(const struct kept_origin *origin)
{
    size_t size = strlen(origin->host) + 1;
    loop_check(&origin->worker->loop);
    ENSURE(origin->keeper && origin->site && origin->dialer);
    struct kept *k = calloc(1, sizeof *k + size);
    if (!k)
        return NULL;
    memcpy(k->host, origin->host, size);
    k->origin = *origin;
    k->origin.host = k->host;
    k->origin.keeper->ref(k->origin.keeper);
    http_site_ref(k->origin.site);
    kept_begin(k);
    return k;
}

void kept_begin(struct kept *k)
{
    ENSURE(!k->link);
    k->opened_ns = k->origin.worker->loop.now_ns;
}

void kept_free(struct kept *k)
{
    if (!k)
        return;
    ENSURE(!k->link && !k->transport); /* nobody finds it, and it has nothing to close */
    ENSURE(k->timer.heap_index == 0);
    http_site_unref(k->origin.site);
    k->origin.keeper->unref(k->origin.keeper);
    free(k);
}

const struct kept_origin *kept_origin(const struct kept *k)
{
    return &k->origin;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

static bool same(const struct kept_origin *a, const struct kept_origin *b)
{
    ENSURE(a->worker == b->worker);
    return a->keeper == b->keeper && a->site == b->site && a->dialer == b->dialer && a->port == b->port &&
           strcmp(a->host, b->host) == 0;
}

/* Out of those that wait; what it was charged is given back. */
static struct transport *leave(struct kept *k)
{
    struct transport *t = k->transport;
    loop_check(&k->origin.worker->loop);
    ENSURE(k->link && *k->link == k && t);
    *k->link = k->next;
    if (k->next)
        k->next->link = k->link;
    k->next = NULL;
    k->link = NULL;
    k->transport = NULL;
    t->on_ready = NULL;
    loop_timer_stop(&k->origin.worker->loop, &k->timer);
    charge_give(&k->memory);
    charge_give(&k->count);
    atomic_fetch_sub_explicit(&kept_counters.waiting, 1, memory_order_relaxed);
    return t;
}

/* A peer that says what nobody asked for would go on, and is cut; any other hears that this is the end. */
static void end(struct transport *t, ssize_t got)
{
    if (got == 0 || (got == -EAGAIN && !t->broken))
        t->ops->close(t);
    else
        t->ops->abort(t);
}

/* What there is to read, which should be nothing: -EAGAIN. */
static ssize_t listen_to(struct transport *t)
{
    char byte;
    return t->broken ? -ECONNRESET : t->ops->read(t, &byte, 1);
}

bool kept_is_quiet(struct transport *t)
{
    return listen_to(t) == -EAGAIN && !t->broken && t->ops->reusable && t->ops->reusable(t);
}

/* Its site, its worker or its time says that it is over. */
static bool is_over(const struct kept_origin *o)
{
    return o->worker->stopping || http_site_cut_ns(o->site) != 0;
}

static void on_ready(struct transport *t, void *user)
{
    struct kept *k = user;
    ENSURE(k->transport == t);
    ssize_t got = listen_to(t);
    if (got == -EAGAIN && !is_over(&k->origin))
        return; /* a ticket, or nothing */
    end(leave(k), got);
    kept_free(k);
}

static void on_timer(struct loop_timer *timer)
{
    struct kept *k = CONTAINER_OF(timer, struct kept, timer);
    end(leave(k), -EAGAIN);
    kept_free(k);
}

struct transport *kept_take(struct kept *k)
{
    loop_check(&k->origin.worker->loop);
    ENSURE(!k->link && !k->transport);
    for (struct kept *found = waiting, *next; found; found = next) {
        next = found->next;
        if (!same(&found->origin, &k->origin))
            continue;
        struct transport *t = leave(found);
        bool quiet = kept_is_quiet(t);
        if (quiet)
            k->opened_ns = found->opened_ns;
        else
            end(t, listen_to(t));
        kept_free(found);
        if (quiet) {
            atomic_fetch_add_explicit(&kept_counters.taken, 1, memory_order_relaxed);
            return t;
        }
    }
    return NULL;
}

/* Whoever pays for it has room, and it is not over anyway. */
static bool may_wait(struct kept *k)
{
    struct loop *loop = &k->origin.worker->loop;
    ENSURE(!k->memory.from && !k->count.from); /* nobody pays for it yet */
    ENSURE(loop->now_ns >= k->opened_ns);
    uint64_t age_ns = loop->now_ns - k->opened_ns, left_ns = KEPT_AGE_MS * UINT64_C(1000000);
    if (is_over(&k->origin) || age_ns >= left_ns)
        return false;
    left_ns -= age_ns;
    uint64_t idle_ns = KEPT_IDLE_MS * UINT64_C(1000000);
    if (!charge_take(&k->count, k->origin.keeper->count, 1))
        return false;
    if (charge_take(&k->memory, k->origin.keeper->memory, KEPT_COST) &&
        loop_timer_start(loop, &k->timer, loop->now_ns + (idle_ns < left_ns ? idle_ns : left_ns)) == 0)
        return true;
    charge_give(&k->memory);
    charge_give(&k->count);
    return false;
}

bool kept_put(struct kept *k, struct transport *t)
{
    loop_check(&k->origin.worker->loop);
    ENSURE(!k->link && !k->transport);
    k->timer.fn = on_timer;
    if (!kept_is_quiet(t) || !may_wait(k))
        return false;
    k->transport = t;
    t->on_ready = on_ready;
    t->user = k;
    k->next = waiting;
    k->link = &waiting;
    if (k->next)
        k->next->link = &k->next;
    waiting = k;
    atomic_fetch_add_explicit(&kept_counters.waiting, 1, memory_order_relaxed);
    return true;
}

void kept_check(void)
{
    struct kept *const *link = &waiting;
    for (const struct kept *k = waiting; k; link = &k->next, k = k->next) {
        loop_check(&k->origin.worker->loop);
        ENSURE(k->link == link && k->transport);
        ENSURE(k->transport->on_ready == on_ready && k->transport->user == k);
        ENSURE(k->timer.heap_index && k->memory.from && k->count.from);
    }
}
