/* See order.h. */
#include "enclave/acme/order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/names.h"
#include "enclave/acme/certificate.h"
#include "enclave/acme/flow.h"
#include "enclave/https/date.h"
#include "enclave/https/fetch.h"
#include "enclave/https/fields.h"
#include "enclave/https/site.h"
#include "enclave/ratls/certificate.h"
#include "enclave/ratls/tls_challenge.h"
#include "enclave/ratls/tls_context.h"
#include "enclave/thread/worker.h"

struct acme_order_run {
    struct worker *worker;
    const struct http_dialer *dialer;
    struct http_site *site;
    struct http_fetch *fetch;   /* one is under way */
    struct loop_timer wait;     /* for the next one */
    struct loop_timer deadline; /* of all of it */
    EVP_PKEY *account, *key;
    json_t *contact;
    char name[NAME_SIZE_MAX + 1], directory[ACME_URL_SIZE];
    uint8_t csr[ACME_CSR_MAX];
    acme_order_done done;
    void *user;
    struct acme_flow flow;
};

static void order_free(struct acme_order_run *o)
{
    loop_check(&o->worker->loop);
    ENSURE(o->site);
    tls_challenge_clear();
    loop_timer_stop(&o->worker->loop, &o->wait);
    loop_timer_stop(&o->worker->loop, &o->deadline);
    if (o->fetch)
        http_fetch_cancel(o->fetch);
    http_site_unref(o->site);
    EVP_PKEY_free(o->account);
    EVP_PKEY_free(o->key);
    json_decref(o->contact);
    free(o);
}

static void end(struct acme_order_run *o, const struct acme_order_result *result)
{
    tls_challenge_clear();
    o->done(o->user, result);
    order_free(o);
}

static void fail(struct acme_order_run *o, const char *why, uint32_t wait_s)
{
    const struct acme_order_result result = {.why = why, .wait_s = wait_s};
    end(o, &result);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static void on_fetched(void *user, const struct http_fetched *fetched);

static void ask(struct acme_order_run *o)
{
    static const struct http_field fields[] = {{HTTP_TEXT("user-agent"), HTTP_TEXT("enclave-os")},
                                               {HTTP_TEXT("content-type"), HTTP_TEXT("application/jose+json")}};
    struct acme_request request;
    ENSURE(!o->fetch);
    loop_check(&o->worker->loop);
    int result = acme_flow_request(&o->flow, &request);
    const struct http_fetch_request fetch = {.worker = o->worker,
                                             .dialer = o->dialer,
                                             .site = o->site,
                                             .host = request.at.host,
                                             .port = request.at.port,
                                             .method = request.method,
                                             .target = request.at.path[0] ? request.at.path : "/",
                                             .authority = request.at.authority,
                                             .fields = fields,
                                             .field_count = request.body ? 2 : 1,
                                             .body = request.body,
                                             .body_size = request.body ? strlen(request.body) : 0,
                                             .answer_max = ACME_ANSWER_MAX,
                                             .within_ns = ACME_ASK_NS,
                                             .done = on_fetched,
                                             .user = o};
    o->fetch = result == 0 ? http_fetch_start(&fetch) : NULL;
    free(request.body);
    if (!o->fetch)
        fail(o, "out of memory", 0);
}

static void on_wait_over(struct loop_timer *timer)
{
    ask(CONTAINER_OF(timer, struct acme_order_run, wait));
}

static void on_deadline(struct loop_timer *timer)
{
    struct acme_order_run *o = CONTAINER_OF(timer, struct acme_order_run, deadline);
    char why[ACME_WHY_SIZE];
    snprintf(why, sizeof why, "%s: it has not come in time", acme_flow_at(&o->flow));
    fail(o, why, 0);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static const char *find(const struct http_fetched *f, const char *name, size_t *size)
{
    struct http_text value = {NULL, 0};
    *size = 0;
    if (http_fields_find(f->fields, f->field_count, name, &value) != 1)
        return NULL;
    *size = value.size;
    return value.data;
}

/* Seconds, or a date (RFC 9110, section 10.2.3); 0: neither, or no more. */
static uint32_t retry_after_s(const struct http_fetched *f)
{
    size_t size;
    const char *text = find(f, "retry-after", &size);
    uint64_t seconds = 0;
    int64_t date_s;
    if (!text || size == 0)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            int64_t left_s = http_date_read((struct http_text){text, size}, &date_s) ? date_s - time(NULL) : 0;
            seconds = left_s > 0 ? (uint64_t)left_s : 0;
            break;
        }
        seconds = seconds * 10 + (uint64_t)(text[i] - '0');
        if (seconds > ACME_RETRY_AFTER_MAX_S)
            break;
    }
    return seconds < ACME_RETRY_AFTER_MAX_S ? (uint32_t)seconds : ACME_RETRY_AFTER_MAX_S;
}

