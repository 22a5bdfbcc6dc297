/*
 * What WASI preview 1 says of descriptors: reading and writing, positions, flags, rights, listing, numbering, waiting,
 * and of files that change while they are open (posix.h). Its body is "the body".
 */
#include <dirent.h>
#include <poll.h>
#include <stdlib.h>

#include "posix.h"

static uint8_t bytes[70000];

static int write_at_position(__wasi_fd_t fd, const char *text)
{
    __wasi_ciovec_t out = {(const uint8_t *)text, strlen(text)};
    __wasi_size_t size = 0;
    int error = __wasi_fd_write(fd, &out, 1, &size);
    return error ? error : size == strlen(text) ? 0 : EIO;
}

/* The whole file is that text. */
static int reads(__wasi_fd_t fd, const char *text)
{
    __wasi_iovec_t in = {bytes, sizeof bytes};
    __wasi_size_t size = 0;
    int error = __wasi_fd_pread(fd, &in, 1, 0, &size);
    return error ? error : size == strlen(text) && memcmp(bytes, text, size) == 0 ? 0 : EIO;
}

static int seeks(__wasi_fd_t fd, int64_t offset, int whence, uint64_t expected)
{
    __wasi_filesize_t at = 0;
    int error = __wasi_fd_seek(fd, offset, (uint8_t)whence, &at);
    return error ? error : at == expected ? 0 : EIO;
}

static int size_of(__wasi_fd_t fd, uint64_t expected)
{
    __wasi_filestat_t stat = {0};
    int error = __wasi_fd_filestat_get(fd, &stat);
    return error ? error : stat.size == expected ? 0 : EIO;
}

static void positions(void)
{
    __wasi_fd_t fd;
    __wasi_filesize_t at = 1;
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT, 0, &fd), 0);
    IS(__wasi_fd_tell(fd, &at), 0);
    TRUE(at == 0);
    IS(write_at_position(fd, "0123456789"), 0);
    IS(__wasi_fd_tell(fd, &at), 0);
    TRUE(at == 10);
    IS(seeks(fd, -5, __WASI_WHENCE_CUR, 5), 0);
    IS(seeks(fd, 0, __WASI_WHENCE_SET, 0), 0);
    IS(seeks(fd, 1000, __WASI_WHENCE_CUR, 1000), 0);
    IS(seeks(fd, -2000, __WASI_WHENCE_CUR, 0), EINVAL);
    IS(seeks(fd, -1, __WASI_WHENCE_SET, 0), EINVAL);
    IS(seeks(fd, -11, __WASI_WHENCE_END, 0), EINVAL);
    IS(seeks(fd, -1, __WASI_WHENCE_END, 9), 0);
    IS(write_at_position(fd, "x"), 0);
    IS(reads(fd, "012345678x"), 0);
    IS(size_of(fd, 10), 0);
    IS(seeks(fd, 65534, __WASI_WHENCE_SET, 65534), 0); /* behind the end, and over a part's */
    IS(write_at_position(fd, "four"), 0);
    IS(size_of(fd, 65538), 0);
    IS(__wasi_fd_filestat_set_size(fd, 3), 0);
    IS(reads(fd, "012"), 0);
    IS(__wasi_fd_tell(fd, &at), 0);
    TRUE(at == 65538); /* cutting moves nothing */
    IS(__wasi_fd_close(fd), 0);
    IS(__wasi_fd_close(fd), EBADF);
    IS(remove_file("file"), 0);
}

