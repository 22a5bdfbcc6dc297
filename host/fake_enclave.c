/*
 * A pretended enclave for host_test: the loader's interface over plain C in the same process. It echoes what comes
 * over its channels, and at boot makes one RPC of each kind and says in the log what came back. It follows the same
 * channel protocol as the real one, so sanitizers see the host's half of it at work.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/doorbell.h"
#include "common/link.h"
#include "common/rpc.h"
#include "edl/enclave_os_u.h"
#include "sgx/emulator/emulator.h"

struct enclave {
    uint8_t mrenclave[32];
};

struct connection {
    struct link link;
    bool taken;
};

struct worker {
    uint32_t index;
    struct doorbell_consumer bell_in;
    struct doorbell_producer bell_out;
    struct link rpc;
    struct rpc_reader reader;
    bool rang;
    struct connection *connections;
};

static struct channel_desc controls[PROTO_MAX_WORKERS];
static struct {
    _Atomic uint32_t posted;
    struct channel_desc desc;
} posts[PROTO_MAX_CHANNELS];
static _Atomic uint32_t next_worker;
static atomic_bool stopping;
static _Atomic uint32_t worker_count; /* of the run arguments */

/* ---- one worker -------------------------------------------------------------------------------------------- */

static void ring(struct worker *w, channel_name name)
{
    doorbell_push(&w->bell_out, name);
    w->rang = true;
}

static void echo(struct worker *w, struct connection *c)
{
    uint8_t buffer[5000];
    bool more = true;
    while (more) {
        int64_t available = queue_consumer_available(&c->link.from), space = queue_producer_space(&c->link.to);
        int64_t n = available < space ? available : space;
        n = n < (int64_t)sizeof buffer ? n : (int64_t)sizeof buffer;
        if (n > 0) {
            queue_consumer_read(&c->link.from, buffer, (size_t)n);
            queue_producer_write(&c->link.to, buffer, (size_t)n);
        }
        more = n > 0 || (available > 0 && space == 0 && !queue_producer_wait_space(&c->link.to, 1));
    }
    uint32_t ended = queue_consumer_ended(&c->link.from);
    if (ended) {
        c->taken = false;
        atomic_store(&posts[(uint32_t)c->link.name].posted, 0);
        ring(w, link_end(&c->link, ended));
        return;
    }
    if (link_publish(&c->link))
        ring(w, c->link.name);
}

static void on_name(struct worker *w, channel_name name)
{
    if ((uint32_t)name >= PROTO_MAX_CHANNELS)
        return;
    struct connection *c = &w->connections[(uint32_t)name];
    if (!c->taken && atomic_load(&posts[(uint32_t)name].posted)) {
        const struct channel_desc *d = &posts[(uint32_t)name].desc;
        if (d->name != name)
            return;
        c->taken = true;
        link_init_enclave(&c->link, d);
    }
    if (!c->taken || c->link.name != name)
        return;
    link_on_name(&c->link);
    echo(w, c);
}

static void turn(struct worker *w)
{
    channel_name name;
    bool busy = false;
    while (doorbell_pop(&w->bell_in, &name) == 1) {
        busy = true;
        if ((uint32_t)name == CHANNEL_CONTROL_ID)
            link_on_name(&w->rpc);
        else
            on_name(w, name);
    }
    if (w->rang && doorbell_wake(&w->bell_out))
        ocall_notify(NOTIFY_HOST, w->index, 0);
    w->rang = false;
    if (!busy) {
        if (doorbell_sleep(&w->bell_in) && !atomic_load(&stopping))
            ocall_notify(NOTIFY_WAIT, w->index, 2000000000u);
        doorbell_awake(&w->bell_in);
    }
}

