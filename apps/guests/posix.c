/* What WASI preview 1 says of paths: links, names, folders, slashes, opening, times; and clocks (posix.h). */
#include <dirent.h>
#include <time.h>

#include "posix.h"

static void symbolic_links(void)
{
    char text[16];
    __wasi_size_t size = 0;
    __wasi_filestat_t stat = {0};
    IS(symlink_to("target", "link"), 0);
    EITHER(opens("link", 0, 0), ELOOP, ELOOP);
    EITHER(opens("link", 0, FOLDER), ELOOP, ENOTDIR);
    IS(opens("link", FOLLOW, 0), ENOENT);
    IS(stat_of("link", 0, &stat), 0);
    TRUE(stat.filetype == __WASI_FILETYPE_SYMBOLIC_LINK && stat.size == 6);
    IS(stat_of("link", FOLLOW, &stat), ENOENT);
    IS(__wasi_path_readlink(dir, "link", (uint8_t *)text, sizeof text, &size), 0);
    TRUE(size == 6 && memcmp(text, "target", 6) == 0);
    IS(__wasi_path_readlink(dir, "link", (uint8_t *)text, 3, &size), 0); /* cut, as readlink does */
    TRUE(size == 3);
    IS(symlink_to("other", "link"), EEXIST);
    EITHER(opens("link", 0, __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL), EEXIST, EEXIST);
    IS(opens("link", FOLLOW, __WASI_OFLAGS_CREAT), 0); /* makes the target */
    IS(opens("link", FOLLOW, 0), 0);
    IS(opens("link", FOLLOW, FOLDER), ENOTDIR);
    EITHER(opens("link", 0, FOLDER), ELOOP, ENOTDIR);
    IS(remove_folder("link"), ENOTDIR);
    IS(__wasi_path_readlink(dir, "target", (uint8_t *)text, sizeof text, &size), EINVAL);
    IS(remove_file("link"), 0);
    IS(remove_file("target"), 0);
    IS(symlink_to("loop", "loop"), 0);
    IS(opens("loop", 0, 0), ELOOP);
    IS(opens("loop", FOLLOW, 0), ELOOP);
    IS(remove_file("loop"), 0);
    EITHER(symlink_to("/etc/passwd", "absolute"), EPERM, ENOTCAPABLE);
    IS(symlink_to("../../outside", "out"), 0);
    EITHER(opens("out", FOLLOW, 0), EPERM, ENOTCAPABLE);
    IS(remove_file("out"), 0);
    IS(make_folder("folder"), 0);
    IS(symlink_to("folder", "link"), 0);
    IS(make("link/inner"), 0);
    IS(opens("folder/inner", 0, 0), 0);
    IS(opens("link/", FOLLOW, FOLDER), 0);
    EITHER(remove_folder("link/"), ENOTDIR, ENOTDIR);
    IS(remove_file("link"), 0);
    IS(remove_file("folder/inner"), 0);
    IS(remove_folder("folder"), 0);
}

static void symbolic_links_and_slashes(void)
{
    EITHER(symlink_to("source", "target/"), ENOENT, ENOTDIR);
    IS(make_folder("target"), 0);
    IS(symlink_to("source", "target/"), EEXIST);
    IS(symlink_to("source", "target"), EEXIST);
    IS(remove_folder("target"), 0);
    IS(make("target"), 0);
    EITHER(symlink_to("source", "target/"), ENOTDIR, EEXIST);
    IS(symlink_to("source", "target"), EEXIST);
    IS(remove_file("target"), 0);
}

static void names(void)
{
    __wasi_filestat_t one = {0}, other = {0};
    IS(make("file"), 0);
    IS(link_to("file", "name"), 0);
    IS(stat_of("file", 0, &one), 0);
    IS(stat_of("name", 0, &other), 0);
    TRUE(one.ino == other.ino && one.dev == other.dev && one.nlink == 2 && other.nlink == 2);
    IS(link_to("file", "name"), EEXIST);
    IS(link_to("file", "file"), EEXIST);
    IS(link_to("file", "new/"), ENOENT);
    IS(link_to("none", "new"), ENOENT);
    IS(make_folder("folder"), 0);
    IS(link_to("file", "folder"), EEXIST);
    EITHER(link_to("folder", "new"), EPERM, EACCES);
    IS(rename_to("file", "name"), 0); /* two names of one file: nothing happens */
    IS(opens("file", 0, 0), 0);
    IS(remove_file("file"), 0);
    IS(stat_of("name", 0, &other), 0);
    TRUE(other.nlink == 1 && other.ino == one.ino);
    IS(symlink_to("nowhere", "link"), 0);
    IS(link_to("link", "new"), 0); /* the link itself */
    IS(link_to("name", "link"), EEXIST);
    IS(remove_file("new"), 0);
    IS(remove_file("link"), 0);
    IS(remove_file("name"), 0);
    IS(remove_folder("folder"), 0);
}