static void vectors(void)
{
    __wasi_fd_t fd;
    __wasi_size_t size = 0;
    uint8_t in[6] = {0};
    __wasi_ciovec_t out[] = {{(const uint8_t *)"", 0}, {(const uint8_t *)"abcd", 4}};
    __wasi_iovec_t parts[] = {{in, 0}, {in, 4}}, none = {in, 0}, all = {in, 6};
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT, 0, &fd), 0);
    IS(__wasi_fd_pwrite(fd, out, 2, 0, &size), 0);
    TRUE(size == 4);
    IS(__wasi_fd_pread(fd, parts, 2, 0, &size), 0);
    TRUE(size == 4 && memcmp(in, "abcd", 4) == 0);
    IS(__wasi_fd_pread(fd, &none, 1, 0, &size), 0);
    TRUE(size == 0);
    IS(__wasi_fd_read(fd, &none, 1, &size), 0);
    TRUE(size == 0);
    IS(__wasi_fd_pread(fd, &all, 1, 2, &size), 0);
    TRUE(size == 2 && memcmp(in, "cd", 2) == 0);
    IS(__wasi_fd_pread(fd, &all, 1, 4, &size), 0);
    TRUE(size == 0);
    IS(__wasi_fd_pread(fd, &all, 1, UINT64_MAX, &size), EINVAL);
    IS(__wasi_fd_pread(fd, &all, 1, INT64_MAX, &size), 0);
    EITHER(__wasi_fd_pwrite(fd, out, 2, UINT64_MAX, &size), EINVAL, EFBIG);
    EITHER(__wasi_fd_filestat_set_size(fd, UINT64_MAX), EINVAL, EFBIG);
    EITHER(__wasi_fd_filestat_set_size(fd, INT64_MAX), EFBIG, EINVAL);
    EITHER(__wasi_fd_pwrite(fd, out, 2, INT64_MAX, &size), EFBIG, EINVAL);
    IS(size_of(fd, 4), 0);
    EITHER(__wasi_fd_allocate(fd, 0, 100), ENOTSUP, 0);
    IS(__wasi_fd_advise(fd, 0, 100, __WASI_ADVICE_DONTNEED), 0);
    TRUE(isatty((int)fd) == 0);
    IS(__wasi_fd_close(fd), 0);
    IS(remove_file("file"), 0);
}

static void appending(void)
{
    __wasi_fd_t fd, other;
    __wasi_size_t size;
    __wasi_fdstat_t stat = {0};
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT, __WASI_FDFLAGS_APPEND, &fd), 0);
    IS(open_fd("file", 0, 0, __WASI_FDFLAGS_APPEND, &other), 0);
    IS(write_at_position(fd, "ab"), 0);
    IS(write_at_position(other, "cd"), 0);
    IS(seeks(fd, 0, __WASI_WHENCE_SET, 0), 0);
    IS(write_at_position(fd, "ef"), 0);
    IS(seeks(fd, 0, __WASI_WHENCE_CUR, 6), 0);
    IS(reads(fd, "abcdef"), 0);
    IS(__wasi_fd_fdstat_set_flags(fd, 0), 0);
    IS(__wasi_fd_fdstat_get(fd, &stat), 0);
    TRUE(stat.fs_flags == 0);
    IS(seeks(fd, 1, __WASI_WHENCE_SET, 1), 0);
    IS(write_at_position(fd, "XX"), 0);
    IS(reads(other, "aXXdef"), 0);
    IS(__wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_APPEND), 0);
    IS(__wasi_fd_fdstat_get(fd, &stat), 0);
    TRUE(stat.fs_flags == __WASI_FDFLAGS_APPEND);
    IS(seeks(fd, 0, __WASI_WHENCE_SET, 0), 0); /* the adapter goes on writing where it was until then */
    IS(write_at_position(fd, "!"), 0);
    IS(reads(other, "aXXdef!"), 0);
    /* at a position: which moves nothing, and writes there (POSIX) or at the end (Linux) */
    IS(seeks(other, 2, __WASI_WHENCE_SET, 2), 0);
    IS(__wasi_fd_pwrite(other, &(__wasi_ciovec_t){(const uint8_t *)"PQ", 2}, 1, 0, &size), 0);
    IS(seeks(other, 0, __WASI_WHENCE_CUR, 2), 0);
    TRUE(reads(other, "PQXdef!") == 0 || reads(other, "aXXdef!PQ") == 0);
    IS(__wasi_fd_close(fd), 0);
    IS(__wasi_fd_close(other), 0);
    IS(remove_file("file"), 0);
}

static int open_with(const char *path, int oflags, __wasi_rights_t rights, __wasi_fd_t *fd)
{
    return __wasi_path_open(dir, 0, path, (__wasi_oflags_t)oflags, rights, rights, 0, fd);
}

