/*
 * How the apps of one worker share it: by turns of apps, not of guests or requests. What a turn takes is what the
 * test's own clock says, so that all of this is counted, and nothing is timed.
 *
 * Usage: turns_test APPS-FOLDER [SEED]
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/service/router.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/host.h"
#include "tests/native/memory_client.h"
#include "tests/native/own_clock.h"

#define MS UINT64_C(1000000)
#define CLIENTS 200

static const char *folder;
static uint64_t seed;
static struct http_server server;
static struct worker worker;
static struct wasm_runtime *runtime;
static struct app_table *apps;
static struct memory_client clients[CLIENTS], other;
static atomic_bool ticking = true;

/* spin-loop and spin-nested compute without end; misbehave and hello-c answer in one turn. */
static const char *const names[] = {"spin-loop", "spin-nested", "misbehave", "hello-c"};
#define NAMES (sizeof names / sizeof *names)

static struct app *app_of(const char *name)
{
    return app_table_find(apps, name, strlen(name));
}

static void start(struct memory_client *c, const char *app)
{
    static char texts[NAMES][100];
    size_t i = 0;
    while (strcmp(names[i], app) != 0)
        i++;
    int size =
        snprintf(texts[i], sizeof texts[i], "GET /%s/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", names[i]);
    assert_int_equal(memory_client_start(c, &server, &worker, texts[i], (size_t)size, 1 << 20), 0);
    c->t.on_ready(&c->t, c->t.user);
}

static void pass(void)
{
    loop_run_once(&worker.loop, worker.loop.now_ns + 1);
}

static unsigned answered(size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += memory_client_status(&clients[i]) == 200;
    return sum;
}

static void break_off(struct memory_client *c)
{
    if (memory_client_over(c))
        return;
    c->t.broken = true;
    c->t.on_ready(&c->t, c->t.user);
}

/* Clients go, and then all guests, since their time is over. */
static void end_all(size_t count)
{
    for (size_t i = 0; i < count; i++)
        break_off(&clients[i]);
    loop_run_once(&worker.loop, worker.loop.now_ns + 3600 * 1000 * MS);
    for (int i = 0; i < 1000; i++)
        pass();
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
}

static uint64_t greedy_ns(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; strcmp(names[i], "hello-c") != 0; i++)
        sum += app_cpu_ns(app_of(names[i]));
    return sum;
}

/* A short request, whose own turns cost next to nothing: whatever there is to do, it has its answer before the others
 * have computed for more than most_ns. It has one turn, or more where the machine is so slow that ticks come within
 * it: then it is one that computes, and all that queue may go on before its next. */
static void innocent(uint64_t most_ns)
{
    struct app *app = app_of("hello-c");
    uint64_t before_ns = greedy_ns(), own_before_ns = app_cpu_ns(app), turns = 1;
    start(&other, "hello-c");
    for (unsigned i = 0; memory_client_status(&other) == 0; i++) {
        uint64_t own_ns = app_cpu_ns(app);
        pass();
        turns += app_cpu_ns(app) > own_ns && own_ns > own_before_ns;
        assert_true(i < 40 * turns);
    }
    assert_int_equal(memory_client_status(&other), 200);
    assert_in_range(greedy_ns() - before_ns, 0, turns == 1 ? most_ns : NAMES * turns * most_ns);
    while (app_running(app) > 0)
        pass();
}

/* One guest of one app has as much as forty of another. */
static void apps_have_turns_not_guests(void **state)
{
    own_clock_step_ns = 7 * MS;
    uint64_t many_ns = app_cpu_ns(app_of("spin-loop")), one_ns = app_cpu_ns(app_of("spin-nested"));
    for (int i = 0; i < 40; i++)
        start(&clients[i], "spin-loop");
    start(&clients[40], "spin-nested");
    for (int i = 0; i < 2000; i++)
        pass();
    many_ns = app_cpu_ns(app_of("spin-loop")) - many_ns;
    one_ns = app_cpu_ns(app_of("spin-nested")) - one_ns;
    print_message("forty guests: %lu ms, one guest: %lu ms\n", many_ns / MS, one_ns / MS);
    assert_true(one_ns > 100 * 7 * MS);
    assert_in_range(many_ns, one_ns * 4 / 5, one_ns * 5 / 4);
    end_all(41);
}

