/*
 * The I/O thread. See io.h.
 *
 * Its turn: names from the enclave's doorbell, then events of the sockets, then answers that services have ready;
 * at the end one wake for everything that was put into the worker's doorbell. With nothing to do it spins for a
 * moment, takes a few naps, announces that it sleeps (to the enclave by the doorbell's flag, to the host's threads by
 * `asleep`), looks once more, and waits in epoll.
 */
#include "host/net/io.h"

#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "common/ensure.h"
#include "common/owner.h"
#include "edl/enclave_os_u.h"
#include "host/thread/clock.h"
#include "host/net/closing.h"
#include "host/net/slots.h"
#include "host/thread/threads.h"

#define EVENTS_MAX 128
#define NAMES_PER_TURN 256
#define ACCEPTS_PER_TURN 64
/* Waiting, in three steps (measured, docs/benchmarks.md). First it spins, which bridges the gap between a request and
 * its answer. Then, while requests keep coming, it naps: as long as the enclave may count on being looked at, it need
 * not leave to wake anyone. Only when nothing has come for a while does it sleep, and say so. */
#define SPIN_NS 20000u
#define NAP_NS 50000u
#define NAPS_MAX 20u
#define NAP_SLACK_NS 5000u
#define LISTEN_BACKLOG 4096
#define FINISH_NS 2000000000u /* at shutdown: how long to send what is left */
#define CONTROL_RING_CAPACITY PROTO_RING_MAX
#define BUSY_RETRIES 200
/* Of output in the kernel that is not yet on its way. Without it a client that reads 20 KB/s stands still for the
 * enclave for half a minute at a time, while the kernel's megabytes drain, and is taken for one that reads nothing. */
#define UNSENT_MAX 65536

/* epoll's data for what is no channel; channel ids are far below. */
#define TAG_LISTENER ((uint64_t)UINT32_MAX)
#define TAG_WAKE ((uint64_t)UINT32_MAX - 1)

struct io {
    struct enclave *enclave;
    uint32_t worker;
    int epoll, wake, listener;
    bool accepting, listener_armed;
    atomic_bool asked_accept, asked_stop, asked_finish;
    _Atomic uint32_t asleep; /* 1: a write to wake is needed */
    pthread_t thread;
    bool started;
    struct owner maker; /* whose thread may open and close the port */
    bool stopped;       /* the maker's: the listener may be closed */

