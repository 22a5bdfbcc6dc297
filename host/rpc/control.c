/*
 * Answering the enclave's RPCs. See control.h.
 */
#include "host/rpc/control.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/container.h"
#include "common/ensure.h"
#include "host/rpc/connect.h"

/* A request that is being dealt with. */
struct control_job {
    struct job job;
    struct control *control;
    struct control_job *next;
    uint64_t req_id;
    uint16_t method;
    int error;
    int fd; /* of a connect, until the I/O thread makes a channel of it */
    uint8_t *answer;
    size_t answer_size;
    size_t payload_size;
    uint8_t payload[];
};

static void job_free(struct control_job *j)
{
    if (j->fd >= 0)
        close(j->fd);
    free(j->answer);
    free(j);
}

/* ---- storage ----------------------------------------------------------------------------------------------- */

static struct kvstore_bytes take_bytes(struct bytes_reader *r)
{
    struct kvstore_bytes b;
    b.data = bytes_take_blob(r, &b.size);
    return b;
}

static void do_get(struct control_job *j)
{
    struct bytes_reader r = bytes_reader_make(j->payload, j->payload_size);
    struct kvstore_bytes key = take_bytes(&r);
    void *value = NULL;
    j->error =
        bytes_reader_complete(&r) ? kvstore_get(j->control->backends->kv, key, &value, &j->answer_size) : -EINVAL;
    j->answer = value;
}

static void do_commit(struct control_job *j)
{
    struct bytes_reader r = bytes_reader_make(j->payload, j->payload_size);
    uint32_t count = bytes_take_u32(&r);
    /* An operation takes at least its kind and its key's length. */
    struct kvstore_op *ops = count <= j->payload_size / 5 ? calloc(count ? count : 1, sizeof *ops) : NULL;
    j->error = -EINVAL;
    for (uint32_t i = 0; ops && i < count; i++) {
        uint8_t kind = bytes_take_u8(&r);
        if (kind != 1 && kind != 2)
            r.failed = true;
        ops[i].put = kind == 1;
        ops[i].key = take_bytes(&r);
        if (ops[i].put)
            ops[i].value = take_bytes(&r);
    }
    if (ops && bytes_reader_complete(&r))
        j->error = kvstore_commit(j->control->backends->kv, ops, count);
    free(ops);
}

static_assert(KVSTORE_VALUE_MAX == PROTO_RECORD_MAX, "what the enclave may store can be kept");

struct scan {
    struct bytes_writer out;
    uint32_t count, max_count;
    bool more;
};

static bool visit(void *user, struct kvstore_bytes key, struct kvstore_bytes value)
{
    struct scan *s = user;
    size_t size = 8 + key.size + value.size;
    if (s->count == s->max_count || size > s->out.capacity - s->out.size) {
        s->more = true;
        return false;
    }
    bytes_append_blob(&s->out, key.data, key.size);
    bytes_append_blob(&s->out, value.data, value.size);
    s->count++;
    return true;
}

static void do_scan(struct control_job *j)
{
    struct bytes_reader r = bytes_reader_make(j->payload, j->payload_size);
    struct kvstore_bytes prefix = take_bytes(&r), after = take_bytes(&r);
    struct scan s = {.max_count = bytes_take_u32(&r)};
    size_t max_bytes = bytes_take_u32(&r);
    if (!bytes_reader_complete(&r)) {
        j->error = -EINVAL;
        return;
    }
    if (max_bytes > PROTO_RPC_MAX - 5)
        max_bytes = PROTO_RPC_MAX - 5;
    j->answer = malloc(max_bytes + 5);
    if (!j->answer) {
        j->error = -ENOMEM;
        return;
    }
    s.out = bytes_writer_make(j->answer + 4, max_bytes);
    j->error = kvstore_scan(j->control->backends->kv, prefix, after, visit, &s);
    bytes_put_u32(j->answer, s.count);
    j->answer[4 + s.out.size] = s.more;
    j->answer_size = 5 + s.out.size;
}

/* ---- the rest ---------------------------------------------------------------------------------------------- */

static void do_quote(struct control_job *j)
{
    struct quote_backend *quote = j->control->backends->quote;
    size_t expected = j->method == RPC_QUOTE ? QUOTE_REPORT_SIZE : 0;
    j->error = !quote ? -ENOSYS : j->payload_size != expected ? -EINVAL : 0;
    if (j->error != 0)
        return;
    j->answer = malloc(QUOTE_SIZE_MAX);
    if (!j->answer) {
        j->error = -ENOMEM;
    } else if (j->method == RPC_QUOTE) {
        j->error = quote_get(quote, j->payload, j->answer, QUOTE_SIZE_MAX, &j->answer_size);
    } else {
        j->error = quote_target_info(quote, j->answer);
        j->answer_size = QUOTE_TARGET_INFO_SIZE;
    }
}

