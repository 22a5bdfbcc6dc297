/* See evidence.h. */
#include "enclave/evidence/evidence.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base64url.h"
#include "common/container.h"
#include "common/ensure.h"
#include "enclave/budget/budget.h"
#include "enclave/evidence/limits.h"
#include "enclave/evidence/request.h"
#include "enclave/https/answer.h"
#include "enclave/https/exchange.h"
#include "enclave/https/fields.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/history/history.h"
#include "enclave/service/generation.h"
#include "enclave/service/identity.h"
#include "enclave/service/quote.h"
#include "enclave/service/system.h"
#include "enclave/thread/errand.h"

struct asking {
    struct errand errand; /* first */
    struct worker *worker;
    struct http_exchange *x; /* NULL: the client is gone */
    const struct evidence_form *form;
    char client[48]; /* its address */
    struct evidence_request request;
    char time[EVIDENCE_TIME_SIZE];
    uint8_t report_data[64];
    char *claims;  /* of a form that has them */
    int error;     /* -EBUSY: too many at once */
    uint8_t *text; /* the quote, as base64url with a zero */
    struct asking *next;
};
static atomic_uint asking_count;
/* Those whose quotes are being made: the owner's. */
static struct asking *being_made;

static void asking_free(struct asking *a)
{
    ENSURE(atomic_fetch_sub(&asking_count, 1) > 0);
    free(a->text);
    free(a->claims);
    free(a);
}

/* ---- the answer, on the exchange's worker ------------------------------------------------------------------------ */

static json_t *answer_of(const struct asking *a)
{
    const char *mode = a->request.mode == EVIDENCE_CHALLENGE ? "challenge" : "deterministic";
    if (a->claims)
        return json_pack("{s:s,s:s,s:s,s:s,s:s}", "format", "enclave-os-evidence/1", "mode", mode, "tee", "sgx",
                         "claims", a->claims, "quote", (const char *)a->text);
    return json_pack("{s:i,s:s,s:s,s:s,s:s,s:n,s:I}", "v", 2, "mode", mode, "tee", "sgx", "quote",
                     (const char *)a->text, "quote_time", a->time, "gpu_evidence", "generation",
                     (json_int_t)a->x->site->number);
}

