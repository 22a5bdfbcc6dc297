/*
 * What the programs share that try WASI preview 1 case by case: a line for each case that is otherwise, and at the end
 * how many were tried. A case's expectation is one errno, or two where hosts may differ. Each works in a folder of its
 * own, and leaves it as it found it, so that it can be asked again.
 */
#ifndef POSIX_H
#define POSIX_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

static int cases, wrong;
static __wasi_fd_t dir; /* the folder that it works in */

static void expect(int line, const char *what, int got, int one, int other)
{
    cases++;
    if (got == one || got == other)
        return;
    wrong++;
    printf("line %d: %s: %s, expected %s\n", line, what, strerror(got), strerror(one));
}
#define EITHER(call, one, other) expect(__LINE__, #call, (call), one, other)
#define IS(call, error) EITHER(call, error, error)
#define TRUE(condition) IS((condition) ? 0 : EIO, 0)

static inline int open_fd(const char *path, int lookup, int oflags, int fdflags, __wasi_fd_t *fd)
{
    __wasi_rights_t rights = __WASI_RIGHTS_FD_READ | (oflags & __WASI_OFLAGS_DIRECTORY ? 0 : __WASI_RIGHTS_FD_WRITE);
    return __wasi_path_open(dir, (__wasi_lookupflags_t)lookup, path, (__wasi_oflags_t)oflags, rights, rights,
                            (__wasi_fdflags_t)fdflags, fd);
}

/* Opens and closes. */
static inline int opens(const char *path, int lookup, int oflags)
{
    __wasi_fd_t fd;
    int error = open_fd(path, lookup, oflags, 0, &fd);
    return error ? error : __wasi_fd_close(fd);
}

static inline int make(const char *path)
{
    return opens(path, 0, __WASI_OFLAGS_CREAT);
}
static inline int stat_of(const char *path, int lookup, __wasi_filestat_t *stat)
{
    return __wasi_path_filestat_get(dir, (__wasi_lookupflags_t)lookup, path, stat);
}
static inline int make_folder(const char *path)
{
    return __wasi_path_create_directory(dir, path);
}
static inline int remove_folder(const char *path)
{
    return __wasi_path_remove_directory(dir, path);
}
static inline int remove_file(const char *path)
{
    return __wasi_path_unlink_file(dir, path);
}
static inline int rename_to(const char *from, const char *to)
{
    return __wasi_path_rename(dir, from, dir, to);
}
static inline int link_to(const char *from, const char *to)
{
    return __wasi_path_link(dir, 0, from, dir, to);
}
static inline int symlink_to(const char *target, const char *path)
{
    return __wasi_path_symlink(target, dir, path);
}

enum { FOLLOW = __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, FOLDER = __WASI_OFLAGS_DIRECTORY };

static inline int begin(const char *folder)
{
    mkdir(folder, 0777);
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return perror(folder), 1;
    dir = (__wasi_fd_t)fd;
    return 0;
}

/* Last of all, the root may go, too: what was opened from it stays. */
static inline int end(const char *folder)
{
    __wasi_fdstat_t stat;
    IS(rmdir(folder) ? errno : 0, 0);
    IS(__wasi_fd_close(3), 0);
    IS(__wasi_fd_fdstat_get(3, &stat), EBADF);
    IS(__wasi_fd_fdstat_get(dir, &stat), 0);
    TRUE(stat.fs_filetype == __WASI_FILETYPE_DIRECTORY);
    printf("%d of %d cases\n", cases - wrong, cases);
    return 0;
}

#endif
