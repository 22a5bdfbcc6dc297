/* See rpc_client.h. Outstanding requests stand in a table by slot; a request id is slot plus a running number. */
#include "enclave/thread/rpc_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/link.h"
#include "enclave/thread/worker.h"

#define OUTSTANDING_MAX 1024u

struct pending {
    uint64_t req_id; /* 0: free */
    rpc_done done;
    void *user;
};

/* A request that did not fit the ring, or found no slot. */
struct deferred {
    struct deferred *next;
    struct rpc_request head;
    rpc_done done;
    void *user;
    uint8_t payload[];
};

struct rpc_client {
    struct worker *worker;
    struct link link;
    struct rpc_reader reader;
    struct pending pending[OUTSTANDING_MAX];
    uint32_t free_slots[OUTSTANDING_MAX], free_count;
    uint64_t serial;
    struct deferred *deferred_first, **deferred_end;
    struct loop_task retry;
    int broken;
};

static void retry_deferred(struct loop_task *task);

struct rpc_client *rpc_client_create(struct worker *worker, const struct channel_desc *d)
{
    loop_check(&worker->loop);
    struct rpc_client *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->worker = worker;
    c->retry.fn = retry_deferred;
    c->deferred_end = &c->deferred_first;
    for (uint32_t i = 0; i < OUTSTANDING_MAX; i++)
        c->free_slots[c->free_count++] = OUTSTANDING_MAX - 1 - i;
    ENSURE(link_init_enclave(&c->link, d) == 0); /* checked when it was posted */
    c->link.name = channel_name_make(CHANNEL_CONTROL_ID, 0);
    rpc_reader_init(&c->reader, &c->link.from);
    return c;
}

void rpc_client_check(const struct rpc_client *c)
{
    loop_check(&c->worker->loop);
    uint32_t used = 0;
    for (uint32_t slot = 0; slot < OUTSTANDING_MAX; slot++) {
        const struct pending *p = &c->pending[slot];
        used += p->req_id != 0;
        ENSURE(!p->req_id || (p->done && p->req_id % OUTSTANDING_MAX == slot && !c->broken));
    }
    ENSURE(c->broken || used + c->free_count == OUTSTANDING_MAX);
    ENSURE(c->broken || c->worker->asked == used);
    struct deferred *const *end = &c->deferred_first;
    while (*end)
        end = &(*end)->next;
    ENSURE(c->deferred_end == end);
    ENSURE(link_is_open(&c->link));
}

static void ring_host(struct rpc_client *c)
{
    if (link_name_due(&c->link))
        worker_ring_host(c->worker, c->link.name);
}

static int try_send(struct rpc_client *c, const struct rpc_request *head, const void *payload, rpc_done done,
                    void *user)
{
    ENSURE(c->free_count <= OUTSTANDING_MAX);
    if (c->broken)
        return c->broken;
    if (done && c->free_count == 0)
        return -EAGAIN;
    struct rpc_request request = *head;
    uint32_t slot = done ? c->free_slots[c->free_count - 1] : 0;
    ENSURE(!done || c->pending[slot].req_id == 0);
    request.req_id = done ? ++c->serial * OUTSTANDING_MAX + slot : 0;
    int result = rpc_request_send(&c->link.to, &request, payload);
    if (result < 0)
        return result;
    if (done) {
        c->free_count--;
        c->worker->asked++;
        c->pending[slot] = (struct pending){request.req_id, done, user};
    }
    ring_host(c);
    return 0;
}

static int defer(struct rpc_client *c, const struct rpc_request *head, const void *payload, rpc_done done, void *user)
{
    ENSURE(!*c->deferred_end);
    ENSURE(payload || head->payload_size == 0);
    struct deferred *d = malloc(sizeof *d + head->payload_size);
    if (!d)
        return -ENOMEM;
    *d = (struct deferred){.head = *head, .done = done, .user = user};
    if (head->payload_size)
        memcpy(d->payload, payload, head->payload_size);
    *c->deferred_end = d;
    c->deferred_end = &d->next;
    if (!queue_producer_wait_space(&c->link.to, 4 + RPC_REQUEST_HEADER_SIZE + head->payload_size))
        loop_post(&c->worker->loop, &c->retry);
    return 0;
}

int rpc_call(struct rpc_client *c, enum rpc_method method, const void *payload, size_t size, rpc_done done, void *user)
{
    loop_check(&c->worker->loop);
    struct rpc_request head = {.method = (uint16_t)method, .payload_size = (uint32_t)size};
    if (size > PROTO_RPC_MAX)
        return -EMSGSIZE;
    int result = c->deferred_first ? -EAGAIN : try_send(c, &head, payload, done, user);
    return result == -EAGAIN && method != RPC_LOG ? defer(c, &head, payload, done, user) : result;
}