static void on_answered(struct loop_task *task)
{
    static const struct http_field later = {HTTP_TEXT("retry-after"), HTTP_TEXT("1")};
    struct asking *a = CONTAINER_OF(task, struct asking, errand.task);
    struct http_exchange *x = a->x;
    loop_check(&a->worker->loop);
    errand_end(&a->errand);
    int error = a->error;
    json_t *answer = x && error == 0 ? answer_of(a) : NULL;
    asking_free(a);
    if (!x)
        return;
    if (error == 0)
        http_answer_value_with(x, 200, (struct http_field){HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")}, answer);
    else if (error == -EBUSY)
        http_refuse(x, 503, "others are asking for evidence right now", later);
    else
        http_refuse(x, 503, "the host has made no quote that is of use; its log says more", later);
}

/* ---- the quote, on the owner's thread ---------------------------------------------------------------------------- */

static void return_answer(struct asking *a, int error)
{
    a->error = error;
    errand_return(&a->errand, &enclave_system.owner->loop, on_answered);
}

static void on_quote(void *user, int error, const uint8_t *quote, size_t size, const struct sgx_report_body *self)
{
    struct asking *a = user, **at = &being_made;
    (void)self;
    loop_check(&enclave_system.owner->loop);
    while (*at != a) {
        ENSURE(*at); /* it is among them */
        at = &(*at)->next;
    }
    *at = a->next;
    a->text = error == 0 ? malloc(BASE64URL_SIZE(size) + 1) : NULL;
    if (a->text)
        base64url_text(quote, size, (char *)a->text);
    return_answer(a, error == 0 && !a->text ? -ENOMEM : error);
}

static bool is_crowded(const struct asking *a)
{
    unsigned all = 0, of_client = 0;
    for (const struct asking *other = being_made; other; other = other->next) {
        all++;
        of_client += strcmp(other->client, a->client) == 0;
    }
    ENSURE(all <= EVIDENCE_QUOTES_MAX && of_client <= EVIDENCE_CLIENT_MAX);
    return all == EVIDENCE_QUOTES_MAX || of_client == EVIDENCE_CLIENT_MAX;
}

static void arrive(struct loop_task *task)
{
    struct asking *a = CONTAINER_OF(task, struct asking, errand.task);
    loop_check(&enclave_system.owner->loop);
    int error = is_crowded(a) ? -EBUSY : quote_make(a->report_data, on_quote, a);
    if (error < 0) {
        return_answer(a, error);
        return;
    }
    a->next = being_made;
    being_made = a;
}

/* ---- the request, on the exchange's worker ----------------------------------------------------------------------- */

/* What has come of a question: its connection's, which is charged for it, until all of it is there. */
struct question {
    struct http_exchange *x;
    const struct evidence_form *form;
    size_t size;
    char body[EVIDENCE_BODY_MAX + 1];
};

static void fail(struct http_exchange *x, int status, const char *why)
{
    static const struct http_field later = {HTTP_TEXT("retry-after"), HTTP_TEXT("1")};
    if (status == 503)
        http_refuse(x, status, why, later);
    else
        x->ops->fail(x, status, why);
}

/* Of the certificate that this connection's handshake showed: the server's, or that of an app's own name. */
static bool shows(struct transport *t, const uint8_t leaf[32])
{
    uint8_t shown[32];
    if (!t || !t->shown_key)
        memcpy(shown, identity_spki_sha256(), sizeof shown);
    else if (!t->shown_key(t, shown))
        return false;
    return memcmp(shown, leaf, sizeof shown) == 0;
}

static char *claims_of(const struct http_exchange *x, const char *time, int64_t not_after_s)
{
    const struct generation *g = generation_of(x->site);
    struct history_head head = history_head(enclave_system.history);
    const struct evidence_claims claims = {.generation = g->site.number,
                                           .log_size = head.size,
                                           .instance = identity_instance(),
                                           .root = g->root,
                                           .log_root = head.root,
                                           .not_after_s = not_after_s,
                                           .time = time};
    return evidence_claims_text(&claims);
}

/* What the quote is to be over. 0; or a status, and why. */
static int judge(const struct http_exchange *x, struct asking *a, char why[EVIDENCE_WHY_SIZE])
{
    uint8_t exported[32] = {0};
    struct transport *t = x->transport;
    http_exchange_check(x);
    ENSURE(a && !a->text);
    if (!shows(t, a->request.leaf)) {
        snprintf(why, EVIDENCE_WHY_SIZE, "leaf: this server's certificate has another key");
        return 409;
    }
    if (a->request.mode == EVIDENCE_CHALLENGE &&
        (!t || !t->export_key || !t->export_key(t, a->form->exporter, a->request.context, exported))) {
        snprintf(why, EVIDENCE_WHY_SIZE, "this connection has nothing that a challenge could be bound to");
        return 503;
    }
    evidence_time(time(NULL), a->time);
    if (a->form->has_claims) {
        int64_t not_after_s = t && t->shown_until ? t->shown_until(t) : -1;
        a->claims = not_after_s >= 0 ? claims_of(x, a->time, not_after_s) : NULL;
        if (!a->claims) {
            snprintf(why, EVIDENCE_WHY_SIZE, "there is nothing to claim, or no memory for it");
            return 503;
        }
    }
    evidence_report_data(&a->request, a->time, a->claims, exported, a->report_data);
    return 0;
}

static void on_asked_event(struct http_exchange *x, enum http_event event, void *user)
{
    struct asking *a = user;
    ENSURE(a->x == x);
    if (event == HTTP_EVENT_GONE)
        a->x = NULL;
}

/* All of the question is there: only now it takes a place, and only until the owner has looked at it. */
static void ask(struct question *q)
{
    struct http_exchange *x = q->x;
    http_exchange_check(x);
    ENSURE(q->size <= EVIDENCE_BODY_MAX);
    char why[EVIDENCE_WHY_SIZE] = "others are asking for evidence right now";
    const struct evidence_form *form = q->form;
    struct evidence_request request;
    int status = evidence_request_read(q->body, q->size, form->version, &request, why) < 0 ? 400 : 0;
    charged_free(q);
    bool has_place = status == 0 && atomic_fetch_add(&asking_count, 1) < EVIDENCE_REQUESTS_MAX;
    if (status == 0 && !has_place)
        atomic_fetch_sub(&asking_count, 1);
    struct asking *a = has_place ? calloc(1, sizeof *a) : NULL;
    if (has_place && !a)
        atomic_fetch_sub(&asking_count, 1);
    if (a) {
        a->form = form;
        a->request = request;
        status = judge(x, a, why);
    } else if (status == 0) {
        status = 503;
    }
    if (status) {
        if (a)
            asking_free(a);
        fail(x, status, why);
        return;
    }
    a->worker = x->worker;
    a->x = x;
    if (x->peer)
        strncpy(a->client, x->peer, sizeof a->client - 1);
    x->on_event = on_asked_event;
    x->user = a;
    errand_send(&a->errand, &a->worker->loop, &enclave_system.owner->loop, arrive);
}

static void refuse(struct question *q, int status, const char *why)
{
    struct http_exchange *x = q->x;
    charged_free(q);
    fail(x, status, why);
}

static void gather(struct question *q)
{
    http_exchange_check(q->x);
    for (;;) {
        ssize_t got = q->x->ops->read_body(q->x, q->body + q->size, sizeof q->body - q->size);
        if (got == -EAGAIN)
            return;
        if (got < 0) {
            refuse(q, 400, "the body is broken");
            return;
        }
        if (got == 0) {
            ask(q);
            return;
        }
        q->size += (size_t)got;
        ENSURE(q->size <= sizeof q->body);
        if (q->size > EVIDENCE_BODY_MAX) {
            refuse(q, 413, "no question for evidence is so long");
            return;
        }
    }
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    struct question *q = user;
    ENSURE(q->x == x);
    if (event == HTTP_EVENT_GONE)
        charged_free(q);
    else if (event == HTTP_EVENT_BODY)
        gather(q);
}

static void start(struct http_exchange *x, const struct evidence_form *form)
{
    http_exchange_check(x);
    ENSURE(!x->on_event); /* nobody answers it yet */
    struct question *q = charged_calloc(x->transport ? x->transport->memory : NULL, sizeof *q);
    if (!q) {
        fail(x, 503, HTTP_NO_MEMORY);
        return;
    }
    q->x = x;
    q->form = form;
    x->on_event = on_event;
    x->user = q;
    gather(q);
}

bool evidence_answer(void *user, struct http_exchange *x)
{
    (void)user;
    struct http_text path = x->request.target.path;
    const struct evidence_form *form = NULL;
    http_exchange_check(x);
    ENSURE(path.data || path.size == 0);
    for (size_t i = 0; i < sizeof evidence_forms / sizeof *evidence_forms; i++)
        if (http_text_is(path, evidence_forms[i].path))
            form = &evidence_forms[i];
    if (!form)
        return false;
    x->shared = true;
    if (http_name_is(x->request.method, "POST"))
        start(x, form);
    else if (http_name_is(x->request.method, "OPTIONS"))
        http_answer_options(x, "POST, OPTIONS");
    else
        http_refuse(x, 405, "Allow says which methods there are",
                    (struct http_field){HTTP_TEXT("allow"), HTTP_TEXT("POST, OPTIONS")});
    return true;
}
