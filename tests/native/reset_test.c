/*
 * A request finds nothing of the one before it, in memory that was used: apps/guests/secrets.wat looks, and writes in
 * every way that there is. Nothing else compares here; the other tests do, after each request (compare_memories).
 *
 * Usage: reset_test APPS-FOLDER
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
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "tests/native/memory_client.h"

static const char *folder;
static struct http_server server;
static struct worker worker;
static struct wasm_runtime *runtime;
static struct app_table *apps;
static struct memory_client client;

#define ROUNDS 5u
#define SECRETS_BYTES UINT64_C(0x40000) /* that the memory of secrets.wat begins with */

/* Components that try to have something written without a mark, and one that does not (apps/guests/resets): whether
 * each marks, or has another memory each time. */
static const struct {
    const char *name;
    bool marks;
    int status;
} shapes[] = {
    {"reset-shim", true, 200},     {"reset-caller", false, 200},  {"reset-table", false, 200},
    {"reset-shifted", false, 200}, {"reset-late", false, 200},    {"reset-memories", false, 200},
    {"reset-inner", false, 200},   {"reset-entered", false, 500}, {"stride-array", false, 200},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static const struct {
    const char *settings;
    int status;
} endings[] = {
    {"{}", 200},
    {"{\"arguments\":[\"one\"]}", 500},
    {"{\"arguments\":[\"one\",\"two\"]}", 504},
};
#define ENDINGS (sizeof endings / sizeof *endings)

/* The clock goes on at each turn, so that a guest's time is up some time. */
static int ask(const char *app)
{
    char text[100];
    int size = snprintf(text, sizeof text, "GET /%s/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", app);
    assert_int_equal(memory_client_start(&client, &server, &worker, text, (size_t)size, 1 << 20), 0);
    while (!memory_client_over(&client))
        loop_run_once(&worker.loop, worker.loop.now_ns + 100000000);
    return memory_client_status(&client);
}

static void name_of(char *name, size_t ending)
{
    snprintf(name, 16, "ending-%zu", ending);
}

static void nothing_is_left_of_the_request_before(void **state)
{
    for (size_t i = 0; i < ENDINGS; i++) {
        char name[16];
        name_of(name, i);
        for (unsigned round = 0; round < ROUNDS; round++)
            assert_int_equal(ask(name), endings[i].status);
        struct app *app = app_table_find(apps, name, strlen(name));
        assert_true(app_marks(app));
        assert_int_equal(app_recycled(app), ROUNDS - 1); /* so each looked at memory that was used */
        assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    }
    assert_true(wasm_runtime_kept_memory(runtime) > 0);
}

static void what_is_not_shown_to_mark_has_memory_of_its_own(void **state)
{
    for (size_t i = 0; i < SHAPES; i++) {
        struct app *app = app_table_find(apps, shapes[i].name, strlen(shapes[i].name));
        print_message("%s\n", shapes[i].name);
        assert_true(app_marks(app) == shapes[i].marks);
        for (unsigned round = 0; round < ROUNDS; round++)
            assert_int_equal(ask(shapes[i].name), shapes[i].status);
        assert_int_equal(app_recycled(app), shapes[i].marks ? ROUNDS - 1 : 0);
    }
}

/* What its memory begins with decides for each component, and is 256 KiB here. */
static void what_is_small_has_memory_of_its_own(void **state)
{
    static const struct {
        uint64_t from;
        bool marks;
    } cases[] = {{SECRETS_BYTES, true}, {SECRETS_BYTES + 1, false}, {0, false}, {UINT64_MAX, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wasm_runtime_config config = {.world = &wasi_world, .marks_from = cases[i].from};
        struct wasm_runtime *rt = wasm_runtime_new(&config);
        assert_non_null(rt);
        struct app *app = built_app_named(rt, folder, "secrets", "small", "{}", 0);
        assert_non_null(app);
        assert_true(app_marks(app) == cases[i].marks);
        assert_int_equal(app_table_put(apps, app), 0);
        for (unsigned round = 0; round < ROUNDS; round++)
            assert_int_equal(ask("small"), 200);
        assert_int_equal(app_recycled(app), cases[i].marks ? ROUNDS - 1 : 0);
        assert_int_equal(app_table_remove(apps, "small"), 0);
        wasm_runtime_delete(rt);
    }
}

/* What an app keeps goes with it. */
static void nothing_is_kept_for_nobody(void **state)
{
    for (size_t i = 0; i < ENDINGS; i++) {
        char name[16];
        name_of(name, i);
        uint64_t before = wasm_runtime_kept_memory(runtime);
        assert_int_equal(app_table_remove(apps, name), 0);
        assert_true(wasm_runtime_kept_memory(runtime) < before);
    }
    assert_int_equal(app_table_remove(apps, "reset-shim"), 0);
    assert_int_equal(wasm_runtime_kept_memory(runtime), 0);
}

static void *tick(void *user)
{
    for (;;) {
        usleep(10000);
        wasm_runtime_tick(runtime);
    }
    return NULL;
}

static int setup(void **state)
{
    struct wasm_runtime_config config = {.world = &wasi_world, .marks_from = 1};
    runtime = wasm_runtime_new(&config);
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    apps = app_table_new();
    for (size_t i = 0; i < ENDINGS; i++) {
        char name[16];
        name_of(name, i);
        struct app *app = built_app_named(runtime, folder, "secrets", name, endings[i].settings, 0);
        if (!app || app_table_put(apps, app) != 0)
            return -1;
    }
    for (size_t i = 0; i < SHAPES; i++) {
        struct app *app = built_app(runtime, folder, shapes[i].name, "{}", 0);
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
    if (!app_is_built(folder, "secrets") || !app_is_built(folder, "reset-inner")) {
        printf("components not built (apps/build.sh)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_the_request_before),
        cmocka_unit_test(what_is_not_shown_to_mark_has_memory_of_its_own),
        cmocka_unit_test(what_is_small_has_memory_of_its_own),
        cmocka_unit_test(nothing_is_kept_for_nobody),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