static int32_t call(struct worker *w, uint16_t method, const void *payload, size_t size, uint8_t *answer,
                    size_t *answer_size)
{
    static uint64_t req_id;
    struct rpc_request q = {.req_id = ++req_id, .method = method, .payload_size = (uint32_t)size};
    struct rpc_response r;
    rpc_request_send(&w->rpc.to, &q, payload);
    if (link_name_due(&w->rpc))
        ring(w, channel_name_make(CHANNEL_CONTROL_ID, 0));
    if (!answer)
        return 0;
    while (rpc_response_next(&w->reader, &r) == 0)
        turn(w);
    *answer_size = r.payload_size;
    rpc_read(&w->reader, answer, r.payload_size);
    queue_consumer_release(&w->rpc.from);
    return r.req_id == q.req_id ? r.error : -EPROTO;
}

static void say(struct worker *w, const char *text)
{
    uint8_t payload[256];
    struct bytes_writer p = bytes_writer_make(payload, sizeof payload);
    bytes_append_u8(&p, LOG_INFO);
    bytes_append_blob(&p, text, strlen(text));
    call(w, RPC_LOG, payload, p.size, NULL, NULL);
}

#define CHECK(condition)               \
    if (!(condition)) {                \
        say(w, "FAILED: " #condition); \
        return;                        \
    }

static void try_rpcs(struct worker *w)
{
    static uint8_t payload[300000], value[90000], answer[PROTO_RPC_MAX];
    size_t size;
    struct bytes_writer p = bytes_writer_make(payload, sizeof payload);
    CHECK(call(w, RPC_TIME, NULL, 0, answer, &size) == 0 && size == 8);
    bytes_append_u32(&p, 3);
    for (int i = 0; i < 3; i++) {
        bytes_append_u8(&p, 1);
        bytes_append_blob(&p, i == 0 ? "k0" : i == 1 ? "k1" : "other", i == 2 ? 5 : 2);
        bytes_append_blob(&p, value, i == 0 ? 4 : sizeof value);
    }
    CHECK(call(w, RPC_KV_COMMIT, payload, p.size, answer, &size) == 0 && size == 0);
    CHECK(call(w, RPC_KV_COMMIT, payload, p.size - 1, answer, &size) == -EINVAL);
    CHECK(call(w, RPC_KV_GET, "\2\0\0\0k1", 6, answer, &size) == 0 && size == 90000);
    CHECK(call(w, RPC_KV_GET, "\2\0\0\0k9", 6, answer, &size) == -ENOENT);
    CHECK(call(w, RPC_KV_GET, "\3\0\0\0k9", 6, answer, &size) == -EINVAL);
    p = bytes_writer_make(payload, sizeof payload);
    bytes_append_blob(&p, "k", 1);
    bytes_append_blob(&p, "k0", 2);
    bytes_append_u32(&p, 10);
    bytes_append_u32(&p, 1 << 20);
    CHECK(call(w, RPC_KV_SCAN, payload, p.size, answer, &size) == 0 && size == 4 + 4 + 2 + 4 + 90000 + 1 &&
          answer[size - 1] == 0);
    bytes_put_u32(payload + p.size - 8, 0); /* no record may come: there are more */
    CHECK(call(w, RPC_KV_SCAN, payload, p.size, answer, &size) == 0 && size == 5 && answer[4] == 1);
    static const uint8_t recipient[1 + 4 + 32] = {HAND_OVER_RECIPIENT, 32}, taken[1 + 4] = {HAND_OVER_TAKEN},
                                           none[1 + 4] = {HAND_OVER_DONE + 1};
    CHECK(call(w, RPC_HAND_OVER, recipient, sizeof recipient, answer, &size) == 0 && size == 0);
    CHECK(call(w, RPC_HAND_OVER, recipient, sizeof recipient - 1, answer, &size) == -EINVAL);
    CHECK(call(w, RPC_HAND_OVER, taken, sizeof taken, answer, &size) == 0);
    CHECK(call(w, RPC_HAND_OVER, none, sizeof none, answer, &size) == -EINVAL);
    CHECK(call(w, RPC_QUOTE_TARGET_INFO, NULL, 0, answer, &size) == 0 && size == 512);
    CHECK(call(w, RPC_QUOTE, value, 432, answer, &size) == -EACCES);
    /* as many documents as there are, and nothing behind them; what they are worth is the enclave's question */
    CHECK(call(w, RPC_QUOTE_COLLATERAL, value, 100, answer, &size) == 0);
    struct bytes_reader documents = bytes_reader_make(answer, size);
    for (int i = 0; i < 6; i++) {
        size_t document;
        CHECK(bytes_take_blob(&documents, &document) && document > 100);
    }
    CHECK(bytes_reader_complete(&documents));
    CHECK(call(w, 0x7777, NULL, 0, answer, &size) == -ENOSYS);
    say(w, "all RPCs are right\x1b[31m");
}

static int32_t run_worker(uint32_t index)
{
    static struct worker workers[PROTO_MAX_WORKERS];
    struct worker *w = &workers[index];
    const struct channel_desc *d = &controls[index];
    w->index = index;
    doorbell_consumer_init(&w->bell_in, (void *)d->doorbell_in);
    doorbell_producer_init(&w->bell_out, (void *)d->doorbell_out);
    link_init_enclave(&w->rpc, d);
    rpc_reader_init(&w->reader, &w->rpc.from);
    w->connections = calloc(PROTO_MAX_CHANNELS, sizeof(struct connection));
    if (index == 0) {
        uint8_t ready[64];
        struct bytes_writer p = bytes_writer_make(ready, sizeof ready);
        try_rpcs(w);
        ocall_notify(NOTIFY_THREADS_READY, atomic_load(&worker_count) - 1, 0);
        bytes_append_u32(&p, 1);
        bytes_append_blob(&p, "fake boot", 9);
        bytes_append_u64(&p, 1500);
        call(w, RPC_READY, ready, p.size, NULL, NULL);
    }
    while (!atomic_load(&stopping))
        turn(w);
    free(w->connections);
    return 0;
}

/* ---- the loader's interface -------------------------------------------------------------------------------- */

int enclave_create(const struct enclave_create_options *options, struct enclave **out, char *error, size_t error_size)
{
    *out = calloc(1, sizeof(struct enclave));
    return 0;
}

const uint8_t *enclave_mrenclave(const struct enclave *e)
{
    return e->mrenclave;
}

enum enclave_backend enclave_backend_of(const struct enclave *e)
{
    return ENCLAVE_BACKEND_EMULATOR;
}

const struct enclave_memory *enclave_memory(const struct enclave *e)
{
    static const struct enclave_memory memory;
    return &memory;
}

bool enclave_is_dead(const struct enclave *e)
{
    return false;
}

int enclave_restrict_pages(struct enclave *e, uint64_t offset_and_permissions, uint64_t length)
{
    return -ENODEV;
}

uint32_t enclave_tcs_count(const struct enclave *e)
{
    return 12;
}

int enclave_ecall(struct enclave *e, uint32_t index, void *ms)
{
    uint64_t *words = ms;
    if (index == ENCLAVE_ECALL_INIT_CHANNEL_INDEX) {
        const struct channel_desc *d = (const void *)words[1];
        if (d->kind == CHANNEL_CONTROL) {
            controls[d->worker] = *d;
        } else {
            posts[(uint32_t)d->name].desc = *d;
            atomic_store(&posts[(uint32_t)d->name].posted, 1);
        }
        words[0] = 0;
    } else if (index == ENCLAVE_ECALL_RUN_INDEX) {
        atomic_store(&worker_count, ((const struct run_args *)words[1])->workers);
        uint32_t worker = atomic_fetch_add(&next_worker, 1);
        words[0] = worker < atomic_load(&worker_count) ? (uint64_t)run_worker(worker) : (uint64_t)-EAGAIN;
    } else {
        atomic_store(&stopping, true);
        for (uint32_t i = 0; i < atomic_load(&worker_count); i++)
            ocall_notify(NOTIFY_WAKE_WORKER, i, 0);
        words[0] = 0;
    }
    return 0;
}

void enclave_destroy(struct enclave *e)
{
    free(e);
}

int emulator_report_key(const uint8_t targetinfo[512], const uint8_t keyid[32], uint8_t key[16])
{
    memset(key, 1, 16);
    return 0;
}

void emulator_counters(struct emulator_counters *out)
{
    *out = (struct emulator_counters){0};
}