static int same(__wasi_fd_t one_folder, const char *one, __wasi_fd_t other_folder, const char *other)
{
    __wasi_filestat_t a = {0}, b = {0};
    int error = __wasi_path_filestat_get(one_folder, 0, one, &a);
    error = error ? error : __wasi_path_filestat_get(other_folder, 0, other, &b);
    return error ? error : memcmp(&a, &b, sizeof a) == 0 ? 0 : EIO;
}

/* Names that lead from one open folder into another. */
static void between_folders(void)
{
    __wasi_fd_t folder;
    IS(make("file"), 0);
    IS(make_folder("folder"), 0);
    IS(open_fd("folder", 0, FOLDER, 0, &folder), 0);
    IS(__wasi_path_link(dir, 0, "file", folder, "name"), 0);
    IS(same(dir, "file", folder, "name"), 0); /* in everything, times and counts, too */
    IS(__wasi_path_link(dir, 0, "file", folder, "name"), EEXIST);
    IS(__wasi_path_rename(folder, "name", dir, "moved"), 0);
    IS(same(dir, "file", dir, "moved"), 0);
    IS(__wasi_path_rename(dir, "moved", folder, "."), EBUSY);
    EITHER(__wasi_path_rename(dir, "moved", folder, "../out"), EPERM, ENOTCAPABLE);
    EITHER(__wasi_path_link(dir, 0, "file", folder, "../out"), EPERM, ENOTCAPABLE);
    IS(__wasi_path_rename(dir, "folder", folder, "inner"), EINVAL); /* into itself */
    IS(remove_file("moved"), 0);
    IS(symlink_to("loop", "loop"), 0);
    IS(__wasi_path_link(dir, 0, "loop", folder, "loop"), 0); /* the link itself */
    IS(same(dir, "loop", folder, "loop"), 0);
    EITHER(__wasi_path_link(dir, FOLLOW, "loop", folder, "new"), EINVAL, ELOOP);
    IS(__wasi_path_unlink_file(folder, "loop"), 0);
    IS(remove_file("loop"), 0);
    IS(symlink_to("none", "link"), 0);
    EITHER(__wasi_path_link(dir, FOLLOW, "link", folder, "new"), EINVAL, ENOENT);
    IS(remove_file("link"), 0);
    IS(__wasi_fd_close(folder), 0);
    IS(remove_folder("folder"), 0);
    IS(remove_file("file"), 0);
}

/* A file is no place for paths to begin at. */
static void from_a_file(void)
{
    __wasi_fd_t file, fd;
    __wasi_filestat_t stat;
    char text[4];
    __wasi_size_t size;
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT, 0, &file), 0);
    EITHER(__wasi_path_open(file, 0, "x", __WASI_OFLAGS_CREAT, 0, 0, 0, &fd), ENOTDIR, EBADF);
    EITHER(__wasi_path_create_directory(file, "x"), ENOTDIR, EBADF);
    EITHER(__wasi_path_filestat_get(file, 0, "x", &stat), ENOTDIR, EBADF);
    EITHER(__wasi_path_readlink(file, "x", (uint8_t *)text, sizeof text, &size), ENOTDIR, EBADF);
    EITHER(__wasi_path_unlink_file(file, "x"), ENOTDIR, EBADF);
    EITHER(__wasi_path_remove_directory(file, "x"), ENOTDIR, EBADF);
    EITHER(__wasi_path_symlink("x", file, "x"), ENOTDIR, EBADF);
    EITHER(__wasi_path_rename(dir, "file", file, "x"), ENOTDIR, EBADF);
    EITHER(__wasi_path_link(file, 0, "x", dir, "x"), ENOTDIR, EBADF);
    EITHER(__wasi_fd_readdir(file, (uint8_t *)text, sizeof text, 0, &size), ENOTDIR, EBADF);
    EITHER(__wasi_path_open(99, 0, "x", 0, 0, 0, 0, &fd), EBADF, EBADF);
    IS(__wasi_fd_close(file), 0);
    IS(remove_file("file"), 0);
}

