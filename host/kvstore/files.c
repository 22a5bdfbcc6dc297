/*
 * The files beside the store's own: locks, and copies that are being written. Whoever makes one in a service's folder,
 * root say, makes it the service's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ensure.h"
#include "host/kvstore/internal.h"

#define TRIES_MAX 1000 /* of others who move and remove a file just then */

/* Of a file that has another name, too, nobody knows whose it is there. */
static int give_to_owner_of(const char *folder, int fd)
{
    struct stat st, own;
    if (stat(folder, &st) != 0 || fstat(fd, &own) != 0)
        return -errno;
    if (st.st_uid == own.st_uid || geteuid() != 0 || own.st_uid != 0 || !S_ISREG(own.st_mode) || own.st_nlink != 1)
        return 0;
    return fchown(fd, st.st_uid, st.st_gid) == 0 ? 0 : -errno;
}

/* *made says whether it was not there. A descriptor, or a negative errno. */
static int open_or_make(const char *folder, const char *path, bool *made)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    *made = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int given = give_to_owner_of(folder, fd);
    if (given == 0)
        return fd;
    if (*made)
        unlink(path);
    close(fd);
    return given;
}

/* Whether fd is what path leads to: another process may have renamed or removed it while it was opened. */
static bool is_at(int fd, const char *path)
{
    struct stat own, there;
    return fstat(fd, &own) == 0 && lstat(path, &there) == 0 && own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

int kvstore_lock_file(const char *folder, const char *path, bool *made)
{
    ENSURE(folder && path);
    ENSURE(made);
    for (int i = 0; i < TRIES_MAX; i++) {
        int fd = open_or_make(folder, path, made);
        if (fd == -ENOENT && access(folder, F_OK) == 0)
            continue;
        if (fd < 0)
            return fd;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int result = errno == EWOULDBLOCK ? -EBUSY : -errno;
            close(fd);
            return result;
        }
        if (is_at(fd, path))
            return fd;
        close(fd);
    }
    return -EBUSY;
}

void kvstore_forget_file(int fd, const char *path)
{
    if (is_at(fd, path))
        unlink(path);
    close(fd);
}

int kvstore_give_lock(const char *folder)
{
    char path[4096];
    bool made;
    if ((size_t)snprintf(path, sizeof path, "%s/" KVSTORE_LMDB_LOCK, folder) >= sizeof path)
        return -ENAMETOOLONG;
    int fd = open_or_make(folder, path, &made);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || fd == -EROFS ? 0 : fd; /* on a disk that is read-only LMDB does without */
}
