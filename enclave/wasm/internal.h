/* Between the files of this room: linking, and where stacks, memories and code lie. */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_INTERNAL_H
#define ENCLAVE_OS_ENCLAVE_WASM_INTERNAL_H

#include "enclave/wasm/host.h"

void resources_free(struct guest *g);

/* living.c: between app_new's success and the last reference. */
void living_add(struct app *app);
void living_remove(struct app *app);

/* Whoever begins something counts first and looks then; whoever closes does it the other way around: so either it is
 * seen to run, or it sees that it may not. */
static inline void app_leave(struct app *app)
{
    unsigned before = atomic_fetch_sub(&app->running, 1);
    ENSURE(before > 0);
}

/* How many run, with this one; 0: it may not. */
static inline unsigned app_enter(struct app *app)
{
    unsigned before = atomic_fetch_add(&app->running, 1);
    if (!atomic_load(&app->closed))
        return before + 1;
    app_leave(app);
    return 0;
}

/* app_code.c: what an app runs. An app has its first code before others see it, and is rid of all behind its last
 * reference. 0, or -EINVAL with why; takes the component in any case. */
int code_begin(struct app *app, struct wasm_component *component, char *why, size_t why_size);
void code_end(struct app *app);
/* The code for a guest that begins: it stays until that has left. */
struct app_code *code_enter(struct app *app);
void code_leave(struct app *app, struct app_code *code);

/* Define in linker all that the component imports. 0 or -EINVAL with one line in why. */
int link_component(const struct host_world *world, wasmtime_component_linker_t *linker,
                   const wasmtime_component_t *component, char *why, size_t why_size);
/* How a component is entered: by the handler that it exports, or, if it has none, as a command. 0 or -EINVAL. */
struct link_entry {
    char interface[LINK_NAME_MAX]; /* with its version: "wasi:http/incoming-handler@0.2.3" */
    bool command;
};
int link_find_entry(const wasmtime_component_t *component, struct link_entry *out);
/* What went wrong at last, in one line, without what was being done. Takes error; NULL: no memory. To be freed. */
char *error_cause(wasmtime_error_t *error);

/* Fiber stacks. Before a guest's call is polled or deleted it enters, and its frames are where they were; NULL. Or a
 * guest whose frames lie there and cannot be put away for want of memory: that one's call has to be deleted first.
 * Afterwards it leaves, with its call over or suspended. */
void stacks_install(wasm_config_t *config, const struct wasm_stack_source *from, unsigned workers);
struct guest *stacks_enter(struct guest *g);
void stacks_leave(struct guest *g, bool over);
bool stacks_refused(void); /* since it entered: there was no stack for it, which is no fault of the guest's */
/* turns.c: whose turn it is, among the guests of one worker. */
bool turns_may(struct guest *g); /* whether it may have one now */
/* Otherwise: until its turn comes, when turn is called (always the same one; the guest may be gone afterwards), or
 * turns_leave; it is "computing" meanwhile. */
void turns_queue(struct guest *g, void (*turn)(struct guest *g));
void turns_leave(struct guest *g);
void turns_charge(struct guest *g, uint64_t took_ns); /* after each */
/* memories.c: linear memories, and whose are made on this thread now. */
void memories_install(wasm_config_t *config);
void memories_enter(struct guest *g);
/* On the guest's worker, once its store is gone: keep its memories for another, where they can be put back. */
void recycled_settle(struct guest *g);
void recycled_drop_all(struct app *app); /* nobody uses it any more */
/* all outlives the engine. */
void code_install(wasm_config_t *config, struct code_regions *all, bool fixed);
/* A component of an artefact that this engine made, of which it takes a copy. NULL with a sentence in why. */
wasmtime_component_t *code_load(struct wasm_runtime *rt, const uint8_t *artefact, size_t size, char *why,
                                size_t why_size);
/* Whether there is room for so much more of it. */
bool code_has_room(struct wasm_runtime *rt, size_t size);
/* Of a guest without its memories, tables and stack (stacks.c counts those): contexts, scratch, its own structure,
 * wasmtime's. */
static inline size_t guest_cost(const struct app_code *code)
{
    return GUEST_OWN_COST + code->component->instance_bytes;
}

#endif
