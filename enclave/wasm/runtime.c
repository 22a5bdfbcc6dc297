/*
 * The engine: its configuration, compiling, and the sealed cache's artefacts.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "common/clock.h"
#include "enclave/wasm/component.h"
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
    ENSURE(!rt->engine);
    ENSURE(own->world);
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
    wasmtime_config_async_stack_size_set(config, GUEST_STACK);
    wasmtime_config_max_wasm_stack_set(config, GUEST_WASM_STACK);
    wasmtime_config_wasm_wide_arithmetic_set(config, true); /* the rest is as wasmtime has it: docs/limits.md */
    wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
    stacks_install(config, &own->stacks, own->workers);
    code_install(config, &rt->code, own->code_is_fixed);
    memories_install(config);
    return config;
}

struct wasm_runtime *wasm_runtime_new(const struct wasm_runtime_config *config)
{
    ENSURE(config->world && config->world->packages);
    ENSURE(config->workers <= PROTO_MAX_WORKERS);
    uint64_t memory = config->guest_memory ? config->guest_memory : UINT64_C(1) << 30;
    uint64_t set_aside = config->workers * GUEST_LIFTED_MAX;
    struct wasm_runtime *rt = set_aside < memory ? calloc(1, sizeof *rt) : NULL;
    wasm_config_t *engine = rt ? engine_config(rt, config) : NULL;
    if (!rt || !engine) {
        free(rt);
        return NULL;
    }
    rt->config = *config;
    budget_init(&rt->guests, "guests", NULL, memory - set_aside);
    budget_init(&rt->kept_bytes, "kept memories", &rt->guests, (memory - set_aside) / GUESTS_KEPT_PART);
    budget_init(&rt->kept, "kept connections", NULL, APPS_KEPT_MAX);
    rt->set_aside = set_aside;
    if (!rt->config.marks_from)
        rt->config.marks_from = GUEST_MARKS_FROM;
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
        budget_deinit(&rt->kept_bytes);
        budget_deinit(&rt->guests);
        budget_deinit(&rt->kept);
    }
    free(rt);
}

uint64_t wasm_runtime_guest_memory(const struct wasm_runtime *rt)
{
    uint64_t kept = budget_used(&rt->kept_bytes), all = budget_used(&rt->guests);
    return all > kept ? all - kept : 0; /* both change meanwhile */
}

uint64_t wasm_runtime_kept_memory(const struct wasm_runtime *rt)
{
    return budget_used(&rt->kept_bytes);
}

uint64_t wasm_runtime_tick(struct wasm_runtime *rt)
{
    atomic_fetch_add_explicit(&rt->ticks, 1, memory_order_relaxed);
    wasmtime_engine_increment_epoch(rt->engine);
    bool often = is_lately(&rt->queued_ns, clock_monotonic_ns());
    atomic_store_explicit(&rt->ticks_often, often, memory_order_relaxed);
    return (often ? GUEST_TICK_QUEUED_MS : GUEST_TICK_MS) * UINT64_C(1000000);
}

/* What is written before wasmtime's artefact, with the image's roles and bytes behind it. It is sealed with it, so it
 * is as true. */
struct artefact_head {
    char magic[8];
    uint64_t instance_bytes;
    uint64_t memories; /* 0: there is no image */
    uint64_t memory_bytes, image_offset, image_size;
};
static const char artefact_magic[8] = "EOSWASM2";
#define INSTANCE_BYTES_UNKNOWN MIB(1)

/* Takes both; image NULL: it does not mark. */
static struct wasm_component *wrap(wasmtime_component_t *inner, uint64_t instance_bytes, struct memory_image *image)
{
    struct wasm_component *component = malloc(sizeof *component);
    if (component) {
        *component = (struct wasm_component){inner, instance_bytes, image};
        return component;
    }
    wasmtime_component_delete(inner);
    image_unref(image);
    return NULL;
}

/* Running out of memory while compiling would end the enclave. So what compiling is expected to take must be there:
 * from what guests may not have, and the rest is borrowed from what they have left. */
static int reserve(struct wasm_runtime *rt, uint64_t wanted, struct charge *loan, char *why, size_t why_size)
{
    ENSURE(!loan->from);
    ENSURE(why && why_size > 0);
    uint64_t left = rt->config.memory_left ? rt->config.memory_left() : UINT64_MAX;
    left = left > rt->set_aside ? left - rt->set_aside : 0;
    uint64_t of_guests = rt->guests.limit - budget_used(&rt->guests);
    uint64_t own = left > of_guests ? left - of_guests : 0;
    if (wanted <= own || (wanted <= left && charge_take(loan, &rt->guests, wanted - own)))
        return 0;
    snprintf(why, why_size,
             "compiling the component may take %lu MiB of memory, and the enclave has %lu MiB left: remove an app, or "
             "give the enclave a larger heap",
             (unsigned long)(wanted >> 20), (unsigned long)(left >> 20));
    return -ENOMEM;
}

/* Takes the image in any case. */
static struct wasm_component *compile(struct wasm_runtime *rt, const uint8_t *wasm, size_t size,
                                      const struct component_needs *needs, struct memory_image *image, char *why,
                                      size_t why_size)
{
    wasm_byte_vec_t artefact;
    ENSURE(rt->engine && (wasm || size == 0));
    ENSURE(!image || image->memories > 0);
    wasmtime_error_t *failed = enclave_component_compile(rt->engine, wasm, size, &artefact);
    if (failed) {
        component_refusal(failed, why, why_size);
        image_unref(image);
        return NULL;
    }
    wasmtime_component_t *inner = code_load(rt, (const uint8_t *)artefact.data, artefact.size, why, why_size);
    wasm_byte_vec_delete(&artefact);
    if (inner)
        return wrap(inner, needs->instance_bytes, image);
    image_unref(image);
    return NULL;
}

