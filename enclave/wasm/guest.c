/*
 * A guest: one request in progress. A fresh store and instance, polled from its worker's loop until it is done.
 *
 * It is polled when it starts, after it yielded (at ticks of the epoch, so that it never holds its worker), and
 * when something that it waits for has happened. Ending it, for whatever reason, is dropping its call.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "enclave/wasm/internal.h"
#include "common/clock.h"
#include "common/container.h"
#include "enclave/https/answer.h"

static void end_exchange(struct guest *g, int status, const char *why)
{
    struct http_exchange *x = g->x;
    g->x = NULL;
    if (x)
        x->ops->fail(x, status, why);
}

/* Its time is up, or what it may compute. */
static void end_late(struct guest *g)
{
    char why[96];
    if (g->spent)
        snprintf(why, sizeof why, "the app computed longer than %llu ms (its settings' limits, cpu_ms)",
                 (unsigned long long)(g->app->cpu_limit_ns / 1000000));
    else
        snprintf(why, sizeof why, "the app took longer than %llu ms (--request-timeout)",
                 (unsigned long long)(g->app->timeout_ns / 1000000));
    end_exchange(g, 504, why);
}

static void guest_refuse(struct guest *g, const char *why, wasmtime_error_t *error);
static void drop_call(struct guest *g);

/* Its frames cannot be put away, for want of memory: it ends. */
static void end_in_place(struct guest *g)
{
    ENSURE(!g->polling && g->call);
    drop_call(g);
    if (g->ended)
        return; /* and is freed soon */
    if (g->computing)
        turns_leave(g);
    const char *why = "no memory is left to keep the app's stack while it waits";
    guest_refuse(g, why, wasmtime_error_new(why));
}

/* So that its call can be polled or deleted. */
static void enter_stack(struct guest *g)
{
    struct guest *other;
    while ((other = stacks_enter(g)))
        end_in_place(other);
}

static void drop_call(struct guest *g)
{
    if (!g->call)
        return;
    enter_stack(g);
    enclave_call_delete(g->call);
    g->call = NULL;
    stacks_leave(g, true);
}

/* Everything that belongs to the guest. Never from inside its own call. */
static void guest_free(struct guest *g)
{
    guest_check(g);
    ENSURE(!g->polling && !g->computing);
    loop_timer_stop(&g->worker->loop, &g->deadline);
    loop_timer_stop(&g->worker->loop, &g->wakeup);
    g->app->rt->config.world->abandon(g);
    drop_call(g);
    wasmtime_store_delete(g->store);
    g->store = NULL;
    uint64_t began_ns = clock_monotonic_ns();
    recycled_settle(g); /* whoever writes much has much to be put back: it is his turn, too */
    turns_charge(g, clock_monotonic_ns() - began_ns);
    charge_give(&g->tables);
    charge_give(&g->passed);
    for (int i = 0; i < 2; i++) {
        if (g->line_size[i])
            guest_print(g, i == 1, "\n", 1);
        free(g->line[i]);
    }
    resources_free(g);
    if (g->reply != g->reply_first)
        charged_free(g->reply);
    free(g->scratch);
    charged_free(g->large);
    charged_free(g->printed);
    charge_give(&g->cost);
    app_leave(g->app);
    app_unref(g->app);
    http_site_unref(g->site);
    free(g);
}

/* exit() unwinds the guest with an error, whatever it says. */
static bool has_failed(const struct guest *g, const wasmtime_error_t *error)
{
    return error && !(g->exited && g->exit_code == 0);
}

/* cause: wasmtime's, without the backtrace, which says little without symbols; NULL if there was no error. */
static const char *reason(const struct guest *g, const char *cause)
{
    return g->spent       ? "the request computed longer than it may (limits, cpu_ms)"
           : g->expired   ? "the request took too long"
           : g->trap      ? g->trap
           : cause        ? cause
           : g->responded ? "the guest returned before it finished its response's body (outgoing-body.finish)"
                          : "the guest returned without setting a response (response-outparam.set)";
}

/* As a shell says it: 124 as timeout has it, 152 as SIGXCPU ends it, 134 for a trap as `wasmtime run` has it, 1 for a
 * run that says no. */
