/*
 * The engine: its configuration, compiling, and the sealed cache's artefacts.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "enclave/wasm/internal.h"

static void default_random(void *buf, size_t size)
{
    for (uint8_t *at = buf; size > 0;) {
        ssize_t got = getrandom(at, size > 256 ? 256 : size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* a guest must never get predictable bytes */
        at += got;
        size -= (size_t)got;
    }
}

static wasm_config_t *engine_config(struct wasm_runtime *rt, const struct wasm_runtime_config *own)
{
    wasm_config_t *config = wasm_config_new();
    if (!config)
        return NULL;
    wasmtime_config_wasm_component_model_set(config, true);
    /* No signal handlers, no reserved address space: linear memory is malloc's, every access is checked. */
    wasmtime_config_signals_based_traps_set(config, false);
    wasmtime_config_memory_reservation_set(config, 0);
    wasmtime_config_memory_guard_size_set(config, 0);
    wasmtime_config_memory_reservation_for_growth_set(config, 1u << 20);
    /* A module's data becomes one piece when it is compiled (wasmtime/memfd has it copied). Otherwise it stays as it
       is: for what Go makes, tens of thousands of pieces, with a copy compiled for each in a gigabyte. */
    wasmtime_config_memory_init_cow_set(config, true);
    wasmtime_config_native_unwind_info_set(config, false);
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_concurrency_support_set(config, false);
    wasmtime_config_async_stack_size_set(config, STACK_SIZE);
    wasmtime_config_max_wasm_stack_set(config, STACK_FOR_WASM);
    wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
    stacks_install(config, &own->stacks, &rt->stacks);
    memories_install(config);
    return config;
}

struct wasm_runtime *wasm_runtime_new(const struct wasm_runtime_config *config)
{
    struct wasm_runtime *rt = calloc(1, sizeof *rt);
    wasm_config_t *engine = rt ? engine_config(rt, config) : NULL;
    if (!rt || !engine) {
        free(rt);
        return NULL;
    }
    rt->config = *config;
    budget_init(&rt->guests, "guests", NULL, config->guest_memory ? config->guest_memory : UINT64_C(1) << 30);
    if (!rt->config.random)
        rt->config.random = default_random;
    rt->engine = wasm_engine_new_with_config(engine);
    if (!rt->engine) {
        free(rt);
        return NULL;
    }
    return rt;
}

void wasm_runtime_delete(struct wasm_runtime *rt)
{
    if (rt) {
        wasm_engine_delete(rt->engine);
        budget_deinit(&rt->guests);
        budget_deinit(&rt->stacks);
    }
    free(rt);
}

uint64_t wasm_runtime_guest_memory(const struct wasm_runtime *rt)
{
    return budget_used(&rt->guests);
}

void wasm_runtime_tick(struct wasm_runtime *rt)
{
    atomic_fetch_add_explicit(&rt->ticks, 1, memory_order_relaxed);
    wasmtime_engine_increment_epoch(rt->engine);
}

int error_text(wasmtime_error_t *error, char *out, size_t size)
{
    wasm_name_t text;
    wasmtime_error_message(error, &text);
    /* One line: causes are on lines of their own. */
    size_t end = 0;
    for (size_t i = 0; i < text.size && end + 1 < size; i++)
        out[end++] = (unsigned char)text.data[i] < ' ' ? ' ' : text.data[i];
    if (size)
        out[end] = 0;
    wasm_name_delete(&text);
    wasmtime_error_delete(error);
    return -EINVAL;
}

static struct wasm_component *wrap(wasmtime_component_t *inner)
{
    struct wasm_component *component = malloc(sizeof *component);
    if (component)
        component->component = inner;
    else
        wasmtime_component_delete(inner);
    return component;
}

struct wasm_component *wasm_compile(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, char *error,
                                    size_t error_size)
{
    wasmtime_component_t *inner;
    wasmtime_error_t *failed = wasmtime_component_new(rt->engine, wasm, size, &inner);
    if (failed) {
        error_text(failed, error, error_size);
        return NULL;
    }
    return wrap(inner);
}

int wasm_serialize(const struct wasm_component *component, uint8_t **out, size_t *out_size)
{
    wasm_byte_vec_t bytes;
    wasmtime_error_t *failed = wasmtime_component_serialize(component->component, &bytes);
    if (failed) {
        wasmtime_error_delete(failed);
        return -ENOMEM;
    }
    *out = malloc(bytes.size);
    *out_size = bytes.size;
    if (*out)
        memcpy(*out, bytes.data, bytes.size);
    wasm_byte_vec_delete(&bytes);
    return *out ? 0 : -ENOMEM;
}

struct wasm_component *wasm_deserialize(struct wasm_runtime *rt, const uint8_t *artefact, size_t size, char *error,
                                        size_t error_size)
{
    wasmtime_component_t *inner;
    wasmtime_error_t *failed = wasmtime_component_deserialize(rt->engine, artefact, size, &inner);
    if (failed) {
        error_text(failed, error, error_size);
        return NULL;
    }
    return wrap(inner);
}

struct wasm_component *wasm_component_clone(const struct wasm_component *component)
{
    struct wasm_component *made = malloc(sizeof *made);
    if (made)
        made->component = wasmtime_component_clone(component->component);
    return made;
}

void wasm_component_delete(struct wasm_component *component)
{
    if (component)
        wasmtime_component_delete(component->component);
    free(component);
}
