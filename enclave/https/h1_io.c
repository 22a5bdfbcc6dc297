/*
 * Bytes between an HTTP/1.1 connection's buffers and its transport.
 */
#include <errno.h>

#include "enclave/https/h1_internal.h"

/* Who is gone while its request is answered has nothing to wait for. */
int h1_input_ended(struct h1 *c, ssize_t why)
{
    ENSURE(why <= 0 && why != -EAGAIN);
    c->eof = c->eof || why == 0 || why == -EPIPE;
    c->broken = c->broken || (why < 0 && (why != -EPIPE || c->state == H1_EXCHANGE));
    return -1;
}

/* Who ended its side may still read, as long as it is there. */
static int look_behind_the_end(struct h1 *c)
{
    char none;
    ENSURE(c->eof);
    ssize_t got = c->broken ? 0 : c->transport->ops->read(c->transport, &none, sizeof none);
    return h1_input_ended(c, got < 0 && got != -EAGAIN ? got : 0);
}

int h1_fill(struct h1 *c)
{
    ENSURE(c->in_start <= c->in_end && c->in_end <= H1_IN_SIZE);
    if (c->eof)
        return look_behind_the_end(c);
    if (c->broken)
        return -1;
    if (!c->in)
        c->in = charged_alloc(c->transport->memory, H1_IN_SIZE);
    if (!c->in) {
        c->broken = true;
        return -1;
    }
    if (c->in_start == c->in_end && !c->span_size)
        c->in_start = c->in_end = 0;
    if (c->in_end == H1_IN_SIZE)
        return 0;
    ssize_t got = c->transport->ops->read(c->transport, c->in + c->in_end, H1_IN_SIZE - c->in_end);
    if (got == -EAGAIN)
        return 0;
    if (got <= 0)
        return h1_input_ended(c, got);
    ENSURE((size_t)got <= H1_IN_SIZE - c->in_end); /* the transport is ours */
    c->in_end += (uint32_t)got;
    h1_pace_moved(c, &c->sending, (size_t)got);
    if (c->state != H1_HEAD) /* a trickle of header bytes does not buy time */
        h1_progress(c);
    return 1;
}

void h1_flush(struct h1 *c)
{
    struct h1_buffer *b = &c->out;
    h1_buffer_check(b);
    if (b->start == b->end || c->broken)
        return;
    while (b->start < b->end) {
        uint32_t size = h1_used(b);
        /* A head whose framing is not decided yet stays. */
        if (c->state == H1_EXCHANGE && c->responded && !c->framed)
            size -= c->head_size;
        if (size == 0)
            break;
        ssize_t sent = c->transport->ops->write(c->transport, b->data + b->start, size);
        if (sent == -EAGAIN)
            break;
        if (sent < 0) {
            c->broken = true;
            h1_post(c);
            return;
        }
        ENSURE((size_t)sent <= size);
        b->start += (uint32_t)sent;
        h1_pace_moved(c, &c->taking, (size_t)sent);
        h1_progress(c);
    }
    if (b->start == b->end)
        b->start = b->end = 0;
    c->transport->ops->flush(c->transport);
}
