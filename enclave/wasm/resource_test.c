/*
 * A guest's table of resources, against a model: taken, kept and put in any order, and checked as a whole after each
 * step; and what would break it stops.
 *
 * Usage: resource_test [SEED]   the seed is printed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/wasm/internal.h"

static struct worker worker;
static struct wasm_runtime runtime;
static struct app app;
static struct guest guest;
static unsigned released;
static uint64_t seed;

static unsigned pick(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % below;
}

static void release(struct guest *g, struct resource *r, bool last)
{
    released++;
}

static void dropped(struct guest *g, enum kind kind)
{
}

/* A guest that has begun nothing. limit: bytes that its app may hold. */
static void begin(uint64_t limit)
{
    static const struct host_world world = {.release = release, .dropped = dropped};
    runtime.config.world = &world;
    budget_init(&app.memory, "app", NULL, limit);
    app.rt = &runtime;
    memset(&guest, 0, sizeof guest);
    guest.app = &app;
    guest.worker = &worker;
    released = 0;
}

static void end(void)
{
    resources_check(&guest);
    resources_free(&guest);
    assert_int_equal(budget_used(&app.memory), 0);
    budget_deinit(&app.memory);
}

#define HELD 200u
static void steps_in_any_order(void **state)
{
    struct resource *held[HELD] = {0};
    unsigned made = 0;
    begin(1 << 30);
    for (unsigned step = 0; step < 20000; step++) {
        struct resource **at = &held[pick(HELD)];
        if (*at) {
            struct slot handle = {(*at)->rep, (*at)->kind};
            assert_ptr_equal(resource_get(&guest, &handle, (enum kind)(*at)->kind), *at);
            resource_put(&guest, *at);
            *at = NULL;
        } else if ((*at = resource_new(&guest, pick(2) ? KIND_ERROR : KIND_POLLABLE))) {
            struct resource *other = held[pick(HELD)];
            made++;
            if (other && other != *at && !other->on)
                (*at)->on = resource_keep(other);
        }
        if (step % 64 == 0)
            resources_check(&guest);
    }
    for (unsigned i = 0; i < HELD; i++)
        resource_put(&guest, held[i]);
    assert_int_equal(released, made);
    end();
    assert_int_equal(released, made);
}

static void there_are_so_many(void **state)
{
    begin(1 << 30);
    for (unsigned i = 0; i < RESOURCES_MAX; i++)
        assert_non_null(resource_new(&guest, KIND_ERROR));
    assert_null(resource_new(&guest, KIND_ERROR));
    assert_non_null(guest.trap);
    end();
    assert_int_equal(released, RESOURCES_MAX);
    begin(1000); /* or as many as there is memory for */
    for (unsigned i = 0; i < RESOURCE_FIRST; i++)
        assert_non_null(resource_new(&guest, KIND_ERROR));
    assert_null(resource_new(&guest, KIND_ERROR));
    end();
}

static void handles_are_of_a_kind(void **state)
{
    begin(1 << 30);
    struct resource *r = resource_new(&guest, KIND_ERROR);
    struct slot handle = {r->rep, KIND_ERROR}, other = {r->rep, KIND_POLLABLE}, beyond = {r->rep + 1, KIND_ERROR};
    assert_ptr_equal(resource_get(&guest, &handle, KIND_ERROR), r);
    assert_null(resource_get(&guest, &other, KIND_POLLABLE));
    assert_null(resource_get(&guest, &handle, KIND_POLLABLE));
    assert_null(resource_get(&guest, &beyond, KIND_ERROR));
    resource_drop_handle(&guest, r->rep, KIND_ERROR);
    assert_null(resource_get(&guest, &handle, KIND_ERROR));
    end();
}

static void puts_twice(void)
{
    struct resource *r = resource_new(&guest, KIND_ERROR);
    resource_put(&guest, r);
    resource_put(&guest, r);
}

static void keeps_what_is_gone(void)
{
    struct resource *r = resource_new(&guest, KIND_ERROR);
    resource_put(&guest, r);
    resource_keep(r);
}

static void has_a_circle(void)
{
    struct resource *a = resource_new(&guest, KIND_ERROR), *b = resource_new(&guest, KIND_ERROR);
    resource_put(&guest, a);
    resource_put(&guest, b);
    a->on = b;
    resources_check(&guest);
}

static void leads_to_what_is_gone(void)
{
    struct resource *a = resource_new(&guest, KIND_ERROR), *b = resource_new(&guest, KIND_ERROR);
    a->on = b;
    resource_put(&guest, b);
    resources_check(&guest);
}

static void is_lost(void)
{
    resource_new(&guest, KIND_ERROR)->kind = KIND_FREE;
    resources_free(&guest);
}

static void waits_without_a_call(void)
{
    guest_wait(&guest, WAITS_OTHERS);
}

static void what_breaks_it_stops(void **state)
{
    begin(1 << 30);
    assert_true(stops(puts_twice, "r->refs > 0"));
    assert_true(stops(keeps_what_is_gone, "r->refs > 0"));
    assert_true(stops(has_a_circle, "unused > 0"));
    assert_true(stops(leads_to_what_is_gone, "r->on->kind != KIND_FREE"));
    assert_true(stops(is_lost, "unused == g->free_count"));
    assert_true(stops(waits_without_a_call, "g->polling"));
    end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_in_any_order),
        cmocka_unit_test(there_are_so_many),
        cmocka_unit_test(handles_are_of_a_kind),
        cmocka_unit_test(what_breaks_it_stops),
    };
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    seed = seed * 2654435761u + 88172645463325252u;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
