/*
 * Many requests that wait, on one worker that has few places for stacks: all of them wait at the same time, each is
 * done when its time has come, and finds its stack as it was. Time is the test's own; how many wait is counted.
 *
 * Usage: sleepers_test APPS-FOLDER [SEED]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/service/router.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/host.h"
#include "tests/native/memory_client.h"
#include "tests/native/own_clock.h"

#define SECOND UINT64_C(1000000000)
#define SLEEPERS 1000
#define PLACES 40u

static const char *folder;
static uint64_t seed;
static struct http_server server;
static struct worker worker;
static struct wasm_runtime *runtime;
static struct app *waits, *hello;
static struct memory_client clients[SLEEPERS], other;
static unsigned places, places_max = PLACES;
static unsigned told; /* lines of the log: that there was no memory */

static void *take_place(size_t *size)
{
    *size = (*size + 4095) & ~(size_t)4095;
    if (places >= places_max)
        return NULL;
    void *place = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED)
        return NULL;
    places++;
    return place;
}

static void give_place(void *place, size_t size)
{
    munmap(place, size);
    places--;
}

static void start(struct memory_client *c, const char *text)
{
    assert_int_equal(memory_client_start(c, &server, &worker, text, strlen(text), 1 << 20), 0);
    c->t.on_ready(&c->t, c->t.user);
}

#define NAP "GET /waits/nap HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define DEEP_NAP "GET /waits/nap/deep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
#define HELLO "GET /hello-c/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static void passes(unsigned count)
{
    while (count-- > 0)
        loop_run_once(&worker.loop, worker.loop.now_ns);
}

static void later(uint64_t ns)
{
    worker.loop.now_ns += ns;
    own_clock_ns = worker.loop.now_ns;
}

static unsigned rested(void)
{
    unsigned sum = 0;
    for (size_t i = 0; i < SLEEPERS; i++) {
        sum += strstr(clients[i].out, "as it was") != NULL;
        assert_null(strstr(clients[i].out, "something else"));
    }
    return sum;
}

static void a_thousand_sleep_at_once(void **state)
{
    for (size_t i = 0; i < SLEEPERS; i++)
        start(&clients[i], NAP);
    for (unsigned i = 0; i < SLEEPERS && app_running(waits) < SLEEPERS; i++)
        passes(1);
    passes(SLEEPERS);
    assert_int_equal(app_running(waits), SLEEPERS);
    assert_int_equal(rested(), 0); /* so all of them wait */
    assert_in_range(places, 1, PLACES);
    assert_int_equal(wasm_runtime_stacks_put_away(), SLEEPERS - PLACES);
    print_message("%d sleepers, %lu KiB charged for each\n", SLEEPERS,
                  wasm_runtime_guest_memory(runtime) / SLEEPERS >> 10);
    start(&other, HELLO); /* who is served meanwhile, in one's place */
    passes(10);
    assert_int_equal(memory_client_status(&other), 200);
    later(SECOND);
    for (unsigned i = 0; i < 4 * SLEEPERS && app_running(waits) > 0; i++)
        passes(1);
    passes(100);
    assert_int_equal(rested(), SLEEPERS);
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    assert_in_range(places, 1, PLACES);
}

static uint64_t random_below(uint64_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % bound;
}

/* They come, go, and are left by their clients in any order; other apps' requests are in between. */
static void in_any_order(void **state)
{
    unsigned begun = 0, left = 0;
    print_message("seed %lu\n", seed);
    memset(clients, 0, sizeof clients);
    while (begun < SLEEPERS) {
        uint64_t what = random_below(10);
        if (what < 6) {
            start(&clients[begun++], what == 0 ? HELLO : NAP);
            left += what == 0;
        } else if (what == 6 && begun > 0) {
            struct memory_client *c = &clients[random_below(begun)];
            if (!memory_client_over(c) && !strstr(c->out, "as it was")) {
                c->t.broken = true;
                c->t.on_ready(&c->t, c->t.user);
                left += strstr(c->in, "/nap") != NULL;
            }
        } else {
            later(random_below(SECOND / 50));
            passes(1);
        }
    }
    passes(SLEEPERS); /* whoever has just come begins */
    later(10 * SECOND);
    passes(4 * SLEEPERS);
    assert_in_range(rested(), SLEEPERS - left, SLEEPERS);
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    assert_in_range(places, 1, PLACES);
}

/* Where there is no memory for the stack of one that waits, that one ends, and is told; the others go on. */
static void without_memory_one_ends(void **state)
{
    struct charge all = {0};
    unsigned count = places + 1; /* those that the worker has kept: two are tied to one of them */
    memset(clients, 0, sizeof clients);
    places_max = places;
    for (unsigned i = 0; i < count; i++) {
        start(&clients[i], DEEP_NAP);
        passes(10);
    }
    assert_int_equal(app_running(waits), count);
    assert_true(charge_take(&all, &runtime->guests, runtime->guests.limit - budget_used(&runtime->guests)));
    later(SECOND);
    passes(100);
    charge_give(&all);
    assert_int_equal(app_running(waits), 0);
    assert_int_equal(rested(), count - 1);
    assert_int_equal(told, 1);
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    places_max = PLACES;
}

static void on_log(struct worker *w, const char *app, bool error, const char *line, size_t size)
{
    char text[1000];
    snprintf(text, sizeof text, "%.*s", (int)size, line);
    told += strstr(text, "no memory is left to keep the app's stack while it waits") != NULL;
}

static int setup(void **state)
{
    struct wasm_runtime_config engine = {
        .world = &wasi_world, .log = on_log, .stacks = {take_place, give_place, PLACES}};
    runtime = wasm_runtime_new(&engine);
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = own_clock_ns;
    waits = built_app(runtime, folder, "waits", "{}", 3600000);
    hello = built_app(runtime, folder, "hello-c", "{}", 3600000);
    struct app_table *apps = app_table_new();
    if (!waits || !hello || app_table_put(apps, waits) != 0 || app_table_put(apps, hello) != 0)
        return -1;
    http_site_init(&memory_client_site, 1, apps, NULL);
    http_server_init(&server, route_request, 1);
    return 0;
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)getpid();
    if (!app_is_built(folder, "waits") || !app_is_built(folder, "hello-c")) {
        printf("components not built (apps/build.sh)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_sleep_at_once),
        cmocka_unit_test(in_any_order),
        cmocka_unit_test(without_memory_one_ends),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
