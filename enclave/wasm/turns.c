/*
 * Whose turn it is: how the apps of one worker share it. In each pass of its loop an app may compute for a quantum,
 * which guests do at once as long as it lasts: whoever computes little never waits here. Beyond it, an app's guests
 * queue up, those that have used up their tick and those that have just come alike. When nothing else is ready, or has
 * been for a few passes, one app goes on with its own, by turns of apps. One that took more than a quantum, as a turn
 * can, sits out as many passes, which are over at once while nothing else is ready.
 *
 * So who computes little waits for at most a quantum of each app that has just begun, and now and then for a turn of
 * one that queues, however many guests and connections these have.
 */
#include "common/ensure.h"
#include "enclave/wasm/internal.h"

#define QUANTUM_NS (GUEST_QUANTUM_US * UINT64_C(1000))
#define SAT_OUT_MAX 32u /* passes: however long a turn took, other apps' turns must not starve it */
#define LOOKED_AT_MAX 16u
#define STOOD_BACK_MAX 8u /* passes, for what else is ready */

/* One worker's; each app's own part is in its struct app_turns. */
static _Thread_local struct {
    struct loop_task task;
    struct loop *loop;
    void (*turn)(struct guest *g);
    struct app *first, *last; /* with guests that queue; in the order of their turns */
    uint32_t worker;
    unsigned stood_back;
} queue;

static struct app_turns *turns_of(const struct guest *g)
{
    ENSURE(g->worker->index < PROTO_MAX_WORKERS);
    return &g->app->turns[g->worker->index];
}

/* Whether the app may go on in this pass. */
static bool has_share(struct app_turns *t, const struct loop *loop)
{
    uint64_t passed = loop->passes - t->pass;
    uint64_t back_ns = (passed < SAT_OUT_MAX ? passed : SAT_OUT_MAX) * QUANTUM_NS;
    ENSURE(loop->passes >= t->pass);
    ENSURE(t->used_ns <= SAT_OUT_MAX * QUANTUM_NS);
    t->pass = loop->passes;
    t->used_ns = t->used_ns > back_ns ? t->used_ns - back_ns : 0;
    return t->used_ns < QUANTUM_NS;
}

void turns_charge(struct guest *g, uint64_t took_ns)
{
    struct app_turns *t = turns_of(g);
    loop_check(&g->worker->loop);
    uint64_t most_ns = SAT_OUT_MAX * QUANTUM_NS - t->used_ns;
    ENSURE(t->used_ns <= SAT_OUT_MAX * QUANTUM_NS);
    t->used_ns += took_ns < most_ns ? took_ns : most_ns;
    atomic_store_explicit(&t->cpu_ns, t->cpu_ns + took_ns, memory_order_relaxed);
}

/* ---- the apps that queue --------------------------------------------------------------------------------------- */

static void enlist(struct app *app, struct app_turns *t)
{
    ENSURE(!t->is_listed && !t->next);
    ENSURE(!queue.first == !queue.last);
    t->is_listed = true;
    if (queue.last)
        queue.last->turns[queue.worker].next = app;
    else
        queue.first = app;
    queue.last = app;
}

static void take_out(struct app *app, struct app_turns *t)
{
    struct app **at = &queue.first, *before = NULL;
    ENSURE(t->is_listed);
    while (*at != app) {
        ENSURE(*at); /* it is among them */
        before = *at;
        at = &(*at)->turns[queue.worker].next;
    }
    *at = t->next;
    if (queue.last == app)
        queue.last = before;
    t->next = NULL;
    t->is_listed = false;
}

static void serve(struct loop_task *task);

void turns_queue(struct guest *g, void (*turn)(struct guest *g))
{
    struct app_turns *t = turns_of(g);
    ENSURE(!g->computing && !g->ended && !g->polling);
    ENSURE(!t->first == !t->last);
    g->computing = true;
    g->next = NULL;
    if (t->last)
        t->last->next = g;
    else
        t->first = g;
    t->last = g;
    queue.turn = turn;
    queue.loop = &g->worker->loop;
    queue.worker = g->worker->index;
    if (!t->is_listed && !t->is_served)
        enlist(g->app, t);
    if (is_lately(&g->app->rt->long_ns, queue.loop->now_ns)) /* else the line stays all workers' */
        atomic_store_explicit(&g->app->rt->queued_ns, queue.loop->now_ns, memory_order_relaxed);
    queue.task.fn = serve;
    loop_post(queue.loop, &queue.task);
}

void turns_leave(struct guest *g)
{
    struct app_turns *t = turns_of(g);
    struct guest **at = &t->first, *before = NULL;
    ENSURE(g->computing);
    while (*at != g) {
        ENSURE(*at); /* it is among them */
        before = *at;
        at = &(*at)->next;
    }
    *at = g->next;
    if (t->last == g)
        t->last = before;
    g->computing = false;
    if (!t->first && t->is_listed)
        take_out(g->app, t);
}

bool turns_may(struct guest *g)
{
    struct app_turns *t = turns_of(g);
    ENSURE(!g->computing && !g->ended);
    ENSURE(!t->first == !t->last);
    /* Behind those that came before it; also what begins while they have their turns, as the next request does on a
     * connection whose answer is written. */
    return !t->first && !t->is_served && has_share(t, &g->worker->loop);
}

/* ---- and their turns ------------------------------------------------------------------------------------------- */

/* The first of them that may go on; those before it go behind. NULL: none of those looked at. */
static struct app *next_app(void)
{
    for (unsigned i = 0; queue.first && i < LOOKED_AT_MAX; i++) {
        struct app *app = queue.first;
        struct app_turns *t = &app->turns[queue.worker];
        ENSURE(t->first); /* or it would not be listed */
        take_out(app, t);
        if (has_share(t, queue.loop))
            return app;
        enlist(app, t);
    }
    return NULL;
}

static void serve(struct loop_task *task)
{
    loop_check(queue.loop);
    ENSURE(!queue.first == !queue.last);
    bool stands_back = queue.loop->ready_first && queue.stood_back < STOOD_BACK_MAX;
    queue.stood_back = stands_back ? queue.stood_back + 1 : 0;
    struct app *app = stands_back ? NULL : next_app();
    if (app) {
        struct app_turns *t = &app->turns[queue.worker];
        app_ref(app); /* its last guest may end */
        t->is_served = true;
        while (t->first && has_share(t, queue.loop)) {
            struct guest *g = t->first;
            turns_leave(g);
            queue.turn(g);
        }
        t->is_served = false;
        if (t->first)
            enlist(app, t);
        app_unref(app);
    }
    if (queue.first)
        loop_post(queue.loop, task);
}