/* Many that come at once and never yield: whoever comes behind them has a turn when one or two of them have had one. */
static void those_that_come_at_once_queue(void **state)
{
    const uint64_t turn_ns = 3 * MS, most_ns = 2 * turn_ns;
    atomic_store(&ticking, false); /* nobody is interrupted */
    own_clock_step_ns = turn_ns;
    for (int i = 0; i < CLIENTS; i++)
        start(&clients[i], "misbehave");
    innocent(most_ns);
    for (unsigned passes = 0; answered(CLIENTS) < CLIENTS; passes++) {
        innocent(most_ns);
        assert_true(passes < CLIENTS * 8); /* and they get on: a turn of theirs is some quanta */
    }
    end_all(CLIENTS);
}

/* As long as it stays within its share, an app's requests wait for nothing; and in the order in which they came. */
static void within_the_share_nobody_waits(void **state)
{
    own_clock_step_ns = 0; /* each turn is charged the least */
    atomic_store(&ticking, false);
    for (int i = 0; i < 100; i++)
        pass();
    uint64_t before_ns = greedy_ns();
    for (unsigned i = 0; i < CLIENTS; i++)
        start(&clients[i], "misbehave");
    pass();
    assert_int_equal(greedy_ns() - before_ns, GUEST_QUANTUM_US * 1000);
    for (unsigned passes = 0; answered(CLIENTS) < CLIENTS; passes++) {
        pass();
        assert_int_equal(answered(answered(CLIENTS)), answered(CLIENTS));
        assert_true(passes < 100);
    }
    assert_int_equal(greedy_ns() - before_ns, CLIENTS * GUEST_TURN_MIN_US * 1000);
    end_all(CLIENTS);
}

static uint64_t random_below(uint64_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % bound;
}

/* Whatever the others do, in whatever order, and however long their turns are. */
static void in_any_order(void **state)
{
    unsigned greedy = 0, short_ones = 0;
    print_message("seed %lu\n", seed);
    atomic_store(&ticking, true);
    for (int step = 0; step < 4000; step++) {
        own_clock_step_ns = random_below(20) * MS / 2;
        switch (random_below(4)) {
        case 0:
            if (greedy < CLIENTS) {
                bool spins = random_below(8) == 0;
                short_ones += !spins;
                start(&clients[greedy++], spins ? names[random_below(2)] : "misbehave");
            }
            break;
        case 1:
            pass(); /* what has just come has its turn, or queues */
            own_clock_step_ns = 0;
            innocent(GUEST_QUANTUM_US * 1000);
            break;
        default:
            pass();
        }
    }
    for (unsigned i = 0; answered(greedy) < short_ones; i++) {
        pass();
        assert_true(i < CLIENTS * 64); /* none is forgotten */
    }
    end_all(greedy);
}

static void *tick(void *user)
{
    for (;;) {
        usleep(500);
        if (atomic_load(&ticking))
            wasm_runtime_tick(runtime);
    }
    return NULL;
}

static int setup(void **state)
{
    static struct wasm_runtime_config config = {.world = &wasi_world};
    runtime = wasm_runtime_new(&config);
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    apps = app_table_new();
    for (size_t i = 0; i < NAMES; i++) {
        struct app *app = built_app(runtime, folder, names[i], "{}", 1000000);
        if (!app || app_table_put(apps, app) != 0)
            return -1;
    }
    http_site_init(&memory_client_site, 1, apps, NULL);
    http_server_init(&server, route_request, 1);
    pthread_t ticker;
    return pthread_create(&ticker, NULL, tick, NULL);
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)getpid();
    for (size_t i = 0; i < NAMES; i++)
        if (!app_is_built(folder, names[i])) {
            printf("components not built (apps/build.sh)\n");
            return 77;
        }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apps_have_turns_not_guests),
        cmocka_unit_test(those_that_come_at_once_queue),
        cmocka_unit_test(within_the_share_nobody_waits),
        cmocka_unit_test(in_any_order),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
