/*
 * The body of an HTTP/1.1 request, as it is wanted.
 */
#include <errno.h>

#include "enclave/https/h1_internal.h"

static void send_continue(struct h1 *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ENSURE(c->expect_continue);
    c->expect_continue = false;
    if (c->framed || h1_room(&c->out, sizeof text) != 0)
        return;
    /* It goes before a head that has not been sent. */
    uint32_t head = c->responded ? c->head_size : 0, size = sizeof text - 1;
    ENSURE(head <= h1_used(&c->out));
    char *at = c->out.data + c->out.end - head;
    memmove(at + size, at, head);
    memcpy(at, text, size);
    c->out.end += size;
    h1_flush(c);
}

/* The rest of the connection cannot be understood: h1_run answers, if nothing was answered yet. */
static int body_is_broken(struct h1 *c)
{
    c->keep_alive = false;
    h1_post(c);
    bool large = c->fault == H1_LARGE_BODY || c->fault == H1_LARGE_FOR_APP;
    return large ? -EMSGSIZE : c->fault == H1_SHORT_BODY ? -ECONNRESET : -EBADMSG;
}

int h1_body(struct h1 *c)
{
    ENSURE(c->state == H1_EXCHANGE || c->state == H1_DRAIN);
    ENSURE(c->in || c->span_size == 0);
    for (;;) {
        if (c->body_read > c->server->limits.streamed_body && !c->fault)
            c->fault = H1_LARGE_BODY;
        if (c->x.body_max && c->body_read > c->x.body_max && !c->fault)
            c->fault = H1_LARGE_FOR_APP;
        if (c->fault)
            return body_is_broken(c);
        if (c->span_size)
            return 1;
        if (c->message_complete)
            return 0;
        if (c->in_start < c->in_end) {
            h1_parse(c);
            continue;
        }
        if (c->expect_continue)
            send_continue(c);
        int got = h1_fill(c);
        if (got == 0)
            return -EAGAIN;
        if (got < 0) {
            c->fault = H1_SHORT_BODY;
            return body_is_broken(c);
        }
    }
}

/* What is left of a body that goes on in the transport, and of which nothing has to be judged any more; or 0. The
 * parser knows, too, how much that is: it goes on behind it, whoever reads how much of it. */
static uint64_t left_to_read(const struct h1 *c)
{
    int64_t length = c->x.request.content_length;
    bool goes_on = c->state == H1_EXCHANGE && c->span_size == 0 && c->in_start == c->in_end && !c->message_complete &&
                   !c->expect_continue && !c->fault && !c->eof && !c->broken;
    if (!goes_on || length <= 0 || (uint64_t)length > c->server->limits.streamed_body ||
        (c->x.body_max && (uint64_t)length > c->x.body_max))
        return 0;
    ENSURE(c->body_read < (uint64_t)length);
    uint64_t left = (uint64_t)length - c->body_read;
    return c->parser.content_length == left ? left : 0;
}

ssize_t h1_body_direct(struct h1 *c, void *buf, size_t size)
{
    ENSURE(buf && size > 0);
    uint64_t left = left_to_read(c);
    size = size < left ? size : (size_t)left;
    if (size == 0)
        return 0;
    ssize_t got = c->transport->ops->read(c->transport, buf, size);
    if (got == -EAGAIN)
        return got;
    if (got <= 0) {
        h1_input_ended(c, got);
        return 0;
    }
    ENSURE((size_t)got <= size); /* the transport is ours */
    c->body_read += (uint64_t)got;
    c->parser.content_length -= (uint64_t)got;
    c->message_complete = (uint64_t)got == left;
    h1_pace_moved(c, &c->sending, (size_t)got);
    h1_progress(c);
    return got;
}