static int exit_code_of(const struct guest *g, bool failed, const char *cause)
{
    if (g->spent)
        return 152;
    if (g->expired)
        return 124;
    if (!failed || g->exited)
        return failed ? g->exit_code : 0;
    return cause && strcmp(cause, "the command failed") == 0 ? 1 : 134;
}

static void guest_end(struct guest *g, wasmtime_error_t *error)
{
    guest_check(g);
    ENSURE(!g->ended && !g->polling && !g->computing);
    bool failed = has_failed(g, error), over = !g->x || g->finished, late = g->expired || g->spent;
    char *cause = error ? error_cause(error) : NULL;
    if (failed || (!over && (late || !g->app->command)))
        guest_note(g, reason(g, cause));
    if (g->app->command)
        g->app->rt->config.world->command_ends(g, exit_code_of(g, failed, cause), late ? 504 : 500);
    free(cause);
    if (late)
        end_late(g);
    else
        end_exchange(g, 500, APP_FAILED);
    g->ended = true;
    /* A task that is still queued frees it when its turn comes. */
    if (!atomic_load_explicit(&g->task.queued, memory_order_relaxed))
        guest_free(g);
}

/* There is no stack for it: its client is told to come again. */
static void guest_refuse(struct guest *g, const char *why, wasmtime_error_t *error)
{
    if (!g->responded)
        end_exchange(g, 503, why);
    guest_end(g, error);
}

static void start_deadline(struct guest *g, uint64_t deadline_ns)
{
    if (loop_timer_start(&g->worker->loop, &g->deadline, deadline_ns) != 0)
        g->expired = true; /* no memory for a timer: none without a deadline */
}

/* The deadline is for the guest, not for a client that is slow but still there, whom its connection judges: it stands
 * while the guest waits for nothing but room to write, and starts over afterwards. */
static void deadline_runs(struct guest *g)
{
    if (!g->deadline.heap_index)
        start_deadline(g, g->worker->loop.now_ns + g->app->timeout_ns);
}

static uint64_t ticks(const struct wasm_runtime *rt)
{
    return atomic_load_explicit(&((struct wasm_runtime *)rt)->ticks, memory_order_relaxed);
}

/* One turn: until it is over, waits or yields. What it takes is what the guest computes, with all that host functions
 * do for it meanwhile; waiting is none of it. */
static bool take_turn(struct guest *g, wasmtime_error_t **error)
{
    enter_stack(g);
    uint64_t began_ns = clock_monotonic_ns();
    ENSURE(!g->polling && !g->ended);
    ENSURE(g->call && g->worker->index < PROTO_MAX_WORKERS);
    g->turn_tick = ticks(g->app->rt);
    g->polling = true;
    bool over = enclave_call_poll(g->call, error);
    g->polling = false;
    stacks_leave(g, over);
    uint64_t took_ns = clock_monotonic_ns() - began_ns;
    if (took_ns < GUEST_TURN_MIN_US * 1000)
        took_ns = GUEST_TURN_MIN_US * 1000;
    g->cpu_ns += took_ns;
    turns_charge(g, took_ns);
    if (took_ns >= GUEST_LONG_TURN_US * UINT64_C(1000))
        atomic_store_explicit(&g->app->rt->long_ns, began_ns + took_ns, memory_order_relaxed);
    return over;
}

/* Whether it has computed as much as it may; then it ends. */
static bool is_spent(struct guest *g)
{
    if (!g->app->cpu_limit_ns || g->cpu_ns < g->app->cpu_limit_ns)
        return false;
    g->spent = true;
    atomic_fetch_add_explicit(&g->app->over_cpu, 1, memory_order_relaxed);
    return true;
}

