/*
 * What one request may compute (cpu_ms of an app's settings), by a clock of the test's own that goes forward each time
 * it is read: who computes has an end, by whichever way it does, and who waits is not charged for it.
 *
 * Usage: computing_test APPS-FOLDER
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/service/router.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/host.h"
#include "tests/native/memory_client.h"
#include "tests/native/own_clock.h"

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define CPU_MS 50u
#define SETTINGS "{\"limits\":{\"cpu_ms\":50}}"
#define HOUR_MS 3600000u

static const char *folder;
static struct http_server server;
static struct worker worker;
static struct wasm_runtime *runtime;
static struct app_table *apps;
static struct memory_client client;
static char noted[4096];

static void on_log(struct worker *w, const char *app, bool error, const char *line, size_t size)
{
    size_t at = strlen(noted);
    snprintf(noted + at, sizeof noted - at, "%s: %.*s\n", app, (int)size, line);
}

static struct app *app_of(const char *name)
{
    return app_table_find(apps, name, strlen(name));
}

static void start(const char *app, const char *path, size_t allowed)
{
    static char text[200];
    noted[0] = 0;
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    int size = snprintf(text, sizeof text, "GET /%s/%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", app, path);
    assert_int_equal(memory_client_start(&client, &server, &worker, text, (size_t)size, allowed), 0);
}

/* Only the end of its request ends this: guests that escape their limit make it hang. */
static unsigned turns_until_over(void)
{
    unsigned turns = 0;
    for (; !memory_client_over(&client); turns++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    return turns;
}

static const char *const spinning[] = {"spin-loop", "spin-nested", "spin-start", "spin-realloc", "misbehave"};
#define SPINNING (sizeof spinning / sizeof *spinning)

static void whoever_computes_is_ended(void **state)
{
    own_clock_step_ns = 7 * MS; /* a turn takes this, or a little more where others read the clock in it */
    for (size_t i = 0; i < SPINNING; i++) {
        struct app *app = app_of(spinning[i]);
        uint64_t before = app_over_cpu(app), cpu_before_ns = app_cpu_ns(app);
        start(spinning[i], "loop", 1 << 20);
        assert_true(turns_until_over() > 1);
        assert_int_equal(memory_client_status(&client), 504);
        bool command = strcmp(spinning[i], "misbehave") != 0;
        assert_non_null(strstr(client.out, command ? "x-exit-status: 152"
                                                   : "computed longer than 50 ms (its settings' "
                                                     "limits, cpu_ms)"));
        assert_non_null(strstr(noted, "computed longer than it may (limits, cpu_ms)"));
        assert_int_equal(app_over_cpu(app), before + 1);
        assert_true(app_cpu_ns(app) - cpu_before_ns >= CPU_MS * MS);
        assert_true(app_cpu_ns(app) - cpu_before_ns < 4 * CPU_MS * MS);
    }
}

static void without_a_limit_it_has_its_time(void **state)
{
    struct app *app = app_of("misbehave");
    uint64_t before = app_over_cpu(app);
    own_clock_step_ns = 7 * MS;
    app->cpu_limit_ns = 0;
    start("misbehave", "loop", 1 << 20);
    for (int i = 0; i < 200; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    assert_false(memory_client_over(&client));
    loop_run_once(&worker.loop, worker.loop.now_ns + 31 * SECOND);
    turns_until_over();
    assert_int_equal(memory_client_status(&client), 504);
    assert_non_null(strstr(client.out, "longer than 30000 ms (--request-timeout)"));
    assert_int_equal(app_over_cpu(app), before);
}

/* However long it waits, and whatever the clock says meanwhile. */
static void whoever_waits_is_not(void **state)
{
    own_clock_step_ns = 0;
    uint64_t before_ns = app_cpu_ns(app_of("waits"));
    start("waits", "sleep", 1 << 20);
    for (int i = 0; i < 1000; i++) {
        own_clock_ns += SECOND;
        loop_run_once(&worker.loop, worker.loop.now_ns + SECOND);
        if (i % 100 == 0)
            client.t.on_ready(&client.t, client.t.user);
    }
    assert_false(memory_client_over(&client));
    assert_true(app_cpu_ns(app_of("waits")) - before_ns < CPU_MS * MS / 10);
    client.t.broken = true;
    client.t.on_ready(&client.t, client.t.user);
    for (int i = 0; i < 100; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns + SECOND);
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
}

/* A clock that stands still, as between two of its steps, makes no turn free of charge. */
static void nobody_computes_between_the_clocks_steps(void **state)
{
    own_clock_step_ns = 0;
    unsigned turns = 0;
    start("waits", "write", 14000);
    for (; !memory_client_over(&client); turns++) {
        client.allowed += 14000;
        client.t.on_ready(&client.t, client.t.user);
        for (int i = 0; i < 10; i++)
            loop_run_once(&worker.loop, worker.loop.now_ns + 1);
        assert_true(turns <= CPU_MS * 1000 / GUEST_TURN_MIN_US);
    }
    assert_true(client.aborted); /* what was begun is cut */
    assert_non_null(strstr(noted, "cpu_ms"));
    assert_int_equal(app_over_cpu(app_of("waits")), 1);
}

static void *tick(void *user)
{
    for (;;) {
        usleep(2000);
        wasm_runtime_tick(runtime);
    }
    return NULL;
}

static int add(const char *file, uint32_t timeout_ms)
{
    struct app *app = built_app(runtime, folder, file, SETTINGS, timeout_ms);
    return app ? app_table_put(apps, app) : -1;
}

static int setup(void **state)
{
    static struct wasm_runtime_config config = {.world = &wasi_world, .log = on_log};
    runtime = wasm_runtime_new(&config);
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    apps = app_table_new();
    for (size_t i = 0; i < SPINNING; i++)
        if (add(spinning[i], 0) != 0)
            return -1;
    if (add("waits", HOUR_MS) != 0)
        return -1;
    http_site_init(&memory_client_site, 1, apps, NULL);
    http_server_init(&server, route_request, 1);
    pthread_t ticker;
    return pthread_create(&ticker, NULL, tick, NULL);
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    for (size_t i = 0; i < SPINNING; i++)
        if (!app_is_built(folder, spinning[i])) {
            printf("components not built (apps/build.sh)\n");
            return 77;
        }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_computes_is_ended),
        cmocka_unit_test(without_a_limit_it_has_its_time),
        cmocka_unit_test(whoever_waits_is_not),
        cmocka_unit_test(nobody_computes_between_the_clocks_steps),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
