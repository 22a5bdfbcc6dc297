/*
 * One instruction of a guest's that does a lot cannot be interrupted: all other connections of its worker wait for it.
 * How much it can do is bounded by what it works on: memories, tables, and what is collected. Here each of them is as
 * large as it may be, and larger. How long the longest step took is printed (docs/limits.md), and judged by nobody.
 *
 * Usage: stride_test APPS-FOLDER
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/service/router.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/host.h"
#include "tests/native/memory_client.h"

static const char *folder;
static struct http_server server;
static struct worker worker;
static struct wasm_runtime *runtime;
static struct memory_client client;

static const struct {
    const char *name;
    int status;
} strides[] = {
    {"stride-array", 200}, {"stride-array-more", 500},       {"stride-array-references", 200},
    {"stride-table", 200}, {"stride-table-references", 200}, {"stride-memory", 200},
    {"stride-grow", 200},  {"stride-collect", 200},
};
#define STRIDES (sizeof strides / sizeof *strides)

static double thread_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void sizes_bound_every_step(void **state)
{
    int wrong = 0;
    for (size_t i = 0; i < STRIDES; i++) {
        char text[100];
        double longest = 0;
        long turns = 0;
        int size =
            snprintf(text, sizeof text, "GET /%s/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", strides[i].name);
        assert_int_equal(memory_client_start(&client, &server, &worker, text, (size_t)size, 1 << 20), 0);
        for (; !memory_client_over(&client); turns++) {
            double before = thread_ms();
            loop_run_once(&worker.loop, worker.loop.now_ns + 1);
            longest = thread_ms() - before > longest ? thread_ms() - before : longest;
        }
        print_message("%-24s %d, the longest of %ld steps took %.0f ms\n", strides[i].name,
                      memory_client_status(&client), turns, longest);
        wrong += memory_client_status(&client) != strides[i].status;
        assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    }
    assert_int_equal(wrong, 0);
}

static void *tick(void *user)
{
    for (;;) {
        usleep(10000);
        wasm_runtime_tick(runtime);
    }
    return NULL;
}

static void on_log(struct worker *w, const char *app, bool error, const char *line, size_t size)
{
    print_message("%s: %.*s\n", app, (int)size, line);
}

static int setup(void **state)
{
    struct wasm_runtime_config config = {
        .world = &wasi_world, .log = on_log, .marks_from = 1, .compare_memories = true};
    runtime = wasm_runtime_new(&config);
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    struct app_table *apps = app_table_new();
    for (size_t i = 0; i < STRIDES; i++) {
        struct app *app = built_app(runtime, folder, strides[i].name, "{}", 0);
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
    if (!app_is_built(folder, "stride-array")) {
        printf("components not built (apps/build.sh)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_bound_every_step)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