static void show(struct acme_order_run *o)
{
    loop_check(&o->worker->loop);
    ENSURE(!o->fetch);
    EVP_PKEY *key = certificate_make_key();
    X509 *x = key ? acme_challenge_certificate(key, o->name, o->flow.digest, time(NULL)) : NULL;
    STACK_OF(X509) *chain = x ? sk_X509_new_reserve(NULL, 1) : NULL;
    if (chain)
        sk_X509_push(chain, x); /* has room; borrowed */
    SSL_CTX *context = chain ? tls_context_of_chain(key, chain, NULL) : NULL;
    int result = context ? tls_challenge_set(o->name, context) : -1;
    SSL_CTX_free(context);
    sk_X509_free(chain);
    X509_free(x);
    EVP_PKEY_free(key);
    if (result < 0)
        fail(o, "out of memory", 0);
    else
        ask(o);
}

static void take_chain(struct acme_order_run *o, const struct http_fetched *fetched)
{
    struct acme_chain chain;
    char why[ACME_WHY_SIZE] = "out of memory";
    int result = acme_chain_read(&chain, fetched->body, fetched->size, o->key, o->name, time(NULL), why);
    if (result < 0) {
        fail(o, why, 0);
        return;
    }
    acme_chain_free(&chain);
    const struct acme_order_result made = {.key = o->key, .pem = fetched->body, .size = fetched->size};
    end(o, &made);
}

static void wait(struct acme_order_run *o)
{
    struct loop *loop = &o->worker->loop;
    if (loop_timer_start(loop, &o->wait, loop->now_ns + o->flow.wait_s * UINT64_C(1000000000)) < 0)
        fail(o, "out of memory", 0);
}

static void on_fetched(void *user, const struct http_fetched *fetched)
{
    struct acme_order_run *o = user;
    char why[ACME_WHY_SIZE];
    loop_check(&o->worker->loop);
    ENSURE(o->fetch);
    o->fetch = NULL;
    const char *problem = fetched->problem                  ? fetched->problem
                          : fetched->size > ACME_ANSWER_MAX ? "no answer is so long"
                                                            : NULL;
    if (problem) {
        snprintf(why, sizeof why, "%s: %s", acme_flow_at(&o->flow), problem);
        fail(o, why, 0);
        return;
    }
    struct acme_answer answer = {.status = fetched->status, .body = fetched->body, .size = fetched->size};
    answer.nonce = find(fetched, "replay-nonce", &answer.nonce_size);
    answer.location = find(fetched, "location", &answer.location_size);
    answer.retry_after_s = retry_after_s(fetched);
    switch (acme_flow_answer(&o->flow, &answer)) {
    case ACME_ASK:
        ask(o);
        break;
    case ACME_WAIT:
        wait(o);
        break;
    case ACME_CHALLENGE:
        show(o);
        break;
    case ACME_DONE:
        take_chain(o, fetched);
        break;
    default:
        snprintf(why, sizeof why, "%s", o->flow.why);
        fail(o, why, o->flow.wait_s);
    }
}

/* ---- its life ---------------------------------------------------------------------------------------------------- */

struct acme_order_run *acme_order_start(const struct acme_order_wanted *wanted)
{
    struct loop *loop = &wanted->worker->loop;
    loop_check(loop);
    ENSURE(strlen(wanted->name) <= NAME_SIZE_MAX && strlen(wanted->directory) < ACME_URL_SIZE);
    struct acme_order_run *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->worker = wanted->worker;
    o->dialer = wanted->dialer;
    o->site = http_site_ref(wanted->site);
    EVP_PKEY_up_ref(wanted->account);
    o->account = wanted->account;
    o->contact = json_deep_copy(wanted->contact);
    strcpy(o->name, wanted->name);
    strcpy(o->directory, wanted->directory);
    o->done = wanted->done;
    o->user = wanted->user;
    o->wait.fn = on_wait_over;
    o->deadline.fn = on_deadline;
    o->key = certificate_make_key();
    size_t csr_size = o->key ? acme_csr(o->key, o->name, o->csr) : 0;
    /* the first request is asked from the loop: what fails is told by done, and never inside this call */
    if (csr_size == 0 || (wanted->contact && !o->contact) ||
        loop_timer_start(loop, &o->deadline, loop->now_ns + ACME_ORDER_NS) < 0 ||
        loop_timer_start(loop, &o->wait, loop->now_ns) < 0) {
        order_free(o);
        return NULL;
    }
    const struct acme_asked asked = {.directory = o->directory,
                                     .contact = o->contact,
                                     .name = o->name,
                                     .account = o->account,
                                     .csr = o->csr,
                                     .csr_size = csr_size};
    acme_flow_begin(&o->flow, &asked);
    return o;
}

void acme_order_cancel(struct acme_order_run *o)
{
    order_free(o);
}

const char *acme_order_name(const struct acme_order_run *o)
{
    return o->name;
}
