/* See client.h. */
#include "enclave/handover/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/handover/wire.h"
#include "enclave/https/client.h"
#include "enclave/service/dial.h"
#include "enclave/service/system.h"
#include "enclave/thread/worker.h"

#define TARGET "/_enclave/hand-over/"
#define PIECE 65536u

struct asking {
    struct loop_task turn; /* the call has news: it must not be deleted where it tells of them */
    struct http_call *call;
    uint8_t *request;
    size_t request_size, sent;
    struct handover_reply reply;
    size_t capacity;
    handover_replied done;
    void *user;
};

bool handover_url_read(const char *text, struct witness_url *at)
{
    return witness_url_read(text, strlen(text), at) && at->tls && strlen(at->path) <= 1;
}

static void end(struct asking *a, int status)
{
    handover_replied done = a->done;
    void *user = a->user;
    struct handover_reply reply = a->reply;
    loop_check(&enclave_system.owner->loop);
    ENSURE(a->call && a->reply.size <= a->capacity);
    http_call_delete(a->call);
    reply.status = status;
    if (status == 0) {
        free(reply.body);
        reply.body = NULL;
        reply.size = 0;
    }
    free(a->request);
    free(a);
    done(user, &reply);
}

/* Where nobody takes it any more, the response says why, or there is none. */
static void send_request(struct asking *a)
{
    while (a->sent < a->request_size) {
        size_t space = http_call_space(a->call), left = a->request_size - a->sent;
        ssize_t taken = space ? http_call_write(a->call, a->request + a->sent, left < space ? left : space) : 0;
        if (taken <= 0)
            return;
        a->sent += (size_t)taken;
        if (a->sent == a->request_size)
            ENSURE(http_call_finish(a->call, NULL, 0) == 0);
    }
}

static bool grow(struct asking *a)
{
    if (a->reply.size < a->capacity)
        return true;
    size_t capacity = a->capacity ? 2 * a->capacity : PIECE;
    capacity = capacity < HANDOVER_ANSWER_MAX + 1 ? capacity : HANDOVER_ANSWER_MAX + 1;
    uint8_t *grown = capacity > a->capacity ? realloc(a->reply.body, capacity) : NULL;
    if (!grown)
        return false; /* no memory, or it is longer than any answer */
    a->reply.body = grown;
    a->capacity = capacity;
    return true;
}

static void receive(struct asking *a)
{
    ENSURE(a->call && http_call_status(a->call) != 0);
    ENSURE(a->reply.size <= a->capacity);
    for (;;) {
        ssize_t got =
            grow(a) ? http_call_read(a->call, a->reply.body + a->reply.size, a->capacity - a->reply.size) : -EIO;
        if (got == -EAGAIN)
            return;
        if (got <= 0) {
            end(a, got == 0 ? http_call_status(a->call) : 0);
            return;
        }
        a->reply.size += (size_t)got;
    }
}

static void on_turn(struct loop_task *task)
{
    struct asking *a = CONTAINER_OF(task, struct asking, turn);
    loop_check(&enclave_system.owner->loop);
    ENSURE(a->call && a->sent <= a->request_size);
    if (http_call_failure(a->call) != CALL_OK) {
        end(a, 0);
        return;
    }
    send_request(a);
    if (http_call_status(a->call) != 0)
        receive(a);
}

static void on_event(void *user)
{
    struct asking *a = user;
    loop_post(&enclave_system.owner->loop, &a->turn);
}

static struct http_call *start_call(struct asking *a, const struct witness_url *at, const char *route)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("application/octet-stream")},
                                               {HTTP_TEXT("user-agent"), HTTP_TEXT("enclave-os")}};
    char target[sizeof TARGET + 32];
    ENSURE(!a->call && a->sent == 0);
    int size = snprintf(target, sizeof target, "%s%s", TARGET, route);
    ENSURE(size > 0 && (size_t)size < sizeof target);
    const struct http_call_request request = {.worker = enclave_system.owner,
                                              .dialer = &witness_tls_dialer,
                                              .host = at->host,
                                              .port = at->port,
                                              .method = HTTP_TEXT("POST"),
                                              .target = {target, (size_t)size},
                                              .authority = {at->authority, strlen(at->authority)},
                                              .fields = fields,
                                              .field_count = sizeof fields / sizeof *fields,
                                              .content_length = (int64_t)a->request_size,
                                              .connect_ns = HANDOVER_ASK_NS,
                                              .first_byte_ns = HANDOVER_ASK_NS,
                                              .between_ns = HANDOVER_ASK_NS,
                                              .on_event = on_event,
                                              .user = a};
    return http_call_start(&request);
}

int handover_ask(const struct witness_url *at, const char *route, const void *body, size_t size, handover_replied done,
                 void *user)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(body && size > 0 && done);
    struct asking *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->turn.fn = on_turn;
    a->done = done;
    a->user = user;
    a->request = malloc(size);
    a->request_size = size;
    if (a->request) {
        memcpy(a->request, body, size);
        a->call = start_call(a, at, route);
    }
    if (a->call)
        return 0;
    free(a->request);
    free(a);
    return -ENOMEM;
}

/* Not on a stack: where the host stops us meanwhile, its answer may still come. */
static struct {
    bool over;
    struct handover_reply reply;
} waited;

static void on_waited(void *user, struct handover_reply *reply)
{
    (void)user;
    waited.over = true;
    waited.reply = *reply;
}

int handover_ask_wait(const struct witness_url *at, const char *route, const void *body, size_t size,
                      struct handover_reply *reply)
{
    uint64_t ignored;
    waited.over = false;
    int error = handover_ask(at, route, body, size, on_waited, NULL);
    while (error == 0 && !waited.over && !ecall_shutdown_requested(&ignored))
        worker_turn(enclave_system.owner);
    if (error == 0 && !waited.over)
        error = -ECANCELED;
    *reply = error == 0 ? waited.reply : (struct handover_reply){0};
    return error;
}
