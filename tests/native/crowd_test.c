/*
 * Thousands of connections at their worst, through the real HTTP code, on transports in memory: what they hold stays
 * within the limit of all, those that make progress are never cut, and everything comes back.
 */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "enclave/ratls/crowd.h"
#include "common/container.h"
#include "enclave/https/http.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/service/router.h"
#include "enclave/wasm/app.h"
#include "enclave/thread/worker.h"

#define MEMORY (64u << 20)
#define COUNT 4096u
#define BOUND ((192u << 10) + 65536u) /* CONNECTION_MEMORY_MAX */

enum behaviour {
    HEAD,     /* most of a head, as large as it may be */
    TRAILERS, /* likewise */
    CHUNK,    /* a chunk extension without end */
    UNREAD,   /* requests without end, and no answer is read */
    GOOD,     /* a request now and then, and its answer is read */
    BEHAVIOURS
};

struct peer {
    struct transport t; /* first */
    struct crowd_member member;
    enum behaviour behaviour;
    size_t sent, received;
    bool asks; /* GOOD: a request is to be sent */
    bool cut, gone;
};

static struct http_server server;
static struct worker worker;
static struct crowd clients;
static struct crowd_limits limits;
static uint64_t most;

#define GET "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST /_enclave/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nTransfer-Encoding: chunked\r\n\r\n"
static const struct {
    const char *start;
    size_t size; /* how much is sent, the rest of it one letter */
} scripts[] = {
    [HEAD] = {"GET / HTTP/1.1\r\nHost: a\r\nx: ", 65000},
    [TRAILERS] = {POST "0\r\nx: ", 65000},
    [CHUNK] = {POST "1;x=", 1000000},
};

static ssize_t take(struct peer *p, char *buf, size_t size)
{
    const char *start = scripts[p->behaviour].start;
    size_t begun = strlen(start), left = scripts[p->behaviour].size - p->sent;
    size = size < left ? size : left;
    for (size_t i = 0; i < size; i++)
        buf[i] = p->sent + i < begun ? start[p->sent + i] : 'x';
    return size ? (ssize_t)size : -EAGAIN;
}

static struct http_site site; /* without apps, and the same for all */

static ssize_t peer_read(struct transport *t, void *buf, size_t size)
{
    struct peer *p = CONTAINER_OF(t, struct peer, t);
    ssize_t got = -EAGAIN;
    if (p->cut)
        return -ECONNRESET;
    if (p->behaviour == UNREAD || (p->behaviour == GOOD && p->asks)) {
        size_t at = 0;
        for (p->asks = false; at + sizeof GET - 1 <= (p->behaviour == GOOD ? sizeof GET - 1 : size);
             at += sizeof GET - 1)
            memcpy((char *)buf + at, GET, sizeof GET - 1);
        got = at ? (ssize_t)at : -EAGAIN;
    } else if (p->behaviour < UNREAD) {
        got = take(p, buf, size < 4000 ? size : 4000);
    }
    if (got > 0) {
        p->sent += (size_t)got;
        crowd_progress(&clients, &p->member);
    }
    return got;
}

static ssize_t peer_write(struct transport *t, const void *buf, size_t size)
{
    struct peer *p = CONTAINER_OF(t, struct peer, t);
    if (p->cut)
        return -ECONNRESET;
    if (p->behaviour != GOOD)
        return -EAGAIN;
    p->received += size;
    crowd_progress(&clients, &p->member);
    return (ssize_t)size;
}

static void peer_flush(struct transport *t)
{
}

static void peer_end(struct transport *t)
{
    CONTAINER_OF(t, struct peer, t)->gone = true;
}

static const struct transport_ops ops = {
    .read = peer_read, .write = peer_write, .flush = peer_flush, .close = peer_end, .abort = peer_end};

static bool waits(struct crowd_member *m)
{
    struct peer *p = CONTAINER_OF(m, struct peer, member);
    return !p->gone && p->t.waits(&p->t, p->t.user);
}

static void cut(struct crowd_member *m)
{
    struct peer *p = CONTAINER_OF(m, struct peer, member);
    p->cut = p->t.broken = true;
    p->t.on_ready(&p->t, p->t.user);
}

static void turn(void)
{
    loop_run_once(&worker.loop, worker.loop.now_ns + 1000);
    crowd_look(&clients);
    crowd_check(&clients);
    if (budget_used(&limits.memory) > most)
        most = budget_used(&limits.memory);
}

static struct peer *arrive(enum behaviour behaviour)
{
    struct peer *p = calloc(1, sizeof *p);
    p->behaviour = behaviour;
    p->t.ops = &ops;
    p->t.site = &site;
    assert_true(crowd_join(&clients, &p->member, BOUND));
    p->t.memory = &p->member.memory;
    assert_int_equal(http_connection_start(&server, &worker, &p->t), 0);
    return p;
}

/* NULL if it is gone. */
static struct peer *look_after(struct peer *p)
{
    if (!p || !p->gone)
        return p;
    crowd_leave(&clients, &p->member);
    free(p);
    return NULL;
}

