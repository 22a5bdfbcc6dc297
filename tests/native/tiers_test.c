/*
 * Better code for an app that is served: requests that wait when it comes end in the code that they began with, others
 * run the better one, in any order of events; and what is compiled at once keeps within the memory that there is.
 *
 * Usage: tiers_test APPS-FOLDER [SEED]
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/service/router.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/component.h"
#include "enclave/wasm/host.h"
#include "tests/native/memory_client.h"
#include "tests/native/own_clock.h"

#define SECOND UINT64_C(1000000000)
#define CLIENTS 200

static const char *folder;
static uint64_t seed;
static struct http_server server;
static struct worker worker;
static struct wasm_runtime *runtime;
static struct app *app;
static struct memory_client clients[CLIENTS];
static _Atomic uint64_t left = UINT64_MAX, most; /* of memory for compiling; what was let have at once */

#define NAP "GET /waits/nap HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

struct file {
    uint8_t *data;
    size_t size;
};

static struct file read_built(const char *name)
{
    char path[4096];
    struct file file = {.data = malloc(8u << 20)};
    snprintf(path, sizeof path, "%s/%s.wasm", folder, name);
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    file.size = fread(file.data, 1, 8u << 20, from);
    fclose(from);
    assert_in_range(file.size, 1, (8u << 20) - 1);
    return file;
}

/* quick: taken for quick code; small components' always is optimised. */
static struct wasm_component *component_of(const char *name, bool quick)
{
    char why[512] = "";
    struct file file = read_built(name);
    struct wasm_component *made = wasm_compile(runtime, file.data, file.size, why, sizeof why);
    free(file.data);
    if (!made)
        fail_msg("%s", why);
    made->is_quick = quick;
    return made;
}

static void start(struct memory_client *c)
{
    assert_int_equal(memory_client_start(c, &server, &worker, NAP, strlen(NAP), 1 << 20), 0);
    c->t.on_ready(&c->t, c->t.user);
}

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

/* An app with quick code, served alone. */
static void serve_quick(void)
{
    static const uint8_t salt[SETTINGS_SALT_SIZE];
    char why[256] = "";
    struct app_config config = {.name = "waits", .timeout_ms = 3600000};
    config.settings = app_settings_parse("{}", 2, salt, why, sizeof why);
    app = app_new(runtime, &config, component_of("waits", true), why, sizeof why);
    app_settings_unref(config.settings);
    assert_non_null(app);
    assert_true(app_is_quick(app));
    struct app_table *apps = app_table_new();
    assert_int_equal(app_table_put(apps, app_ref(app)), 0);
    memset(clients, 0, sizeof clients);
    http_site_init(&memory_client_site, 1, apps, NULL);
}

static void served_no_more(void)
{
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    app_unref(app);
    app_table_free(memory_client_site.apps);
}

static unsigned guests_of_first(void)
{
    return atomic_load(&app->code[CODE_FIRST].guests);
}

static bool first_is_gone(void)
{
    return !atomic_load(&app->code[CODE_FIRST].pre) && !app->code[CODE_FIRST].component;
}

static void improve(void)
{
    char why[256] = "";
    assert_int_equal(app_improve(app, component_of("waits", false), why, sizeof why), 0);
    assert_false(app_is_quick(app));
    assert_ptr_equal(app_component(app), app->code[CODE_BETTER].component);
}

/* All of them were answered, by whatever code. */
static void all_were_answered(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        assert_int_equal(memory_client_status(&clients[i]), 200);
        assert_non_null(strstr(clients[i].out, "as it was"));
    }
}

static void requests_end_in_the_code_that_they_began_with(void **state)
{
    serve_quick();
    for (unsigned i = 0; i < 3; i++)
        start(&clients[i]);
    passes(10);
    assert_int_equal(guests_of_first(), 3);
    improve();
    assert_false(first_is_gone());
    for (unsigned i = 3; i < 6; i++)
        start(&clients[i]);
    passes(10);
    assert_int_equal(app_running(app), 6);
    assert_int_equal(guests_of_first(), 3);
    later(SECOND);
    passes(100);
    all_were_answered(0, 6);
    assert_int_equal(guests_of_first(), 0);
    assert_true(first_is_gone());
    start(&clients[6]);
    later(SECOND);
    passes(100);
    later(SECOND);
    passes(100);
    all_were_answered(6, 7);
    served_no_more();
}

