/*
 * Connections to servers elsewhere that wait for another request, and those that must not: the peers are the servers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/container.h"
#include "common/testing/stops.h"
#include "enclave/https/client.h"
#include "enclave/https/kept.h"
#include "enclave/https/limits.h"
#include "enclave/https/testing/peer.h"

#define SERVERS 8
#define OK "HTTP/1.1 200 OK\r\n"
#define ABC OK "content-length: 3\r\n\r\nabc"

/* ---- servers, and who asks them ---------------------------------------------------------------------------------- */

static struct peer *servers; /* the one that was dialled first, and so on */
static unsigned dials;
static bool holds; /* what servers have proved */
static struct transport_ops ops;

static struct dial {
    struct loop_task task;
    struct transport *t;
    http_dialled done;
    void *user;
} dialling[SERVERS];

static bool reusable(struct transport *t)
{
    return holds;
}

static void dialled(struct loop_task *task)
{
    struct dial *d = CONTAINER_OF(task, struct dial, task);
    d->done(d->user, d->t, CALL_OK, 0);
}

static void *start_dial(struct worker *w, const struct http_site *site, const char *host, uint16_t port,
                        http_dialled done, void *user)
{
    assert_true(dials < SERVERS);
    struct dial *d = &dialling[dials];
    servers[dials].t.ops = &ops;
    servers[dials].keep_open = true;
    *d = (struct dial){.task.fn = dialled, .t = &servers[dials++].t, .done = done, .user = user};
    loop_post(&w->loop, &d->task);
    return d;
}

static void cancel_dial(void *attempt)
{
    ((struct dial *)attempt)->task.fn = NULL;
}

static const struct http_dialer dialers[2] = {{start_dial, cancel_dial}, {start_dial, cancel_dial}};

static struct app {
    struct http_keeper keeper;
    struct budget memory, count;
    int references;
} apps[2];

static void ref(struct http_keeper *k)
{
    CONTAINER_OF(k, struct app, keeper)->references++;
}

static void unref(struct http_keeper *k)
{
    assert_true(CONTAINER_OF(k, struct app, keeper)->references-- > 0);
}

static struct http_site sites[2];
static struct http_call_request asking; /* what ask begins with */

static int setup(void **state)
{
    servers = calloc(SERVERS, sizeof *servers);
    dials = 0;
    holds = true;
    ops = peer_ops;
    ops.reusable = reusable;
    for (int i = 0; i < 2; i++) {
        apps[i] = (struct app){.keeper = {&apps[i].memory, &apps[i].count, ref, unref}};
        budget_init(&apps[i].memory, "app", NULL, 3 * KEPT_COST);
        budget_init(&apps[i].count, "kept", NULL, 2);
        http_site_init(&sites[i], (uint64_t)i + 1, NULL, NULL);
    }
    asking = (struct http_call_request){.worker = &worker,
                                        .dialer = &dialers[0],
                                        .site = &sites[0],
                                        .keeper = &apps[0].keeper,
                                        .host = "h",
                                        .port = 1,
                                        .method = HTTP_TEXT("GET"),
                                        .target = HTTP_TEXT("/"),
                                        .authority = HTTP_TEXT("h:1"),
                                        .content_length = CALL_NO_BODY,
                                        .connect_ns = UINT64_MAX,
                                        .first_byte_ns = UINT64_MAX,
                                        .between_ns = UINT64_MAX};
    return 0;
}

static void turn(void)
{
    for (int i = 0; i < 20; i++) {
        loop_run_once(&worker.loop, worker.loop.now_ns + 1);
        kept_check();
    }
}

static void pass(uint64_t ms)
{
    loop_run_once(&worker.loop, worker.loop.now_ns + ms * 1000000);
    turn();
}

/* All that waits ends, and nobody is charged any more. */
static int teardown(void **state)
{
    pass(KEPT_IDLE_MS);
    assert_int_equal(atomic_load(&kept_counters.waiting), 0);
    for (int i = 0; i < 2; i++) {
        budget_deinit(&apps[i].memory);
        budget_deinit(&apps[i].count);
        assert_int_equal(apps[i].references, 0);
        assert_int_equal(atomic_load(&sites[i].references), 1);
    }
    worker.stopping = false;
    free(servers);
    return 0;
}

