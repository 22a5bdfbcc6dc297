/*
 * Files that a command writes. See output.h.
 */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/report.h"

#define EXISTING_MAX (4u << 20)

/* Something else under the same name is for a human to look at. 1: it is there already; -1: not to be written. */
static int look_at_existing(const char *path, const void *data, size_t data_size, const char *hint)
{
    size_t size;
    struct stat s;
    if (stat(path, &s) != 0)
        return errno == ENOENT ? 0 : -complain("--out %s: %s", path, strerror(errno));
    if (S_ISREG(s.st_mode) && s.st_size == 0) /* as mktemp makes it */
        return 0;
    if (!S_ISREG(s.st_mode)) /* of a pipe or a terminal nobody knows an end */
        return -complain("--out %s: %s", path, S_ISDIR(s.st_mode) ? strerror(EISDIR) : "not a file");
    char *before = read_whole_file(path, EXISTING_MAX, &size);
    if (!before)
        return -complain("--out %s: %s", path, strerror(errno));
    bool same = size == data_size && memcmp(before, data, size) == 0;
    free(before);
    if (same)
        return 1;
    complain("--out %s: there is something else in it, which is left as it is. %s", path, hint);
    return -1;
}

/* Written beside, and renamed. */
static int write_file(const char *path, const void *data, size_t size)
{
    char temporary[4096];
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.tmp%ld", path, (long)getpid()) >= sizeof(temporary))
        return complain("--out %s: the name is too long", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, data, size) == (ssize_t)size;
    int reason = errno;
    if (fd >= 0 && close(fd) != 0 && ok) {
        ok = false;
        reason = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        reason = errno;
    }
    if (ok)
        return 0;
    if (fd >= 0)
        unlink(temporary);
    return complain("--out %s: %s", path, strerror(reason));
}

int output_save(const char *path, const void *data, size_t size, const char *hint)
{
    int there = look_at_existing(path, data, size, hint); /* as it is now, whatever it was when the options were read */
    return there < 0 ? 1 : there == 1 ? 0 : write_file(path, data, size);
}
