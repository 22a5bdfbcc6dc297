/*
 * What holds of a request that was encrypted, and its end: the answer is sealed, and goes over what carried the
 * request.
 */
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "enclave/https/answer.h"
#include "enclave/ohttp/internal.h"

void inner_check(const struct inner *i)
{
    loop_check(&i->outer->worker->loop);
    ENSURE(i->size <= i->capacity && i->out_size <= i->out_capacity);
    ENSURE(i->content_read <= i->content_size);
    ENSURE((i->state == INNER_GATHERS) == (i->site == NULL));
    ENSURE(!i->responded || i->out);
}

void inner_free(struct inner *i)
{
    if (!i)
        return;
    inner_check(i);
    loop_timer_stop(&i->outer->worker->loop, &i->timer);
    charged_free(i->data);
    charged_free(i->fields);
    charged_free(i->trailers);
    charged_free(i->out);
    budget_deinit(&i->memory);
    OPENSSL_cleanse(&i->answer, sizeof i->answer);
    http_site_unref(i->site);
    charged_free(i);
}

/* By the timer, which can be stopped where it is answered before that. */
void inner_refuse_later(struct inner *i, int status, const char *why)
{
    ENSURE(i->state == INNER_ANSWERS && status >= 400);
    if (i->refused)
        return;
    i->refused = status;
    i->refused_why = why;
    ENSURE(loop_timer_start(&i->outer->worker->loop, &i->timer, 0) == 0); /* it is started */
}

void inner_send_more(struct inner *i)
{
    struct http_exchange *outer = i->outer;
    struct http_pieces pieces = {i->out, i->out_size, i->sent};
    bool done = http_send_pieces(outer, &pieces);
    i->sent = pieces.sent;
    if (!done)
        return;
    outer->on_event = NULL;
    inner_free(i);
    outer->ops->finish(outer, NULL, 0);
}

/* From an operation of x, or from a turn: nothing of i is to be touched afterwards. */
void inner_send(struct inner *i)
{
    static const struct http_field fields[] = {{HTTP_TEXT("content-type"), HTTP_TEXT(OHTTP_ANSWER_MEDIA_TYPE)},
                                               {HTTP_TEXT("cache-control"), HTTP_TEXT("no-store")}};
    struct http_exchange *outer = i->outer;
    inner_check(i);
    ENSURE(i->state == INNER_ANSWERS);
    i->state = INNER_SENDS;
    i->x.on_event = NULL;
    loop_timer_stop(&outer->worker->loop, &i->timer);
    bool ok = i->out && RAND_bytes(i->out, (int)ohttp_nonce_size(&i->answer)) == 1 &&
              ohttp_answer_seal(&i->answer, i->out, i->out_size) == 0;
    if (ok && outer->ops->respond(outer, 200, fields, 2, (int64_t)i->out_size) == 0) {
        inner_send_more(i);
        return;
    }
    outer->on_event = NULL;
    inner_free(i);
    outer->ops->fail(outer, 503, HTTP_NO_MEMORY);
}
