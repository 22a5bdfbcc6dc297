/*
 * Fiber stacks. A guest's frames lie where they lie: what points to them points there. So a stack is tied to a place,
 * one of those that the image's layout has, each above a gap without pages, where a host function that needs more than
 * wasmtime leaves to it faults. But a guest that does not run needs no more of its place than its frames, a few KiB of
 * 640: where places are short, those of one that waits are put away into the heap, and another guest has the place.
 * Before the first runs again, its frames are back, and the other's put away. That costs two copies of what is there,
 * and nothing as long as there are places enough.
 *
 * A worker has places of its own: its share of all, never less. Of those that nobody uses a few stay with it, so that
 * a request of an app that has just run finds one as it is. A place that passes from one app to another is zeroed.
 */
#include <sys/mman.h>

#include "enclave/wasm/internal.h"

#define POOL_MAX 8u
#define PAGE 4096u
#define OUTSIDE_GUARD (64u << 10)
#define OUTSIDE_COUNT 4096u

struct stack_place {
    uint8_t *base;
    size_t size;
    uint64_t app_id;                   /* of what ran on it last */
    struct stack *in;                  /* whose frames lie here; NULL: nobody's that are needed */
    unsigned tenants;                  /* stacks that are tied to it */
    struct stack_place *next, *before; /* among those in use, the one that ran longest ago first; or in the pool */
};

struct stack {
    struct stack_place *place;
    struct guest *guest;
    bool live;   /* its guest is suspended: its frames are needed */
    void *away;  /* where they are meanwhile; NULL: in place */
    size_t size; /* of them there */
};

static _Thread_local struct {
    struct stack_place *pool, *first, *last;
    unsigned pool_count, count; /* count: of all places */
    struct guest *entered;
    bool refused;
} own;

static struct wasm_stack_source source;
static unsigned quota; /* places of each thread */
static _Atomic uint64_t put_away_count;

/* ---- outside an enclave, for tests: mapped with a guard -------------------------------------------------------- */

