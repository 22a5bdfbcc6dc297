/*
 * Listening sockets. See listen.h.
 */
#include "host/net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_v4(const struct sockaddr_in6 *address)
{
    return IN6_IS_ADDR_V4MAPPED(&address->sin6_addr);
}

static socklen_t to_socket_address(const struct sockaddr_in6 *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (!is_v4(address)) {
        memcpy(out, address, sizeof *address);
        return sizeof *address;
    }
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = address->sin6_port};
    memcpy(&v4.sin_addr, address->sin6_addr.s6_addr + 12, 4);
    memcpy(out, &v4, sizeof v4);
    return sizeof v4;
}

static int bind_one(const struct sockaddr_in6 *address, bool shared)
{
    struct sockaddr_storage storage;
    socklen_t size = to_socket_address(address, &storage);
    int on = 1, off = 0;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!is_v4(address))
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if ((shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        bind(fd, (struct sockaddr *)&storage, size) != 0) {
        int result = -errno;
        close(fd);
        return result;
    }
    return fd;
}

static int read_port(int fd, struct sockaddr_in6 *address)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0)
        return -errno;
    address->sin6_port = storage.ss_family == AF_INET ? ((struct sockaddr_in *)&storage)->sin_port
                                                      : ((struct sockaddr_in6 *)&storage)->sin6_port;
    return 0;
}

int listen_bind(struct sockaddr_in6 *address, uint32_t count, int *sockets)
{
    /* A port that another process shares with SO_REUSEPORT would let us in unnoticed: try without it first. */
    int probe = bind_one(address, false);
    if (probe < 0)
        return probe;
    int result = listen(probe, 1) == 0 ? read_port(probe, address) : -errno;
    close(probe);
    for (uint32_t i = 0; result == 0 && i < count; i++) {
        sockets[i] = bind_one(address, true);
        if (sockets[i] < 0)
            result = sockets[i];
    }
    return result;
}

bool listen_is_at(int fd, const struct sockaddr_in6 *address, char *found, size_t size)
{
    struct sockaddr_storage storage = {0};
    socklen_t storage_size = sizeof storage;
    struct sockaddr_in6 at = {.sin6_family = AF_INET6};
    if (getsockname(fd, (struct sockaddr *)&storage, &storage_size) != 0)
        storage.ss_family = AF_UNSPEC;
    if (storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&storage;
        at.sin6_addr.s6_addr[10] = at.sin6_addr.s6_addr[11] = 0xff;
        memcpy(at.sin6_addr.s6_addr + 12, &v4->sin_addr, 4);
        at.sin6_port = v4->sin_port;
    } else if (storage.ss_family == AF_INET6) {
        at = *(const struct sockaddr_in6 *)&storage;
    }
    listen_describe(&at, found, size);
    return at.sin6_port == address->sin6_port && memcmp(&at.sin6_addr, &address->sin6_addr, 16) == 0;
}

void listen_describe(const struct sockaddr_in6 *address, char *text, size_t size)
{
    char ip[INET6_ADDRSTRLEN];
    if (is_v4(address))
        inet_ntop(AF_INET, address->sin6_addr.s6_addr + 12, ip, sizeof ip);
    else
        inet_ntop(AF_INET6, &address->sin6_addr, ip, sizeof ip);
    snprintf(text, size, is_v4(address) ? "%s:%u" : "[%s]:%u", ip, ntohs(address->sin6_port));
}
