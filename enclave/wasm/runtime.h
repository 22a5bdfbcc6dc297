/*
 * The WebAssembly engine: components are compiled, become apps, and answer HTTP requests. Begin here.
 *
 *     struct wasm_runtime *rt = wasm_runtime_new(&(struct wasm_runtime_config){.world = &wasi_world, .workers = 2});
 *     struct wasm_component *component = wasm_compile(rt, wasm, size, why, sizeof why);      seconds, on any thread
 *     struct app *app = app_new(rt, &config, component, why, sizeof why);                    app.h
 *     app_handle(app, exchange);                                     a fresh instance, on the exchange's worker
 *     app_unref(app);                                                the last request keeps its own reference
 *     wait(wasm_runtime_tick(rt));                                   while guests run, in a thread of its own
 *
 * The room's public headers: this one; app.h, apps and their table; settings.h, what an operator sets of one;
 * component.h, what is judged before compiling; limits.h, the bounds; host.h and shim.h, for those who serve guests.
 *
 * Code comes in two kinds. Optimising a large component takes half a minute; quick code of it is made in less than half
 * of that, runs slower, and is never kept: it serves until wasm_optimise is done and app_improve puts what that made in
 * its place.
 *
 * Untrusted code runs in it, so memory comes from malloc (no guard pages, no signals), computing guests yield at
 * every tick of the epoch, and nothing compiled outside is ever loaded: wasm_deserialize is only for artefacts that
 * this enclave sealed itself.
 *
 * Owners. One runtime for all workers; it outlives its components and apps, its world and its dialer outlive it. A
 * component belongs to who has it until app_new takes it. Apps and settings are counted and never change.
 *
 * Threads. What is compiled, and apps' references and table: any. A guest belongs to its exchange's worker, and asserts
 * that. The configuration's log runs there, too.
 *
 * Errors are negative errno values called error; a sentence for people goes into why, of why_size bytes, always ended
 * by a zero. What a component or an operator brings is never an invariant.
 *
 * Memory. Guests share guest_memory, each app up to its own share (enclave/budget/budget.h). Compiling borrows from
 * them, and is refused where it may not fit: running out of memory inside wasmtime would end the enclave.
 *
 * Known weaknesses. One instruction is not interrupted (docs/limits.md says what each takes). Side channels between
 * guests of one worker are those of any process. wasmtime is a large part of what is trusted.
 */
#ifndef ENCLAVE_OS_ENCLAVE_WASM_RUNTIME_H
#define ENCLAVE_OS_ENCLAVE_WASM_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_dialer; /* enclave/https/client.h */
struct wasm_runtime;
struct worker;
struct store;   /* enclave/kvstore/store.h */
struct fs_home; /* enclave/fs/fs.h */

/* Where the stacks of guests come from. A stack lies above memory that faults. */
struct wasm_stack_source {
    void *(*take)(size_t *size); /* at least so large, zeroed; sets what there is. NULL: none is free */
    void (*give)(void *stack, size_t size);
    unsigned count; /* of all that there are */
};

struct host_world; /* enclave/wasm/host.h; enclave/wasi/wasi.h has the one that there is */

struct wasm_runtime_config {
    const struct host_world *world; /* what guests may import, and who serves it; lives as long as the runtime */
    /* Fill size bytes with cryptographic randomness. NULL: getrandom. */
    void (*random)(void *buf, size_t size);
    /* One line that a guest wrote to stdout or stderr, without the newline. On the thread of the guest's worker. NULL:
     * dropped. */
    void (*log)(struct worker *worker, const char *app, bool error, const char *line, size_t size);
    /* For requests that guests make. NULL: all are denied. */
    const struct http_dialer *dialer;
    /* What guests' buckets and files are in, for the world's functions. files NULL: apps have none. */
    struct store *store;
    struct fs_home *files;
    /* Bytes that all guests together may hold (memories.c says how they share them); 0: 1 GiB. Some are set aside for
     * what each thread that serves guests reads of their memory (GUEST_LIFTED_MAX). */
    uint64_t guest_memory;
    unsigned workers;
    /* For tests: compare each memory that is put back with what it has to be, and stop if it is not. */
    bool compare_memories;
    struct wasm_stack_source stacks; /* take NULL: mmap */
    /* Pages for code are executable from the start and stay writable, since their permissions cannot change. */
    bool code_is_fixed;
    /* How much memory there is for compiling. NULL: as much as is wanted. */
    uint64_t (*memory_left)(void);
    /* On a worker's thread, each time before it runs a guest: from here on ticks are needed. NULL: they always come. */
    void (*guest_runs)(void);
};

/* NULL if memory is short, also guest_memory for so many workers. Lives until the process ends unless deleted after the
 * last app. */
struct wasm_runtime *wasm_runtime_new(const struct wasm_runtime_config *config);
void wasm_runtime_delete(struct wasm_runtime *rt);

/* Bytes that all guests hold now; and what is kept for those to come, of the same guest_memory. */
uint64_t wasm_runtime_guest_memory(const struct wasm_runtime *rt);
uint64_t wasm_runtime_kept_memory(const struct wasm_runtime *rt);

/* How often a guest's frames were put away, since others needed their place (stacks.c). */
uint64_t wasm_runtime_stacks_put_away(void);
/* Advance the epoch: every computing guest yields soon. Returns after how many nanoseconds it should be called again:
 * sooner where guests queue for their turns. Any thread; async-signal-safe. */
uint64_t wasm_runtime_tick(struct wasm_runtime *rt);

/* A validated and compiled component, optimised. Any thread; takes from milliseconds to many seconds and cannot be
 * interrupted. What is beyond the limits (limits.h), or wants more memory than there is, is refused before; what would
 * fit if nothing else were compiled waits until that is over. On failure NULL and one sentence in why. */
struct wasm_component;
struct wasm_component *wasm_compile(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, char *why,
                                    size_t why_size);
/* The same, but where optimising would take seconds, and there is room for such code and for optimised code beside it,
 * it is quick code. */
struct wasm_component *wasm_compile_quick(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, char *why,
                                          size_t why_size);
bool wasm_is_quick(const struct wasm_component *component);
/* The artefact of optimised code, of which nothing is loaded: as of wasm_serialize. -EINVAL or -ENOMEM with why. */
int wasm_optimise(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, uint8_t **artefact, size_t *artefact_size,
                  char *why, size_t why_size);
/* The artefact for a sealed cache: malloc'ed, to be freed by the caller. Never of quick code. -ENOMEM. */
int wasm_serialize(const struct wasm_component *component, uint8_t **out, size_t *out_size);
/* The engine by its fingerprint: the library that compiles and runs components, with all that configures it and judges
 * them. Two images that have the same one have the same artefacts. */
#define WASM_ENGINE_ID_SIZE 32u
extern const uint8_t wasm_engine_id[WASM_ENGINE_ID_SIZE];
/* The artefact must come from wasm_serialize of the same engine, unmodified (authenticate it first). Refused where this
 * CPU has not what the code was made for. */
struct wasm_component *wasm_deserialize(struct wasm_runtime *rt, const uint8_t *artefact, size_t size, char *why,
                                        size_t why_size);
/* The same component once more, for another app. NULL: no memory. */
struct wasm_component *wasm_component_clone(const struct wasm_component *component);
void wasm_component_delete(struct wasm_component *component);

#endif
