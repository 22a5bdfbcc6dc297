/* See port.h. */
#include "host/port.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/ensure.h"
#include "common/protocol.h"
#include "host/net/io.h"
#include "host/net/listen.h"
#include "host/rpc/local.h"

#define TAKERS_WAITING 4
#define ANSWER_S 10 /* for who gives: it looks whenever something comes */

static struct {
    pthread_mutex_t lock; /* of all but waiting and listeners, which are the main thread's */
    int waiting;          /* whoever takes over connects here */
    int listeners[PROTO_MAX_SERVING];
    uint32_t count;
    int taker; /* has them, and lives */
    bool paused, held;
    struct io *const *ios;
    uint32_t io_count;
} port = {.lock = PTHREAD_MUTEX_INITIALIZER, .waiting = -1, .taker = -1};

/* With the lock. */
static void apply(void)
{
    bool held = port.paused && port.taker >= 0;
    if (held == port.held)
        return;
    port.held = held;
    for (uint32_t i = 0; i < port.io_count; i++)
        io_hold(port.ios[i], held);
}

/* ---- giving ------------------------------------------------------------------------------------------------------ */

int port_open(const char *folder, const int *listeners, uint32_t count)
{
    ENSURE(port.waiting < 0 && count <= PROTO_MAX_SERVING);
    port.waiting = local_bind(folder, LOCAL_LISTENERS);
    if (port.waiting < 0)
        return port.waiting;
    for (; port.count < count; port.count++) {
        port.listeners[port.count] = dup(listeners[port.count]);
        if (port.listeners[port.count] < 0)
            return -errno;
    }
    return listen(port.waiting, TAKERS_WAITING) == 0 ? 0 : -errno;
}

void port_share(struct io *const *ios, uint32_t count)
{
    pthread_mutex_lock(&port.lock);
    port.ios = ios;
    port.io_count = count;
    pthread_mutex_unlock(&port.lock);
}

void port_descriptors(int *waiting, int *taker)
{
    *waiting = port.waiting;
    *taker = port.taker;
}

/* How many, with the sockets beside it. */
static bool give(int fd)
{
    uint8_t number = (uint8_t)port.count;
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof port.listeners)];
    } control = {0};
    struct iovec part = {&number, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(port.count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(port.count * sizeof(int));
    memcpy(CMSG_DATA(header), port.listeners, port.count * sizeof(int));
    return sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
}

static bool is_ours(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && (who.uid == geteuid() || who.uid == 0);
}

/* One at a time: a second one is turned away while the first lives. */
static void meet_taker(void)
{
    int fd = accept4(port.waiting, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (port.taker >= 0 || !is_ours(fd) || !give(fd)) {
        close(fd);
        return;
    }
    port.taker = fd;
    printf("hand-over: another process has the listening sockets, too\n");
    fflush(stdout);
    apply();
}

/* It says nothing: what can be read is its end. */
static void look_at_taker(void)
{
    char byte;
    ssize_t n = port.taker >= 0 ? recv(port.taker, &byte, 1, 0) : -1;
    if (port.taker < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    close(port.taker);
    port.taker = -1;
    printf("hand-over: the other process is gone\n");
    fflush(stdout);
    apply();
}

void port_look(void)
{
    pthread_mutex_lock(&port.lock);
    look_at_taker();
    if (port.waiting >= 0)
        meet_taker();
    pthread_mutex_unlock(&port.lock);
}

void port_pause(bool paused)
{
    pthread_mutex_lock(&port.lock);
    port.paused = paused;
    apply();
    pthread_mutex_unlock(&port.lock);
}

void port_close(void)
{
    pthread_mutex_lock(&port.lock);
    if (port.waiting >= 0)
        close(port.waiting);
    port.waiting = -1;
    while (port.count > 0)
        close(port.listeners[--port.count]);
    pthread_mutex_unlock(&port.lock);
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

/* As many as the message has, which are ours then; -EBADMSG: it is none; -EAGAIN: nothing comes. */
static int receive(int fd, int *sockets, uint32_t *count)
{
    uint8_t number;
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(PROTO_MAX_SERVING * sizeof(int))];
    } control;
    struct iovec part = {&number, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    static const struct timeval limit = {.tv_sec = ANSWER_S};
    *count = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
        return -errno;
    ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (n != 1)
        return n < 0 && errno == EAGAIN ? -EAGAIN : -EBADMSG;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return -EBADMSG;
    *count = (uint32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(sockets, CMSG_DATA(header), *count * sizeof(int));
    return 0;
}

static void close_all(const int *sockets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        close(sockets[i]);
}

/* By the connection the old one knows that somebody has the sockets, and who has them that it lives. */
int port_take(const char *folder, const struct sockaddr_in6 *address, int *listeners, uint32_t count, char *error,
              size_t error_size)
{
    int sockets[PROTO_MAX_SERVING];
    uint32_t got;
    char wanted[80], found[80];
    int fd = local_connect(folder, LOCAL_LISTENERS);
    if (fd == -ENOENT || fd == -ECONNREFUSED)
        return -ENOENT;
    int result = fd < 0 ? fd : receive(fd, sockets, &got);
    if (fd >= 0 && result == -EAGAIN) {
        snprintf(error, error_size, "the server of %s does not answer: it is starting, or stopped", folder);
    } else if (result < 0) {
        snprintf(error, error_size, "%s: %s", folder,
                 fd < 0 ? strerror(-fd) : "the server there gives its listening sockets to another process");
    } else if (got != count) {
        snprintf(error, error_size,
                 "the server of %s has %u workers, and its listening sockets: start with --workers %u", folder, got,
                 got);
        result = -EINVAL;
    } else if (!listen_is_at(sockets[0], address, found, sizeof found)) {
        listen_describe(address, wanted, sizeof wanted);
        snprintf(error, error_size, "the server of %s listens on %s, not on %s: start with --listen %s", folder, found,
                 wanted, found);
        result = -EINVAL;
    }
    if (result < 0 && fd >= 0) {
        close_all(sockets, got);
        close(fd);
    }
    if (result < 0)
        return result;
    memcpy(listeners, sockets, count * sizeof *listeners);
    return fd;
}
