/*
 * Fiber stacks. A suspended guest keeps its stack, a finished one gives it back: to a small pool of the thread's, so
 * that a request of an app that has just run finds one as it is, and from there to where all stacks come from. Below
 * each lies a gap without pages, so a host function that needs more than wasmtime leaves to it faults.
 *
 * A stack that passes from one app to another is zeroed. There are so many and no more; an app may hold as many as it
 * leaves free for the others.
 */
#include <sys/mman.h>

#include "enclave/wasm/internal.h"

#define POOL_MAX 8u
#define PAGE 4096u
#define OUTSIDE_GUARD (64u << 10)
#define OUTSIDE_COUNT 4096u

struct stack {
    struct stack *next;
    struct charge charge; /* to the app that holds it; none in the pool */
    uint64_t app_id;      /* of what ran on it last */
    uint8_t *base;
    size_t size;
};

static _Thread_local struct stack *pool;
static _Thread_local unsigned pool_count;
static _Thread_local struct app *running_app;
static _Thread_local bool refused;

static struct wasm_stack_source source;

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

/* ---- whose they are ------------------------------------------------------------------------------------------ */

void stacks_enter_app(struct app *app)
{
    running_app = app;
    refused = false;
}

bool stacks_refused(void)
{
    return refused;
}

/* ---- the pool -------------------------------------------------------------------------------------------------- */

static uint8_t *stack_range(void *env, size_t *size)
{
    struct stack *stack = env;
    *size = stack->size;
    return stack->base + stack->size;
}

static void give_back(void *env)
{
    struct stack *stack = env;
    ENSURE(stack->size >= GUEST_STACK && pool_count <= POOL_MAX);
    ENSURE(stack->charge.bytes == 1);
    charge_give(&stack->charge);
    if (pool_count >= POOL_MAX) {
        source.give(stack->base, stack->size);
        free(stack);
        return;
    }
    stack->next = pool;
    pool = stack;
    pool_count++;
}

/* One of the pool's, if possible one that the same app had. */
static struct stack *from_pool(uint64_t app_id)
{
    ENSURE(!pool == (pool_count == 0));
    struct stack **at = &pool;
    while (*at && (*at)->app_id != app_id)
        at = &(*at)->next;
    if (!*at)
        at = &pool;
    struct stack *stack = *at;
    if (!stack)
        return NULL;
    *at = stack->next;
    ENSURE(pool_count > 0 && stack->charge.bytes == 0); /* in the pool it is nobody's */
    pool_count--;
    if (stack->app_id != app_id)
        memset(stack->base, 0, stack->size);
    return stack;
}

static struct stack *from_source(void)
{
    struct stack *stack = calloc(1, sizeof *stack);
    if (!stack)
        return NULL;
    stack->size = GUEST_STACK;
    stack->base = source.take(&stack->size);
    if (!stack->base) {
        free(stack);
        return NULL;
    }
    return stack;
}

static wasmtime_error_t *refuse(const char *why)
{
    refused = true;
    return wasmtime_error_new(why);
}

static wasmtime_error_t *new_stack(void *env, size_t size, bool zeroed, wasmtime_stack_memory_t *out)
{
    struct charge charge = {0};
    if (size > GUEST_STACK || !running_app)
        return wasmtime_error_new("a larger stack than there are, or for no app");
    if (!charge_take(&charge, &running_app->stacks, 1))
        return refuse("no stack is free for another request of this app");
    struct stack *stack = from_pool(running_app->id);
    if (stack && zeroed)
        memset(stack->base, 0, stack->size);
    if (!stack)
        stack = from_source();
    if (!stack) {
        charge_give(&charge);
        return refuse("no memory for a stack");
    }
    ENSURE(stack->size >= GUEST_STACK && !stack->charge.from);
    charge_move(&stack->charge, &charge);
    ENSURE(stack->charge.from == &running_app->stacks);
    stack->app_id = running_app->id;
    out->env = stack;
    out->get_stack_memory = stack_range;
    out->finalizer = give_back;
    return NULL;
}

void stacks_install(wasm_config_t *config, const struct wasm_stack_source *from, struct budget *all)
{
    const unsigned pools = POOL_MAX * PROTO_MAX_WORKERS; /* those that may lie there are nobody's to count on */
    source = from->take ? *from : outside;
    budget_init(all, "guest stacks", NULL, source.count > pools ? source.count - pools : 0);
    wasmtime_stack_creator_t creator = {.env = NULL, .new_stack = new_stack, .finalizer = NULL};
    wasmtime_config_host_stack_creator_set(config, &creator);
}