static void on_call(void *user)
{
}

/* A request that has been sent. */
static struct http_call *ask(void)
{
    asking.on_event = on_call;
    struct http_call *c = http_call_start(&asking);
    assert_non_null(c);
    turn();
    return c;
}

static void says(unsigned number, const char *what)
{
    struct peer *p = &servers[number];
    p->in = what;
    p->in_size = strlen(what);
    p->at = 0;
    p->t.on_ready(&p->t, p->t.user);
    turn();
}

static void hangs_up(unsigned number)
{
    struct peer *p = &servers[number];
    p->keep_open = false;
    p->t.on_ready(&p->t, p->t.user);
    turn();
}

/* All of the response, and the end of the call; the body's size, or -1. */
static ssize_t take(struct http_call *c)
{
    char body[64];
    ssize_t got, all = 0;
    while ((got = http_call_read(c, body, sizeof body)) > 0)
        all += got;
    http_call_delete(c);
    turn();
    return got == 0 ? all : -1;
}

static bool is_over(unsigned number)
{
    return servers[number].closed || servers[number].aborted;
}

/* One request whose response is ABC, over this connection. */
static void ask_over(unsigned number)
{
    struct http_call *c = ask();
    assert_int_equal(dials, number + 1);
    says(number, ABC);
    assert_int_equal(take(c), 3);
}

static size_t requests(unsigned number)
{
    size_t count = 0;
    servers[number].out[servers[number].out_size] = 0;
    for (const char *at = servers[number].out; (at = strstr(at, " / HTTP/1.1\r\n")); at++)
        count++;
    return count;
}

/* ---- what responses say ------------------------------------------------------------------------------------------ */