/* As the call has it, with the path's length: it may hold a NUL. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("path_open"))) int32_t path_open_raw(
    int32_t, int32_t, const char *, int32_t, int32_t, int64_t, int64_t, int32_t, __wasi_fd_t *);

static void paths_by_length(void)
{
    __wasi_fd_t fd;
    IS(make("file"), 0);
    IS(path_open_raw((int32_t)dir, 0, "filex", 4, 0, 0, 0, 0, &fd), 0);
    IS(__wasi_fd_close(fd), 0);
    EITHER(path_open_raw((int32_t)dir, 0, "file\0", 5, 0, 0, 0, 0, &fd), EINVAL, ENOENT);
    EITHER(path_open_raw((int32_t)dir, 0, "fi\0le", 5, 0, 0, 0, 0, &fd), EINVAL, ENOENT);
    EITHER(path_open_raw((int32_t)dir, 0, "new\0", 4, __WASI_OFLAGS_CREAT, 0, 0, 0, &fd), EINVAL, ENOENT);
    IS(opens("new", 0, 0), ENOENT);
    IS(remove_file("file"), 0);
}

static int kind_of(const char *path, int lookup)
{
    __wasi_filestat_t stat = {0};
    int error = stat_of(path, lookup, &stat);
    return error ? -error : stat.filetype;
}

static void kinds(void)
{
    IS(make_folder("folder"), 0);
    IS(make("folder/file"), 0);
    IS(symlink_to("folder/file", "to-file"), 0);
    IS(symlink_to("folder", "to-folder"), 0);
    for (int lookup = 0; lookup <= FOLLOW; lookup += FOLLOW) {
        IS(kind_of("folder", lookup), __WASI_FILETYPE_DIRECTORY);
        IS(kind_of("folder/file", lookup), __WASI_FILETYPE_REGULAR_FILE);
        IS(kind_of("to-file", lookup), lookup ? __WASI_FILETYPE_REGULAR_FILE : __WASI_FILETYPE_SYMBOLIC_LINK);
        IS(kind_of("to-folder", lookup), lookup ? __WASI_FILETYPE_DIRECTORY : __WASI_FILETYPE_SYMBOLIC_LINK);
        IS(kind_of("to-folder/file", lookup), __WASI_FILETYPE_REGULAR_FILE);
    }
    EITHER(opens("to-file", 0, 0), ELOOP, ELOOP);
    EITHER(opens("to-file", 0, FOLDER), ELOOP, ENOTDIR);
    IS(opens("to-file", FOLLOW, FOLDER), ENOTDIR);
    IS(remove_file("to-folder"), 0);
    IS(remove_file("to-file"), 0);
    IS(remove_file("folder/file"), 0);
    IS(remove_folder("folder"), 0);
}

static void slashes_and_dots(void)
{
    IS(make_folder("folder"), 0);
    IS(make_folder("folder/inner/"), 0);
    IS(make("folder/inner/file"), 0);
    IS(opens("folder/./inner/../inner//file", 0, 0), 0);
    IS(opens("folder/inner/../../folder/inner/file", 0, 0), 0);
    EITHER(opens("/folder", 0, 0), EPERM, ENOTCAPABLE);
    EITHER(opens("../", 0, 0), EPERM, ENOTCAPABLE);
    EITHER(opens("folder/inner/../../../x", 0, 0), EPERM, ENOTCAPABLE);
    EITHER(opens("folder/inner/file/", 0, 0), ENOTDIR, ENOENT);
    IS(opens("folder/inner/file/x", 0, 0), ENOTDIR);
    IS(opens("", 0, 0), ENOENT);
    IS(remove_file("folder/inner"), EISDIR);
    EITHER(remove_file("folder/inner/"), EISDIR, ENOTDIR);
    EITHER(remove_file("folder/inner/file/"), ENOTDIR, ENOENT);
    IS(remove_folder("folder/inner/file"), ENOTDIR);
    EITHER(remove_folder("folder/inner/file/"), ENOTDIR, ENOENT);
    IS(remove_folder("folder/inner"), ENOTEMPTY);
    IS(remove_folder("folder/none"), ENOENT);
    IS(remove_file("folder/none"), ENOENT);
    IS(remove_file("folder/inner/file"), 0);
    IS(rename_to("folder/inner/", "folder/other/"), 0);
    IS(remove_folder("folder/other/"), 0);
    IS(remove_folder("folder"), 0);
}

static void renames(void)
{
    IS(make("file"), 0);
    IS(make("file2"), 0);
    IS(make_folder("folder"), 0);
    IS(make_folder("folder2"), 0);
    IS(make("folder2/x"), 0);
    IS(rename_to("file", "folder"), EISDIR);
    IS(rename_to("folder", "file"), ENOTDIR);
    IS(rename_to("folder", "folder2"), ENOTEMPTY);
    IS(rename_to("folder", "folder/inner"), EINVAL);
    IS(rename_to("none", "x"), ENOENT);
    EITHER(rename_to("file", "new/"), ENOTDIR, ENOENT);
    IS(rename_to("file", "file2"), 0);
    IS(opens("file", 0, 0), ENOENT);
    IS(rename_to("folder2", "folder"), 0);
    IS(opens("folder/x", 0, 0), 0);
    IS(remove_file("folder/x"), 0);
    IS(remove_folder("folder"), 0);
    IS(remove_file("file2"), 0);
}

static void opening(void)
{
    __wasi_fd_t fd;
    __wasi_filestat_t stat = {0};
    __wasi_ciovec_t text = {(const uint8_t *)"text", 4};
    __wasi_size_t size;
    IS(opens("file", 0, 0), ENOENT);
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL, 0, &fd), 0);
    IS(__wasi_fd_write(fd, &text, 1, &size), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(opens("file", 0, __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL), EEXIST);
    IS(opens("file", 0, __WASI_OFLAGS_CREAT), 0);
    IS(stat_of("file", 0, &stat), 0);
    TRUE(stat.size == 4 && stat.filetype == __WASI_FILETYPE_REGULAR_FILE && stat.nlink == 1);
    IS(opens("file", 0, FOLDER), ENOTDIR);
    IS(opens("file", 0, __WASI_OFLAGS_TRUNC), 0);
    IS(stat_of("file", 0, &stat), 0);
    TRUE(stat.size == 0);
    EITHER(opens("new", 0, FOLDER | __WASI_OFLAGS_CREAT), EINVAL, ENOTDIR);
    IS(remove_file("file"), 0);
    IS(remove_file("new"), ENOENT);
}

static void flags_of(int flag, int kept)
{
    __wasi_fd_t fd;
    __wasi_fdstat_t stat = {0};
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT, flag, &fd), 0);
    IS(__wasi_fd_fdstat_get(fd, &stat), 0);
    TRUE(stat.fs_flags == kept);
    IS(__wasi_fd_close(fd), 0);
    IS(remove_file("file"), 0);
}

static void sizes_and_times(void)
{
    __wasi_fd_t fd;
    __wasi_filestat_t stat = {0};
    IS(open_fd("file", 0, __WASI_OFLAGS_CREAT, 0, &fd), 0);
    IS(__wasi_fd_filestat_set_size(fd, 100), 0);
    IS(__wasi_fd_advise(fd, 0, 10, __WASI_ADVICE_SEQUENTIAL), 0);
    IS(__wasi_fd_sync(fd), 0);
    IS(__wasi_fd_datasync(fd), 0);
    IS(__wasi_fd_filestat_set_times(fd, 5000000000, 7000000001, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_MTIM), 0);
    IS(__wasi_fd_filestat_get(fd, &stat), 0);
    TRUE(stat.size == 100 && stat.atim == 5000000000 && stat.mtim == 7000000001);
    IS(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW), EINVAL);
    IS(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW), EINVAL);
    IS(__wasi_path_filestat_set_times(dir, 0, "file", 0, 0, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW), EINVAL);
    IS(__wasi_path_filestat_set_times(dir, 0, "file", 0, 0, __WASI_FSTFLAGS_ATIM | __WASI_FSTFLAGS_ATIM_NOW), EINVAL);
    IS(__wasi_fd_filestat_get(fd, &stat), 0);
    TRUE(stat.size == 100 && stat.atim == 5000000000 && stat.mtim == 7000000001); /* what fails changes nothing */
    IS(__wasi_path_filestat_set_times(dir, 0, "file", 9000000000, 0, __WASI_FSTFLAGS_ATIM), 0);
    IS(stat_of("file", 0, &stat), 0);
    TRUE(stat.atim == 9000000000 && stat.mtim == 7000000001);
    IS(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_ATIM_NOW), 0);
    IS(stat_of("file", 0, &stat), 0);
    TRUE(stat.atim > 1700000000000000000 && stat.mtim == 7000000001);
    IS(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_MTIM_NOW), 0);
    IS(stat_of("file", 0, &stat), 0);
    TRUE(stat.mtim > 1700000000000000000);
    IS(__wasi_fd_filestat_set_times(fd, 0, UINT64_MAX, __WASI_FSTFLAGS_MTIM), 0);
    IS(stat_of("file", 0, &stat), 0);
    TRUE(stat.mtim == UINT64_MAX);
    IS(symlink_to("file", "link"), 0);
    IS(__wasi_path_filestat_set_times(dir, FOLLOW, "link", 0, 3000000000, __WASI_FSTFLAGS_MTIM), 0);
    IS(stat_of("file", 0, &stat), 0);
    TRUE(stat.mtim == 3000000000);
    IS(__wasi_path_filestat_set_times(dir, 0, "link", 0, 2000000000, __WASI_FSTFLAGS_MTIM), 0);
    IS(stat_of("link", 0, &stat), 0);
    TRUE(stat.mtim == 2000000000);
    IS(remove_file("link"), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(remove_file("file"), 0);
}