static void *outside_take(size_t *size)
{
    *size = (*size + PAGE - 1) & ~(size_t)(PAGE - 1);
    uint8_t *p = mmap(NULL, OUTSIDE_GUARD + *size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (mprotect(p + OUTSIDE_GUARD, *size, PROT_READ | PROT_WRITE) == 0)
        return p + OUTSIDE_GUARD;
    munmap(p, OUTSIDE_GUARD + *size);
    return NULL;
}

static void outside_give(void *stack, size_t size)
{
    munmap((uint8_t *)stack - OUTSIDE_GUARD, OUTSIDE_GUARD + size);
}

static const struct wasm_stack_source outside = {outside_take, outside_give, OUTSIDE_COUNT};

/* ---- places ------------------------------------------------------------------------------------------------------ */

static void unlist(struct stack_place *p)
{
    ENSURE(p->before ? p->before->next == p : own.first == p);
    ENSURE(p->next ? p->next->before == p : own.last == p);
    *(p->before ? &p->before->next : &own.first) = p->next;
    *(p->next ? &p->next->before : &own.last) = p->before;
}

static void enlist(struct stack_place *p)
{
    ENSURE(!own.first == !own.last);
    ENSURE(p->tenants > 0);
    p->next = NULL;
    p->before = own.last;
    *(own.last ? &own.last->next : &own.first) = p;
    own.last = p;
}

/* One of the pool's, if possible one that the same app had. */
static struct stack_place *from_pool(uint64_t app_id)
{
    ENSURE(!own.pool == (own.pool_count == 0));
    struct stack_place **at = &own.pool;
    while (*at && (*at)->app_id != app_id)
        at = &(*at)->next;
    if (!*at)
        at = &own.pool;
    struct stack_place *p = *at;
    if (!p)
        return NULL;
    *at = p->next;
    ENSURE(own.pool_count > 0 && p->tenants == 0 && !p->in); /* in the pool it is nobody's */
    own.pool_count--;
    return p;
}

static struct stack_place *from_source(void)
{
    struct stack_place *p = own.count < quota ? calloc(1, sizeof *p) : NULL;
    if (!p)
        return NULL;
    ENSURE(source.take && own.pool_count == 0); /* it would have been had there */
    ENSURE(own.count < quota);
    p->size = GUEST_STACK;
    p->base = source.take(&p->size);
    if (!p->base) {
        free(p);
        return NULL;
    }
    own.count++;
    return p;
}

static void let_go(struct stack_place *p)
{
    ENSURE(p->tenants == 0 && !p->in);
    ENSURE(own.pool_count <= POOL_MAX && own.count > 0);
    if (own.pool_count < POOL_MAX) {
        p->next = own.pool;
        own.pool = p;
        own.pool_count++;
        return;
    }
    source.give(p->base, p->size);
    own.count--;
    free(p);
}

/* ---- frames away and back ---------------------------------------------------------------------------------------- */

/* Where a suspended fiber's frames begin: wasmtime's fibers keep their stack pointer beneath the top
 * (wasmtime-internal-fiber, src/unix.rs). */
static uint8_t *frames_of(const struct stack_place *p)
{
    uint8_t *top = p->base + p->size, *frames;
    memcpy(&frames, top - 16, sizeof frames);
    ENSURE(frames >= p->base && frames <= top - 16);
    ENSURE((uintptr_t)frames % 8 == 0);
    return frames;
}

/* False: there is no memory for what lies there. */
static bool put_away(struct stack_place *p)
{
    struct stack *s = p->in;
    ENSURE(s->live && !s->away);
    ENSURE(s->guest != own.entered);
    const uint8_t *frames = frames_of(p);
    size_t size = (size_t)(p->base + p->size - frames);
    s->away = charged_alloc(size > GUEST_FRAMES_FREE ? &s->guest->app->memory : NULL, size);
    if (!s->away)
        return false;
    s->size = size;
    memcpy(s->away, frames, size);
    p->in = NULL;
    atomic_fetch_add_explicit(&put_away_count, 1, memory_order_relaxed);
    return true;
}

/* Frames that are not needed any more, of a guest whose call is over, just go. */
static bool vacate(struct stack_place *p)
{
    if (p->in && p->in->live)
        return put_away(p);
    ENSURE(!p->in || p->in->guest != own.entered);
    p->in = NULL;
    return true;
}

/* So that the app has the place. */
static void pass_on(struct stack_place *p, uint64_t app_id, size_t size)
{
    if (p->app_id != app_id)
        memset(p->base, 0, size);
    p->app_id = app_id;
}

static void put_back(struct stack *s)
{
    struct stack_place *p = s->place;
    ENSURE(!p->in && s->live);
    ENSURE(s->size <= p->size);
    pass_on(p, s->guest->app->id, p->size - s->size);
    memcpy(p->base + p->size - s->size, s->away, s->size);
    charged_free(s->away);
    s->away = NULL;
    p->in = s;
}

struct guest *stacks_enter(struct guest *g)
{
    struct stack *s = g->stack;
    ENSURE(!own.entered);
    ENSURE(!s || s->guest == g);
    struct stack_place *p = s ? s->place : NULL;
    if (s && s->away) {
        if (!vacate(p))
            return p->in->guest;
        put_back(s);
    }
    if (p) {
        unlist(p);
        enlist(p); /* as the one that ran last */
    }
    own.entered = g;
    own.refused = false;
    return NULL;
}

void stacks_leave(struct guest *g, bool over)
{
    struct stack *s = g->stack;
    ENSURE(own.entered == g);
    ENSURE(!s || (s->place->in == s && !s->away));
    if (s)
        s->live = !over;
    own.entered = NULL;
}

bool stacks_refused(void)
{
    return own.refused;
}

uint64_t wasm_runtime_stacks_put_away(void)
{
    return atomic_load_explicit(&put_away_count, memory_order_relaxed);
}

/* ---- for wasmtime ------------------------------------------------------------------------------------------------ */

static uint8_t *stack_range(void *env, size_t *size)
{
    const struct stack *s = env;
    *size = s->place->size;
    return s->place->base + s->place->size;
}

static void give_back(void *env)
{
    struct stack *s = env;
    struct stack_place *p = s->place;
    ENSURE(s->guest->stack == s);
    ENSURE(p->tenants > 0 && !(p->in == s && s->away));
    s->guest->stack = NULL;
    if (p->in == s)
        p->in = NULL;
    charged_free(s->away);
    free(s);
    if (--p->tenants > 0)
        return;
    unlist(p);
    let_go(p);
}

/* Where all places are taken: that of whoever ran longest ago and can be put away. */
static struct stack_place *shared(void)
{
    for (struct stack_place *p = own.first; p; p = p->next)
        if (vacate(p)) {
            unlist(p);
            return p;
        }
    return NULL;
}

static wasmtime_error_t *new_stack(void *env, size_t size, bool zeroed, wasmtime_stack_memory_t *out)
{
    struct guest *g = own.entered;
    if (size > GUEST_STACK || !g || g->stack)
        return wasmtime_error_new("a larger stack than there are, or for no guest, or a second one");
    struct stack *s = calloc(1, sizeof *s);
    struct stack_place *p = s ? from_pool(g->app->id) : NULL;
    if (s && !p)
        p = from_source();
    if (s && !p)
        p = shared();
    if (!p) {
        free(s);
        own.refused = true;
        return wasmtime_error_new("no memory for a stack");
    }
    ENSURE(p->size >= GUEST_STACK && !p->in);
    ENSURE(own.count > 0 && own.count <= quota);
    pass_on(p, zeroed ? 0 : g->app->id, p->size);
    p->app_id = g->app->id;
    p->in = s;
    p->tenants++;
    enlist(p);
    *s = (struct stack){.place = p, .guest = g};
    g->stack = s;
    out->env = s;
    out->get_stack_memory = stack_range;
    out->finalizer = give_back;
    return NULL;
}

void stacks_install(wasm_config_t *config, const struct wasm_stack_source *from, unsigned workers)
{
    source = from->take ? *from : outside;
    quota = source.count / (workers ? workers : 1);
    quota += quota == 0;
    wasmtime_stack_creator_t creator = {.env = NULL, .new_stack = new_stack, .finalizer = NULL};
    wasmtime_config_host_stack_creator_set(config, &creator);
}