static void retry_deferred(struct loop_task *task)
{
    struct rpc_client *c = CONTAINER_OF(task, struct rpc_client, retry);
    loop_check(&c->worker->loop);
    while (c->deferred_first) {
        struct deferred *d = c->deferred_first;
        ENSURE(c->deferred_end != &c->deferred_first);
        int result = try_send(c, &d->head, d->payload, d->done, d->user);
        if (result == -EAGAIN) {
            if (!queue_producer_wait_space(&c->link.to, 4 + RPC_REQUEST_HEADER_SIZE + d->head.payload_size) &&
                c->free_count)
                loop_post(&c->worker->loop, &c->retry);
            return;
        }
        c->deferred_first = d->next;
        if (!c->deferred_first)
            c->deferred_end = &c->deferred_first;
        if (result < 0 && d->done)
            d->done(d->user, result, NULL, 0);
        free(d);
    }
}

/* The host may say only what the callers expect. */
static int filter_error(int32_t error)
{
    switch (error) {
    case 0:
    case -ENOENT:
    case -ENOSPC:
    case -ECONNREFUSED:
    case -ETIMEDOUT:
    case -EHOSTUNREACH:
        return error;
    default:
        return -EIO;
    }
}

static void fail_all(struct rpc_client *c, int error)
{
    c->broken = error;
    c->worker->asked = 0;
    for (uint32_t i = 0; i < OUTSTANDING_MAX; i++) {
        struct pending p = c->pending[i];
        c->pending[i].req_id = 0;
        if (p.req_id)
            p.done(p.user, error, NULL, 0);
    }
    retry_deferred(&c->retry);
}

static void answer(struct rpc_client *c, const struct rpc_response *response)
{
    uint32_t slot = (uint32_t)(response->req_id % OUTSTANDING_MAX);
    struct pending p = c->pending[slot];
    if (p.req_id == 0 || p.req_id != response->req_id)
        return; /* not ours, or answered already */
    ENSURE(p.done);
    /* A short answer takes no memory: that a commit was made is never lost to a lack of it. */
    uint8_t small[RPC_SMALL_ANSWER_MAX], *large = NULL;
    if (response->payload_size > sizeof small)
        large = malloc(response->payload_size);
    uint8_t *payload = response->payload_size > sizeof small ? large : small;
    int error = filter_error(response->error);
    if (response->payload_size && !payload)
        error = -ENOMEM;
    else if (payload && rpc_read(&c->reader, payload, response->payload_size) < 0)
        error = -EIO;
    ENSURE(c->free_count < OUTSTANDING_MAX && c->worker->asked > 0);
    c->pending[slot].req_id = 0;
    c->free_slots[c->free_count++] = slot;
    c->worker->asked--;
    p.done(p.user, error, payload, error == 0 ? response->payload_size : 0);
    free(large);
}

static void tell_space(struct rpc_client *c)
{
    if (link_release(&c->link))
        worker_ring_host(c->worker, c->link.name);
}

void rpc_client_on_news(struct rpc_client *c)
{
    loop_check(&c->worker->loop);
    ENSURE(link_is_open(&c->link));
    link_on_name(&c->link);
    struct rpc_response response;
    int result;
    while ((result = rpc_response_next(&c->reader, &response)) == 1) {
        answer(c, &response);
        tell_space(c);
    }
    tell_space(c);
    if (result < 0 && !c->broken)
        fail_all(c, result);
    else if (c->deferred_first)
        retry_deferred(&c->retry);
}

struct waiting {
    int finished, error;
    bool wanted; /* the payload */
    uint8_t *payload;
    size_t size;
};

static void wait_done(void *user, int error, const uint8_t *payload, size_t size)
{
    struct waiting *w = user;
    w->finished = 1;
    w->error = error;
    if (!w->wanted)
        return;
    w->payload = malloc(size ? size : 1);
    w->size = size;
    if (!w->payload)
        w->error = -ENOMEM;
    else if (size)
        memcpy(w->payload, payload, size);
}

int rpc_call_wait(struct rpc_client *c, enum rpc_method method, const void *payload, size_t size, uint8_t **out,
                  size_t *out_size)
{
    loop_check(&c->worker->loop);
    ENSURE(!out == !out_size);
    struct waiting w = {.wanted = out != NULL};
    int result = rpc_call(c, method, payload, size, wait_done, &w);
    if (result < 0)
        return result;
    while (!w.finished)
        worker_turn(c->worker);
    if (out && w.error == 0) {
        *out = w.payload;
        *out_size = w.size;
    } else {
        free(w.payload);
    }
    return w.error;
}

void rpc_log(struct rpc_client *c, enum log_level level, const char *format, ...)
{
    uint8_t line[5 + PROTO_LOG_MAX + 1];
    va_list args;
    va_start(args, format);
    int size = vsnprintf((char *)line + 5, PROTO_LOG_MAX + 1, format, args);
    va_end(args);
    if (size < 0)
        return;
    uint32_t length = (uint32_t)size < PROTO_LOG_MAX ? (uint32_t)size : PROTO_LOG_MAX;
    line[0] = (uint8_t)level;
    memcpy(line + 1, &length, 4);
    int ignored = rpc_call(c, RPC_LOG, line, 5 + length, NULL, NULL);
    (void)ignored; /* as the header says */
}