static void folders(void)
{
    __wasi_fd_t fd;
    uint8_t byte;
    __wasi_iovec_t in = {&byte, 1};
    __wasi_size_t size;
    int seen = 0;
    IS(make_folder("folder"), 0);
    IS(open_fd("folder", 0, FOLDER, 0, &fd), 0);
    EITHER(__wasi_fd_read(fd, &in, 1, &size), EISDIR, EBADF);
    EITHER(__wasi_fd_pread(fd, &in, 1, 0, &size), EISDIR, EBADF);
    EITHER(__wasi_fd_filestat_set_size(fd, 0), EISDIR, EBADF);
    EITHER(__wasi_fd_advise(fd, 0, 0, __WASI_ADVICE_NORMAL), EBADF, EISDIR);
    EITHER(__wasi_fd_seek(fd, 0, __WASI_WHENCE_SET, (__wasi_filesize_t[1]){0}), EBADF, EISDIR);
    IS(__wasi_fd_close(fd), 0);
    IS(make("folder/a"), 0);
    IS(symlink_to("a", "folder/b"), 0);
    IS(make_folder("folder/c"), 0);
    DIR *listing = opendir("/posix/folder");
    for (struct dirent *e; listing && (e = readdir(listing));)
        seen |= e->d_type == DT_REG && !strcmp(e->d_name, "a")   ? 1
                : e->d_type == DT_LNK && !strcmp(e->d_name, "b") ? 2
                : e->d_type == DT_DIR && !strcmp(e->d_name, "c") ? 4
                : e->d_name[0] == '.'                            ? 0
                                                                 : 8;
    TRUE(listing && seen == 7);
    if (listing)
        closedir(listing);
    IS(remove_folder("folder/c"), 0);
    IS(remove_file("folder/b"), 0);
    IS(remove_file("folder/a"), 0);
    IS(remove_folder("folder"), 0);
}

