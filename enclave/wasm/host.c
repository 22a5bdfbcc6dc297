/* What host functions do to the guest that called them. See host.h. */
#include "enclave/wasm/internal.h"

void guest_check(const struct guest *g)
{
    loop_check(&g->worker->loop);
    ENSURE(g->app && g->store);
    ENSURE(g->reply && g->reply_count <= g->reply_capacity);
    ENSURE(g->waiting <= WAITS_ROOM);
    ENSURE(!g->finished || !g->x);
    ENSURE(!g->ended || (!g->x && !g->computing));
    ENSURE(g->resource_count <= RESOURCES_MAX && g->free_count <= g->resource_count);
    ENSURE(!g->free == !g->free_count);
    ENSURE(g->printed || g->printed_size == 0);
    for (int i = 0; i < 2; i++)
        ENSURE(g->line_size[i] < LINE_MAX_SIZE && (g->line[i] || g->line_size[i] == 0));
}

void guest_wake(struct guest *g)
{
    loop_post(&g->worker->loop, &g->task);
}

enum host_result guest_wait(struct guest *g, enum waits_for what)
{
    ENSURE(g->polling); /* only its own call waits */
    ENSURE(what != WAITS_NOT);
    g->waiting = what;
    return HOST_WAIT;
}

void guest_wake_at(struct guest *g, uint64_t deadline_ns)
{
    if (!g->wakeup.heap_index || deadline_ns < g->wakeup.deadline_ns)
        if (loop_timer_start(&g->worker->loop, &g->wakeup, deadline_ns) != 0)
            guest_wake(g); /* no memory for a timer: ask again at once */
}

void guest_log(struct guest *g, bool error, const char *line, size_t size)
{
    if (g->app->rt->config.log)
        g->app->rt->config.log(g->worker, g->app->name, error, line, size);
}

void guest_note(struct guest *g, const char *line)
{
    guest_log(g, true, line, strlen(line));
}

void guest_misuse(struct guest *g, const char *why)
{
    if (!g->x)
        return;
    guest_note(g, why);
    struct http_exchange *x = g->x;
    g->x = NULL;
    g->finished = true;
    x->ops->fail(x, 500, APP_FAILED);
}

static void emit(struct guest *g, bool error)
{
    guest_log(g, error, g->line[error], g->line_size[error]);
    g->line_size[error] = 0;
}

void guest_print(struct guest *g, bool error, const char *data, size_t size)
{
    if (!g->line[error])
        g->line[error] = malloc(LINE_MAX_SIZE);
    for (size_t i = 0; g->line[error] && i < size; i++) {
        if (data[i] != '\n')
            g->line[error][g->line_size[error]++] = data[i];
        if (data[i] == '\n' || g->line_size[error] == LINE_MAX_SIZE)
            emit(g, error);
    }
}

enum host_result guest_trap(struct guest *g, const char *why)
{
    if (!g->trap)
        g->trap = why;
    return HOST_TRAP;
}

void *guest_scratch(struct guest *g)
{
    if (!g->scratch)
        g->scratch = malloc(SCRATCH_SIZE);
    if (!g->scratch)
        guest_trap(g, "no memory");
    return g->scratch;
}

void guest_keep_large(struct guest *g, void *block)
{
    ENSURE(!block || block != g->large);
    charged_free(g->large);
    g->large = block;
}

void *guest_buffer(struct guest *g, size_t size)
{
    if (size <= SCRATCH_SIZE)
        return guest_scratch(g);
    guest_keep_large(g, NULL);
    g->large = charged_alloc(&g->app->memory, size);
    if (!g->large)
        guest_trap(g, "no memory");
    return g->large;
}
