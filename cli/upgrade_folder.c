/* See upgrade_folder.h. */
#include "cli/upgrade_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/report.h"
#include "common/hex.h"

#define RECIPIENT_FILE "recipient"
/* The host's (host/rpc/local.h): who connects there is heard once it serves. */
#define SOCKET_FILE "connections.sock"

int upgrade_folder_recipient(const char *folder, char recipient[65])
{
    uint8_t unused[32];
    char path[4096];
    size_t size;
    snprintf(path, sizeof path, "%s/" RECIPIENT_FILE, folder);
    char *text = read_whole_file(path, 128, &size);
    if (!text)
        return errno == ENOENT ? -1 : complain("%s: %s", path, strerror(errno));
    bool ok = size == 65 && text[64] == '\n' && hex_read(text, 64, unused, sizeof unused);
    snprintf(recipient, 65, "%.64s", text);
    free(text);
    return ok ? 0 : complain("%s: not what a server writes there", path);
}

bool upgrade_folder_serves(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC); /* its path may be too long for an address */
    int fd = folder_fd >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" SOCKET_FILE, folder_fd);
    bool serves = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    if (folder_fd >= 0)
        close(folder_fd);
    return serves;
}
