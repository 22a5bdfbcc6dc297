/*
 * What its client does to a guest, in a time of the test's own: when its deadline runs, what it sees of a client that
 * is gone, and when it is ended. The guest is apps/guests/waits.c, behind the real HTTP code.
 *
 * Usage: guest_test APPS-FOLDER
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "enclave/service/router.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/host.h"
#include "tests/native/memory_client.h"

#define SECOND UINT64_C(1000000000)
#define TIMEOUT_S 30u

static const char *folder;
static struct http_server server;
static struct worker worker;
static struct wasm_runtime *runtime;
static struct memory_client client;
static char noted[4096]; /* what the guest and the runtime wrote to the log */

static void on_log(struct worker *worker, const char *app, bool error, const char *line, size_t size)
{
    size_t at = strlen(noted);
    snprintf(noted + at, sizeof noted - at, "%.*s\n", (int)size, line);
}

/* All that can happen now. */
static void settle(void)
{
    if (!memory_client_over(&client))
        client.t.on_ready(&client.t, client.t.user);
    for (int i = 0; i < 100; i++)
        loop_run_once(&worker.loop, worker.loop.now_ns);
}

static bool no_stacks;

static void *take_stack(size_t *size)
{
    *size = (*size + 4095) & ~(size_t)4095;
    void *stack = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!no_stacks && stack != MAP_FAILED)
        return stack;
    if (stack != MAP_FAILED)
        munmap(stack, *size);
    return NULL;
}

static void give_stack(void *stack, size_t size)
{
    munmap(stack, size);
}

/* Let seconds pass, with so many bytes more for the client in each. */
static void pass(unsigned seconds, size_t each)
{
    for (unsigned i = 0; i < seconds; i++) {
        worker.loop.now_ns += SECOND;
        client.allowed += each;
        settle();
    }
}

static void request_part(const char *text, size_t size, size_t allowed)
{
    noted[0] = 0;
    assert_int_equal(wasm_runtime_guest_memory(runtime), 0);
    assert_int_equal(memory_client_start(&client, &server, &worker, text, size, allowed), 0);
    settle();
}

static void request(const char *text, size_t allowed)
{
    request_part(text, strlen(text), allowed);
}

static bool guest_is_there(void)
{
    return wasm_runtime_guest_memory(runtime) > 0;
}

static void break_off(void)
{
    client.t.broken = true;
    settle();
    assert_true(client.aborted);
}

#define GET(path) "GET /waits" path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST /waits" path " HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n"

/* Before any guest has run, whose stack the next one might have: a client is told to come again. */
static void without_a_stack_the_client_is_told(void **state)
{
    no_stacks = true;
    request(GET("/write"), 14000);
    no_stacks = false;
    assert_int_equal(memory_client_status(&client), 503);
    assert_false(guest_is_there());
    break_off();
}

/* The client takes a burst each 55 seconds, as TCP has it: above the least rate, below any deadline of a guest's. */
static void slow_readers_cost_no_time(void **state)
{
    static const char *const paths[] = {GET("/write"), GET("/poll")};
    for (size_t i = 0; i < 2; i++) {
        request(paths[i], 14000);
        for (int burst = 0; burst < 10; burst++) {
            pass(55, 0);
            assert_true(guest_is_there());
            assert_false(memory_client_over(&client));
            client.allowed += 14000;
            settle();
            assert_int_equal(client.allowed, 0);
        }
        pass(61, 0); /* and who takes nothing at all is let go, and takes the guest along */
        assert_true(client.aborted);
        assert_false(guest_is_there());
    }
}

/* Who waits for the body has its own time, which begins anew with each part that comes. */
static void bodies_renew_the_time(void **state)
{
    char text[sizeof POST("/read") + 200];
    memset(text, 'x', sizeof text);
    memcpy(text, POST("/read"), sizeof POST("/read") - 1);
    text[sizeof text - 1] = 0;
    server.limits.min_rate = 0; /* the connection judges nobody now */
    request_part(text, sizeof POST("/read") - 1, 1000000);
    for (int i = 0; i < 4; i++) {
        pass(TIMEOUT_S - 1, 0);
        assert_true(guest_is_there());
        client.in_size += 50;
        settle();
    }
    assert_non_null(strstr(client.out, "HTTP/1.1 200"));
    assert_string_equal(noted, "read: whole\nreturned\n");
    break_off();
    request_part(text, sizeof POST("/read") - 1, 1000000);
    pass(TIMEOUT_S + 1, 0);
    assert_false(guest_is_there());
    server.limits.min_rate = http_limits_default.min_rate;
    assert_non_null(strstr(client.out, "HTTP/1.1 504"));
    assert_non_null(strstr(client.out, "longer than 30000 ms (--request-timeout)"));
    if (!memory_client_over(&client))
        break_off();
}

/* Waiting for anything else is the guest's own time, also where it waits for its client besides. */
static void other_waiting_is_the_guests(void **state)
{
    request(GET("/sleep"), 1000000);
    pass(TIMEOUT_S - 1, 0);
    assert_true(guest_is_there());
    pass(2, 0);
    assert_false(guest_is_there());
    assert_non_null(strstr(noted, "took too long"));
    break_off();
    server.limits.min_rate = 0; /* the connection judges nobody now */
    request(GET("/both"), 20000);
    pass(TIMEOUT_S - 2, 0);
    assert_true(guest_is_there());
    pass(1, 60000); /* its client took something: the time begins anew */
    pass(TIMEOUT_S - 1, 0);
    assert_true(guest_is_there());
    pass(2, 0);
    assert_false(guest_is_there());
    assert_non_null(strstr(noted, "took too long"));
    server.limits.min_rate = http_limits_default.min_rate;
    if (!memory_client_over(&client))
        break_off();
}