static void do_collateral(struct control_job *j)
{
    const struct control_backends *b = j->control->backends;
    j->error = !b->collateral ? -ENOSYS : b->collateral(j->payload, j->payload_size, &j->answer, &j->answer_size);
    ENSURE(j->error < 0 || j->answer_size <= PROTO_RPC_MAX);
}

static void do_connect(struct control_job *j)
{
    struct bytes_reader r = bytes_reader_make(j->payload, j->payload_size);
    size_t size;
    const uint8_t *name = bytes_take_blob(&r, &size);
    uint16_t port = bytes_take_u16(&r);
    char host[256];
    if (!bytes_reader_complete(&r) || size == 0 || size >= sizeof host || memchr(name, 0, size)) {
        j->error = -EINVAL;
        return;
    }
    memcpy(host, name, size);
    host[size] = '\0';
    const struct local_way *local = &j->control->backends->local;
    bool is_local = local->host && strcasecmp(local->host, host) == 0 && local->port == port;
    int fd = is_local ? connect_local(local->folder) : connect_tcp(host, port);
    j->error = fd < 0 ? fd : 0;
    j->fd = fd < 0 ? -1 : fd;
}

static void do_time(struct control_job *j)
{
    j->answer = malloc(8);
    if (!j->answer) {
        j->error = -ENOMEM;
        return;
    }
    bytes_put_u64(j->answer, clock_realtime_ns());
    j->answer_size = 8;
}

/* One line on standard error. The enclave's text may carry what guests said: nothing in it may steer a terminal. */
static void do_log(struct control_job *j)
{
    static const char *const levels[] = {"error", "warning", "info"};
    struct bytes_reader r = bytes_reader_make(j->payload, j->payload_size);
    uint8_t level = bytes_take_u8(&r);
    size_t size;
    const uint8_t *text = bytes_take_blob(&r, &size);
    if (!bytes_reader_complete(&r) || level > LOG_INFO)
        return;
    char line[PROTO_LOG_MAX + 32]; /* with what is put before it */
    size_t used = (size_t)snprintf(line, sizeof line, "enclave: %s: ", levels[level]);
    for (size_t i = 0; i < size && used < sizeof line - 2; i++)
        line[used++] = text[i] >= ' ' && text[i] != 0x7f ? (char)text[i] : '?';
    line[used++] = '\n';
    fwrite(line, 1, used, stderr);
}

static void do_ready(struct control_job *j)
{
    struct bytes_reader r = bytes_reader_make(j->payload, j->payload_size);
    uint32_t count = bytes_take_u32(&r);
    char text[4096] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < count && !r.failed && used < sizeof text - 128; i++) {
        size_t size;
        const uint8_t *name = bytes_take_blob(&r, &size);
        uint64_t us = bytes_take_u64(&r);
        if (!r.failed)
            used += (size_t)snprintf(text + used, sizeof text - used, "  %-32.*s %8.1f ms\n",
                                     size > 64 ? 64 : (int)size, (const char *)name, (double)us / 1000);
    }
    j->control->backends->on_ready(text);
}

static void do_hand_over(struct control_job *j)
{
    struct bytes_reader r = bytes_reader_make(j->payload, j->payload_size);
    uint8_t news = bytes_take_u8(&r);
    struct kvstore_bytes data = take_bytes(&r);
    bool ok = bytes_reader_complete(&r) && news >= HAND_OVER_RECIPIENT && news <= HAND_OVER_DONE;
    j->error = ok ? j->control->backends->on_hand_over((enum hand_over_news)news, data.data, data.size) : -EINVAL;
}

/* ---- the way of a request ---------------------------------------------------------------------------------- */

static void run_on_service(struct job *job)
{
    struct control_job *j = CONTAINER_OF(job, struct control_job, job);
    struct control *c = j->control;
    ENSURE(c && j->fd < 0 && !j->answer);
    switch (j->method) {
    case RPC_KV_COMMIT:
        do_commit(j);
        break;
    case RPC_KV_SCAN:
        do_scan(j);
        break;
    case RPC_NET_CONNECT:
        do_connect(j);
        break;
    case RPC_QUOTE_COLLATERAL:
        do_collateral(j);
        break;
    case RPC_HAND_OVER:
        do_hand_over(j);
        break;
    default:
        do_quote(j);
        break;
    }
    struct control_job *first = atomic_load_explicit(&c->completed, memory_order_relaxed);
    do
        j->next = first;
    while (
        !atomic_compare_exchange_weak_explicit(&c->completed, &first, j, memory_order_seq_cst, memory_order_relaxed));
    c->wake(c->user);
}

static void answer_later(struct control *c, struct control_job *j)
{
    j->next = NULL;
    *c->unsent_last = j;
    c->unsent_last = &j->next;
}