static void rights(void)
{
    __wasi_fd_t fd;
    __wasi_fdstat_t stat = {0};
    __wasi_size_t size;
    __wasi_iovec_t in = {bytes, 4};
    IS(make("file"), 0);
    IS(open_with("file", 0, __WASI_RIGHTS_FD_READ, &fd), 0);
    IS(__wasi_fd_fdstat_get(fd, &stat), 0);
    TRUE(stat.fs_rights_base & __WASI_RIGHTS_FD_READ && !(stat.fs_rights_base & __WASI_RIGHTS_FD_WRITE));
    EITHER(write_at_position(fd, "no"), EBADF, ENOTCAPABLE);
    EITHER(__wasi_fd_filestat_set_size(fd, 0), EINVAL, EBADF);
    IS(__wasi_fd_sync(fd), 0);
    EITHER(__wasi_fd_fdstat_set_rights(fd, 0, 0), ENOTSUP, 0); /* which takes none away */
    IS(__wasi_fd_pread(fd, &in, 1, 0, &size), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(open_with("file", 0, __WASI_RIGHTS_FD_WRITE, &fd), 0);
    IS(__wasi_fd_fdstat_get(fd, &stat), 0);
    TRUE(!(stat.fs_rights_base & __WASI_RIGHTS_FD_READ) && stat.fs_rights_base & __WASI_RIGHTS_FD_WRITE);
    IS(write_at_position(fd, "yes"), 0);
    EITHER(__wasi_fd_read(fd, &in, 1, &size), EBADF, ENOTCAPABLE);
    EITHER(__wasi_fd_pread(fd, &in, 1, 0, &size), EBADF, ENOTCAPABLE);
    IS(__wasi_fd_close(fd), 0);
    IS(open_with("file", 0, __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE, &fd), 0);
    IS(__wasi_fd_fdstat_get(fd, &stat), 0);
    TRUE(stat.fs_rights_base & __WASI_RIGHTS_FD_READ && stat.fs_rights_base & __WASI_RIGHTS_FD_WRITE);
    IS(reads(fd, "yes"), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(open_with("file", __WASI_OFLAGS_TRUNC, 0, &fd), 0); /* asked for by a path, not through the descriptor */
    IS(size_of(fd, 0), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(open_with(".", 0, 0, &fd), 0);
    IS(__wasi_fd_fdstat_get(fd, &stat), 0);
    TRUE(stat.fs_filetype == __WASI_FILETYPE_DIRECTORY && stat.fs_flags == 0);
    IS(__wasi_fd_close(fd), 0);
    IS(open_with(".", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_FD_READ, &fd), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(open_with(".", __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE, &fd), EISDIR);
    IS(__wasi_path_open(dir, 0, ".", 0, 0, 0, __WASI_FDFLAGS_NONBLOCK, &fd), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(__wasi_fd_fdstat_get(3, &stat), 0); /* what programs look for in a folder that they are given */
    const __wasi_rights_t wanted =
        __WASI_RIGHTS_PATH_CREATE_DIRECTORY | __WASI_RIGHTS_PATH_CREATE_FILE | __WASI_RIGHTS_PATH_LINK_SOURCE |
        __WASI_RIGHTS_PATH_LINK_TARGET | __WASI_RIGHTS_PATH_OPEN | __WASI_RIGHTS_FD_READDIR |
        __WASI_RIGHTS_PATH_READLINK | __WASI_RIGHTS_PATH_RENAME_SOURCE | __WASI_RIGHTS_PATH_RENAME_TARGET |
        __WASI_RIGHTS_PATH_SYMLINK | __WASI_RIGHTS_PATH_REMOVE_DIRECTORY | __WASI_RIGHTS_PATH_UNLINK_FILE |
        __WASI_RIGHTS_PATH_FILESTAT_GET | __WASI_RIGHTS_PATH_FILESTAT_SET_TIMES | __WASI_RIGHTS_FD_FILESTAT_GET;
    TRUE((stat.fs_rights_base & wanted) == wanted);
    TRUE(!(stat.fs_rights_base & (__WASI_RIGHTS_FD_SEEK | __WASI_RIGHTS_FD_FILESTAT_SET_SIZE)));
    IS(remove_file("file"), 0);
}

static void preopens(void)
{
    __wasi_prestat_t prestat = {0};
    uint8_t name[8] = {0};
    IS(__wasi_fd_prestat_get(3, &prestat), 0);
    TRUE(prestat.tag == __WASI_PREOPENTYPE_DIR && prestat.u.dir.pr_name_len == 1);
    IS(__wasi_fd_prestat_dir_name(3, name, 1), 0);
    TRUE(name[0] == '/');
    EITHER(__wasi_fd_prestat_dir_name(3, name, 0), EINVAL, ENAMETOOLONG);
    IS(__wasi_fd_prestat_dir_name(3, name, sizeof name), 0);
    IS(__wasi_fd_prestat_get(dir, &prestat), EBADF);
    IS(__wasi_fd_prestat_get(99, &prestat), EBADF);
}

static void on_folders(void)
{
    __wasi_fd_t fd;
    __wasi_size_t size;
    __wasi_filesize_t at;
    __wasi_ciovec_t out = {bytes, 4};
    IS(make_folder("folder"), 0);
    IS(open_with("folder", FOLDER, __WASI_RIGHTS_FD_SEEK, &fd), 0);
    EITHER(__wasi_fd_write(fd, &out, 1, &size), EBADF, EISDIR);
    EITHER(__wasi_fd_pwrite(fd, &out, 1, 0, &size), EBADF, EISDIR);
    EITHER(__wasi_fd_tell(fd, &at), EBADF, EISDIR);
    EITHER(__wasi_fd_seek(fd, 0, __WASI_WHENCE_CUR, &at), EBADF, EISDIR);
    EITHER(__wasi_fd_seek(fd, 0, __WASI_WHENCE_END, &at), EBADF, EISDIR);
    EITHER(__wasi_fd_allocate(fd, 0, 1), EBADF, EISDIR);
    IS(__wasi_fd_close(fd), 0);
    IS(remove_folder("folder"), 0);
}

/* Entries as they come through a buffer of so many bytes: how many, or -1. */
static int listed(__wasi_fd_t fd, size_t buffer, uint64_t cookie)
{
    static uint8_t entries[4096];
    int count = 0;
    for (;;) {
        __wasi_size_t used = 0, at = 0;
        int whole = 0;
        if (__wasi_fd_readdir(fd, entries, buffer, cookie, &used) != 0 || used > buffer)
            return -1;
        for (__wasi_dirent_t e; at + sizeof e <= used; at += sizeof e + e.d_namlen) {
            memcpy(&e, entries + at, sizeof e);
            if (at + sizeof e + e.d_namlen > used)
                break;
            cookie = e.d_next;
            whole++;
        }
        count += whole;
        if (used < buffer)
            return count;
        if (whole == 0)
            return -1;
    }
}

static void listing(void)
{
    __wasi_fd_t fd;
    __wasi_filestat_t stat = {0}, file = {0};
    __wasi_dirent_t first;
    __wasi_size_t used = 0;
    uint8_t entries[256];
    char name[16];
    IS(make_folder("folder"), 0);
    IS(open_fd("folder", 0, FOLDER, 0, &fd), 0);
    IS(__wasi_fd_filestat_get(fd, &stat), 0);
    IS(__wasi_fd_readdir(fd, entries, sizeof entries, 0, &used), 0);
    memcpy(&first, entries, sizeof first);
    TRUE(first.d_namlen == 1 && entries[sizeof first] == '.' && first.d_ino == stat.ino);
    TRUE(used == 2 * sizeof first + 3);
    TRUE(listed(fd, 256, 0) == 2);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "folder/%d", i);
        make(name);
    }
    TRUE(listed(fd, 256, 0) == 302);
    TRUE(listed(fd, 256, first.d_next) == 301);
    TRUE(listed(fd, 256, 0) == 302);
    IS(stat_of("folder/0", 0, &file), 0);
    IS(__wasi_fd_readdir(fd, entries, sizeof entries, 2, &used), 0);
    memcpy(&first, entries, sizeof first);
    TRUE(first.d_ino == file.ino && first.d_type == __WASI_FILETYPE_REGULAR_FILE);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "folder/%d", i);
        remove_file(name);
    }
    TRUE(listed(fd, 256, 0) == 2);
    IS(__wasi_fd_close(fd), 0);
    IS(remove_folder("folder"), 0);
}

static void numbers(void)
{
    __wasi_fd_t one, other;
    __wasi_fdstat_t stat = {0};
    IS(open_fd("one", 0, __WASI_OFLAGS_CREAT, 0, &one), 0);
    IS(open_fd("other", 0, __WASI_OFLAGS_CREAT, 0, &other), 0);
    IS(write_at_position(one, "one"), 0);
    IS(__wasi_fd_renumber(one, other), 0);
    IS(__wasi_fd_close(one), EBADF);
    IS(reads(other, "one"), 0);
    IS(write_at_position(other, "more"), 0);
    IS(reads(other, "onemore"), 0);
    IS(__wasi_fd_renumber(other, 99), EBADF);
    IS(__wasi_fd_renumber(99, other), EBADF);
    IS(__wasi_fd_renumber(other, other), 0);
    IS(__wasi_fd_close(other), 0);
    IS(__wasi_fd_fdstat_get(other, &stat), EBADF);
    IS(remove_file("one"), 0);
    IS(remove_file("other"), 0);
    /* over the root, by another descriptor of it */
    __wasi_filestat_t root = {0}, again = {0};
    IS(__wasi_fd_filestat_get(3, &root), 0);
    IS(__wasi_path_open(3, 0, ".", FOLDER, 0, 0, 0, &one), 0);
    IS(__wasi_fd_renumber(one, 3), 0);
    IS(__wasi_fd_fdstat_get(one, &stat), EBADF);
    IS(__wasi_fd_filestat_get(3, &again), 0);
    TRUE(root.ino == again.ino && root.dev == again.dev);
}

static void while_open(void)
{
    __wasi_fd_t fd, other;
    __wasi_filestat_t stat = {0}, same = {0};
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT, 0, &fd), 0);
    IS(write_at_position(fd, "old"), 0);
    IS(__wasi_fd_filestat_get(fd, &stat), 0);
    IS(open_fd("new", 0, __WASI_OFLAGS_CREAT, 0, &other), 0);
    IS(write_at_position(other, "new"), 0);
    IS(rename_to("new", "file"), 0);
    IS(reads(fd, "old"), 0);
    IS(reads(other, "new"), 0);
    IS(__wasi_fd_filestat_get(fd, &same), 0);
    TRUE(same.nlink == 0 && same.ino == stat.ino); /* also after it was written */
    IS(write_at_position(fd, "er"), 0);
    IS(__wasi_fd_filestat_set_size(fd, 4), 0);
    IS(__wasi_fd_filestat_get(fd, &same), 0);
    TRUE(same.nlink == 0 && same.ino == stat.ino && same.size == 4);
    IS(remove_file("file"), 0);
    IS(reads(other, "new"), 0);
    IS(opens("file", 0, 0), ENOENT);
    IS(make("file"), 0);
    IS(reads(other, "new"), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(__wasi_fd_close(other), 0);
    IS(remove_file("file"), 0);
    IS(make_folder("folder"), 0);
    IS(open_fd("folder", 0, FOLDER, 0, &fd), 0);
    IS(remove_folder("folder"), 0);
    TRUE(listed(fd, 256, 0) >= 0);
    IS(__wasi_path_open(fd, 0, "x", __WASI_OFLAGS_CREAT, 0, 0, 0, &other), ENOENT);
    IS(__wasi_path_create_directory(fd, "x"), ENOENT);
    IS(make_folder("folder"), 0);
    IS(__wasi_path_create_directory(fd, "x"), ENOENT); /* it is another one */
    IS(__wasi_fd_close(fd), 0);
    IS(remove_folder("folder"), 0);
}

