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

/* What code is made for, and made by. */
static wasm_config_t *code_config(bool quick)
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
    wasmtime_config_async_stack_size_set(config, GUEST_STACK);
    wasmtime_config_max_wasm_stack_set(config, GUEST_WASM_STACK);
    wasmtime_config_wasm_wide_arithmetic_set(config, true); /* the rest is as wasmtime has it: docs/limits.md */
    wasmtime_config_cranelift_opt_level_set(config, quick ? WASMTIME_OPT_LEVEL_NONE : WASMTIME_OPT_LEVEL_SPEED);
    if (quick)
        wasmtime_config_cranelift_flag_set(config, "regalloc_algorithm", "single_pass");
    return config;
}

static wasm_config_t *engine_config(struct wasm_runtime *rt, const struct wasm_runtime_config *own)
{
    ENSURE(!rt->engine);
    ENSURE(own->world);
    wasm_config_t *config = code_config(false);
    if (!config)
        return NULL;
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
    pthread_mutex_init(&rt->compiling, NULL);
    pthread_cond_init(&rt->compiled, NULL);
    budget_init(&rt->compilers, "compilers", NULL, BUDGET_UNLIMITED);
    budget_init(&rt->guests, "guests", NULL, memory - set_aside);
    budget_init(&rt->kept_bytes, "kept memories", &rt->guests, (memory - set_aside) / GUESTS_KEPT_PART);
    budget_init(&rt->kept, "kept connections", NULL, APPS_KEPT_MAX);
    rt->set_aside = set_aside;
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
        pthread_cond_destroy(&rt->compiled);
        pthread_mutex_destroy(&rt->compiling);
        budget_deinit(&rt->compilers);
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
    uint64_t queued_ns = atomic_load_explicit(&rt->queued_ns, memory_order_relaxed);
    bool often = queued_ns && clock_monotonic_ns() < queued_ns + GUEST_QUEUED_LATELY_MS * UINT64_C(1000000);
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

/* Takes both; image NULL: it does not mark. */
static struct wasm_component *wrap(wasmtime_component_t *inner, uint64_t instance_bytes, struct memory_image *image,
                                   bool quick)
{
    struct wasm_component *component = malloc(sizeof *component);
    if (component) {
        *component = (struct wasm_component){inner, instance_bytes, image, quick};
        return component;
    }
    wasmtime_component_delete(inner);
    image_unref(image);
    return NULL;
}

/* What is set aside for compiling: for those who compile, and of that what is borrowed of guests. */
struct reserve {
    struct charge own, loan;
};

/* Whether so much is left beside what is being compiled, all of which may take what it was let have. With the lock. */
static bool take_memory(struct wasm_runtime *rt, struct reserve *r, uint64_t wanted, uint64_t *left)
{
    *left = rt->config.memory_left ? rt->config.memory_left() : UINT64_MAX;
    uint64_t others = rt->set_aside + budget_used(&rt->compilers);
    *left = *left > others ? *left - others : 0;
    uint64_t of_guests = rt->guests.limit - budget_used(&rt->guests);
    uint64_t own = *left > of_guests ? *left - of_guests : 0;
    ENSURE(!r->loan.from && !r->own.from);
    if (wanted > own && (wanted > *left || !charge_take(&r->loan, &rt->guests, wanted - own)))
        return false;
    return charge_take(&r->own, &rt->compilers, wanted);
}

/* Running out of memory while compiling would end the enclave. So what compiling is expected to take must be there:
 * from what guests may not have, and the rest is borrowed from what they have left. What others are compiling with is
 * waited for. */
static int reserve(struct wasm_runtime *rt, struct reserve *r, uint64_t wanted, char *why, size_t why_size)
{
    uint64_t left;
    ENSURE(why && why_size > 0);
    ENSURE(wanted > 0);
    pthread_mutex_lock(&rt->compiling);
    bool fits;
    while (!(fits = take_memory(rt, r, wanted, &left)) && budget_used(&rt->compilers) > 0)
        pthread_cond_wait(&rt->compiled, &rt->compiling);
    pthread_mutex_unlock(&rt->compiling);
    if (fits)
        return 0;
    snprintf(why, why_size,
             "compiling the component may take %lu MiB of memory, and the enclave has %lu MiB left: remove an app, or "
             "give the enclave a larger heap",
             (unsigned long)(wanted >> 20), (unsigned long)(left >> 20));
    return -ENOMEM;
}

static void release(struct wasm_runtime *rt, struct reserve *r)
{
    charge_give(&r->loan);
    pthread_mutex_lock(&rt->compiling);
    charge_give(&r->own);
    pthread_cond_broadcast(&rt->compiled);
    pthread_mutex_unlock(&rt->compiling);
}

/* What compiling makes. */
struct product {
    wasm_byte_vec_t artefact;
    uint64_t instance_bytes;
    struct memory_image *image; /* counted; NULL: it does not mark */
    bool quick;
};

static void product_free(struct product *p)
{
    wasm_byte_vec_delete(&p->artefact);
    image_unref(p->image);
}

/* By an engine of its own, whose compiler keeps what it worked with for as long as it lives. Its memory is reserved. */
static int compile(const uint8_t *wasm, size_t size, bool may_be_quick, const struct component_needs *needs,
                   struct product *out, char *why, size_t why_size)
{
    *out =
        (struct product){.instance_bytes = needs->instance_bytes, .quick = may_be_quick && component_takes_long(needs)};
    wasm_config_t *config = code_config(out->quick);
    wasm_engine_t *engine = config ? wasm_engine_new_with_config(config) : NULL;
    snprintf(why, why_size, "no memory");
    if (!engine)
        return -ENOMEM;
    wasmtime_error_t *failed = enclave_component_compile(engine, wasm, size, &out->artefact);
    wasm_engine_delete(engine);
    if (!failed)
        return 0;
    component_refusal(failed, why, why_size);
    return -EINVAL;
}

/* The same so that it marks what it writes. Not 0: that is not possible, or there is no memory for it. */
static int compile_marked(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, bool may_be_quick,
                          struct product *out, char *why, size_t why_size)
{
    struct marked_component marked;
    struct component_needs needs;
    struct reserve memory = {0};
    /* While it is rewritten there is less than while it is compiled, but for the image of its data. */
    if (component_check(wasm, size, &needs, why, why_size) != 0 ||
        reserve(rt, &memory, component_compile_memory(size, &needs) + 4 * (uint64_t)size, why, why_size) != 0)
        return -ENOMEM;
    wasmtime_error_t *refused = enclave_component_mark(wasm, size, &marked);
    release(rt, &memory);
    if (refused) {
        wasmtime_error_delete(refused);
        return -EINVAL;
    }
    int error = -EINVAL;
    const uint8_t *code = (const uint8_t *)marked.component.data;
    struct memory_image *image =
        image_new(marked.memory_bytes, marked.image_offset, (const uint8_t *)marked.image.data, marked.image.size,
                  (const uint8_t *)marked.memories.data, marked.memories.size);
    if (image && image->memories <= GUEST_MARKED_MEMORIES_MAX &&
        component_check(code, marked.component.size, &needs, why, why_size) == 0 &&
        reserve(rt, &memory, component_compile_memory(marked.component.size, &needs), why, why_size) == 0) {
        error = compile(code, marked.component.size, may_be_quick, &needs, out, why, why_size);
        if (error == 0)
            out->image = image_ref(image);
        release(rt, &memory);
    }
    image_unref(image);
    wasm_byte_vec_delete(&marked.component);
    wasm_byte_vec_delete(&marked.memories);
    wasm_byte_vec_delete(&marked.image);
    return error;
}

static int compile_any(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, bool may_be_quick,
                       struct product *out, char *why, size_t why_size)
{
    struct component_needs needs;
    struct reserve memory = {0};
    ENSURE(rt && (wasm || size == 0) && why && why_size > 0);
    int error = component_check(wasm, size, &needs, why, why_size);
    if (error < 0 || compile_marked(rt, wasm, size, may_be_quick, out, why, why_size) == 0)
        return error;
    error = reserve(rt, &memory, component_compile_memory(size, &needs), why, why_size);
    if (error < 0)
        return error;
    error = compile(wasm, size, may_be_quick, &needs, out, why, why_size);
    release(rt, &memory);
    return error;
}

static struct wasm_component *make(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, bool may_be_quick,
                                   char *why, size_t why_size)
{
    struct product p;
    if (compile_any(rt, wasm, size, may_be_quick, &p, why, why_size) < 0)
        return NULL;
    wasmtime_component_t *inner = code_load(rt, (const uint8_t *)p.artefact.data, p.artefact.size, why, why_size);
    size_t optimised = p.artefact.size / 4 * 3; /* about as much; JavaScript's and Python's are two thirds */
    struct wasm_component *component = NULL;
    if (inner && p.quick && !code_has_room(rt, optimised))
        wasmtime_component_delete(inner);
    else if (inner)
        component = wrap(inner, p.instance_bytes, p.image ? image_ref(p.image) : NULL, p.quick);
    bool again = !component && p.quick; /* there is no room for both */
    product_free(&p);
    return again ? make(rt, wasm, size, false, why, why_size) : component;
}

struct wasm_component *wasm_compile(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, char *why,
                                    size_t why_size)
{
    return make(rt, wasm, size, false, why, why_size);
}

struct wasm_component *wasm_compile_quick(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, char *why,
                                          size_t why_size)
{
    return make(rt, wasm, size, true, why, why_size);
}

bool wasm_is_quick(const struct wasm_component *component)
{
    return component->is_quick;
}

static int with_head(const struct product *p, uint8_t **out, size_t *out_size)
{
    const struct memory_image *image = p->image;
    struct artefact_head head = {.instance_bytes = p->instance_bytes};
    memcpy(head.magic, artefact_magic, sizeof head.magic);
    if (image) {
        head.memories = image->memories;
        head.memory_bytes = image->memory_bytes;
        head.image_offset = image->offset;
        head.image_size = image->size;
    }
    size_t before = sizeof head + head.memories + head.image_size;
    *out_size = before + p->artefact.size;
    *out = malloc(*out_size);
    if (!*out)
        return -ENOMEM;
    memcpy(*out, &head, sizeof head);
    if (image) {
        memcpy(*out + sizeof head, image->roles, image->memories);
        memcpy(*out + sizeof head + image->memories, image->bytes, image->size);
    }
    memcpy(*out + before, p->artefact.data, p->artefact.size);
    return 0;
}

int wasm_optimise(struct wasm_runtime *rt, const uint8_t *wasm, size_t size, uint8_t **artefact, size_t *artefact_size,
                  char *why, size_t why_size)
{
    struct product p;
    int error = compile_any(rt, wasm, size, false, &p, why, why_size);
    if (error < 0)
        return error;
    error = with_head(&p, artefact, artefact_size);
    if (error < 0)
        snprintf(why, why_size, "no memory");
    product_free(&p);
    return error;
}

int wasm_serialize(const struct wasm_component *component, uint8_t **out, size_t *out_size)
{
    struct product p = {.instance_bytes = component->instance_bytes, .image = component->image};
    ENSURE(!component->is_quick);
    wasmtime_error_t *failed = wasmtime_component_serialize(component->component, &p.artefact);
    if (failed) {
        wasmtime_error_delete(failed);
        return -ENOMEM;
    }
    int error = with_head(&p, out, out_size);
    wasm_byte_vec_delete(&p.artefact);
    return error;
}

struct wasm_component *wasm_deserialize(struct wasm_runtime *rt, const uint8_t *artefact, size_t size, char *why,
                                        size_t why_size)
{
    struct artefact_head head;
    struct memory_image *image = NULL;
    if (size < sizeof head || memcmp(artefact, artefact_magic, sizeof artefact_magic) != 0) {
        snprintf(why, why_size, "the compiled code is not of this version");
        return NULL;
    }
    memcpy(&head, artefact, sizeof head);
    const uint8_t *at = artefact + sizeof head;
    size_t left = size - sizeof head;
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
        return wrap(inner, head.instance_bytes, image, false);
    image_unref(image);
    return NULL;
}

struct wasm_component *wasm_component_clone(const struct wasm_component *component)
{
    return wrap(wasmtime_component_clone(component->component), component->instance_bytes,
                component->image ? image_ref(component->image) : NULL, component->is_quick);
}

void wasm_component_delete(struct wasm_component *component)
{
    if (component) {
        wasmtime_component_delete(component->component);
        image_unref(component->image);
    }
    free(component);
}