static void responses_say_whether_it_stays(void **state)
{
    static const struct {
        const char *method, *response;
        bool stays;
    } all[] = {
        {"GET", ABC, true},
        {"GET", OK "content-length: 0\r\n\r\n", true},
        {"GET", OK "Connection: Keep-Alive\r\ncontent-length: 3\r\n\r\nabc", true},
        {"GET", OK "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", true},
        {"GET", OK "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n", true},
        {"GET", "HTTP/1.1 103 Early Hints\r\n\r\n" ABC, true},
        {"GET", "HTTP/1.1 204 No Content\r\n\r\n", true},
        {"GET", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", true},
        {"GET", "HTTP/1.1 304 Not Modified\r\n\r\n", true},
        {"HEAD", OK "\r\n", true},
        /* it says that it goes, or something that is not known here */
        {"GET", OK "connection: close\r\ncontent-length: 3\r\n\r\nabc", false},
        {"GET", OK "connection: keep-alive, close\r\ncontent-length: 3\r\n\r\nabc", false},
        {"GET", OK "connection: keep-alive\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc", false},
        {"GET", OK "connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc", false},
        {"GET", OK "connection: \r\ncontent-length: 3\r\n\r\nabc", false},
        {"GET", "HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", false},
        {"GET", "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nabc", false},
        /* it is not clear where it ends */
        {"GET", "HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n", false},
        {"GET", "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", false},
        {"GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n", false},
        {"HEAD", ABC, false},
        {"HEAD", OK "content-length: 3\r\n\r\n", false},
        {"HEAD", OK "transfer-encoding: chunked\r\n\r\n", false},
        /* something comes behind it */
        {"GET", ABC "d", false},
        {"GET", ABC "\r\n", false},
        {"GET", ABC ABC, false},
        {"GET", OK "content-length: 0\r\n\r\n" ABC, false},
        {"GET", "HTTP/1.1 204 No Content\r\n\r\nabc", false},
        {"GET", OK "transfer-encoding: chunked\r\n\r\n0\r\n\r\n" ABC, false},
        {"GET", OK "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", false},
        /* it is none */
        {"GET", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", false},
        {"GET", OK "content-length: 1\r\ncontent-length: 2\r\n\r\nab", false},
        {"GET", OK "transfer-encoding: chunked\r\n\r\nzz\r\n", false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        asking.method = (struct http_text){all[i].method, strlen(all[i].method)};
        memset(servers, 0, sizeof *servers);
        dials = 0;
        struct http_call *c = ask();
        says(0, all[i].response);
        if (http_call_status(c))
            take(c);
        else
            http_call_delete(c);
        turn();
        if (is_over(0) == all[i].stays)
            fail_msg("it %s after %s", all[i].stays ? "went" : "stayed", all[i].response);
        assert_int_equal(atomic_load(&kept_counters.waiting), all[i].stays);
        pass(KEPT_IDLE_MS);
        assert_true(is_over(0));
    }
}

/* A body that ends with its connection, and one that nobody has read to its end. */
static void it_takes_all_of_a_response(void **state)
{
    struct http_call *c = ask();
    says(0, OK "\r\nabc");
    assert_int_equal(http_call_read(c, (char[4]){0}, 3), 3);
    hangs_up(0);
    assert_int_equal(take(c), 0);
    assert_true(is_over(0));
    c = ask();
    says(1, OK "content-length: 4\r\n\r\nabc");
    http_call_delete(c);
    turn();
    assert_true(servers[1].aborted);
    c = ask();
    says(2, OK "content-length: 4\r\n\r\nabcd"); /* nobody reads it, but it is there */
    http_call_delete(c);
    turn();
    assert_false(is_over(2));
    c = ask();
    says(2, OK "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
    http_call_delete(c);
    turn();
    assert_false(is_over(2));
    c = ask();
    static char longer[200000] = OK "content-length: 199000\r\n\r\n";
    memset(longer + strlen(longer), 'x', 199000);
    says(2, longer);
    http_call_delete(c);
    turn();
    assert_true(servers[2].aborted);
    assert_int_equal(dials, 3);
}

/* An answer to a request of which a part is still to come answers something else, perhaps. */
static void it_takes_all_of_a_request(void **state)
{
    asking.method = HTTP_TEXT("POST");
    asking.content_length = 6;
    struct http_call *c = ask();
    assert_int_equal(http_call_write(c, "abc", 3), 3);
    says(0, ABC);
    assert_int_equal(http_call_write(c, "def", 3), 3);
    assert_int_equal(http_call_finish(c, NULL, 0), 0);
    turn();
    assert_int_equal(take(c), 3);
    assert_true(is_over(0));
    c = ask();
    assert_int_equal(http_call_write(c, "abcdef", 6), 6);
    turn();
    says(1, ABC);
    assert_int_equal(http_call_finish(c, NULL, 0), 0);
    assert_int_equal(take(c), 3);
    assert_false(is_over(1));
}

/* ---- who shares it ----------------------------------------------------------------------------------------------- */

static void others_have_others(void **state)
{
    ask_over(0);
    ask_over(0);
    assert_int_equal(requests(0), 2);
    assert_null(strstr(servers[0].out, "connection:"));
    struct http_call_request first = asking;
    asking.keeper = &apps[1].keeper;
    ask_over(1);
    asking = first;
    asking.site = &sites[1];
    ask_over(2);
    asking = first;
    asking.dialer = &dialers[1];
    apps[0].count.limit = 3;
    ask_over(3);
    asking = first;
    pass(KEPT_IDLE_MS);
    ask_over(4);
    asking.port = 2;
    ask_over(5);
    asking.host = "H"; /* they ask for, and prove, what is written */
    ask_over(6);
    asking = first;
    struct http_call *c = ask(); /* its own, of before */
    assert_int_equal(dials, 7);
    assert_int_equal(requests(4), 2);
    says(4, ABC);
    assert_int_equal(take(c), 3);
    assert_int_equal(requests(0), 2);
}

/* Two at once are two, and as many wait as may. */
static void there_is_a_bound(void **state)
{
    struct http_call *calls[4];
    for (unsigned i = 0; i < 4; i++)
        calls[i] = ask();
    assert_int_equal(dials, 4);
    for (unsigned i = 0; i < 4; i++) {
        says(i, ABC);
        assert_int_equal(take(calls[i]), 3);
    }
    assert_false(is_over(0) || is_over(1));
    assert_true(servers[2].closed && servers[3].closed);
    assert_int_equal(budget_used(&apps[0].memory), 2 * KEPT_COST);
    apps[0].memory.limit = KEPT_COST;
    pass(KEPT_IDLE_MS);
    ask_over(4);
    asking.port = 2;
    ask_over(5);
    assert_true(servers[5].closed && !is_over(4));
}

/* ---- how it ends while it waits ---------------------------------------------------------------------------------- */

static void nobody_asked(void **state)
{
    ask_over(0);
    says(0, ABC); /* it waits */
    assert_true(servers[0].aborted);
    ask_over(1);
    servers[1].in = ABC; /* nobody has told the connection yet */
    servers[1].in_size = sizeof ABC - 1;
    servers[1].at = 0;
    ask_over(2);
    assert_true(servers[1].aborted);
    asking.on_event = on_call; /* and between the choice of a connection and the first byte */
    struct http_call *c = http_call_start(&asking);
    servers[2].in = ABC;
    servers[2].in_size = sizeof ABC - 1;
    servers[2].at = 0;
    turn();
    assert_true(servers[2].aborted);
    assert_int_equal(requests(2), 1);
    says(3, OK "content-length: 1\r\n\r\n.");
    assert_int_equal(take(c), 1);
    asking.port = 2; /* a new one, before it was asked */
    c = http_call_start(&asking);
    servers[4].in = ABC;
    servers[4].in_size = sizeof ABC - 1;
    turn();
    assert_int_equal(http_call_failure(c), CALL_PROTOCOL);
    assert_int_equal(requests(4), 0);
    http_call_delete(c);
}

static void it_ends_in_peace(void **state)
{
    ask_over(0);
    hangs_up(0);
    assert_true(servers[0].closed);
    ask_over(1);
    pass(KEPT_IDLE_MS - 1);
    assert_false(is_over(1));
    pass(1);
    assert_true(servers[1].closed);
    ask_over(2);
    for (unsigned i = 0; i < KEPT_AGE_MS / KEPT_IDLE_MS + 1 && !is_over(2); i++) {
        pass(KEPT_IDLE_MS - 1);
        if (!is_over(2))
            ask_over(2);
    }
    assert_true(servers[2].closed);
    ask_over(3);
    holds = false; /* its certificate has expired */
    struct http_call *c = ask();
    assert_int_equal(dials, 5);
    assert_true(is_over(3));
    holds = true;
    says(4, ABC);
    assert_int_equal(take(c), 3);
    servers[4].t.broken = true;
    servers[4].t.on_ready(&servers[4].t, servers[4].t.user);
    assert_true(servers[4].aborted);
}

static void it_goes_with_its_generation(void **state)
{
    ask_over(0);
    struct http_call *c = ask();
    http_site_retire(&sites[0], SITE_CUT_AT_ONCE);
    says(0, ABC);
    assert_int_equal(take(c), 3);
    assert_true(servers[0].closed);
    ask_over(1);
    assert_true(is_over(1));
    assert_non_null(strstr(servers[1].out, "connection: close\r\n"));
    asking.site = &sites[1];
    ask_over(2);
    assert_false(is_over(2));
    http_site_retire(&sites[1], SITE_CUT_AT_ONCE);
    servers[2].t.on_ready(&servers[2].t, servers[2].t.user);
    assert_true(servers[2].closed);
}

static void it_goes_with_its_worker(void **state)
{
    ask_over(0);
    worker.stopping = true;
    servers[0].t.on_ready(&servers[0].t, servers[0].t.user);
    assert_true(servers[0].closed);
    ask_over(1);
    assert_true(is_over(1));
}

/* ---- when it ended just before ----------------------------------------------------------------------------------- */

/* Nothing came back: the request goes over a new one, once, if it may be sent twice. */
static void what_may_be_sent_again(void **state)
{
    static const struct {
        const char *method;
        int64_t length;
        bool again;
    } all[] = {{"GET", CALL_NO_BODY, true},
               {"HEAD", CALL_NO_BODY, true},
               {"OPTIONS", 0, true},
               {"DELETE", 0, true},
               {"PUT", 0, true},
               {"PUT", 3, false},
               {"POST", 0, false},
               {"POST", 3, false},
               {"PATCH", CALL_CHUNKED, false},
               {"get", CALL_NO_BODY, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        memset(servers, 0, 2 * sizeof *servers);
        dials = 0;
        asking.method = (struct http_text)HTTP_TEXT("GET");
        asking.content_length = CALL_NO_BODY;
        ask_over(0);
        servers[0].out_size = 0;
        asking.method = (struct http_text){all[i].method, strlen(all[i].method)};
        asking.content_length = all[i].length;
        struct http_call *c = ask();
        if (all[i].length == 3)
            assert_int_equal(http_call_write(c, "abc", 3), 3);
        http_call_finish(c, NULL, 0);
        turn();
        assert_int_equal(requests(0), 1);
        hangs_up(0);
        assert_int_equal(dials, all[i].again ? 2 : 1);
        assert_int_equal(http_call_failure(c), all[i].again ? CALL_OK : CALL_TERMINATED);
        if (all[i].again) {
            assert_int_equal(servers[1].out_size, servers[0].out_size);
            assert_memory_equal(servers[1].out, servers[0].out, servers[0].out_size);
            hangs_up(1);
            assert_int_equal(dials, 2);
            assert_int_equal(http_call_failure(c), CALL_TERMINATED);
        }
        http_call_delete(c);
        turn();
    }
}

/* Something came back: it was taken up. And a new connection that ends is not one that had ended before. */
static void what_is_not_sent_again(void **state)
{
    ask_over(0);
    struct http_call *c = ask();
    says(0, "HTTP/1.1 2");
    hangs_up(0);
    assert_int_equal(http_call_failure(c), CALL_TERMINATED);
    http_call_delete(c);
    c = ask();
    hangs_up(1);
    assert_int_equal(http_call_failure(c), CALL_TERMINATED);
    http_call_delete(c);
    turn();
    assert_int_equal(dials, 2);
}

/* What takes nothing any more: nothing of the request was sent, whatever its method. */
static ssize_t takes_nothing(struct transport *t, const void *buf, size_t size)
{
    return -EPIPE;
}

static void nothing_was_sent(void **state)
{
    ask_over(0);
    asking.method = (struct http_text)HTTP_TEXT("POST");
    asking.content_length = 3;
    ops.write = takes_nothing;
    struct http_call *c = http_call_start(&asking);
    loop_run_once(&worker.loop, worker.loop.now_ns + 1);
    ops.write = peer_ops.write;
    assert_int_equal(dials, 2);
    assert_int_equal(http_call_write(c, "abc", 3), 3);
    assert_int_equal(http_call_finish(c, NULL, 0), 0);
    turn();
    assert_non_null(strstr(servers[1].out, "\r\n\r\nabc"));
    says(1, ABC);
    assert_int_equal(take(c), 3);
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static void frees_what_waits(void)
{
    ask_over(0);
    kept_free(servers[0].t.user);
}

static void keeps_nothing_for_nobody(void)
{
    struct kept_origin origin = {.worker = &worker, .site = &sites[0], .dialer = &dialers[0], .host = "h", .port = 1};
    kept_new(&origin);
}

static void it_has_rules(void **state)
{
    assert_true(stops(frees_what_waits, "!k->link"));
    assert_true(stops(keeps_nothing_for_nobody, "origin->keeper"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(responses_say_whether_it_stays),
        CASE(it_takes_all_of_a_response),
        CASE(it_takes_all_of_a_request),
        CASE(others_have_others),
        CASE(there_is_a_bound),
        CASE(nobody_asked),
        CASE(it_ends_in_peace),
        CASE(it_goes_with_its_generation),
        CASE(it_goes_with_its_worker),
        CASE(what_may_be_sent_again),
        CASE(what_is_not_sent_again),
        CASE(nothing_was_sent),
        CASE(it_has_rules),
    };
    peer_setup(NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
