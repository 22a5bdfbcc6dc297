/*
 * Outgoing connections. See connect.h.
 */
#include "host/rpc/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/rpc/local.h"

#define CONNECT_TIMEOUT_MS 10000

static int finish(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    if (poll(&p, 1, CONNECT_TIMEOUT_MS) != 1)
        return -ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -errno;
    return -error;
}

static int try_address(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int result = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno == EINPROGRESS ? finish(fd) : -errno;
    if (result == 0)
        return fd;
    close(fd);
    return result;
}

int connect_local(const char *folder)
{
    int fd = local_connect(folder, LOCAL_CONNECTIONS);
    if (fd >= 0)
        fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd == -ENOENT ? -ECONNREFUSED : fd;
}

int connect_tcp(const char *host, uint16_t port)
{
    char service[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list;
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return -EHOSTUNREACH;
    int result = -EHOSTUNREACH;
    for (const struct addrinfo *a = list; a && result < 0; a = a->ai_next)
        result = try_address(a);
    freeaddrinfo(list);
    return result;
}