static void test_crowd(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)getpid();
    print_message("SEED=%u\n", seed);
    static struct peer *crowd[3 * COUNT];
    struct peer *good[16];
    size_t asked = 0;
    for (size_t i = 0; i < 16; i++)
        good[i] = arrive(GOOD);
    for (size_t i = 0; i < 3 * COUNT; i++) {
        crowd[i] = arrive((enum behaviour)(rand_r(&seed) % GOOD));
        if (i % 8 == 0) { /* at good speed: within a few arrivals */
            good[asked % 16]->asks = true;
            good[asked % 16]->t.on_ready(&good[asked % 16]->t, good[asked % 16]->t.user);
            asked++;
        }
        for (int again = 0; again < 4; again++)
            turn();
        size_t some = (size_t)rand_r(&seed) % (i + 1);
        if (crowd[some] && !crowd[some]->gone)
            crowd[some]->t.on_ready(&crowd[some]->t, crowd[some]->t.user);
        assert_true(budget_used(&crowd[i]->member.memory) <= BOUND);
        for (size_t k = 0; k <= i; k += 1 + i / 64) /* a sample, and in the end all of them */
            crowd[k] = look_after(crowd[k]);
        if (i % 64 == 0)
            for (size_t k = 0; k <= i; k++)
                crowd[k] = look_after(crowd[k]);
    }
    for (int i = 0; i < 1000; i++)
        turn();
    size_t received = 0;
    for (size_t i = 0; i < 16; i++) {
        assert_false(good[i]->cut || good[i]->gone);
        received += good[i]->received;
    }
    assert_true(limits.cut > 0);
    assert_true(received >= asked * 100);
    assert_true(most <= MEMORY);
    assert_int_equal(limits.memory.refused, 0);
    print_message("%lu of %u were cut, %lu MiB at most\n", (unsigned long)limits.cut, 3 * COUNT,
                  (unsigned long)most >> 20);
    for (size_t i = 0; i < 3 * COUNT + 16; i++) {
        struct peer **p = i < 16 ? &good[i] : &crowd[i - 16];
        if (*p && !(*p)->gone)
            cut(&(*p)->member);
        for (int k = 0; k < 3; k++)
            turn();
        *p = look_after(*p);
        assert_null(*p);
    }
    budget_deinit(&limits.memory);
    budget_deinit(&limits.count);
}

/* Whatever one of them does, it holds no more than its bound, and requests wait while answers are unread. */
static void test_bound(void **state)
{
    for (enum behaviour b = 0; b < BEHAVIOURS; b++) {
        struct peer *p = arrive(b);
        p->asks = true;
        for (int i = 0; i < 2000; i++) {
            p->t.on_ready(&p->t, p->t.user);
            turn();
            assert_true(budget_used(&p->member.memory) <= BOUND);
        }
        uint64_t held = budget_used(&p->member.memory);
        print_message("behaviour %d: %lu KiB\n", b, (unsigned long)held >> 10);
        assert_true(b != UNREAD || (held < 80 << 10 && p->sent < 64 << 10));
        if (!p->gone)
            cut(&p->member);
        for (int i = 0; i < 3; i++)
            turn();
        assert_null(look_after(p));
        assert_int_equal(budget_used(&limits.memory), 0);
    }
}

/* Before the number is used up, too, some of them are cut; what has no peer to wait for never is. */
static bool never(struct crowd_member *m)
{
    return false;
}

static void test_number(void **state)
{
    static struct peer *all[2 * COUNT];
    for (size_t i = 0; i < 2 * COUNT; i++) {
        all[i] = arrive(HEAD);
        turn();
        if (i % 32 == 0)
            for (size_t k = 0; k <= i; k++)
                all[k] = look_after(all[k]);
    }
    assert_true(budget_used(&limits.count) <= COUNT);
    for (size_t k = 0; k < 2 * COUNT; k++)
        all[k] = look_after(all[k]);
    uint64_t before = limits.cut;
    clients.waits = never;
    struct peer *more[64];
    for (size_t i = 0; i < 64; i++)
        more[i] = arrive(HEAD);
    for (int i = 0; i < 100; i++)
        turn();
    assert_int_equal(limits.cut, before);
    clients.waits = waits;
    worker.loop.now_ns += 20000000; /* it looks again after a while */
    for (int i = 0; i < 20; i++)
        turn();
    assert_true(limits.cut > before);
    for (size_t i = 0; i < 2 * COUNT + 64; i++) {
        struct peer **p = i < 64 ? &more[i] : &all[i - 64];
        if (*p && !(*p)->gone)
            cut(&(*p)->member);
        for (int k = 0; k < 3; k++)
            turn();
        assert_null(look_after(*p));
    }
}

static int admit(struct http_admin_hook *hook, const struct http_admin_request *request, const char **why)
{
    return 0;
}

static const char *methods(struct http_admin_hook *hook, const char *path)
{
    return "POST";
}

static void never_handled(struct http_admin_hook *hook, struct worker *w, const struct http_admin_request *request,
                          struct http_admin_reply *reply)
{
    http_admin_reply_value(reply, 200, json_object());
}

static int setup_all(void **state)
{
    struct app_table *apps = app_table_new();
    http_site_init(&site, 1, apps, NULL);
    return apps ? 0 : -1;
}

static int teardown(void **state)
{
    loop_deinit(&worker.loop);
    return 0;
}

static int setup(void **state)
{
    static struct http_admin_hook hook = {.admit = admit, .methods = methods, .handle = never_handled};
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = 1;
    crowd_limits_init(&limits, MEMORY, COUNT);
    crowd_init(&clients, &limits, &worker.loop, NULL);
    clients.waits = waits;
    clients.cut = cut;
    http_server_init(&server, route_request, 1);
    server.admin = &hook;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_number, setup, teardown),
    };
    return cmocka_run_group_tests(tests, setup_all, NULL);
}
