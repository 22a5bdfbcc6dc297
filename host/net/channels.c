/*
 * A worker's channels: bytes from the socket to the ring and back, from accept or connect until the slot is free again.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "edl/enclave_os_u.h"
#include "host/net/internal.h"

#define BUSY_RETRIES 200
/* Of output in the kernel that is not yet on its way. Without it a client that reads 20 KB/s stands still for the
 * enclave for half a minute at a time, while the kernel's megabytes drain, and is taken for one that reads nothing. */
#define UNSENT_MAX 65536

/* ---- the end of one -------------------------------------------------------------------------------------------- */

static void close_socket(struct channel *ch)
{
    if (ch->fd >= 0)
        close(ch->fd); /* leaves the epoll set, too */
    ch->fd = -1;
}

static void give_back(struct io *io, struct channel *ch)
{
    close_socket(ch);
    slots_give(&io->slots, ch);
    ENSURE(io->used_count > 0);
    io->used_count--;
    io->slot_came_free = true;
}

void channels_make_room(struct io *io)
{
    if (io->used_count < io->slots.count || io->closing.count == 0)
        return;
    struct channel *oldest = &io->slots.channels[io->closing.first];
    closing_end(&io->closing, &io->slots, oldest);
    give_back(io, oldest);
}

void channels_sweep(struct io *io)
{
    uint64_t now = clock_monotonic_ns();
    for (uint32_t index = io->closing.first; index != UINT32_MAX;) {
        struct channel *ch = &io->slots.channels[index];
        index = ch->next;
        if (closing_is_late(ch, now)) {
            closing_end(&io->closing, &io->slots, ch);
            give_back(io, ch);
        }
    }
}

bool channels_all_sent(const struct io *io)
{
    for (uint32_t i = io->closing.first; i != UINT32_MAX; i = io->slots.channels[i].next)
        if (closing_is_unsent(&io->slots.channels[i]))
            return false;
    return true;
}

void channels_close_all(struct io *io)
{
    for (uint32_t i = 0; i < io->slots.never_used; i++)
        if (io->slots.channels[i].state != CHANNEL_FREE)
            close_socket(&io->slots.channels[i]);
}

/* ---- moving bytes ---------------------------------------------------------------------------------------------- */

static void announce(struct io *io, struct channel *ch)
{
    if (link_name_due(&ch->link))
        io_ring_worker(io, ch->link.name);
    io->owed += ch->owes != io->rests;
    ch->owes = io->rests;
}

/* The enclave has said something of it. */
static void paid(struct io *io, struct channel *ch)
{
    ENSURE(ch->owes != io->rests || io->owed > 0);
    io->owed -= ch->owes == io->rests;
    ch->owes = 0;
}

static void socket_broken(struct io *io, struct channel *ch)
{
    close_socket(ch);
    ch->readable = ch->writable = false;
    queue_producer_rst(&ch->link.to);
    announce(io, ch);
}

static void pump_in(struct io *io, struct channel *ch)
{
    bool news = false;
    while (ch->readable) {
        struct queue_span spans[2];
        int count = queue_producer_reserve(&ch->link.to, spans);
        if (count == 0 && queue_producer_wait_space(&ch->link.to, 1))
            break; /* the enclave rings when it has read */
        if (count == 0)
            continue;
        struct iovec parts[2] = {{spans[0].data, spans[0].size}, {spans[1].data, spans[1].size}};
        ssize_t n = count > 0 ? readv(ch->fd, parts, count) : -1;
        if (n > 0) {
            queue_producer_commit(&ch->link.to, (size_t)n);
            news = true;
            /* A short read has emptied the socket: the next bytes make a new edge. */
            if ((size_t)n < spans[0].size + spans[1].size && !ch->hangup)
                ch->readable = false;
        } else if (n == 0) {
            ch->readable = false;
            ch->eof = true;
            queue_producer_fin(&ch->link.to);
            news = true;
        } else if (count > 0 && errno == EAGAIN) {
            ch->readable = false;
        } else if (count < 0 || errno != EINTR) {
            socket_broken(io, ch);
            return;
        }
    }
    if (news)
        announce(io, ch);
}

static void pump_out(struct io *io, struct channel *ch)
{
    int result = ch->fd >= 0 ? channel_send(ch, io->epoll) : 0;
    if (result < 0)
        socket_broken(io, ch);
    if (ch->fd < 0) /* nobody is there to take it */
        queue_consumer_skip(&ch->link.from, SLOT_RING_CAPACITY);
    if (link_release(&ch->link)) /* there is space, and the enclave waits for it */
        io_ring_worker(io, ch->link.name);
}