/* Until there are no more numbers; then those that there are still work. */
static void too_many(void)
{
    static __wasi_fd_t fds[4096];
    int count = 0, error = 0;
    IS(make("file"), 0);
    while (count < 4096 && (error = open_fd("file", 0, 0, 0, &fds[count])) == 0)
        count++;
    EITHER(error, EMFILE, ENOMEM);
    TRUE(count == 128 - 5); /* docs/languages.md; streams, root and folder have the others */
    IS(write_at_position(fds[0], "x"), 0);
    while (count > 0)
        error = __wasi_fd_close(fds[--count]);
    IS(error, 0);
    IS(opens("file", 0, 0), 0);
    IS(remove_file("file"), 0);
}

static int poll_for(uint8_t type, __wasi_fd_t fd, __wasi_event_t *event)
{
    __wasi_subscription_t wanted[2] = {{.userdata = 1, .u = {.tag = __WASI_EVENTTYPE_CLOCK}},
                                       {.userdata = 2, .u = {.tag = type}}};
    __wasi_event_t events[2] = {0};
    __wasi_size_t count = 0;
    wanted[0].u.u.clock =
        (__wasi_subscription_clock_t){.id = __WASI_CLOCKID_MONOTONIC, .timeout = UINT64_C(100000000000)};
    wanted[1].u.u.fd_read.file_descriptor = fd;
    int error = __wasi_poll_oneoff(wanted, events, 2, &count);
    *event = events[0];
    return error ? error : count == 1 ? 0 : EIO;
}

