/* See ask.h. */
#include "enclave/witness/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/https/fields.h"
#include "enclave/thread/worker.h"

struct witness_ask {
    struct loop_task turn;   /* the call has news: it must not be deleted where it tells of them */
    struct loop_timer timer; /* all of it */
    bool over;               /* and freed at its turn */
    struct worker *worker;
    struct http_call *call;
    struct note_key key;
    uint64_t from, size;
    witness_asked done;
    void *user;
    size_t checkpoint_size, request_size, sent, answer_size;
    char checkpoint[WITNESS_CHECKPOINT_MAX];
    char request[WITNESS_REQUEST_MAX];
    char answer[WITNESS_ANSWER_MAX + 1];
};

static void ask_free(struct witness_ask *a)
{
    if (a->call)
        http_call_delete(a->call);
    a->call = NULL;
    loop_timer_stop(&a->worker->loop, &a->timer);
    a->over = true;
    if (!atomic_load_explicit(&a->turn.queued, memory_order_relaxed))
        free(a);
}

static void end(struct witness_ask *a, const struct witness_answer *answer)
{
    witness_asked done = a->done;
    void *user = a->user;
    ENSURE(answer->says != WITNESS_NOTHING);
    ask_free(a);
    done(user, answer);
}

static void silent(struct witness_ask *a, const char *problem)
{
    const struct witness_answer answer = {.says = WITNESS_SILENT, .problem = problem};
    end(a, &answer);
}

static const char *problem_of(enum http_call_failure why)
{
    switch (why) {
    case CALL_NO_NAME:
        return "the host finds no address for its name";
    case CALL_REFUSED:
        return "nobody listens there";
    case CALL_UNREACHABLE:
    case CALL_CONNECT_TIMEOUT:
        return "it cannot be reached";
    case CALL_TLS_PROTOCOL:
    case CALL_TLS_CERTIFICATE:
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

static void judge(struct witness_ask *a)
{
    const struct http_field *fields;
    size_t count = http_call_fields(a->call, &fields);
    struct http_text type = {"", 0};
    struct witness_answer answer;
    for (size_t i = 0; i < count; i++)
        if (http_name_is(fields[i].name, "content-type"))
            type = fields[i].value;
    const struct witness_question question = {&a->key, a->from, a->size, a->checkpoint, a->checkpoint_size};
    witness_wire_answer(&question, http_call_status(a->call), type.data, type.size, a->answer, a->answer_size, &answer);
    end(a, &answer);
}

/* Where nobody takes it any more, the response says why, or there is none. */
static void send_request(struct witness_ask *a)
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

/* What is longer than any answer ends there: it is judged as it is, too long. */
static void receive(struct witness_ask *a)
{
    ENSURE(!a->over && a->call);
    ENSURE(a->answer_size <= sizeof a->answer);
    while (a->answer_size < sizeof a->answer) {
        ssize_t got = http_call_read(a->call, a->answer + a->answer_size, sizeof a->answer - a->answer_size);
        if (got == -EAGAIN)
            return;
        if (got < 0) {
            silent(a, problem_of(http_call_failure(a->call)));
            return;
        }
        if (got == 0)
            break;
        a->answer_size += (size_t)got;
    }
    judge(a);
}

static void on_turn(struct loop_task *task)
{
    struct witness_ask *a = CONTAINER_OF(task, struct witness_ask, turn);
    if (a->over) {
        free(a);
        return;
    }
    loop_check(&a->worker->loop);
    ENSURE(a->call && a->sent <= a->request_size);
    if (http_call_failure(a->call) != CALL_OK) {
        silent(a, problem_of(http_call_failure(a->call)));
        return;
    }
    send_request(a);
    if (http_call_status(a->call) != 0)
        receive(a);
}

static void on_event(void *user)
{
    struct witness_ask *a = user;
    loop_post(&a->worker->loop, &a->turn);
}

static void on_timeout(struct loop_timer *timer)
{
    silent(CONTAINER_OF(timer, struct witness_ask, timer), "it takes too long");
}

static struct http_call *start_call(struct witness_ask *a, const struct witness_asking *asking)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT("text/plain; charset=utf-8")},
                                               {HTTP_TEXT("user-agent"), HTTP_TEXT("enclave-os")}};
    const struct witness *w = asking->witness;
    ENSURE(!a->call && !a->over);
    ENSURE(a->request_size > 0 && a->request_size <= sizeof a->request);
    const struct http_call_request request = {.worker = a->worker,
                                              .dialer = asking->dialer,
                                              .host = w->at.host,
                                              .port = w->at.port,
                                              .method = HTTP_TEXT("POST"),
                                              .target = {w->target, strlen(w->target)},
                                              .authority = {w->at.authority, strlen(w->at.authority)},
                                              .fields = fields,
                                              .field_count = sizeof fields / sizeof *fields,
                                              .content_length = (int64_t)a->request_size,
                                              .connect_ns = WITNESS_ASK_NS,
                                              .first_byte_ns = WITNESS_ASK_NS,
                                              .between_ns = WITNESS_ASK_NS,
                                              .on_event = on_event,
                                              .user = a};
    return http_call_start(&request);
}

struct witness_ask *witness_ask_start(const struct witness_asking *asking)
{
    struct loop *loop = &asking->worker->loop;
    loop_check(loop);
    ENSURE(asking->done && asking->from <= asking->size);
    struct witness_ask *a = asking->checkpoint_size <= WITNESS_CHECKPOINT_MAX ? calloc(1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    a->worker = asking->worker;
    a->key = asking->witness->key;
    a->from = asking->from;
    a->size = asking->size;
    a->done = asking->done;
    a->user = asking->user;
    a->turn.fn = on_turn;
    a->timer.fn = on_timeout;
    a->checkpoint_size = asking->checkpoint_size;
    memcpy(a->checkpoint, asking->checkpoint, asking->checkpoint_size);
    a->request_size = witness_wire_request(asking->from, asking->proof, asking->proof_count, asking->checkpoint,
                                           asking->checkpoint_size, a->request, sizeof a->request);
    if (a->request_size > 0 && loop_timer_start(loop, &a->timer, loop->now_ns + WITNESS_ASK_NS) == 0)
        a->call = start_call(a, asking);
    if (a->call)
        return a;
    ask_free(a);
    return NULL;
}

void witness_ask_cancel(struct witness_ask *a)
{
    loop_check(&a->worker->loop);
    ask_free(a);
}