static void pump(struct io *io, struct channel *ch)
{
    pump_out(io, ch);
    pump_in(io, ch);
}

static void pump_closing(struct io *io, struct channel *ch)
{
    if (closing_turn(&io->closing, &io->slots, ch, clock_monotonic_ns()))
        give_back(io, ch);
}

/* The enclave has let go. */
static void on_ended(struct io *io, struct channel *ch)
{
    if (ch->fd >= 0 && queue_consumer_ended(&ch->link.from) != RING_RST) {
        closing_begin(&io->closing, &io->slots, ch, clock_monotonic_ns());
        pump_closing(io, ch);
        return;
    }
    if (ch->fd >= 0) {
        struct linger abort_now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(ch->fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof abort_now);
    }
    slots_release_memory(&io->slots, ch);
    give_back(io, ch);
}

void channels_on_name(struct io *io, channel_name name)
{
    owner_check(&io->owner);
    struct channel *ch = slots_find(&io->slots, name & ~(channel_name)CHANNEL_ENDED);
    if (!ch || ch->state != CHANNEL_OPEN)
        return; /* no enclave of ours says so */
    paid(io, ch);
    if (name & CHANNEL_ENDED) {
        on_ended(io, ch);
    } else {
        link_on_name(&ch->link);
        pump(io, ch);
    }
}

void channels_on_event(struct io *io, channel_name name, uint32_t events)
{
    owner_check(&io->owner);
    struct channel *ch = slots_find(&io->slots, name);
    if (!ch || ch->fd < 0)
        return; /* closed earlier in this batch */
    if (events & (EPOLLRDHUP | EPOLLHUP))
        ch->hangup = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
        ch->readable = true;
    if (events & (EPOLLOUT | EPOLLHUP))
        ch->writable = true;
    if (ch->state == CHANNEL_OPEN && (events & EPOLLERR))
        socket_broken(io, ch); /* reset: told at once, not when the enclave has made room for what came before */
    else if (ch->state == CHANNEL_OPEN)
        pump(io, ch);
    else
        pump_closing(io, ch);
}

/* ---- a new one ------------------------------------------------------------------------------------------------- */

static void set_peer(struct channel_desc *desc, const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
        memcpy(desc->peer, &v6->sin6_addr, 16);
        desc->peer_port = ntohs(v6->sin6_port);
    } else if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
        memset(desc->peer + 10, 0xff, 2);
        memcpy(desc->peer + 12, &v4->sin_addr, 4);
        desc->peer_port = ntohs(v4->sin_port);
    }
}

void channels_set_options(int fd)
{
    int on = 1, unsent = UNSENT_MAX;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

int channels_post(struct io *io, const struct channel_desc *desc)
{
    int32_t result = 0;
    int error = -EBUSY;
    /* Every TCS may be taken for a moment by the other I/O threads. */
    for (int i = 0; i < BUSY_RETRIES && error == -EBUSY; i++) {
        if (i > 0)
            usleep(50);
        error = ecall_init_channel_u(io->enclave, &result, desc);
    }
    return error != 0 ? error : result;
}

int channels_open(struct io *io, int fd, enum channel_kind kind, const struct sockaddr_storage *peer,
                  struct channel **out)
{
    owner_check(&io->owner);
    channels_make_room(io);
    struct channel *ch = slots_take(&io->slots);
    if (!ch) {
        close(fd);
        return -EAGAIN;
    }
    io->used_count++;
    ch->fd = fd;
    if (kind == CHANNEL_EGRESS)
        channels_set_options(fd);
    struct channel_desc desc;
    slots_describe(&io->slots, ch, kind, io->worker, &desc);
    set_peer(&desc, peer);
    int result = channels_post(io, &desc);
    if (result != 0) {
        give_back(io, ch);
        return result;
    }
    ch->readable = ch->writable = true;
    announce(io, ch); /* also without bytes: the enclave times the handshake from now on */
    if (channel_watch(ch, io->epoll, EPOLL_CTL_ADD) != 0) {
        socket_broken(io, ch); /* the enclave has the channel: it must let go first */
        return -EIO;
    }
    *out = ch;
    return 0;
}

void channels_check(const struct io *io)
{
    slots_check(&io->slots);
    closing_check(&io->closing, &io->slots);
    ENSURE(atomic_load(&io->used_count) == slots_used(&io->slots));
    ENSURE(io->owed <= slots_used(&io->slots));
    ENSURE(!io->listener_armed || io->accepting);
    ENSURE(!io->accepting || io->listener >= 0);
}