static void guest_turn(struct guest *g)
{
    guest_check(g);
    ENSURE(!g->polling && !g->computing);
    wasmtime_error_t *error = NULL;
    g->waiting = WAITS_NOT;
    if (g->app->rt->config.guest_runs)
        g->app->rt->config.guest_runs();
    deadline_runs(g);
    memories_enter(g);
    bool over = take_turn(g, &error);
    guest_check(g);
    if (over) {
        if (stacks_refused())
            guest_refuse(g, "the app has no stack left for another request", error);
        else
            guest_end(g, error);
        return;
    }
    if (is_spent(g)) {
        guest_end(g, NULL);
        return;
    }
    /* A file or a stored value comes soon, whatever else it waits for may not. */
    if (g->waiting && !g->fs && !g->kv)
        g->app->rt->config.world->command_waits(g);
    if (g->x && g->responded)
        g->x->ops->push(g->x);
    if (!g->waiting)
        turns_queue(g, guest_turn);
    else if (g->waiting == WAITS_ROOM && g->x)
        loop_timer_stop(&g->worker->loop, &g->deadline);
}

/* It begins, or something has happened that it may wait for. */
static void guest_run(struct loop_task *task)
{
    struct guest *g = CONTAINER_OF(task, struct guest, task);
    guest_check(g);
    ENSURE(!g->polling);
    if (g->ended) {
        guest_free(g);
        return;
    }
    if (g->expired) {
        if (g->computing)
            turns_leave(g);
        guest_end(g, NULL);
        return;
    }
    if (g->computing)
        return; /* its turn comes */
    if (turns_may(g))
        guest_turn(g);
    else
        turns_queue(g, guest_turn);
}

/* Whose client is gone may clean up, but not for long: nobody waits for it. */
static void client_gone(struct guest *g)
{
    struct loop *loop = &g->worker->loop;
    uint64_t most = GUEST_GONE_MS * UINT64_C(1000000);
    uint64_t end = loop->now_ns + (most < g->app->timeout_ns ? most : g->app->timeout_ns);
    g->x = NULL;
    if (!g->deadline.heap_index || end < g->deadline.deadline_ns)
        start_deadline(g, end);
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    struct guest *g = user;
    if (event == HTTP_EVENT_GONE)
        client_gone(g);
    else
        start_deadline(g, g->worker->loop.now_ns + g->app->timeout_ns);
    guest_wake(g);
}

static void on_deadline(struct loop_timer *timer)
{
    struct guest *g = CONTAINER_OF(timer, struct guest, deadline);
    g->expired = true;
    guest_wake(g);
}

static void on_wakeup(struct loop_timer *timer)
{
    guest_wake(CONTAINER_OF(timer, struct guest, wakeup));
}

/* A guest that computes gives its worker back at the first tick of its turn; at the second where they come often, so
 * that short requests are through before. Those that came while it waited are no reason to. The deadline is a timer of
 * the loop. */
static wasmtime_error_t *on_epoch(wasmtime_context_t *store, void *user, uint64_t *delta,
                                  wasmtime_update_deadline_kind_t *kind)
{
    const struct guest *g = wasmtime_context_get_data(store);
    uint64_t least = atomic_load_explicit(&g->app->rt->ticks_often, memory_order_relaxed) ? 2 : 1;
    bool over = ticks(g->app->rt) - g->turn_tick >= least;
    *delta = 1;
    *kind = over ? WASMTIME_UPDATE_DEADLINE_YIELD : WASMTIME_UPDATE_DEADLINE_CONTINUE;
    return NULL;
}

static bool charge_table(void *user, uint64_t bytes)
{
    struct guest *g = user;
    return charge_resize(&g->tables, g->tables.bytes + bytes);
}

static void limit_store(struct guest *g)
{
    const struct store_limits limits = {
        .memory_bytes = g->app->memory_limit,
        .table_elements = GUEST_TABLE_MAX,
        .instances = COMPONENT_INSTANCES_MAX,
        .tables = GUEST_TABLES_MAX,
        .memories = GUEST_MEMORIES_MAX,
        .charge = charge_table,
        .user = g,
    };
    ENSURE(g->store && !g->call); /* before anything runs */
    ENSURE(!g->tables.from);
    charge_open(&g->tables, &g->app->memory);
    enclave_store_limit(g->store, &limits);
}