static void standard_streams(void)
{
    __wasi_event_t event;
    __wasi_fdstat_t stat = {0};
    __wasi_size_t size = 0;
    __wasi_iovec_t in = {bytes, sizeof bytes};
    __wasi_fd_t fd;
    IS(poll_for(__WASI_EVENTTYPE_FD_READ, 0, &event), 0);
    TRUE(event.userdata == 2 && event.type == __WASI_EVENTTYPE_FD_READ && event.error == 0);
    for (__wasi_fd_t out = 1; out <= 2; out++) {
        IS(poll_for(__WASI_EVENTTYPE_FD_WRITE, out, &event), 0);
        TRUE(event.userdata == 2 && event.type == __WASI_EVENTTYPE_FD_WRITE && event.error == 0);
    }
    TRUE(!isatty(0) && !isatty(1) && !isatty(2));
    IS(__wasi_fd_fdstat_get(1, &stat), 0);
    TRUE(stat.fs_rights_base & __WASI_RIGHTS_FD_WRITE);
    IS(__wasi_fd_write(0, &(__wasi_ciovec_t){bytes, 1}, 1, &size), EBADF);
    IS(__wasi_fd_read(1, &in, 1, &size), EBADF);
    EITHER(seeks(0, 0, __WASI_WHENCE_SET, 0), ESPIPE, EBADF);
    IS(__wasi_fd_read(0, &in, 1, &size), 0);
    TRUE(size == 8 && memcmp(bytes, "the body", 8) == 0);
    IS(__wasi_fd_read(0, &in, 1, &size), 0);
    TRUE(size == 0);
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT, 0, &fd), 0);
    IS(__wasi_fd_renumber(0, fd), 0); /* what was stdin goes by another number */
    IS(__wasi_fd_fdstat_get(0, &stat), EBADF);
    IS(__wasi_fd_fdstat_get(fd, &stat), 0);
    IS(__wasi_fd_close(fd), 0);
    for (__wasi_fd_t out = 1; out <= 2; out++) { /* and back, or nobody would hear of it */
        __wasi_fd_t place;
        IS(open_fd("file", 0, 0, 0, &fd), 0);
        IS(__wasi_fd_renumber(out, fd), 0);
        IS(__wasi_fd_fdstat_get(out, &stat), EBADF);
        IS(__wasi_fd_fdstat_get(fd, &stat), 0);
        TRUE(stat.fs_rights_base & __WASI_RIGHTS_FD_WRITE && stat.fs_filetype != __WASI_FILETYPE_REGULAR_FILE);
        while (open_fd("file", 0, 0, 0, &place) == 0 && place != out)
            ;
        IS(__wasi_fd_renumber(fd, out), 0);
    }
    IS(remove_file("file"), 0);
}

