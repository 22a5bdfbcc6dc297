/* See ohttp.h. */
#include "enclave/ohttp/ohttp.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "common/ohttp.h"
#include "enclave/budget/budget.h"
#include "enclave/https/answer.h"
#include "enclave/https/exchange.h"
#include "enclave/https/fields.h"
#include "enclave/https/site.h"
#include "enclave/ohttp/inner.h"
#include "enclave/ohttp/keys.h"
#include "enclave/ohttp/limits.h"
#include "enclave/ohttp/published.h"
#include "enclave/thread/worker.h"

static struct budget memory; /* of all of them */

int ohttp_open(struct loop *owner)
{
    budget_init(&memory, "encrypted requests", NULL, OHTTP_MEMORY);
    return keys_open(owner);
}

void ohttp_close(void)
{
    keys_close();
}

/* ---- a request --------------------------------------------------------------------------------------------------- */

static void refuse(struct http_exchange *x, struct inner *i, int status)
{
    static const struct http_field later = {HTTP_TEXT("retry-after"), HTTP_TEXT("1")};
    x->on_event = NULL;
    inner_free(i);
    if (status == 503)
        http_refuse(x, 503, "others are asking right now, with as much as may be held", later);
    else
        x->ops->fail(x, status, status == 413 ? "no encrypted request is so long" : "the body is broken");
}

/* All of it is there. */
static void open_request(struct http_exchange *x, struct inner *i)
{
    uint8_t secret[OHTTP_KEY_SIZE], id, *plain = NULL;
    struct ohttp_answer answer;
    size_t size, plain_size = 0;
    http_exchange_check(x);
    uint8_t *data = inner_data(i, &size);
    bool is_one = ohttp_request_key_id(data, size, &id);
    struct http_site *site = is_one ? keys_find(id, x->worker->loop.now_ns, secret) : NULL;
    bool opened = site && ohttp_request_open(secret, data, size, &plain, &plain_size, &answer) == 0;
    OPENSSL_cleanse(secret, sizeof secret);
    const char *why = site     ? "it was not encrypted to the key that has this identifier here"
                      : is_one ? "no key, or none any more, has this identifier"
                               : "it is cut short, or for another kind of key";
    if (opened) {
        inner_begin(i, site, &answer, plain, plain_size);
    } else {
        http_site_unref(site);
        x->on_event = NULL;
        inner_free(i);
        http_answer_problem(x, 400, OHTTP_KEY_PROBLEM, why);
    }
    OPENSSL_cleanse(&answer, sizeof answer);
}

static void gather(struct http_exchange *x, struct inner *i)
{
    http_exchange_check(x);
    for (;;) {
        int status = 0;
        size_t room;
        uint8_t *at = inner_room(i, &room, &status);
        ssize_t got = at ? x->ops->read_body(x, at, room) : 0;
        if (got == -EAGAIN)
            return;
        if (!at || got < 0) {
            refuse(x, i, at ? 400 : status);
            return;
        }
        if (got == 0) {
            open_request(x, i);
            return;
        }
        inner_took(i, (size_t)got);
    }
}

static void on_event(struct http_exchange *x, enum http_event event, void *user)
{
    if (event == HTTP_EVENT_GONE)
        inner_free(user);
    else if (event == HTTP_EVENT_BODY)
        gather(x, user);
}

static void start(struct http_server *server, struct http_exchange *x)
{
    char type[64];
    http_exchange_check(x);
    ENSURE(!x->on_event); /* nobody answers it yet */
    http_header(x, "content-type", type, sizeof type);
    if (strcmp(type, OHTTP_REQUEST_MEDIA_TYPE) != 0) {
        x->ops->fail(x, 415, "what is taken here is " OHTTP_REQUEST_MEDIA_TYPE);
        return;
    }
    if (x->request.content_length > (int64_t)OHTTP_REQUEST_MAX) {
        refuse(x, NULL, 413);
        return;
    }
    struct inner *i = inner_new(server, x, &memory);
    if (!i) {
        refuse(x, NULL, 503);
        return;
    }
    x->on_event = on_event;
    x->user = i;
    gather(x, i);
}

bool ohttp_answer(struct http_server *server, struct http_exchange *x)
{
    struct http_text path = x->request.target.path;
    bool requests = http_text_is(path, "/_enclave/ohttp"), keys = http_text_is(path, "/_enclave/ohttp-keys");
    bool evidence = http_text_is(path, "/_enclave/ohttp-keys/evidence");
    http_exchange_check(x);
    bool reads = http_name_is(x->request.method, "GET") || http_name_is(x->request.method, "HEAD");
    if (!requests && !keys && !evidence)
        return false;
    x->shared = !requests; /* what they answer may be an app's, which says itself who may read it */
    if (requests ? !http_name_is(x->request.method, "POST") : !reads)
        http_refuse(x, 405, "Allow says which methods there are",
                    (struct http_field){HTTP_TEXT("allow"), requests ? (struct http_text)HTTP_TEXT("POST")
                                                                     : (struct http_text)HTTP_TEXT("GET, HEAD")});
    else if (requests)
        start(server, x);
    else if (keys)
        published_keys(x);
    else
        published_evidence(x);
    return true;
}
