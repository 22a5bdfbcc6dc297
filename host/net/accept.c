/*
 * The listening socket of one worker: looked at while there are slots for what comes from it.
 */
#include <sys/epoll.h>
#include <unistd.h>

#include "host/net/internal.h"

#define ACCEPTS_PER_TURN 64

static int watch(struct io *io, int operation, bool armed)
{
    struct epoll_event event = {.events = armed ? EPOLLIN : 0, .data.u64 = TAG_LISTENER};
    if (epoll_ctl(io->epoll, operation, io->listener, &event) != 0)
        return -errno;
    io->listener_armed = armed;
    return 0;
}

int accept_begin(struct io *io)
{
    owner_check(&io->owner);
    ENSURE(!io->accepting && io->listener >= 0);
    int error = watch(io, EPOLL_CTL_ADD, true);
    io->accepting = error == 0;
    return error;
}

void accept_end(struct io *io)
{
    owner_check(&io->owner);
    ENSURE(io->listener >= 0);
    io->accepting = io->listener_armed = false;
    close(io->listener);
    io->listener = -1;
}

void accept_resume(struct io *io)
{
    io->slot_came_free = false;
    if (io->accepting && !io->listener_armed && io->used_count < io->slots.count)
        watch(io, EPOLL_CTL_MOD, true);
}

void accept_some(struct io *io)
{
    owner_check(&io->owner);
    for (int i = 0; i < ACCEPTS_PER_TURN && io->accepting; i++) {
        channels_make_room(io);
        if (io->used_count == io->slots.count) {
            watch(io, EPOLL_CTL_MOD, false); /* the kernel's backlog waits until a slot is free */
            return;
        }
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof(peer);
        int fd = accept4(io->listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