static void clocks_and_random(void)
{
    __wasi_timestamp_t at = 0;
    IS(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 1, &at), 0);
    IS(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &at), 0);
    IS(__wasi_clock_time_get(__WASI_CLOCKID_REALTIME, 0, &at), 0);
    TRUE(at > UINT64_C(1700000000000000000));
    EITHER(__wasi_clock_time_get(__WASI_CLOCKID_PROCESS_CPUTIME_ID, 0, &at), EBADF, EINVAL);
    EITHER(__wasi_clock_time_get(__WASI_CLOCKID_THREAD_CPUTIME_ID, 0, &at), EBADF, EINVAL);
    EITHER(__wasi_clock_res_get(__WASI_CLOCKID_THREAD_CPUTIME_ID, &at), EBADF, EINVAL);
    IS(__wasi_clock_res_get(__WASI_CLOCKID_MONOTONIC, &at), 0);
    TRUE(at > 0);
    memset(bytes, 0, sizeof bytes);
    IS(__wasi_random_get(bytes, sizeof bytes), 0);
    int zeros = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        zeros += bytes[i] == 0;
    TRUE(zeros < 600); /* 273 of 70,000 are to be expected */
}

int main(void)
{
    if (begin("/posix-descriptors"))
        return 1;
    positions();
    vectors();
    appending();
    rights();
    preopens();
    on_folders();
    listing();
    numbers();
    while_open();
    too_many();
    clocks_and_random();
    standard_streams();
    return end("/posix-descriptors");
}