static void start(struct control *c, struct control_job *j)
{
    const struct control_backends *b = c->backends;
    struct service *service = NULL;
    switch (j->method) {
    case RPC_KV_GET:
        do_get(j); /* a page in memory, nearly always */
        break;
    case RPC_TIME:
        do_time(j);
        break;
    case RPC_LOG:
        do_log(j);
        job_free(j);
        return;
    case RPC_READY:
        do_ready(j);
        job_free(j);
        return;
    case RPC_KV_COMMIT:
    case RPC_KV_SCAN:
    case RPC_HAND_OVER: /* behind what is written before it */
        service = b->storage;
        break;
    case RPC_QUOTE:
    case RPC_QUOTE_TARGET_INFO:
        service = b->quoting;
        break;
    case RPC_NET_CONNECT:
    case RPC_QUOTE_COLLATERAL:
        service = b->egress;
        break;
    default:
        j->error = -ENOSYS;
        break;
    }
    j->job.run = run_on_service;
    if (service)
        service_submit(service, &j->job);
    else
        answer_later(c, j);
}

static struct control_job *read_job(struct control *c, const struct rpc_request *request)
{
    struct control_job *j = calloc(1, sizeof *j + request->payload_size);
    if (!j)
        return NULL;
    j->control = c;
    j->req_id = request->req_id;
    j->method = request->method;
    j->payload_size = request->payload_size;
    j->fd = -1;
    if (rpc_read(&c->reader, j->payload, j->payload_size) != 0) {
        job_free(j);
        return NULL;
    }
    return j;
}

void control_on_news(struct control *c)
{
    link_on_name(&c->link);
    struct rpc_request request;
    int result;
    while ((result = rpc_request_next(&c->reader, &request)) == 1) {
        struct control_job *j = read_job(c, &request);
        if (link_release(&c->link))
            c->ring(c->user);
        if (j)
            start(c, j);
    }
    if (link_release(&c->link))
        c->ring(c->user);
    control_turn(c);
}

/* A connected socket becomes a channel only here, on the thread that owns channels. */
static void finish_connect(struct control *c, struct control_job *j)
{
    channel_name name;
    if (j->method != RPC_NET_CONNECT || j->fd < 0)
        return;
    int fd = j->fd;
    j->fd = -1;
    j->error = c->open(c->user, fd, &name);
    j->answer = j->error == 0 ? malloc(8) : NULL;
    if (j->answer) {
        bytes_put_u32(j->answer, (uint32_t)name);
        bytes_put_u32(j->answer + 4, (uint32_t)(name >> 32));
        j->answer_size = 8;
    }
}

static void collect_completed(struct control *c)
{
    struct control_job *j = atomic_exchange_explicit(&c->completed, NULL, memory_order_acquire), *in_order = NULL;
    while (j) {
        struct control_job *next = j->next;
        j->next = in_order;
        in_order = j;
        j = next;
    }
    while (in_order) {
        struct control_job *next = in_order->next;
        finish_connect(c, in_order);
        answer_later(c, in_order);
        in_order = next;
    }
}

void control_turn(struct control *c)
{
    bool sent = false;
    ENSURE(!c->unsent_first == (c->unsent_last == &c->unsent_first));
    collect_completed(c);
    while (c->unsent_first) {
        struct control_job *j = c->unsent_first;
        bool ok = j->error == 0;
        struct rpc_response response = {
            .req_id = j->req_id, .error = j->error, .payload_size = ok ? (uint32_t)j->answer_size : 0};
        int result = rpc_response_send(&c->link.to, &response, j->answer);
        if (result == -EAGAIN &&
            queue_producer_wait_space(&c->link.to, RPC_FRAME_MAX - PROTO_RPC_MAX + response.payload_size))
            break;
        if (result == -EAGAIN)
            continue;
        sent = true;
        c->unsent_first = j->next;
        if (!c->unsent_first)
            c->unsent_last = &c->unsent_first;
        job_free(j);
    }
    if (sent && link_name_due(&c->link))
        c->ring(c->user);
}

bool control_has_work(struct control *c)
{
    return atomic_load_explicit(&c->completed, memory_order_seq_cst) != NULL;
}

void control_init(struct control *c)
{
    ENSURE(c->backends && c->wake && c->ring && c->open && link_is_open(&c->link));
    rpc_reader_init(&c->reader, &c->link.from);
    c->unsent_first = NULL;
    c->unsent_last = &c->unsent_first;
}

static void free_list(struct control_job *j)
{
    for (struct control_job *next; j; j = next) {
        next = j->next;
        job_free(j);
    }
}

void control_deinit(struct control *c)
{
    free_list(atomic_exchange_explicit(&c->completed, NULL, memory_order_acquire));
    free_list(c->unsent_first);
    c->unsent_first = NULL;
    c->unsent_last = &c->unsent_first;
}
