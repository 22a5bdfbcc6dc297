/*
 * The life of a worker's network side, and its doors for the thread that made it. See io.h; the I/O thread itself is
 * in turn.c.
 */
#include "host/net/io.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/net/internal.h"
#include "host/thread/threads.h"

#define LISTEN_BACKLOG 4096
#define CONTROL_RING_CAPACITY PROTO_RING_MAX

/* ---- what the control channel asks for ------------------------------------------------------------------------- */

static void ring_control(void *user)
{
    io_ring_worker(user, channel_name_make(CHANNEL_CONTROL_ID, 0));
}

static void kick(void *user)
{
    io_kick(user);
}

static int open_for_control(void *user, int fd, channel_name *name)
{
    struct io *io = user;
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    struct channel *ch = NULL;
    getpeername(fd, (struct sockaddr *)&peer, &size);
    int result = channels_open(io, fd, CHANNEL_EGRESS, &peer, &ch);
    if (result == 0)
        *name = ch->link.name;
    return result;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

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
    struct io *io = calloc(1, sizeof *io);
    ENSURE(o->worker < PROTO_MAX_WORKERS && o->backends);
    ENSURE(o->channels > 0 && o->first_channel + o->channels <= PROTO_MAX_CHANNELS);
    if (!io) {
        snprintf(error, error_size, "worker %u cannot be set up: out of memory", o->worker);
        if (o->listener >= 0)
            close(o->listener);
        if (o->local >= 0)
            close(o->local);
        return -ENOMEM;
    }
    owner_take(&io->maker);
    io->enclave = o->enclave;
    io->worker = o->worker;
    io->listener = o->listener;
    io->local = o->local;
    pthread_mutex_init(&io->hold_lock, NULL);
    pthread_cond_init(&io->hold_changed, NULL);
    io->epoll = io->wake = -1;
    io->control.backends = o->backends;
    io->control.wake = kick;
    io->control.ring = ring_control;
    io->control.open = open_for_control;
    io->control.user = io;
    int result = map_shared(io, &desc);
    if (result == 0)
        result = open_poll(io);
    closing_init(&io->closing, io->epoll);
    if (result == 0)
        result = slots_init(&io->slots, o->first_channel, o->channels);
    if (result == 0) {
        control_init(&io->control);
        result = channels_post(io, &desc);
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
    owner_check(&io->maker);
    ENSURE(!io->started);
    int result = thread_start(&io->thread, io_run, io);
    io->started = result == 0;
    return result;
}

int io_accept(struct io *io)
{
    owner_check(&io->maker);
    ENSURE(!io->stopped && io->listener >= 0);
    channels_set_options(io->listener); /* those that it accepts inherit them */
    int seconds = 1; /* come with the first bytes, or after this: saves the enclave a wake for each connection */
    setsockopt(io->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
    if (listen(io->listener, LISTEN_BACKLOG) != 0)
        return -errno;
    if (io->local >= 0 && listen(io->local, LISTEN_BACKLOG) != 0)
        return -errno;
    atomic_store(&io->asked_accept, true);
    io_kick(io);
    return 0;
}

void io_hold(struct io *io, bool held)
{
    pthread_mutex_lock(&io->hold_lock);
    io->hold_wanted = held;
    atomic_store(&io->asked_hold, true);
    io_kick(io);
    while (io->held != held && !io->gone)
        pthread_cond_wait(&io->hold_changed, &io->hold_lock);
    pthread_mutex_unlock(&io->hold_lock);
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

void io_add_waits(const struct io *io, struct io_waits *sum)
{
    sum->looked_ns += atomic_load_explicit(&io->waits.looked_ns, memory_order_relaxed);
    sum->naps += atomic_load_explicit(&io->waits.naps, memory_order_relaxed);
    sum->sleeps += atomic_load_explicit(&io->waits.sleeps, memory_order_relaxed);
}

void io_join(struct io *io)
{
    owner_check(&io->maker);
    if (io->started)
        pthread_join(io->thread, NULL);
    io->started = false;
}

void io_destroy(struct io *io)
{
    io_join(io);
    control_deinit(&io->control);
    channels_close_all(io);
    if (io->listener >= 0)
        close(io->listener);
    if (io->local >= 0)
        close(io->local);
    if (io->epoll >= 0)
        close(io->epoll);
    if (io->wake >= 0)
        close(io->wake);
    slots_deinit(&io->slots);
    if (io->shared)
        munmap(io->shared, io->shared_size);
    free(io);
}