    struct doorbell_shared *bell_in, *bell_out;
    struct doorbell_producer to_worker;
    struct doorbell_consumer from_worker;
    bool rang;
    uint8_t *shared; /* everything shared but the slots, one mapping */
    size_t shared_size;
    struct control control;
    struct slots slots;
    struct closing closing;
    _Atomic uint32_t used_count; /* slots that are not free; written by the I/O thread */
    bool quiet;                  /* the last look into the doorbell found nothing */
    uint64_t finish_by_ns;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void futex_wake(struct doorbell_shared *bell)
{
    syscall(SYS_futex, doorbell_futex(bell), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- doorbells --------------------------------------------------------------------------------------------- */

static void ring_worker(struct io *io, channel_name name)
{
    if (doorbell_push(&io->to_worker, name) != 0) {
        fprintf(stderr, "enclave-os: worker %u does not read its doorbell: giving up\n", io->worker);
        abort(); /* the enclave is broken; nothing sensible can follow */
    }
    io->rang = true;
}

static void ring_control(void *user)
{
    ring_worker(user, channel_name_make(CHANNEL_CONTROL_ID, 0));
}

static void wake_if_rang(struct io *io)
{
    if (!io->rang)
        return;
    io->rang = false;
    if (doorbell_wake(&io->to_worker))
        futex_wake(io->bell_in);
}

void io_kick(struct io *io)
{
    if (atomic_exchange(&io->asleep, 0) == 1) {
        uint64_t one = 1;
        ssize_t ignored = write(io->wake, &one, sizeof(one));
        (void)ignored;
    }
}

static void kick(void *user)
{
    io_kick(user);
}

int io_wait_for_news(struct io *io, uint64_t timeout_ns)
{
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    bool forever = timeout_ns > 1000000000ull * 86400 * 365;
    io_kick(io);
    clock_thread_rests();
    int result = 0;
    while (atomic_load(&io->bell_in->sleeping) == 1 && result == 0) {
        if (syscall(SYS_futex, doorbell_futex(io->bell_in), FUTEX_WAIT_PRIVATE, 1, forever ? NULL : &timeout, NULL,
                    0) != 0 &&
            errno == ETIMEDOUT)
            result = -ETIMEDOUT;
    }
    clock_thread_works();
    return result;
}

void io_wake_worker(struct io *io)
{
    atomic_exchange(&io->bell_in->sleeping, 0);
    futex_wake(io->bell_in);
}

/* ---- closing ----------------------------------------------------------------------------------------------- */

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
    io->used_count--;
    if (io->accepting && !io->listener_armed) { /* there is a slot again */
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = TAG_LISTENER};
        io->listener_armed = epoll_ctl(io->epoll, EPOLL_CTL_MOD, io->listener, &event) == 0;
    }
}

/* Slots are short: those that only linger go first. */
static void make_room(struct io *io)
{
    if (io->used_count < io->slots.count || io->closing.count == 0)
        return;
    struct channel *oldest = &io->slots.channels[io->closing.first];
    closing_end(&io->closing, &io->slots, oldest);
    give_back(io, oldest);
}

/* Called about once a second. */
static void sweep_closing(struct io *io)
{
    uint64_t now = now_ns();
    for (uint32_t index = io->closing.first; index != UINT32_MAX;) {
        struct channel *ch = &io->slots.channels[index];
        index = ch->next;
        if (closing_is_late(ch, now)) {
            closing_end(&io->closing, &io->slots, ch);
            give_back(io, ch);
        }
    }
}

/* ---- moving bytes ------------------------------------------------------------------------------------------ */

static void announce(struct io *io, struct channel *ch)
{
    if (link_name_due(&ch->link))
        ring_worker(io, ch->link.name);
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
    int result = ch->fd >= 0 ? channel_send(ch) : 0;
    if (result < 0)
        socket_broken(io, ch);
    if (ch->fd < 0) /* nobody is there to take it */
        queue_consumer_skip(&ch->link.from, SLOT_RING_CAPACITY);
    if (link_release(&ch->link)) /* there is space, and the enclave waits for it */
        ring_worker(io, ch->link.name);
}

static void pump(struct io *io, struct channel *ch)
{
    pump_out(io, ch);
    pump_in(io, ch);
}

static void pump_closing(struct io *io, struct channel *ch)
{
    if (closing_turn(&io->closing, &io->slots, ch, now_ns()))
        give_back(io, ch);
}

/* The enclave has let go. */
static void on_ended(struct io *io, struct channel *ch)
{
    if (ch->fd >= 0 && queue_consumer_ended(&ch->link.from) != RING_RST) {
        closing_begin(&io->closing, &io->slots, ch, now_ns());
        pump_closing(io, ch);
        return;
    }
    if (ch->fd >= 0) {
        struct linger abort_now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(ch->fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
    }
    slots_release_memory(&io->slots, ch);
    give_back(io, ch);
}

/* ---- new channels ------------------------------------------------------------------------------------------ */

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

static int init_channel(struct io *io, const struct channel_desc *desc)
{
    int32_t result = 0;
    int status = -EBUSY;
    /* Every TCS may be taken for a moment by the other I/O threads. */
    for (int i = 0; i < BUSY_RETRIES && status == -EBUSY; i++) {
        if (i > 0)
            usleep(50);
        status = ecall_init_channel_u(io->enclave, &result, desc);
    }
    return status != 0 ? status : result;
}

/* A channel for a connected socket, which is closed on failure. */
static int open_channel(struct io *io, int fd, enum channel_kind kind, const struct sockaddr_storage *peer,
                        struct channel **out)
{
    int on = 1, unsent = UNSENT_MAX;
    make_room(io);
    struct channel *ch = slots_take(&io->slots);
    if (!ch) {
        close(fd);
        return -EAGAIN;
    }
    io->used_count++;
    ch->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    struct channel_desc desc;
    slots_describe(&io->slots, ch, kind, io->worker, &desc);
    set_peer(&desc, peer);
    int result = init_channel(io, &desc);
    if (result != 0) {
        give_back(io, ch);
        return result;
    }
    ch->readable = ch->writable = true;
    announce(io, ch); /* also without bytes: the enclave times the handshake from now on */
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = ch->link.name};
    if (epoll_ctl(io->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        socket_broken(io, ch); /* the enclave has the channel: it must let go first */
        return -EIO;
    }
    *out = ch;
    return 0;
}

static int open_for_control(void *user, int fd, channel_name *name)
{
    struct io *io = user;
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    struct channel *ch = NULL;
    getpeername(fd, (struct sockaddr *)&peer, &size);
    int result = open_channel(io, fd, CHANNEL_EGRESS, &peer, &ch);
    if (result == 0)
        *name = ch->link.name;
    return result;
}

static void disarm_listener(struct io *io)
{
    struct epoll_event event = {.events = 0, .data.u64 = TAG_LISTENER};
    epoll_ctl(io->epoll, EPOLL_CTL_MOD, io->listener, &event);
    io->listener_armed = false;
}

static void accept_some(struct io *io)
{
    for (int i = 0; i < ACCEPTS_PER_TURN && io->accepting; i++) {
        make_room(io);
        if (io->used_count == io->slots.count) {
            disarm_listener(io); /* the kernel's backlog waits until a slot is free */
            return;
        }
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof(peer);
        int fd = accept4(io->listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                disarm_listener(io); /* armed again when a connection closes, or at the next sweep */
            return;
        }
        struct channel *ch;
        if (open_channel(io, fd, CHANNEL_CONNECTION, &peer, &ch) == 0)
            pump_in(io, ch); /* the first bytes are often there */
    }
}

/* ---- the thread -------------------------------------------------------------------------------------------- */

static void on_name(struct io *io, channel_name name)
{
    if ((uint32_t)name == CHANNEL_CONTROL_ID) {
        control_on_news(&io->control);
        return;
    }
    struct channel *ch = slots_find(&io->slots, name & ~(channel_name)CHANNEL_ENDED);
    if (!ch || ch->state != CHANNEL_OPEN)
        return; /* no enclave of ours says so */
    if (name & CHANNEL_ENDED) {
        on_ended(io, ch);
    } else {
        link_on_name(&ch->link);
        pump(io, ch);
    }
}

static bool read_doorbell(struct io *io)
{
    channel_name name;
    int count = 0;
    while (count < NAMES_PER_TURN && doorbell_pop(&io->from_worker, &name) == 1) {
        count++;
        on_name(io, name);
    }
    io->quiet = count == 0;
    return count > 0;
}

static void on_channel_event(struct io *io, channel_name name, uint32_t events)
{
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

#define FOREVER_NS UINT64_MAX

static bool poll_sockets(struct io *io, uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    int count = epoll_pwait2(io->epoll, events, EVENTS_MAX, timeout_ns == FOREVER_NS ? NULL : &timeout, NULL);
    for (int i = 0; i < count; i++) {
        uint64_t tag = events[i].data.u64, value;
        if (tag == TAG_LISTENER)
            accept_some(io);
        else if (tag != TAG_WAKE)
            on_channel_event(io, tag, events[i].events);
        else if (read(io->wake, &value, sizeof(value)) < 0)
            continue; /* someone else's wake was read already */
    }
    return count > 0;
}

static void start_accepting(struct io *io)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = TAG_LISTENER};
    if (epoll_ctl(io->epoll, EPOLL_CTL_ADD, io->listener, &event) != 0) {
        fprintf(stderr, "enclave-os: cannot listen: %s\n", strerror(errno));
        io->control.backends->on_shutdown();
        return;
    }
    io->accepting = io->listener_armed = true;
}

static void obey(struct io *io)
{
    if (atomic_exchange(&io->asked_accept, false) && io->listener >= 0 && !io->accepting)
        start_accepting(io);
    if (atomic_exchange(&io->asked_stop, false) && io->listener >= 0) {
        io->accepting = io->listener_armed = false;
        close(io->listener);
        io->listener = -1;
    }
    if (io->finish_by_ns == 0 && atomic_load(&io->asked_finish))
        io->finish_by_ns = now_ns() + FINISH_NS;
}

static bool asked(struct io *io)
{
    return atomic_load(&io->asked_accept) || atomic_load(&io->asked_stop) ||
           (io->finish_by_ns == 0 && atomic_load(&io->asked_finish));
}

/* Sleep for a moment: sockets and the host's threads wake it, the enclave does not. */
static void nap(struct io *io)
{
    atomic_store(&io->asleep, 1);
    if (!control_has_work(&io->control) && !asked(io))
        poll_sockets(io, NAP_NS);
    atomic_store(&io->asleep, 0);
}

/* Sleep until something happens. Both announcements come before the last look: whoever comes after it sees them. */
static void sleep_once(struct io *io)
{
    atomic_store(&io->asleep, 1);
    bool quiet = doorbell_sleep(&io->from_worker);
    uint64_t timeout_ns = FOREVER_NS;
    if (io->finish_by_ns)
        timeout_ns = 20000000u;
    else if (io->closing.count > 0 || (io->accepting && !io->listener_armed))
        timeout_ns = 1000000000u;
    if (quiet && !control_has_work(&io->control) && !asked(io))
        poll_sockets(io, timeout_ns);
    doorbell_awake(&io->from_worker);
    atomic_store(&io->asleep, 0);
}

/* Nothing more can come: the enclave's threads are out, and what they rang for has been read. */
static bool everything_sent(struct io *io)
{
    for (uint32_t i = io->closing.first; i != UINT32_MAX; i = io->slots.channels[i].next)
        if (closing_is_unsent(&io->slots.channels[i]))
            return false;
    return io->quiet;
}

static bool finished(struct io *io)
{
    return io->finish_by_ns != 0 && (everything_sent(io) || now_ns() > io->finish_by_ns);
}

static void sweep(struct io *io, uint64_t *next_ns)
{
    uint64_t now = now_ns();
    if (now < *next_ns)
        return;
    *next_ns = now + 1000000000u;
    sweep_closing(io);
    if (io->accepting && !io->listener_armed && io->used_count < io->slots.count) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = TAG_LISTENER};
        io->listener_armed = epoll_ctl(io->epoll, EPOLL_CTL_MOD, io->listener, &event) == 0;
    }
}

