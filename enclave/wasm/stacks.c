/*
 * Fiber stacks, from a pool per thread: a suspended guest keeps its stack, a finished one gives it back.
 *
 * A stack that passes from one app to another is zeroed. There is no guard page inside an enclave: wasmtime keeps
 * guest frames within STACK_FOR_WASM, host functions have the rest, and a word at the far end, checked when the
 * stack comes back, tells if that was ever not enough.
 */
#include "enclave/wasm/internal.h"

#define POOL_MAX 64u
#define ALIGNMENT 4096u
#define CANARY 0x5ac0de57ac4bed01ull

struct stack {
    struct stack *next;
    uint64_t app_id;
    uint8_t *base;
    size_t size;
};

static _Thread_local struct stack *pool;
static _Thread_local unsigned pool_count;
static _Thread_local uint64_t running_app;

void stacks_enter_app(uint64_t app_id)
{
    running_app = app_id;
}

static uint8_t *stack_top(void *env, size_t *size)
{
    struct stack *stack = env;
    *size = stack->size;
    return stack->base + stack->size;
}

static void give_back(void *env)
{
    struct stack *stack = env;
    uint64_t canary;
    memcpy(&canary, stack->base, sizeof canary);
    if (canary != CANARY)
        abort(); /* memory below the stack was overwritten: nothing can be trusted any more */
    if (pool_count >= POOL_MAX) {
        memset(stack->base, 0, stack->size);
        free(stack->base);
        free(stack);
        return;
    }
    stack->next = pool;
    pool = stack;
    pool_count++;
}

static struct stack *take(size_t size)
{
    struct stack *stack = pool;
    if (stack && stack->size == size) {
        pool = stack->next;
        pool_count--;
        if (stack->app_id != running_app)
            memset(stack->base, 0, stack->size);
        return stack;
    }
    stack = calloc(1, sizeof *stack);
    uint8_t *base = aligned_alloc(ALIGNMENT, size);
    if (!stack || !base) {
        free(stack);
        free(base);
        return NULL;
    }
    memset(base, 0, size);
    stack->base = base;
    stack->size = size;
    return stack;
}

static wasmtime_error_t *new_stack(void *env, size_t size, bool zeroed, wasmtime_stack_memory_t *out)
{
    struct stack *stack = take((size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
    if (!stack)
        return wasmtime_error_new("no memory for a stack");
    if (zeroed)
        memset(stack->base, 0, stack->size);
    uint64_t canary = CANARY;
    memcpy(stack->base, &canary, sizeof canary);
    stack->app_id = running_app;
    out->env = stack;
    out->get_stack_memory = stack_top;
    out->finalizer = give_back;
    return NULL;
}

void stacks_install(wasm_config_t *config)
{
    wasmtime_stack_creator_t creator = {.env = NULL, .new_stack = new_stack, .finalizer = NULL};
    wasmtime_config_host_stack_creator_set(config, &creator);
}
