/*
 * What an app runs: the code that it came with and, where that was made quickly, better code of the same component,
 * which takes its place between two requests. Guests that run the first end in it, and it goes with the last of them.
 * They are counted for that; in the better code, which stays as long as the app, nobody is.
 */
#include <errno.h>
#include <stdio.h>

#include "enclave/wasm/component.h"
#include "enclave/wasm/internal.h"

/* The component with all that it imports, and the app's entry; -EINVAL with why. */
static int resolve(struct app *app, const struct wasm_component *code, enclave_pre_t **pre, bool *command, char *why,
                   size_t why_size)
{
    struct link_entry entry;
    ENSURE(app->rt && app->settings);
    ENSURE(code->component && !*pre);
    if (link_find_entry(code->component, &entry) != 0) {
        snprintf(why, why_size,
                 "the component exports neither wasi:http/incoming-handler@0.2.x nor wasi:cli/run@0.2.x");
        return -EINVAL;
    }
    if (component_fits(code->component, app->memory_limit, why, why_size) != 0)
        return -EINVAL;
    wasmtime_component_linker_t *linker = wasmtime_component_linker_new(app->rt->engine);
    int error = link_component(app->rt->config.world, linker, code->component, why, why_size);
    if (error == 0) {
        wasmtime_error_t *failed =
            enclave_pre_new(linker, code->component, entry.interface, strlen(entry.interface), entry.command, pre);
        if (failed) {
            component_refusal(failed, why, why_size);
            error = -EINVAL;
        }
    }
    wasmtime_component_linker_delete(linker);
    *command = entry.command;
    return error;
}

/* Nobody sees it yet, or nobody any more: once. */
static void drop(struct app_code *code)
{
    enclave_pre_t *pre = atomic_exchange(&code->pre, NULL);
    if (!pre)
        return;
    enclave_pre_delete(pre);
    wasm_component_delete(code->component);
    code->component = NULL;
}

static int fill(struct app *app, struct app_code *code, struct wasm_component *component, bool *command, char *why,
                size_t why_size)
{
    enclave_pre_t *pre = NULL;
    ENSURE(!code->component && !atomic_load(&code->pre));
    ENSURE(component);
    int error = resolve(app, component, &pre, command, why, why_size);
    if (error < 0) {
        wasm_component_delete(component);
        return error;
    }
    code->component = component;
    code->marks = component->image;
    atomic_store(&code->pre, pre);
    return 0;
}

int code_begin(struct app *app, struct wasm_component *component, char *why, size_t why_size)
{
    unsigned at = component->is_quick ? CODE_FIRST : CODE_BETTER;
    atomic_store(&app->code_now, at);
    return fill(app, &app->code[at], component, &app->command, why, why_size);
}

void code_end(struct app *app)
{
    ENSURE(atomic_load(&app->code[CODE_FIRST].guests) == 0);
    for (unsigned i = 0; i < CODE_COUNT; i++)
        drop(&app->code[i]);
}

/* Counts first and looks then, while app_improve changes first and looks at the count then: so either the guest sees
 * that it has changed, or the code stays for it. */
struct app_code *code_enter(struct app *app)
{
    struct app_code *first = &app->code[CODE_FIRST];
    if (atomic_load(&app->code_now) == CODE_FIRST) {
        atomic_fetch_add(&first->guests, 1);
        if (atomic_load(&app->code_now) == CODE_FIRST)
            return first;
        code_leave(app, first);
    }
    return &app->code[CODE_BETTER];
}

void code_leave(struct app *app, struct app_code *code)
{
    if (code != &app->code[CODE_FIRST])
        return;
    unsigned before = atomic_fetch_sub(&code->guests, 1);
    ENSURE(before > 0);
    if (before == 1 && atomic_load(&app->code_now) != CODE_FIRST)
        drop(code);
}

int app_improve(struct app *app, struct wasm_component *better, char *why, size_t why_size)
{
    ENSURE(app_is_quick(app));
    ENSURE(!better->is_quick);
    bool command;
    int error = fill(app, &app->code[CODE_BETTER], better, &command, why, why_size);
    if (error < 0)
        return error;
    ENSURE(command == app->command); /* it is the same component */
    atomic_store(&app->code_now, CODE_BETTER);
    if (atomic_load(&app->code[CODE_FIRST].guests) == 0)
        drop(&app->code[CODE_FIRST]);
    return 0;
}

bool app_is_quick(const struct app *app)
{
    return !app->stopped && atomic_load(&((struct app *)app)->code_now) == CODE_FIRST;
}

const struct wasm_component *app_component(const struct app *app)
{
    return app->code[atomic_load(&((struct app *)app)->code_now)].component;
}
