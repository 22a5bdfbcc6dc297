/* See replace.h. */
#include "common/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40    /* as Linux has it */
#define NAMES_MAX 100   /* that are tried, for the file beside */
#define BESIDE_ROOM 32u /* for what is behind its name */

/* ---- where it is ------------------------------------------------------------------------------------------------ */

/* The folder in which path's last part is. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    memcpy(folder, size ? path : ".", size ? size : 1);
    folder[size ? size : 1] = '\0';
}

/* Whether the link at path may be followed: not if it lies where everybody may put one, and is somebody else's. */
static bool may_follow(const char *path)
{
    char folder[PATH_MAX];
    struct stat link, there;
    folder_of(path, folder);
    if (lstat(path, &link) != 0 || stat(folder, &there) != 0)
        return false;
    return (there.st_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH) || link.st_uid == geteuid() ||
           link.st_uid == there.st_uid;
}

/* The file that path leads to, which need not be there. 0, or a negative errno. */
static int resolve(const char *path, char out[PATH_MAX])
{
    char link[PATH_MAX];
    if ((size_t)snprintf(out, PATH_MAX, "%s", path) >= PATH_MAX)
        return -ENAMETOOLONG;
    for (int i = 0; i < LINKS_MAX; i++) {
        ssize_t size = readlink(out, link, sizeof link);
        if (size < 0)
            return errno == EINVAL || errno == ENOENT ? 0 : -errno;
        if (!may_follow(out))
            return -EACCES;
        const char *slash = strrchr(out, '/');
        size_t folder = link[0] == '/' || !slash ? 0 : (size_t)(slash + 1 - out);
        if (folder + (size_t)size >= PATH_MAX)
            return -ENAMETOOLONG;
        memcpy(out + folder, link, (size_t)size);
        out[folder + (size_t)size] = '\0';
    }
    return -ELOOP;
}

int replace_lock_folder(const char *path)
{
    char target[PATH_MAX], folder[PATH_MAX];
    int error = resolve(path, target);
    if (error < 0)
        return error;
    folder_of(target, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) {
            error = -errno;
            close(fd);
            return error;
        }
    }
    return fd;
}

/* ---- written beside --------------------------------------------------------------------------------------------- */

/* A new file beside target; its name to beside. A descriptor, or a negative errno. */
static int create(const char *target, mode_t mode, char beside[PATH_MAX + BESIDE_ROOM])
{
    int fd = -1;
    for (unsigned i = 0; i < NAMES_MAX && fd < 0; i++) {
        snprintf(beside, PATH_MAX + BESIDE_ROOM, "%s.tmp%ld-%u", target, (long)getpid(), i);
        fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

/* As the file before had it. Where its group cannot be kept, another group may no more than everybody. */
static int keep_permissions(int fd, const struct stat *before)
{
    struct stat now;
    mode_t mode = before->st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
    if (fstat(fd, &now) != 0)
        return -errno;
    if ((now.st_uid != before->st_uid || now.st_gid != before->st_gid) &&
        fchown(fd, before->st_uid, before->st_gid) != 0 && fchown(fd, (uid_t)-1, before->st_gid) != 0)
        mode &= ~(mode_t)S_IRWXG | (mode & S_IRWXO) << 3;
    return fchmod(fd, mode) == 0 ? 0 : -errno;
}

static int move(const char *beside, const char *target, bool fresh)
{
    if (!fresh)
        return rename(beside, target) == 0 ? 0 : -errno;
    if (renameat2(AT_FDCWD, beside, AT_FDCWD, target, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (link(beside, target) != 0) /* a file system that cannot do the former */
        return -errno;
    unlink(beside);
    return 0;
}

static void sync_folder(const char *target)
{
    char folder[PATH_MAX];
    folder_of(target, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static int tell(int error, bool making, char *why)
{
    bool refused = error == -EACCES || error == -EPERM || error == -EROFS;
    snprintf(why, REPLACE_WHY_SIZE, "%s%s",
             making && refused ? "no file can be made in its folder, where the new one is "
                                 "written before it takes the place of the old one: "
                               : "",
             strerror(-error));
    return error;
}

int replace_file(const char *path, const void *data, size_t size, const struct replace_how *how, char *why)
{
    char target[PATH_MAX], beside[PATH_MAX + BESIDE_ROOM];
    struct stat before;
    int error = resolve(path, target);
    if (error < 0)
        return tell(error, false, why);
    bool there = stat(target, &before) == 0;
    if (!there && errno != ENOENT)
        return tell(-errno, false, why);
    if (there && how->fresh)
        return tell(-EEXIST, false, why);
    if (there && !S_ISREG(before.st_mode)) {
        snprintf(why, REPLACE_WHY_SIZE, "%s", S_ISDIR(before.st_mode) ? strerror(EISDIR) : "not a file");
        return -EINVAL;
    }
    int fd = create(target, there ? S_IRUSR | S_IWUSR : how->mode, beside);
    if (fd < 0)
        return tell(fd, true, why);
    error = there ? keep_permissions(fd, &before) : 0;
    if (error == 0)
        error = write_all(fd, data, size);
    if (close(fd) != 0 && error == 0)
        error = -errno;
    if (error == 0)
        error = move(beside, target, how->fresh);
    if (error < 0) {
        unlink(beside);
        return tell(error, false, why);
    }
    sync_folder(target);
    return 0;
}
