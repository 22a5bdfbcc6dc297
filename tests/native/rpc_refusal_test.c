/*
 * The RPC client over real rings, and dialling over it, where allocations fail: a call is refused, and then never
 * answered, or it is answered exactly once, later, and never from inside (common/callbacks.h). And that a commit was
 * made is never lost to a lack of memory: an answer without a payload takes none.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rpc.h"
#include "enclave/early/channel.h"
#include "enclave/ratls/connection.h"
#include "enclave/service/dial.h"
#include "enclave/service/generation.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/thread/worker.h"
#include "tests/native/spare_openssl.h"

#define CAPACITY 4096u
#define CALLS 200

static bool no_memory;
static int budget = -1; /* so many allocations succeed, and then none; below 0: as no_memory says */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool fails(void)
{
    return no_memory || (budget >= 0 && budget-- == 0 && (no_memory = true));
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

/* ---- the rings, and the host at their other ends ----------------------------------------------------------------- */

static struct {
    struct ring_shared *requests, *responses;
    uint8_t *request_data, *response_data;
    struct queue_consumer in;
    struct queue_producer out;
    struct rpc_reader reader;
} host;
static struct worker worker;

void worker_ring_host(struct worker *w, uint64_t name)
{
}

void worker_turn(struct worker *w)
{
    loop_run_once(&w->loop, w->loop.now_ns + 1);
}

static void *aligned(size_t size)
{
    void *p = aligned_alloc(64, size);
    assert_non_null(p);
    return memset(p, 0, size);
}

static int setup(void **state)
{
    host.requests = aligned(sizeof *host.requests);
    host.responses = aligned(sizeof *host.responses);
    host.request_data = aligned(CAPACITY);
    host.response_data = aligned(CAPACITY);
    const struct channel_desc control = {.to_host = (uintptr_t)host.requests,
                                         .to_host_data = (uintptr_t)host.request_data,
                                         .to_host_capacity = CAPACITY,
                                         .to_enclave = (uintptr_t)host.responses,
                                         .to_enclave_data = (uintptr_t)host.response_data,
                                         .to_enclave_capacity = CAPACITY};
    assert_int_equal(queue_consumer_init(&host.in, host.requests, host.request_data, CAPACITY), 0);
    assert_int_equal(queue_producer_init(&host.out, host.responses, host.response_data, CAPACITY), 0);
    rpc_reader_init(&host.reader, &host.in);
    worker = (struct worker){0};
    assert_int_equal(loop_init(&worker.loop, NULL), 0);
    worker.rpc = rpc_client_create(&worker, &control);
    return worker.rpc ? 0 : -1;
}

static int teardown(void **state)
{
    free(host.requests);
    free(host.responses);
    free(host.request_data);
    free(host.response_data);
    free(worker.rpc);
    loop_deinit(&worker.loop);
    return 0;
}

/* Answers what is there, with size bytes each, as far as there is room. */
static void host_answers(int32_t status, uint32_t size)
{
    static const uint8_t payload[3000];
    struct rpc_request request;
    for (int i = 0; i < CALLS && rpc_request_next(&host.reader, &request) == 1; i++) {
        uint8_t skipped[256];
        assert_true(request.payload_size <= sizeof skipped);
        assert_int_equal(rpc_read(&host.reader, skipped, request.payload_size), 0);
        queue_consumer_release(&host.in);
        struct rpc_response response = {.req_id = request.req_id, .error = status, .payload_size = size};
        assert_int_equal(rpc_response_send(&host.out, &response, payload), 0);
        rpc_client_on_news(worker.rpc);
    }
}

static void turns(void)
{
    for (int i = 0; i < 10; i++)
        worker_turn(&worker);
}

/* ---- RPC ------------------------------------------------------------------------------------------------------- */

static bool inside;
static int answers[CALLS], results[CALLS], last_status;

static void on_answer(void *user, int status, const uint8_t *payload, size_t size)
{
    assert_false(inside);
    ++*(int *)user;
    last_status = status;
}

static void call_all(void)
{
    uint8_t payload[100] = {0};
    memset(answers, 0, sizeof answers);
    inside = true;
    for (int i = 0; i < CALLS; i++)
        results[i] = rpc_call(worker.rpc, RPC_KV_GET, payload, sizeof payload, on_answer, &answers[i]);
    inside = false;
}

static void check_all(bool some_refused)
{
    int refused = 0;
    for (int round = 0; round < CALLS; round++) {
        host_answers(0, 0);
        turns();
    }
    for (int i = 0; i < CALLS; i++) {
        assert_true(results[i] == 0 || results[i] == -ENOMEM);
        assert_int_equal(answers[i], results[i] == 0);
        refused += results[i] < 0;
    }
    assert_int_equal(refused > 0, some_refused);
}

static void test_full_ring(void **state)
{
    call_all(); /* what does not fit waits, with memory */
    check_all(false);
    no_memory = true;
    call_all();
    no_memory = false;
    check_all(true);
}

static void test_refusals(void **state)
{
    int answered = 0;
    inside = true;
    static uint8_t large[PROTO_RPC_MAX + 1];
    assert_int_equal(rpc_call(worker.rpc, RPC_KV_GET, large, sizeof large, on_answer, &answered), -EMSGSIZE);
    inside = false;
    turns();
    assert_int_equal(answered, 0);
    assert_int_equal(rpc_call_wait(worker.rpc, RPC_KV_GET, large, sizeof large, NULL, NULL), -EMSGSIZE);
}

static void test_answers(void **state)
{
    int answered = 0;
    assert_int_equal(rpc_call(worker.rpc, RPC_KV_COMMIT, NULL, 0, on_answer, &answered), 0);
    no_memory = true;
    host_answers(0, 0);
    no_memory = false;
    assert_int_equal(answered, 1);
    assert_int_equal(last_status, 0); /* it was made, and it is known to be */
    assert_int_equal(rpc_call(worker.rpc, RPC_KV_GET, NULL, 0, on_answer, &answered), 0);
    no_memory = true;
    host_answers(0, RPC_SMALL_ANSWER_MAX); /* the store's root, where it is not said */
    no_memory = false;
    assert_int_equal(answered, 2);
    assert_int_equal(last_status, 0);
    assert_int_equal(rpc_call(worker.rpc, RPC_KV_GET, NULL, 0, on_answer, &answered), 0);
    no_memory = true;
    host_answers(0, 3000);
    no_memory = false;
    assert_int_equal(answered, 3);
    assert_int_equal(last_status, -ENOMEM);
}

/* ---- dialling --------------------------------------------------------------------------------------------------- */

static struct egress_trust trust;
static struct generation generation = {.trust = &trust};

bool egress_context_configure(SSL_CTX *ctx)
{
    return true;
}

bool channel_take(uint32_t worker_index, enum channel_kind kind, channel_name name, struct channel_desc *out)
{
    return false;
}

void connection_refuse(struct worker *w, const struct channel_desc *d)
{
}

void connection_cancel(struct connection *c)
{
}

struct connection *connection_connect(struct worker *w, const struct channel_desc *d, SSL *ssl, http_dialled opened,
                                      void *user)
{
    return NULL;
}

static int dialled;
static enum http_call_failure why;

static void on_dialled(void *user, struct transport *t, enum http_call_failure failure, uint8_t alert)
{
    assert_false(inside);
    assert_null(t);
    dialled++;
    why = failure;
}

static void *dial(void)
{
    if (!trust.context)
        trust.context = SSL_CTX_new(TLS_client_method());
    inside = true;
    void *attempt = egress_dialer.start(&worker, &generation.site, "server.example", 443, on_dialled, NULL);
    inside = false;
    return attempt;
}

static void test_dial(void **state)
{
    /* the ring is full, and there is memory for the attempt alone: it fails later, once, and is not used afterwards */
    call_all();
    dialled = 0;
    for (int n = 0; n < 2; n++) {
        budget = n;
        void *attempt = dial();
        budget = -1;
        no_memory = false;
        assert_int_equal(attempt != NULL, n);
        turns();
        assert_int_equal(dialled, n);
    }
    assert_int_equal(why, CALL_NO_MEMORY);
    dialled = 0;
    for (int round = 0; round < CALLS; round++) {
        host_answers(0, 0);
        turns();
    }
    /* cancelled before it could fail */
    void *attempt = dial();
    assert_non_null(attempt);
    egress_dialer.cancel(attempt);
    host_answers(-ECONNREFUSED, 0);
    turns();
    assert_int_equal(dialled, 0);
    /* refused by the host */
    assert_non_null(dial());
    host_answers(-ECONNREFUSED, 0);
    turns();
    assert_int_equal(dialled, 1);
    assert_int_equal(why, CALL_REFUSED);
}

int main(void)
{
    spare_openssl(__real_malloc, realloc);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dial, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
