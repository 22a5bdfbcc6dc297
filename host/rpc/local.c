/* See local.h. */
#include "host/rpc/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A folder's path may be longer than an address of a socket has room for: the folder is named by its descriptor, which
 * goes to *folder_fd. 0 or -errno. */
static int address_of(const char *folder, const char *name, struct sockaddr_un *address, int *folder_fd)
{
    *folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*folder_fd < 0)
        return -errno;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *folder_fd, name);
    return 0;
}

int local_bind(const char *folder, const char *name)
{
    struct sockaddr_un address;
    int folder_fd, result = address_of(folder, name, &address, &folder_fd);
    if (result < 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unlinkat(folder_fd, name, 0);
    mode_t before = umask(0177); /* no other thread runs yet that makes a file */
    result = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -errno;
    umask(before);
    if (result < 0 && fd >= 0)
        close(fd);
    close(folder_fd);
    return result;
}

int local_connect(const char *folder, const char *name)
{
    struct sockaddr_un address;
    int folder_fd, result = address_of(folder, name, &address, &folder_fd);
    if (result < 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    result = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? fd : -errno;
    if (result < 0 && fd >= 0)
        close(fd);
    close(folder_fd);
    return result;
}