/* Compile it so that it marks what it writes. NULL: that is not possible, or there is no memory for it. */
static struct wasm_component *compile_marked(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, char *why,
                                             size_t why_size)
{
    struct marked_component marked;
    struct component_needs needs;
    struct charge loan = {0};
    ENSURE(wasm || size == 0);
    ENSURE(rt->config.marks_from > 0); /* the default has been put in */
    wasmtime_error_t *refused = enclave_component_mark(wasm, size, &marked);
    if (refused) {
        wasmtime_error_delete(refused);
        return NULL;
    }
    struct wasm_component *component = NULL;
    const uint8_t *code = (const uint8_t *)marked.component.data;
    struct memory_image *image =
        image_new(marked.memory_bytes, marked.image_offset, (const uint8_t *)marked.image.data, marked.image.size,
                  (const uint8_t *)marked.memories.data, marked.memories.size);
    if (image && image->memories <= GUEST_MARKED_MEMORIES_MAX && image->memory_bytes >= rt->config.marks_from &&
        component_check(code, marked.component.size, &needs, why, why_size) == 0 &&
        reserve(rt, component_compile_memory(marked.component.size, &needs), &loan, why, why_size) == 0)
        component = compile(rt, code, marked.component.size, &needs, image_ref(image), why, why_size);
    image_unref(image);
    charge_give(&loan);
    wasm_byte_vec_delete(&marked.component);
    wasm_byte_vec_delete(&marked.memories);
    wasm_byte_vec_delete(&marked.image);
    return component;
}

struct wasm_component *wasm_compile(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, char *why,
                                    size_t why_size)
{
    ENSURE(rt && (wasm || size == 0) && why && why_size > 0);
    struct component_needs needs;
    struct charge loan = {0};
    /* While it is rewritten there is less than while it is compiled, but for the image of its data. */
    if (component_check(wasm, size, &needs, why, why_size) != 0 ||
        reserve(rt, component_compile_memory(size, &needs) + 4 * (uint64_t)size, &loan, why, why_size) != 0)
        return NULL;
    struct wasm_component *component = compile_marked(rt, wasm, size, why, why_size);
    if (!component)
        component = compile(rt, wasm, size, &needs, NULL, why, why_size);
    charge_give(&loan);
    return component;
}

int wasm_serialize(const struct wasm_component *component, uint8_t **out, size_t *out_size)
{
    wasm_byte_vec_t bytes;
    const struct memory_image *image = component->image;
    struct artefact_head head = {.instance_bytes = component->instance_bytes};
    memcpy(head.magic, artefact_magic, sizeof head.magic);
    if (image) {
        head.memories = image->memories;
        head.memory_bytes = image->memory_bytes;
        head.image_offset = image->offset;
        head.image_size = image->size;
    }
    wasmtime_error_t *failed = wasmtime_component_serialize(component->component, &bytes);
    if (failed) {
        wasmtime_error_delete(failed);
        return -ENOMEM;
    }
    size_t before = sizeof head + head.memories + head.image_size;
    *out_size = before + bytes.size;
    *out = malloc(*out_size);
    if (*out) {
        memcpy(*out, &head, sizeof head);
        if (image) {
            memcpy(*out + sizeof head, image->roles, image->memories);
            memcpy(*out + sizeof head + image->memories, image->bytes, image->size);
        }
        memcpy(*out + before, bytes.data, bytes.size);
    }
    wasm_byte_vec_delete(&bytes);
    return *out ? 0 : -ENOMEM;
}

/* Its length. Artefacts were kept with the first two of its members before, and with none before that: more than most
 * need, of code that does not mark. */
static size_t read_head(const uint8_t *artefact, size_t size, struct artefact_head *head)
{
    static const char former_magic[8] = "EOSWASM1";
    const size_t former = offsetof(struct artefact_head, memories);
    *head = (struct artefact_head){.instance_bytes = INSTANCE_BYTES_UNKNOWN};
    size_t length = 0;
    if (size >= sizeof *head && memcmp(artefact, artefact_magic, sizeof artefact_magic) == 0)
        length = sizeof *head;
    else if (size >= former && memcmp(artefact, former_magic, sizeof former_magic) == 0)
        length = former;
    if (length)
        memcpy(head, artefact, length);
    return length;
}

struct wasm_component *wasm_deserialize(struct wasm_runtime *rt, const uint8_t *artefact, size_t size, char *why,
                                        size_t why_size)
{
    struct artefact_head head;
    struct memory_image *image = NULL;
    size_t before = read_head(artefact, size, &head);
    const uint8_t *at = artefact + before;
    size_t left = size - before;
    if (head.memories > left || head.image_size > left - head.memories) {
        snprintf(why, why_size, "the compiled code is not whole");
        return NULL;
    }
    if (head.memories) {
        image = image_new(head.memory_bytes, head.image_offset, at + head.memories, head.image_size, at, head.memories);
        if (!image) {
            snprintf(why, why_size, "no memory");
            return NULL;
        }
    }
    size_t skip = head.memories + head.image_size;
    wasmtime_component_t *inner = code_load(rt, at + skip, left - skip, why, why_size);
    if (inner)
        return wrap(inner, head.instance_bytes, image);
    image_unref(image);
    return NULL;
}

struct wasm_component *wasm_component_clone(const struct wasm_component *component)
{
    return wrap(wasmtime_component_clone(component->component), component->instance_bytes,
                component->image ? image_ref(component->image) : NULL);
}

void wasm_component_delete(struct wasm_component *component)
{
    if (component) {
        wasmtime_component_delete(component->component);
        image_unref(component->image);
    }
    free(component);
}
