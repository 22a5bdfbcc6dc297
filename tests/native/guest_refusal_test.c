/*
 * Without memory: every allocation of ours that a request to an app leads to fails once, in turn: in HTTP, in the guest
 * and in its host functions. The client gets an answer or is cut, the guest is ended or is told, nothing is kept, and
 * the next request finds all in order. No lack of memory that a client or a guest can bring about stops the enclave.
 *
 * Linked with our sources compiled so that their malloc and friends are the test's; wasmtime keeps the real ones: its
 * memory is charged before it is asked for, so that it is there (docs/memory.md).
 *
 * Usage: guest_refusal_test APPS-FOLDER
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/fs/fs.h"
#include "enclave/https/client.h"
#include "enclave/service/router.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/host.h"
#include "tests/native/memory_client.h"

#define ALLOCATIONS_MAX 20000 /* of one request: far above what any takes */

/* ---- allocations that fail ---------------------------------------------------------------------------------- */

static long left = -1; /* allocations until one fails; below 0: none does */
static bool failed;

void *failing_malloc(size_t size);
void *failing_calloc(size_t count, size_t size);
void *failing_realloc(void *p, size_t size);
char *failing_strdup(const char *text);
char *failing_strndup(const char *text, size_t size);

static bool fails(void)
{
    if (left < 0 || left-- > 0)
        return false;
    failed = true;
    return true;
}

void *failing_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

void *failing_calloc(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

void *failing_realloc(void *p, size_t size)
{
    return fails() ? NULL : realloc(p, size);
}

char *failing_strdup(const char *text)
{
    return fails() ? NULL : strdup(text);
}

char *failing_strndup(const char *text, size_t size)
{
    return fails() ? NULL : strndup(text, size);
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

static const char *folder;
static struct http_server server;
static struct worker worker;
static struct wasm_runtime *runtime;
static struct memory_client client;

/* The request and what becomes of it, to the end of the connection. */
static void request(const char *text)
{
    if (memory_client_start(&client, &server, &worker, text, strlen(text), 1 << 20) != 0) {
        assert_true(client.aborted);
        return;
    }
    for (int turn = 0; turn < 2000 && !memory_client_over(&client); turn++) {
        loop_run_once(&worker.loop, worker.loop.now_ns + 1000);
        if (client.taken && turn > 1000 && !memory_client_over(&client))
            client.half_closed = true, client.t.on_ready(&client.t, client.t.user);
    }
    worker.loop.now_ns += UINT64_C(40000000000); /* what waits for something that was lost meets its deadline */
    for (int turn = 0; turn < 2000; turn++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1000);
    client.half_closed = true;
    for (int turn = 0; turn < 2000 && !memory_client_over(&client); turn++) {
        client.t.on_ready(&client.t, client.t.user);
        loop_run_once(&worker.loop, worker.loop.now_ns + 1000);
    }
    assert_true(memory_client_over(&client));
    for (int turn = 0; turn < 2000; turn++)
        loop_run_once(&worker.loop, worker.loop.now_ns + 1000);
}

#define TO(method, path) method " " path " HTTP/1.1\r\nHost: a\r\n"
#define BODY(text, size) "Content-Length: " size "\r\n\r\n" text
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
    const char *text;
    int status;
} requests[] = {
    {TO("GET", "/hello-c/") "\r\n", 200},
    {TO("POST", "/echo/") BODY(HUNDRED, "100"), 200},
    {TO("POST", "/echo/early") "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\nx: y\r\n\r\n", 200},
    {TO("GET", "/counter-c/") "\r\n", 200},
    {TO("GET", "/counter-c/put/abc") "\r\n", 200},
    {TO("GET", "/counter-c/get") "\r\n", 200},
    {TO("GET", "/counter-c/many") "\r\n", 200},
    {TO("PUT", "/files-c/a") BODY(HUNDRED, "100"), 200},
    {TO("POST", "/files-c/a?append") BODY(HUNDRED, "100"), 200},
    {TO("GET", "/files-c/a") "\r\n", 200},
    {TO("GET", "/files-c/") "\r\n", 200},
    {TO("DELETE", "/files-c/none") "\r\n", 404},
    {TO("POST", "/sum-c/a?b") "x: y\r\nx: z\r\n" BODY("1 2", "3"), 200},
    {TO("POST", "/gateway-c/") "x-to: localhost:1\r\n" BODY("abc", "3"), 502},
    {TO("GET", "/hostile/environment") "\r\n", 200},
    {TO("GET", "/hostile/fields-many") "\r\n", 500},
    {TO("GET", "/hostile/poll-many") "\r\n", 500},
    {TO("PUT", "/files-c/b") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", 400},
    {TO("GET", "/nobody/") "\r\n", 404},
};
#define REQUESTS (sizeof requests / sizeof *requests)

static void each_allocation_may_fail(void **state)
{
    long all = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        long n = 0;
        request(requests[i].text);
        assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
        if (memory_client_status(&client) != requests[i].status)
            fail_msg("%s: %s", requests[i].text, client.out);
        do {
            assert_true(n < ALLOCATIONS_MAX);
            failed = false;
            left = n++;
            request(requests[i].text);
            left = -1;
            if (wasm_runtime_guest_memory(runtime) != 0)
                fail_msg("allocation %ld of %s: memory is kept", n, requests[i].text);
            request(requests[i].text);
            if (memory_client_status(&client) != requests[i].status)
                fail_msg("after allocation %ld of %s: %s", n, requests[i].text, client.out);
        } while (failed);
        all += n - 1;
    }
    print_message("%ld allocations, each of which failed once\n", all);
    assert_true(all > 200);
}

/* ---- a server elsewhere, which refuses ------------------------------------------------------------------------- */

static struct dial {
    struct loop_task task;
    http_dialled done;
    void *user;
} dial;

static void refuse(struct loop_task *task)
{
    if (dial.done)
        dial.done(dial.user, NULL, CALL_REFUSED, 0);
}

static void *start_dial(struct worker *w, const struct http_site *site, const char *host, uint16_t port,
                        http_dialled done, void *user)
{
    dial = (struct dial){{.fn = refuse}, done, user};
    loop_post(&w->loop, &dial.task);
    return &dial;
}

static void cancel_dial(void *attempt)
{
    dial.done = NULL;
}

/* ---- the apps -------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    static const char *const names[] = {"hello-c", "echo", "counter-c", "files-c", "sum-c", "gateway-c", "hostile"};
    static const char settings[] = "{\"egress\":[\"localhost:1\"],\"arguments\":[\"-v\"]}";
    static const struct http_dialer dialer = {.start = start_dial, .cancel = cancel_dial};
    struct wasm_runtime_config config = {
        .world = &wasi_world, .dialer = &dialer, .marks_from = 1, .compare_memories = true};
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    config.files = fs_home_new(&worker, NULL);
    runtime = wasm_runtime_new(&config);
    struct app_table *apps = app_table_new();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (app_table_put(apps, built_app(runtime, folder, names[i], settings, 0)) != 0)
            return -1;
    http_site_init(&memory_client_site, 1, apps, NULL);
    http_server_init(&server, route_request, 1);
    return 0;
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    if (!app_is_built(folder, "hostile")) {
        printf("components not built (apps/build.sh)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