static void others(void)
{
    struct timespec now, later;
    __wasi_ciovec_t text = {(const uint8_t *)"text", 4};
    uint8_t bytes[32] = {0}, none[32] = {0};
    __wasi_event_t event;
    __wasi_size_t events = 0;
    __wasi_subscription_t clock = {.userdata = 7, .u = {.tag = __WASI_EVENTTYPE_CLOCK}};
    IS(clock_getres(CLOCK_REALTIME, &now), 0);
    IS(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    IS(clock_gettime(CLOCK_MONOTONIC, &later), 0);
    TRUE(later.tv_sec > now.tv_sec || (later.tv_sec == now.tv_sec && later.tv_nsec >= now.tv_nsec));
    IS(__wasi_random_get(bytes, 0), 0);
    IS(__wasi_random_get(bytes, sizeof bytes), 0);
    TRUE(memcmp(bytes, none, sizeof none) != 0);
    clock.u.u.clock = (__wasi_subscription_clock_t){.id = __WASI_CLOCKID_MONOTONIC, .timeout = 1000000};
    IS(__wasi_poll_oneoff(&clock, &event, 1, &events), 0);
    TRUE(events == 1 && event.userdata == 7 && event.type == __WASI_EVENTTYPE_CLOCK && event.error == 0);
    IS(__wasi_sock_shutdown(99, __WASI_SDFLAGS_RD), EBADF);
    EITHER(__wasi_sock_shutdown(dir, __WASI_SDFLAGS_RD), ENOTSOCK, EBADF);
    IS(__wasi_fd_write(99, &text, 1, &events), EBADF);
    IS(__wasi_sched_yield(), 0);
}

static void odd_names(void)
{
    __wasi_fd_t fd;
    static char path[5000];
    memset(path, '/', sizeof path - 1);
    memcpy(path, "./", 2);
    path[4094] = '.';
    path[4095] = 0;
    IS(opens(path, 0, FOLDER), 0); /* 4,095 bytes */
    path[4095] = '.', path[4096] = 0;
    IS(opens(path, 0, FOLDER), ENAMETOOLONG);
    IS(symlink_to(path, "link"), ENAMETOOLONG);
    IS(make("caf\303\251"), 0);
    IS(remove_file("caf\303\251"), 0);
    IS(make("cafe\314\201"), 0); /* in other bytes it is another name */
    IS(opens("caf\303\251", 0, 0), ENOENT);
    IS(remove_file("cafe\314\201"), 0);
    IS(make(" \n\t*?:\\|<>\""), 0);
    IS(remove_file(" \n\t*?:\\|<>\""), 0);
    IS(__wasi_path_open(dir, 0, "...", __WASI_OFLAGS_CREAT, 0, 0, 0, &fd), 0);
    IS(__wasi_fd_close(fd), 0);
    IS(remove_file("..."), 0);
    IS(remove_file(".."), EPERM);
    IS(remove_folder("."), EINVAL);
    IS(make_folder("."), EEXIST);
    IS(rename_to(".", "x"), EBUSY);
    IS(link_to(".", "x"), EPERM);
    IS(symlink_to("", "x"), ENOENT);
    IS(symlink_to("x", ""), ENOENT);
    /* symbolic links that lead up, and round */
    IS(symlink_to("..", "up"), 0);
    EITHER(opens("up", FOLLOW, FOLDER), EPERM, ENOTCAPABLE);
    EITHER(make("up/x"), EPERM, ENOTCAPABLE);
    EITHER(rename_to("up/x", "y"), EPERM, ENOTCAPABLE);
    IS(rename_to("up", "up2"), 0);
    IS(remove_file("up2"), 0);
    IS(symlink_to("b", "a"), 0);
    IS(symlink_to("a", "b"), 0);
    IS(opens("a", FOLLOW, 0), ELOOP);
    IS(make("a/x"), ELOOP);
    IS(opens("a", FOLLOW, __WASI_OFLAGS_CREAT), ELOOP);
    IS(opens("a", FOLLOW, __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL), EEXIST);
    IS(remove_file("a"), 0);
    IS(opens("b", FOLLOW, __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL), EEXIST); /* also a dangling one */
    IS(remove_file("b"), 0);
}

int main(void)
{
    if (begin("/posix"))
        return 1;
    symbolic_links();
    symbolic_links_and_slashes();
    names();
    between_folders();
    from_a_file();
    paths_by_length();
    kinds();
    slashes_and_dots();
    renames();
    odd_names();
    opening();
    static const int flags[] = {0,
                                __WASI_FDFLAGS_APPEND,
                                __WASI_FDFLAGS_SYNC,
                                __WASI_FDFLAGS_DSYNC,
                                __WASI_FDFLAGS_RSYNC,
                                __WASI_FDFLAGS_APPEND | __WASI_FDFLAGS_SYNC};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        flags_of(flags[i], flags[i]);
    sizes_and_times();
    folders();
    others();
    return end("/posix");
}
