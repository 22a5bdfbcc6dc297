/* See fetch.h. */
#include "enclave/https/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/thread/worker.h"

struct http_fetch {
    struct loop_task turn;   /* the call has news: it must not be deleted where it tells of them */
    struct loop_timer timer; /* all of it */
    bool over;               /* and freed at its turn */
    struct worker *worker;
    struct http_call *call;
    http_fetch_done done;
    void *user;
    char *body;
    size_t body_size, sent, answer_max, answer_size;
    char answer[]; /* answer_max + 1, and a zero */
};

static void fetch_free(struct http_fetch *f)
{
    free(f->body);
    free(f);
}

static void end_call(struct http_fetch *f)
{
    if (f->call)
        http_call_delete(f->call);
    f->call = NULL;
    loop_timer_stop(&f->worker->loop, &f->timer);
    f->over = true;
    if (!atomic_load_explicit(&f->turn.queued, memory_order_relaxed))
        fetch_free(f);
}

/* Whoever is told of it may begin another one, but this is not freed under its answer. */
static void end(struct http_fetch *f, const struct http_fetched *answer)
{
    ENSURE(!f->over);
    http_fetch_done done = f->done;
    f->done = NULL;
    done(f->user, answer);
    end_call(f);
}

static void fail(struct http_fetch *f, const char *problem)
{
    const struct http_fetched answer = {.problem = problem};
    end(f, &answer);
}

static const char *problem_of(enum http_call_failure why)
{
    switch (why) {
    case CALL_NO_TRUST:
        return "there is no CA bundle of outgoing requests";
    case CALL_NO_NAME:
        return "the host finds no address for its name";
    case CALL_REFUSED:
        return "nobody listens there";
    case CALL_UNREACHABLE:
    case CALL_CONNECT_TIMEOUT:
        return "it cannot be reached";
    case CALL_TLS_CERTIFICATE:
        return "TLS fails: its certificate is not believed, or for another name";
    case CALL_TLS_PROTOCOL:
    case CALL_TLS_ALERT:
        return "TLS fails";
    case CALL_RESPONSE_TIMEOUT:
    case CALL_READ_TIMEOUT:
        return "it takes too long";
    case CALL_LIMIT:
    case CALL_NO_MEMORY:
        return "no memory is left to ask it";
    default:
        return "the connection broke, or its answer is no HTTP";
    }
}

static void succeed(struct http_fetch *f)
{
    struct http_fetched answer = {.status = http_call_status(f->call), .body = f->answer, .size = f->answer_size};
    answer.field_count = http_call_fields(f->call, &answer.fields);
    f->answer[f->answer_size] = 0;
    end(f, &answer);
}

/* Where nobody takes it any more, the response says why, or there is none. */
static void send_request(struct http_fetch *f)
{
    while (f->sent < f->body_size) {
        size_t space = http_call_space(f->call), left = f->body_size - f->sent;
        ssize_t taken = space ? http_call_write(f->call, f->body + f->sent, left < space ? left : space) : 0;
        if (taken <= 0)
            return;
        f->sent += (size_t)taken;
        if (f->sent == f->body_size)
            ENSURE(http_call_finish(f->call, NULL, 0) == 0);
    }
}

/* What is longer than any answer ends there. */
static void receive(struct http_fetch *f)
{
    ENSURE(!f->over && f->call);
    ENSURE(f->answer_size <= f->answer_max);
    while (f->answer_size <= f->answer_max) {
        ssize_t got = http_call_read(f->call, f->answer + f->answer_size, f->answer_max + 1 - f->answer_size);
        if (got == -EAGAIN)
            return;
        if (got < 0) {
            fail(f, problem_of(http_call_failure(f->call)));
            return;
        }
        if (got == 0)
            break;
        f->answer_size += (size_t)got;
    }
    succeed(f);
}

static void on_turn(struct loop_task *task)
{
    struct http_fetch *f = CONTAINER_OF(task, struct http_fetch, turn);
    if (f->over) {
        fetch_free(f);
        return;
    }
    loop_check(&f->worker->loop);
    ENSURE(f->call && f->sent <= f->body_size);
    if (http_call_failure(f->call) != CALL_OK) {
        fail(f, problem_of(http_call_failure(f->call)));
        return;
    }
    send_request(f);
    if (http_call_status(f->call) != 0)
        receive(f);
}

static void on_event(void *user)
{
    struct http_fetch *f = user;
    loop_post(&f->worker->loop, &f->turn);
}

static void on_timeout(struct loop_timer *timer)
{
    fail(CONTAINER_OF(timer, struct http_fetch, timer), "it takes too long");
}

static struct http_text text_of(const char *text)
{
    return (struct http_text){text, strlen(text)};
}

static struct http_call *start_call(struct http_fetch *f, const struct http_fetch_request *r)
{
    const struct http_call_request call = {.worker = r->worker,
                                           .dialer = r->dialer,
                                           .site = r->site,
                                           .host = r->host,
                                           .port = r->port,
                                           .method = text_of(r->method),
                                           .target = text_of(r->target),
                                           .authority = text_of(r->authority),
                                           .fields = r->fields,
                                           .field_count = r->field_count,
                                           .content_length = r->body ? (int64_t)r->body_size : CALL_NO_BODY,
                                           .connect_ns = r->within_ns,
                                           .first_byte_ns = r->within_ns,
                                           .between_ns = r->within_ns,
                                           .on_event = on_event,
                                           .user = f};
    ENSURE(!f->call && !f->over);
    ENSURE(!r->body || r->body_size > 0);
    return http_call_start(&call);
}

struct http_fetch *http_fetch_start(const struct http_fetch_request *r)
{
    struct loop *loop = &r->worker->loop;
    loop_check(loop);
    ENSURE(r->done && r->within_ns > 0);
    struct http_fetch *f = calloc(1, sizeof *f + r->answer_max + 2);
    if (!f)
        return NULL;
    f->worker = r->worker;
    f->done = r->done;
    f->user = r->user;
    f->turn.fn = on_turn;
    f->timer.fn = on_timeout;
    f->answer_max = r->answer_max;
    f->body_size = r->body ? r->body_size : 0;
    f->body = r->body ? malloc(f->body_size) : NULL;
    if (f->body)
        memcpy(f->body, r->body, f->body_size);
    if ((!r->body || f->body) && loop_timer_start(loop, &f->timer, loop->now_ns + r->within_ns) == 0)
        f->call = start_call(f, r);
    if (f->call)
        return f;
    end_call(f);
    return NULL;
}

void http_fetch_cancel(struct http_fetch *f)
{
    loop_check(&f->worker->loop);
    ENSURE(f->done);
    end_call(f);
}