static void *run(void *argument)
{
    struct io *io = argument;
    char name[16];
    snprintf(name, sizeof(name), "io %u", io->worker);
    pthread_setname_np(pthread_self(), name);
    prctl(PR_SET_TIMERSLACK, NAP_SLACK_NS);
    uint64_t busy_ns = now_ns(), sweep_ns = 0;
    uint32_t naps = 0;
    while (!finished(io)) {
        bool busy = read_doorbell(io);
        wake_if_rang(io);
        busy |= poll_sockets(io, 0);
        control_turn(&io->control);
        wake_if_rang(io);
        obey(io);
        uint64_t now = now_ns();
        if (busy) {
            busy_ns = now;
            naps = 0;
        } else if (naps < NAPS_MAX && now - busy_ns > SPIN_NS) {
            nap(io);
            naps++;
            wake_if_rang(io);
        } else if (now - busy_ns > SPIN_NS) {
            sleep_once(io);
            naps = 0;
            wake_if_rang(io);
            busy_ns = now_ns();
        }
        sweep(io, &sweep_ns);
    }
    return NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static size_t page_round(size_t size)
{
    return (size + 4095) & ~(size_t)4095;
}

/* One lazily filled mapping: both doorbells, both control rings' headers, both control rings' data. */
static int map_shared(struct io *io, struct channel_desc *desc)
{
    size_t bell = page_round(sizeof(struct doorbell_shared));
    io->shared_size = 2 * bell + 4096 + 2ull * CONTROL_RING_CAPACITY;
    void *p = mmap(NULL, io->shared_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    io->shared = p;
    io->bell_in = (struct doorbell_shared *)io->shared;
    io->bell_out = (struct doorbell_shared *)(io->shared + bell);
    struct ring_shared *rings = (struct ring_shared *)(io->shared + 2 * bell);
    uint8_t *data = io->shared + 2 * bell + 4096;
    doorbell_producer_init(&io->to_worker, io->bell_in);
    doorbell_consumer_init(&io->from_worker, io->bell_out);
    *desc = (struct channel_desc){
        .kind = CHANNEL_CONTROL,
        .worker = io->worker,
        .to_enclave = (uintptr_t)&rings[0],
        .to_enclave_data = (uintptr_t)data,
        .to_enclave_capacity = CONTROL_RING_CAPACITY,
        .to_host = (uintptr_t)&rings[1],
        .to_host_data = (uintptr_t)data + CONTROL_RING_CAPACITY,
        .to_host_capacity = CONTROL_RING_CAPACITY,
        .doorbell_in = (uintptr_t)io->bell_in,
        .doorbell_out = (uintptr_t)io->bell_out,
    };
    ENSURE(link_init_host(&io->control.link, desc) == 0);
    io->control.link.name = channel_name_make(CHANNEL_CONTROL_ID, 0);
    return 0;
}

static int open_poll(struct io *io)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = TAG_WAKE};
    io->epoll = epoll_create1(EPOLL_CLOEXEC);
    io->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (io->epoll < 0 || io->wake < 0 || epoll_ctl(io->epoll, EPOLL_CTL_ADD, io->wake, &event) != 0)
        return -errno;
    return 0;
}

