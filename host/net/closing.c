/*
 * Sending the rest, then lingering. See closing.h.
 */
#include "host/net/closing.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/ensure.h"

#define NONE UINT32_MAX
#define DROP_PER_TURN (1u << 20) /* so that one peer's upload does not hold the others up */

void closing_init(struct closing *c, int epoll)
{
    *c = (struct closing){.epoll = epoll, .first = NONE, .last = NONE};
}

static void append(struct closing *c, struct slots *s, struct channel *ch)
{
    uint32_t index = slots_index(s, ch);
    ch->previous = c->last;
    ch->next = NONE;
    *(c->last == NONE ? &c->first : &s->channels[c->last].next) = index;
    c->last = index;
    c->count++;
}

static void detach(struct closing *c, struct slots *s, struct channel *ch)
{
    ENSURE(c->count > 0);
    *(ch->previous == NONE ? &c->first : &s->channels[ch->previous].next) = ch->next;
    *(ch->next == NONE ? &c->last : &s->channels[ch->next].previous) = ch->previous;
    c->count--;
}

int channel_watch(struct channel *ch, int epoll, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (ch->awaits_room ? EPOLLOUT : 0),
                                .data.u64 = ch->link.name};
    return epoll_ctl(epoll, operation, ch->fd, &event) == 0 ? 0 : -errno;
}

/* It is full. An edge that came before the kernel was to tell of them is told then. */
static int await_room(struct channel *ch, int epoll)
{
    bool watched = ch->awaits_room;
    ch->writable = false;
    ch->awaits_room = true;
    return watched ? 0 : channel_watch(ch, epoll, EPOLL_CTL_MOD);
}

int channel_send(struct channel *ch, int epoll)
{
    int moved = 0;
    while (ch->writable) {
        struct queue_span spans[2];
        int count = queue_consumer_peek(&ch->link.from, spans);
        if (count <= 0)
            return count < 0 ? count : moved;
        struct iovec parts[2] = {{spans[0].data, spans[0].size}, {spans[1].data, spans[1].size}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        ssize_t n = sendmsg(ch->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            queue_consumer_skip(&ch->link.from, (size_t)n);
            moved = 1;
        } else if (errno == EAGAIN) {
            int error = await_room(ch, epoll);
            if (error != 0)
                return error;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return moved;
}

void closing_begin(struct closing *c, struct slots *s, struct channel *ch, uint64_t now_ns)
{
    ENSURE(ch->state == CHANNEL_OPEN && ch->fd >= 0);
    queue_producer_drop(&ch->link.to);
    ch->state = CHANNEL_SENDING;
    ch->readable = !ch->eof;
    ch->quiet_by_ns = now_ns + CLOSING_SEND_QUIET_NS;
    ch->close_by_ns = now_ns + CLOSING_SEND_NS;
    append(c, s, ch);
}

/* Read and drop; false if the peer is gone, or has sent too much. */
static bool drop_input(struct closing *c, struct channel *ch, uint64_t now_ns)
{
    static _Thread_local char waste[65536];
    size_t dropped = 0;
    while (ch->readable && !ch->eof && dropped < DROP_PER_TURN) {
        ssize_t n = recv(ch->fd, waste, sizeof waste, MSG_DONTWAIT | MSG_TRUNC); /* TCP drops without copying */
        if (n > 0)
            dropped += (size_t)n;
        else if (n == 0)
            ch->eof = true;
        else if (errno == EAGAIN)
            ch->readable = false;
        else if (errno != EINTR)
            return false;
    }
    ch->discarded += dropped;
    if (dropped > 0 && ch->state == CHANNEL_LINGERING)
        ch->quiet_by_ns = now_ns + CLOSING_QUIET_NS;
    if (ch->readable && !ch->eof) /* there is more: have the kernel say so again, after the others' turns */
        channel_watch(ch, c->epoll, EPOLL_CTL_MOD);
    return ch->discarded <= CLOSING_BYTES_MAX;
}

/* Once all is sent: our end of the stream. false: the socket is broken. */
static bool send_rest(struct closing *c, struct slots *s, struct channel *ch, uint64_t now_ns)
{
    int result = channel_send(ch, c->epoll);
    if (result < 0)
        return false;
    if (result > 0)
        ch->quiet_by_ns = now_ns + CLOSING_SEND_QUIET_NS;
    if (queue_consumer_available(&ch->link.from) == 0) {
        if (!ch->eof) /* else it is closed at once, which says the same */
            shutdown(ch->fd, SHUT_WR);
        slots_release_memory(s, ch);
        ch->state = CHANNEL_LINGERING;
        ch->quiet_by_ns = now_ns + CLOSING_QUIET_NS;
        ch->close_by_ns = now_ns + CLOSING_NS;
    }
    return true;
}

bool closing_turn(struct closing *c, struct slots *s, struct channel *ch, uint64_t now_ns)
{
    bool sound = drop_input(c, ch, now_ns);
    if (sound && ch->state == CHANNEL_SENDING)
        sound = send_rest(c, s, ch, now_ns);
    if (sound && !(ch->state == CHANNEL_LINGERING && ch->eof))
        return false;
    closing_end(c, s, ch);
    return true;
}

void closing_end(struct closing *c, struct slots *s, struct channel *ch)
{
    detach(c, s, ch);
    if (ch->state == CHANNEL_SENDING)
        slots_release_memory(s, ch);
    close(ch->fd); /* leaves the epoll set, too */
    ch->fd = -1;
}

bool closing_is_late(const struct channel *ch, uint64_t now_ns)
{
    return now_ns >= ch->quiet_by_ns || now_ns >= ch->close_by_ns;
}

bool closing_is_unsent(const struct channel *ch)
{
    int bytes = 0;
    return ch->state == CHANNEL_SENDING || (ioctl(ch->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0);
}

void closing_check(const struct closing *c, const struct slots *s)
{
    uint32_t listed = 0, closing = 0, before = NONE;
    for (uint32_t i = c->first; i != NONE; before = i, i = s->channels[i].next) {
        ENSURE(i < s->never_used);
        ENSURE(s->channels[i].state == CHANNEL_SENDING || s->channels[i].state == CHANNEL_LINGERING);
        ENSURE(s->channels[i].previous == before);
        listed++;
        ENSURE(listed <= s->never_used); /* no circle */
    }
    for (uint32_t i = 0; i < s->never_used; i++)
        closing += s->channels[i].state == CHANNEL_SENDING || s->channels[i].state == CHANNEL_LINGERING;
    ENSURE(c->last == before);
    ENSURE(listed == c->count && listed == closing);
}
