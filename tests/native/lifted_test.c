/*
 * What a host call reads out of a guest's memory is there before anybody can be charged for it: for each worker so much
 * is set aside (GUEST_LIFTED_MAX), whatever lists a guest makes within what one call may read (GUEST_COPIED_MAX). Every
 * allocation is counted, wasmtime's too, and what is charged to the guests is taken off.
 *
 * Usage: lifted_test APPS-FOLDER
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- counting ------------------------------------------------------------------------------------------------- */

static bool counting;
static int64_t live, most; /* bytes since it began, without those that are charged */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

#define CHUNK_HEAD 8 /* malloc's own, of each block */

static void *counted(void *p)
{
    if (counting && p) {
        live += (int64_t)malloc_usable_size(p) + CHUNK_HEAD;
        int64_t charged = (int64_t)(wasm_runtime_guest_memory(runtime) + wasm_runtime_kept_memory(runtime));
        int64_t uncharged = live - charged;
        most = uncharged > most ? uncharged : most;
    }
    return p;
}

static void uncounted(void *p)
{
    if (counting && p)
        live -= (int64_t)malloc_usable_size(p) + CHUNK_HEAD;
}

void *__wrap_malloc(size_t size)
{
    return counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return counted(__real_calloc(count, size));
}

/* The worst that it may do: both are there for a moment. */
void *__wrap_realloc(void *p, size_t size)
{
    size_t before = counting && p ? malloc_usable_size(p) + CHUNK_HEAD : 0;
    void *grown = counted(__real_realloc(p, size));
    live -= grown ? (int64_t)before : 0;
    return grown;
}

void __wrap_free(void *p)
{
    uncounted(p);
    __real_free(p);
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */

static int ask(const char *path, size_t count)
{
    char text[100];
    int size =
        snprintf(text, sizeof text, "GET /lists/%s?%zu HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path, count);
    live = (int64_t)wasm_runtime_kept_memory(runtime); /* of the request before */
    most = 0;
    counting = true;
    assert_int_equal(memory_client_start(&client, &server, &worker, text, (size_t)size, 1 << 20), 0);
    for (long turn = 0; turn < 100000000 && !memory_client_over(&client); turn++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    counting = false;
    assert_true(client.closed);
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    return memory_client_status(&client);
}

/* As many elements as one call reads, if each costs so much of what it may; and some more, which it does not. */
static void check_list(const char *path, size_t least, size_t largest)
{
    int64_t peak = 0;
    for (size_t each = least; each <= largest; each++) {
        ask(path, GUEST_COPIED_MAX / each);
        peak = most > peak ? most : peak;
    }
    print_message("%s: up to %.1f MiB, of %llu that are set aside\n", path, (double)peak / 1048576,
                  (unsigned long long)(GUEST_LIFTED_MAX >> 20));
    assert_true(peak > (int64_t)GUEST_COPIED_MAX && peak <= (int64_t)GUEST_LIFTED_MAX);
}

static void strings(void **state)
{
    check_list("strings", 24, 32);
    assert_int_equal(ask("strings", GUEST_COPIED_MAX / 25), 200); /* an answer, though to too many keys */
    assert_int_equal(ask("strings", GUEST_COPIED_MAX / 25 + 1), 500);
}

static void pairs(void **state)
{
    check_list("pairs", 48, 72);
}

/* What is set aside for the workers is no guest's. */
static void it_is_set_aside(void **state)
{
    for (unsigned workers = 0; workers <= PROTO_MAX_WORKERS; workers++) {
        const struct wasm_runtime_config config = {.world = &wasi_world, .guest_memory = MIB(768), .workers = workers};
        struct wasm_runtime *rt = wasm_runtime_new(&config);
        assert_non_null(rt);
        assert_int_equal(rt->guests.limit, MIB(768) - workers * GUEST_LIFTED_MAX);
        assert_true(rt->guests.limit >= MIB(256));
        wasm_runtime_delete(rt);
    }
    const struct wasm_runtime_config small = {.world = &wasi_world, .guest_memory = 2 * GUEST_LIFTED_MAX, .workers = 2};
    assert_null(wasm_runtime_new(&small));
}

static int setup(void **state)
{
    struct wasm_runtime_config config = {.world = &wasi_world, .marks_from = 1, .compare_memories = true};
    runtime = wasm_runtime_new(&config);
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    struct app *app = built_app(runtime, folder, "lists", "{}", 0);
    struct app_table *apps = app_table_new();
    if (!app || app_table_put(apps, app) != 0)
        return -1;
    http_site_init(&memory_client_site, 1, apps, NULL);
    http_server_init(&server, route_request, 1);
    return 0;
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    if (!app_is_built(folder, "lists")) {
        printf("components not built (apps/build.sh)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(strings), cmocka_unit_test(pairs),
                                       cmocka_unit_test(it_is_set_aside)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