static void code_that_nobody_runs_goes_at_once(void **state)
{
    serve_quick();
    improve();
    assert_true(first_is_gone());
    served_no_more();
}

/* What does not fit the app changes nothing. */
static void what_cannot_be_served_is_refused(void **state)
{
    char why[256] = "";
    serve_quick();
    struct wasm_component *other = component_of("missing-import", false);
    assert_int_equal(app_improve(app, other, why, sizeof why), -EINVAL);
    assert_string_not_equal(why, "");
    assert_true(app_is_quick(app));
    start(&clients[0]);
    passes(10);
    later(SECOND);
    passes(100);
    all_were_answered(0, 1);
    served_no_more();
}

static uint64_t random_below(uint64_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % bound;
}

static void in_any_order(void **state)
{
    print_message("seed %lu\n", seed);
    for (unsigned round = 0; round < 5; round++) {
        unsigned begun = 0, improve_at = (unsigned)random_below(CLIENTS);
        serve_quick();
        while (begun < CLIENTS) {
            if (random_below(3) > 0) {
                if (begun == improve_at)
                    improve();
                start(&clients[begun++]);
            } else {
                later(random_below(SECOND / 10));
                passes((unsigned)random_below(20));
            }
            assert_true(guests_of_first() <= app_running(app));
            assert_true(app_is_quick(app) || guests_of_first() > 0 || first_is_gone());
        }
        for (unsigned i = 0; i < 20; i++) {
            later(SECOND);
            passes(100);
        }
        all_were_answered(0, CLIENTS);
        assert_true(first_is_gone());
        served_no_more();
    }
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Asked under the lock of what is under way. */
static uint64_t memory_left(void)
{
    if (runtime && budget_used(&runtime->compilers) > most)
        most = budget_used(&runtime->compilers);
    return left;
}

static void *compile_some(void *of)
{
    const struct file *file = of;
    for (unsigned i = 0; i < 4; i++) {
        char why[512] = "";
        struct wasm_component *made = wasm_compile_quick(runtime, file->data, file->size, why, sizeof why);
        if (!made)
            return strdup(why);
        wasm_component_delete(made);
    }
    return NULL;
}

/* Room for one and a half: two threads' compilations are done one after the other; and with none, none is tried. */
static void what_is_compiled_at_once_fits(void **state)
{
    struct file file = read_built("waits");
    struct component_needs needs;
    char why[512] = "";
    pthread_t threads[2];
    assert_int_equal(component_check(file.data, file.size, &needs, why, sizeof why), 0);
    uint64_t one = component_compile_memory(file.size, &needs);
    left = one + one / 2;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, compile_some, &file), 0);
    for (unsigned i = 0; i < 2; i++) {
        void *said;
        pthread_join(threads[i], &said);
        assert_null(said);
    }
    assert_in_range(most, 1, one);
    left = one - 1;
    assert_null(wasm_compile_quick(runtime, file.data, file.size, why, sizeof why));
    assert_non_null(strstr(why, "MiB of memory, and the enclave has"));
    assert_int_equal(budget_used(&runtime->compilers), 0);
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    left = UINT64_MAX;
    free(file.data);
}

static int setup(void **state)
{
    struct wasm_runtime_config engine = {.world = &wasi_world, .memory_left = memory_left};
    runtime = wasm_runtime_new(&engine);
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = own_clock_ns;
    http_server_init(&server, route_request, 1);
    return runtime ? 0 : -1;
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)getpid();
    if (!app_is_built(folder, "waits") || !app_is_built(folder, "missing-import")) {
        printf("components not built (apps/build.sh)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_end_in_the_code_that_they_began_with),
        cmocka_unit_test(code_that_nobody_runs_goes_at_once),
        cmocka_unit_test(what_cannot_be_served_is_refused),
        cmocka_unit_test(in_any_order),
        cmocka_unit_test(what_is_compiled_at_once_fits),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
