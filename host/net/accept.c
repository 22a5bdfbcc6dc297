/*
 * The listening sockets of one worker: looked at while there are slots for what comes from them.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "host/net/internal.h"

#define ACCEPTS_PER_TURN 64

static int watch_one(struct io *io, int operation, int fd, uint64_t tag, bool armed)
{
    struct epoll_event event = {.events = armed ? EPOLLIN : 0, .data.u64 = tag};
    return fd < 0 || epoll_ctl(io->epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

static int watch(struct io *io, int operation, bool armed)
{
    int error = watch_one(io, operation, io->listener, TAG_LISTENER, armed && !io->held);
    if (error == 0)
        error = watch_one(io, operation, io->local, TAG_LOCAL, armed);
    if (error == 0)
        io->listener_armed = armed;
    return error;
}

int accept_begin(struct io *io)
{
    owner_check(&io->owner);
    ENSURE(!io->accepting && io->listener >= 0);
    int error = watch(io, EPOLL_CTL_ADD, true);
    io->accepting = error == 0;
    return error;
}

void accept_hold(struct io *io)
{
    owner_check(&io->owner);
    pthread_mutex_lock(&io->hold_lock);
    io->held = io->hold_wanted;
    if (io->accepting)
        watch(io, EPOLL_CTL_MOD, io->listener_armed);
    pthread_cond_broadcast(&io->hold_changed);
    pthread_mutex_unlock(&io->hold_lock);
}

void accept_end(struct io *io)
{
    owner_check(&io->owner);
    ENSURE(io->listener >= 0);
    io->accepting = io->listener_armed = false;
    close(io->listener);
    if (io->local >= 0)
        close(io->local);
    io->listener = io->local = -1;
}

void accept_resume(struct io *io)
{
    io->slot_came_free = false;
    if (io->accepting && !io->listener_armed && io->used_count < io->slots.count)
        watch(io, EPOLL_CTL_MOD, true);
}

void accept_some(struct io *io, int from)
{
    owner_check(&io->owner);
    for (int i = 0; i < ACCEPTS_PER_TURN && io->accepting && (from == io->local || !io->held); i++) {
        channels_make_room(io);
        if (io->used_count == io->slots.count) {
            watch(io, EPOLL_CTL_MOD, false); /* the kernel's backlog waits until a slot is free */
            return;
        }
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(from, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                watch(io, EPOLL_CTL_MOD, false); /* again when a connection closes, or at the next sweep */
            return;
        }
        struct channel *ch;
        if (channels_open(io, fd, CHANNEL_CONNECTION, &peer, &ch) == 0)
            channels_on_event(io, ch->link.name, EPOLLIN); /* the first bytes are often there */
    }
}