/* Whose client is gone sees it at the next write, at once if it waits for that, and goes on. */
static void writers_see_that_the_client_is_gone(void **state)
{
    static const char *const paths[] = {GET("/write"), GET("/poll"), GET("/both")};
    for (size_t i = 0; i < 3; i++) {
        request(paths[i], 14000);
        pass(1, 0);
        assert_string_equal(noted, "");
        break_off();
        assert_string_equal(noted, "write: closed\nreturned\n");
        assert_false(guest_is_there());
    }
}

static void readers_see_that_the_client_is_gone(void **state)
{
    request(POST("/read"), 1000000);
    pass(1, 0);
    assert_string_equal(noted, "");
    break_off();
    assert_string_equal(noted, "read: failed\nreturned\n");
    assert_false(guest_is_there());
    /* A client that sends no more, but may still read, is told why it gets no answer. */
    request(POST("/read"), 1000000);
    client.half_closed = true;
    settle();
    assert_string_equal(noted, "read: failed\nreturned\n");
    assert_non_null(strstr(client.out, "400 Bad Request: the body broke off"));
    assert_true(client.closed);
}

/* Who has ended its side waits for the answer as before; who has ended its stream waits for nothing. */
static void who_ended_its_side_may_still_read(void **state)
{
    request(GET("/write"), 14000);
    client.half_closed = true;
    for (int burst = 0; burst < 10; burst++) {
        pass(1, 14000);
        assert_false(memory_client_over(&client));
        assert_int_equal(client.allowed, 0);
        assert_true(guest_is_there());
    }
    break_off();
    request(GET("/sleep"), 1000000);
    client.half_closed = true;
    pass(TIMEOUT_S - 1, 0);
    assert_true(guest_is_there());
    assert_false(memory_client_over(&client));
    pass(2, 0);
    assert_false(guest_is_there());
    assert_non_null(strstr(noted, "took too long"));
}

static void who_ended_its_stream_is_gone(void **state)
{
    for (int half_closed = 0; half_closed < 2; half_closed++) {
        request(GET("/sleep"), 1000000);
        client.half_closed = half_closed;
        settle();
        assert_false(memory_client_over(&client));
        client.gone = true;
        settle();
        assert_true(client.aborted);
        pass(GUEST_GONE_MS / 1000 - 1, 0);
        assert_true(guest_is_there());
        pass(1, 0);
        assert_false(guest_is_there());
    }
    request(POST("/read"), 1000000);
    client.gone = true;
    settle();
    assert_string_equal(noted, "read: failed\nreturned\n");
    assert_string_equal(client.out, "");
    assert_true(client.aborted);
    request(GET("/write"), 14000);
    client.gone = true;
    settle();
    assert_string_equal(noted, "write: closed\nreturned\n");
    assert_true(client.aborted);
    /* Where its answer was complete, that still goes to it. */
    request("GET /waits/read HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_string_equal(noted, "read: whole\nreturned\n");
    client.gone = true;
    settle();
    assert_false(memory_client_over(&client));
    client.allowed = 1000000;
    settle();
    assert_int_equal(memory_client_status(&client), 200);
    assert_true(client.closed);
}

/* It may put things in order, but not for ever. */
static void guests_without_a_client_are_ended(void **state)
{
    static const char *const paths[] = {GET("/write?stay"), POST("/read?stay"), GET("/sleep")};
    for (size_t i = 0; i < 3; i++) {
        request(paths[i], 14000);
        pass(1, 0);
        break_off();
        pass(GUEST_GONE_MS / 1000 - 1, 0);
        assert_true(guest_is_there());
        pass(1, 0);
        assert_false(guest_is_there());
        assert_null(strstr(noted, "returned"));
    }
    /* Nor is that more time than it had. */
    request(GET("/sleep"), 14000);
    pass(TIMEOUT_S - 2, 0);
    break_off();
    pass(1, 0);
    assert_true(guest_is_there());
    pass(1, 0);
    assert_false(guest_is_there());
}

static int setup(void **state)
{
    struct wasm_runtime_config engine = {.world = &wasi_world,
                                         .log = on_log,
                                         .stacks = {take_stack, give_stack, 4096},
                                         .marks_from = 1,
                                         .compare_memories = true};
    runtime = wasm_runtime_new(&engine);
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    struct app *app = built_app(runtime, folder, "waits", "{}", TIMEOUT_S * 1000);
    if (!app)
        return -1;
    struct app_table *apps = app_table_new();
    app_table_put(apps, app);
    http_site_init(&memory_client_site, 1, apps, NULL);
    http_server_init(&server, route_request, 1);
    return 0;
}

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : ".";
    if (!app_is_built(folder, "waits")) {
        printf("components not built (apps/build.sh)\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_stack_the_client_is_told),
        cmocka_unit_test(slow_readers_cost_no_time),
        cmocka_unit_test(bodies_renew_the_time),
        cmocka_unit_test(other_waiting_is_the_guests),
        cmocka_unit_test(writers_see_that_the_client_is_gone),
        cmocka_unit_test(readers_see_that_the_client_is_gone),
        cmocka_unit_test(who_ended_its_side_may_still_read),
        cmocka_unit_test(who_ended_its_stream_is_gone),
        cmocka_unit_test(guests_without_a_client_are_ended),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