static struct guest *guest_new(struct app *app, struct http_exchange *x)
{
    struct charge cost = {0};
    if (!charge_take(&cost, &app->memory, guest_cost(app)))
        return NULL;
    struct guest *g = malloc(sizeof *g);
    if (!g) {
        charge_give(&cost);
        return NULL;
    }
    memset(g, 0, offsetof(struct guest, first)); /* entries are cleared when they are given out */
    charge_move(&g->cost, &cost);
    ENSURE(g->cost.from == &app->memory);
    g->worker = x->worker;
    g->task.fn = guest_run;
    g->deadline.fn = on_deadline;
    g->wakeup.fn = on_wakeup;
    g->reply = g->reply_first;
    g->reply_capacity = sizeof g->reply_first / sizeof *g->reply_first;
    g->x = x;
    g->app = app_ref(app);
    g->site = http_site_ref(x->site);
    g->store = wasmtime_store_new(app->rt->engine, g, NULL);
    limit_store(g);
    charge_open(&g->passed, &app->memory);
    wasmtime_store_epoch_deadline_callback(g->store, on_epoch, NULL, NULL);
    wasmtime_context_set_epoch_deadline(wasmtime_store_context(g->store), 1);
    return g;
}

/* The call that the guest is: nothing runs yet. */
static bool enter(struct guest *g)
{
    ENSURE(!g->call && !g->polling);
    ENSURE(g->resource_count == 0);
    wasmtime_context_t *store = wasmtime_store_context(g->store);
    if (g->app->command) {
        g->call = enclave_call_new_command(g->app->pre, store, GUEST_COPIED_MAX);
        return true;
    }
    struct resource *request, *outparam;
    if (!g->app->rt->config.world->handler_arguments(g, &request, &outparam))
        return false;
    g->call = enclave_call_new(g->app->pre, store, request->rep, request->kind, outparam->rep, outparam->kind,
                               GUEST_COPIED_MAX);
    return true;
}

static const struct http_field retry_later = {HTTP_TEXT("retry-after"), HTTP_TEXT("1")};

/* Whether the limits in the app's settings let it begin; if not, it is answered. */
static bool admit(struct app *app, struct http_exchange *x, unsigned running)
{
    const struct app_limits *limits = &app->settings->limits;
    ENSURE(running > 0);
    ENSURE(x->body_max == 0); /* nobody else answers it */
    if (limits->body_bytes && x->request.content_length > 0 &&
        (uint64_t)x->request.content_length > limits->body_bytes) {
        atomic_fetch_add_explicit(&app->admission.large, 1, memory_order_relaxed);
        x->ops->fail(x, 413, "the body is longer than this app takes (its settings' limits, body_bytes)");
        return false;
    }
    switch (admission_take(&app->admission, limits, running, x->worker->loop.now_ns)) {
    case ADMISSION_BUSY:
        http_refuse(x, 503, "this app answers as many requests as it may (its settings' limits, requests)",
                    retry_later);
        return false;
    case ADMISSION_FAST:
        http_refuse(x, 429, "more requests came than this app takes (its settings' limits, requests_per_second)",
                    retry_later);
        return false;
    default:
        x->body_max = limits->body_bytes;
        return true;
    }
}

void app_handle(struct app *app, struct http_exchange *x)
{
    app_check(app);
    http_exchange_check(x);
    ENSURE(!x->on_event); /* nobody answers it yet */
    if (app->stopped) {
        x->ops->fail(x, 503, app->stopped);
        return;
    }
    const char *why = app->command ? app->rt->config.world->command_refuses(x) : NULL;
    if (why) {
        x->ops->fail(x, 400, why);
        return;
    }
    unsigned running = app_enter(app);
    if (!running) {
        http_refuse(x, 503, "what this app was before still answers: it has to end first", retry_later);
        return;
    }
    if (!admit(app, x, running)) {
        app_leave(app);
        return;
    }
    struct guest *g = guest_new(app, x);
    if (!g) {
        app_leave(app);
        x->ops->fail(x, 503, "no memory is left for another request of this app");
        return;
    }
    atomic_fetch_add_explicit(&app->calls, 1, memory_order_relaxed);
    x->on_event = on_event;
    x->user = g;
    if (!enter(g) || loop_timer_start(&g->worker->loop, &g->deadline, g->worker->loop.now_ns + app->timeout_ns) != 0) {
        guest_end(g, NULL);
        return;
    }
    /* At once: a short request then reuses the memory of the one before while it is still in the cache. */
    guest_run(&g->task);
}