int io_create(const struct io_options *o, struct io **out, char *error, size_t error_size)
{
    struct channel_desc desc;
    struct io *io = calloc(1, sizeof(*io));
    if (!io)
        return -ENOMEM;
    owner_take(&io->maker);
    io->enclave = o->enclave;
    io->worker = o->worker;
    io->listener = o->listener;
    io->epoll = io->wake = -1;
    io->control.backends = o->backends;
    io->control.wake = kick;
    io->control.ring = ring_control;
    io->control.open = open_for_control;
    io->control.user = io;
    uint32_t count = PROTO_MAX_CHANNELS / o->workers;
    int result = map_shared(io, &desc);
    if (result == 0)
        result = open_poll(io);
    closing_init(&io->closing, io->epoll);
    if (result == 0)
        result = slots_init(&io->slots, o->worker * count, count);
    if (result == 0) {
        control_init(&io->control);
        result = init_channel(io, &desc);
    }
    if (result != 0) {
        snprintf(error, error_size, "worker %u cannot be set up: %s", o->worker, strerror(-result));
        io_destroy(io);
        return result;
    }
    *out = io;
    return 0;
}

int io_start(struct io *io)
{
    int result = thread_start(&io->thread, run, io);
    io->started = result == 0;
    return result;
}

int io_accept(struct io *io)
{
    owner_check(&io->maker);
    ENSURE(!io->stopped);
    int seconds = 1; /* come with the first bytes, or after this: saves the enclave a wake for each connection */
    setsockopt(io->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    if (listen(io->listener, LISTEN_BACKLOG) != 0)
        return -errno;
    atomic_store(&io->asked_accept, true);
    io_kick(io);
    return 0;
}

void io_stop_accepting(struct io *io)
{
    owner_check(&io->maker);
    io->stopped = true;
    atomic_store(&io->asked_stop, true);
    io_kick(io);
}

void io_finish(struct io *io)
{
    owner_check(&io->maker);
    atomic_store(&io->asked_finish, true);
    io_kick(io);
}

uint32_t io_used(const struct io *io)
{
    return atomic_load_explicit(&io->used_count, memory_order_relaxed);
}

void io_destroy(struct io *io)
{
    if (io->started)
        pthread_join(io->thread, NULL);
    for (uint32_t i = 0; i < io->slots.never_used; i++)
        if (io->slots.channels[i].state != CHANNEL_FREE)
            close_socket(&io->slots.channels[i]);
    if (io->listener >= 0)
        close(io->listener);
    if (io->epoll >= 0)
        close(io->epoll);
    if (io->wake >= 0)
        close(io->wake);
    slots_deinit(&io->slots);
    if (io->shared)
        munmap(io->shared, io->shared_size);
    free(io);
}
