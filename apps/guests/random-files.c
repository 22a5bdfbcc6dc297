/*
 * Random operations on files, a line for each with all that it answered. Built for Linux and for WASI, it must print
 * the same for the same seed (tests/e2e/random-files.sh): what Linux does is what is expected.
 *
 * Arguments: SEED OPERATIONS; as a component from QUERY_STRING ("SEED-OPERATIONS"). It works in the folder
 * "random-files" of its root, or natively in its working directory, which must be empty.
 *
 * Left out, since the two are to differ: absolute paths (refused here), O_CREAT with O_DIRECTORY (changed in Linux
 * 6.4), pwrite with O_APPEND (Linux appends against POSIX), access times, links and sizes of directories, and what the
 * preview 1 adapter says of itself: descriptors of directories have bytes, flags and times for nobody (EBADF).
 */
#define _GNU_SOURCE
#include "random-files.h"

/* ---- operations on paths ---------------------------------------------------------------------------------------- */

static void do_open(void)
{
    static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
    char path[PATH_SIZE];
    unsigned i = below(SLOTS);
    struct slot *slot = &slots[i];
    printf(" [%u]", i);
    int base = random_base();
    const char *at = random_path(path);
    int flags = modes[below(4)];
    flags |= (one_in(2) ? O_CREAT : 0) | (one_in(6) ? O_EXCL : 0) | (one_in(6) ? O_TRUNC : 0);
    flags |= (one_in(6) ? O_APPEND : 0) | (one_in(6) ? O_NOFOLLOW : 0);
    if (!(flags & O_CREAT) && one_in(3))
        flags = O_DIRECTORY | (flags & O_NOFOLLOW) | (one_in(8) ? O_RDWR : O_RDONLY);
    if (!(flags & O_CREAT))
        flags &= ~O_EXCL; /* not defined */
    printf(" %s%s%s%s%s%s%s %s", shown(path), flags & O_CREAT ? " create" : "", flags & O_EXCL ? " exclusive" : "",
           flags & O_TRUNC ? " truncate" : "", flags & O_APPEND ? " append" : "", flags & O_NOFOLLOW ? " nofollow" : "",
           flags & O_DIRECTORY ? " directory" : "",
           (flags & O_ACCMODE) == O_RDWR     ? "rw"
           : (flags & O_ACCMODE) == O_WRONLY ? "w"
                                             : "r");
    bool slash = *path && path[strlen(path) - 1] == '/';
    enum last last = flags & O_EXCL || (flags & O_CREAT && slash) ? IS_MEANT
                     : flags & O_NOFOLLOW                         ? IS_MEANT_WITHOUT_SLASH
                                                                  : IS_FOLLOWED;
    int fd = leaves(base, at, last) ? -1 : openat(base, at, flags, 0777);
    int error = errno;
    if (slot->fd >= 0)
        close(slot->fd);
    errno = error;
    *slot = (struct slot){fd, flags & O_APPEND};
    say(fd);
}

static void do_mkdir(void)
{
    char path[PATH_SIZE];
    int base = random_base();
    printf(" %s", shown(random_path(path)));
    say(leaves(base, path, IS_MEANT) ? -1 : mkdirat(base, path, 0777));
}

static void do_remove(int flag)
{
    char path[PATH_SIZE];
    int base = random_base();
    printf(" %s", shown(random_path(path)));
    say(leaves(base, path, IS_MEANT) ? -1 : unlinkat(base, path, flag));
}

static void do_unlink(void)
{
    do_remove(0);
}
static void do_rmdir(void)
{
    do_remove(AT_REMOVEDIR);
}

static void do_rename(void)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    int one = random_base(), other = random_base();
    printf(" %s ->", shown(random_path(from)));
    printf(" %s", shown(random_path(to)));
    bool bad = leaves(one, from, IS_MEANT) || (has_parent(one, from) && leaves(other, to, IS_MEANT));
    say(bad ? -1 : renameat(one, from, other, to));
}

static void do_link(void)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    int one = random_base(), other = random_base(), flag = one_in(4) ? AT_SYMLINK_FOLLOW : 0;
    printf(" %s%s ->", shown(random_path(from)), flag ? " follow" : "");
    printf(" %s", shown(random_path(to)));
    struct stat s; /* whether there is something to link comes first */
    bool bad = leaves(one, from, flag ? IS_FOLLOWED : IS_MEANT_WITHOUT_SLASH) ||
               (fstatat(one, from, &s, flag ? 0 : AT_SYMLINK_NOFOLLOW) == 0 && leaves(other, to, IS_MEANT));
    say(bad ? -1 : linkat(one, from, other, to, flag));
}

static void do_symlink(void)
{
    char target[PATH_SIZE], path[PATH_SIZE];
    int base = random_base();
    printf(" %s, to", shown(random_path(path)));
    random_path(target);
    for (size_t size = strlen(target); size > 0 && target[size - 1] == '/';)
        target[--size] = 0;
    printf(" %s", shown(target));
    bool bad = *target && strlen(target) < 4096 && leaves(base, path, IS_MEANT);
    say(bad ? -1 : symlinkat(target, base, path));
}

static void do_readlink(void)
{
    char path[PATH_SIZE];
    int base = random_base();
    size_t size = one_in(3) ? 1 + below(4) : sizeof bytes;
    printf(" %s", shown(random_path(path)));
    say_bytes(leaves(base, path, IS_MEANT_WITHOUT_SLASH) ? -1 : readlinkat(base, path, bytes, size));
}

static void do_stat(void)
{
    char path[PATH_SIZE];
    struct stat s;
    int base = random_base(), flag = one_in(2) ? AT_SYMLINK_NOFOLLOW : 0;
    printf(" %s%s", shown(random_path(path)), flag ? "" : " follow");
    say_stat(leaves(base, path, flag ? IS_MEANT_WITHOUT_SLASH : IS_FOLLOWED) ? -1 : fstatat(base, path, &s, flag), &s);
}

/* path NULL: the descriptor's file. */
#ifdef __linux__
static int set_times(int fd, const char *path, const struct timespec times[2], int flag)
{
    return path ? utimensat(fd, path, times, flag) : futimens(fd, times);
}
#else /* wasi-libc before 2023 refuses UTIME_NOW and UTIME_OMIT */
static int set_times(int fd, const char *path, const struct timespec times[2], int flag)
{
    __wasi_timestamp_t at[2];
    __wasi_fstflags_t flags = 0;
    for (int i = 0; i < 2; i++) {
        at[i] = (__wasi_timestamp_t)times[i].tv_sec * 1000000000 + (__wasi_timestamp_t)times[i].tv_nsec;
        if (times[i].tv_nsec != UTIME_OMIT)
            flags |= (__wasi_fstflags_t)((times[i].tv_nsec == UTIME_NOW ? 2 : 1) << 2 * i);
    }
    __wasi_lookupflags_t lookup = flag & AT_SYMLINK_NOFOLLOW ? 0 : __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW;
    errno = path ? __wasi_path_filestat_set_times(fd, lookup, path, at[0], at[1], flags)
                 : __wasi_fd_filestat_set_times(fd, at[0], at[1], flags);
    return errno ? -1 : 0;
}
#endif

/* At least one of them is set; a time that is, to one in the past. */
static void random_times(struct timespec times[2])
{
    unsigned kind = below(4);
    for (int i = 0; i < 2; i++) {
        times[i] = (struct timespec){1 + (time_t)below(OLD_MAX - 1), (long)below(1000000000)};
        if (kind == 1 + (unsigned)i)
            times[i].tv_nsec = UTIME_OMIT;
        if (kind == 3)
            times[i].tv_nsec = UTIME_NOW;
    }
    printf(" %s", kind == 3 ? "now" : kind == 1 ? "modified" : kind == 2 ? "accessed" : "both");
}

static void do_times(void)
{
    char path[PATH_SIZE];
    struct timespec times[2];
    int base = random_base(), flag = one_in(2) ? AT_SYMLINK_NOFOLLOW : 0;
    random_times(times);
    printf(" %s%s", shown(random_path(path)), flag ? "" : " follow");
    say(leaves(base, path, flag ? IS_MEANT_WITHOUT_SLASH : IS_FOLLOWED) ? -1 : set_times(base, path, times, flag));
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, since the order is nobody's promise. */
static void say_entries(DIR *folder)
{
    char *lines[512];
    size_t count = 0;
    for (struct dirent *e; count < 512 && (e = readdir(folder));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        lines[count] = malloc(300);
        snprintf(lines[count++], 300, "%s%s", e->d_name, e->d_type == DT_DIR ? "/" : e->d_type == DT_LNK ? "@" : "");
    }
    qsort(lines, count, sizeof *lines, compare_text);
    printf(" =");
    for (size_t i = 0; i < count; i++) {
        printf(" %s", shown(lines[i]));
        free(lines[i]);
    }
    printf("\n");
}

static void do_list(void)
{
    char path[PATH_SIZE];
    int base = random_base();
    const char *at = one_in(2) ? strcpy(path, ".") : random_path(path);
    printf(" %s", shown(path));
    int fd = leaves(base, at, IS_FOLLOWED) ? -1 : openat(base, at, O_RDONLY | O_DIRECTORY);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        say(-1);
        return;
    }
    say_entries(folder);
    closedir(folder);
}

/* ---- operations on descriptors ---------------------------------------------------------------------------------- */

/* All of it, as far as it goes: how much comes at once is nobody's promise. offset -2: where the descriptor is. The
 * preview 1 adapter reads on where reading ended last, wherever writing has got to; seeking tells it. */
static ssize_t transfer(int fd, bool writes, size_t size, off_t offset)
{
    size_t done = 0;
    ssize_t part;
    if (offset == -2)
        lseek(fd, lseek(fd, 0, SEEK_CUR), SEEK_SET);
    do {
        off_t at = offset + (off_t)done;
        if (writes)
            part = offset == -2 ? write(fd, bytes + done, size - done) : pwrite(fd, bytes + done, size - done, at);
        else
            part = offset == -2 ? read(fd, bytes + done, size - done) : pread(fd, bytes + done, size - done, at);
        if (part < 0 && done == 0)
            return -1;
        done += part > 0 ? (size_t)part : 0;
    } while (part > 0 && done < size);
    return (ssize_t)done;
}

static void fill(size_t size)
{
    unsigned first = below(256);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(first + i * 7);
}

static void do_read(void)
{
    struct slot *slot = random_slot();
    size_t size = random_size();
    printf(" %zu", size);
    if (is_folder(slot->fd))
        printf(" = not tried\n");
    else
        say_bytes(transfer(slot->fd, false, size, -2));
}

static void do_write(void)
{
    struct slot *slot = random_slot();
    size_t size = random_size();
    printf(" %zu", size);
    fill(size);
    if (slot->append && size == 0)
        printf(" = not tried\n"); /* the adapter moves to the end */
    else
        say_number(transfer(slot->fd, true, size, -2));
}

static void do_pread(void)
{
    struct slot *slot = random_slot();
    size_t size = random_size();
    off_t offset = random_offset();
    printf(" %zu at %lld", size, (long long)offset);
    if (is_folder(slot->fd))
        printf(" = not tried\n");
    else
        say_bytes(transfer(slot->fd, false, size, offset));
}

static void do_pwrite(void)
{
    struct slot *slot = random_slot();
    size_t size = random_size();
    off_t offset = random_offset();
    printf(" %zu at %lld", size, (long long)offset);
    fill(size);
    if (slot->append)
        printf(" = not tried\n");
    else
        say_number(transfer(slot->fd, true, size, offset));
}

static void do_seek(void)
{
    static const struct {
        int whence;
        const char *name;
    } from[] = {{SEEK_SET, "start"}, {SEEK_CUR, "here"}, {SEEK_END, "end"}};
    struct slot *slot = random_slot();
    unsigned i = below(3);
    off_t offset = random_offset() * (one_in(3) ? -1 : 1);
    printf(" %lld from %s", (long long)offset, from[i].name);
    if (is_folder(slot->fd))
        printf(" = not tried\n"); /* Linux can do that */
    else
        say_number(lseek(slot->fd, offset, from[i].whence));
}

static void do_truncate(void)
{
    struct slot *slot = random_slot();
    off_t size = random_offset();
    printf(" to %lld", (long long)size);
    if (is_folder(slot->fd))
        printf(" = not tried\n");
    else
        say(ftruncate(slot->fd, size));
}

static void do_fstat(void)
{
    struct stat s;
    struct slot *slot = random_slot();
    say_stat(fstat(slot->fd, &s), &s);
}

static void do_ftimes(void)
{
    struct timespec times[2];
    struct slot *slot = random_slot();
    random_times(times);
    if (is_folder(slot->fd))
        printf(" = not tried\n");
    else
        say(set_times(slot->fd, NULL, times, 0));
}

static void do_sync(void)
{
    struct slot *slot = random_slot();
    bool whole = one_in(2);
    if (is_folder(slot->fd))
        printf(" = not tried\n");
    else
        say(whole ? fsync(slot->fd) : fdatasync(slot->fd));
}

static void do_flags(void)
{
    struct slot *slot = random_slot();
    int flags = fcntl(slot->fd, F_GETFL);
    bool append = one_in(2);
    if (flags < 0 || is_folder(slot->fd)) {
        printf(" = not tried\n");
        return;
    }
    int mode = flags & O_ACCMODE;
    printf(" %s%s", mode == O_RDWR ? "rw" : mode == O_WRONLY ? "w" : "r", flags & O_APPEND ? " append" : "");
    int result = fcntl(slot->fd, F_SETFL, append ? flags | O_APPEND : flags & ~O_APPEND);
    if (result == 0)
        slot->append = append;
    printf(append ? ", append" : ", no append");
    say(result);
}

static void do_close(void)
{
    struct slot *slot = random_slot();
    say(close(slot->fd));
    slot->fd = -1;
}

static const struct {
    const char *name;
    void (*run)(void);
    unsigned weight;
} operations[] = {
    {"open", do_open, 12},        {"mkdir", do_mkdir, 6}, {"unlink", do_unlink, 5},   {"rmdir", do_rmdir, 4},
    {"rename", do_rename, 8},     {"link", do_link, 5},   {"symlink", do_symlink, 5}, {"readlink", do_readlink, 3},
    {"stat", do_stat, 8},         {"times", do_times, 3}, {"list", do_list, 4},       {"read", do_read, 5},
    {"write", do_write, 6},       {"pread", do_pread, 3}, {"pwrite", do_pwrite, 3},   {"seek", do_seek, 4},
    {"truncate", do_truncate, 3}, {"fstat", do_fstat, 4}, {"ftimes", do_ftimes, 2},   {"sync", do_sync, 1},
    {"flags", do_flags, 2},       {"close", do_close, 2},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void run_one(unsigned number)
{
    unsigned total = 0, i = 0;
    for (unsigned k = 0; k < OPERATIONS; k++)
        total += operations[k].weight;
    for (unsigned left = below(total); left >= operations[i].weight; i++)
        left -= operations[i].weight;
    printf("%u %s", number, operations[i].name);
    two_paths = operations[i].run == do_rename || operations[i].run == do_link;
    operations[i].run();
}

/* Everything below a folder goes. */
static void clear(int folder)
{
    DIR *listing = fdopendir(openat(folder, ".", O_RDONLY | O_DIRECTORY));
    for (struct dirent *e; listing && (e = readdir(listing));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        int inner = e->d_type == DT_DIR ? openat(folder, e->d_name, O_RDONLY | O_DIRECTORY) : -1;
        if (inner >= 0) {
            clear(inner);
            close(inner);
        }
        unlinkat(folder, e->d_name, e->d_type == DT_DIR ? AT_REMOVEDIR : 0);
        rewinddir(listing);
    }
    if (listing)
        closedir(listing);
}

int main(int count, char **arguments)
{
    const char *query = getenv("QUERY_STRING"), *dash = query ? strchr(query, '-') : NULL;
    const char *folder = query ? "/random-files" : ".";
    if (!dash && count != 3)
        return fprintf(stderr, "random-files: SEED OPERATIONS\n"), 2;
    state = strtoull(dash ? query : arguments[1], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
    unsigned operations_count = (unsigned)strtoul(dash ? dash + 1 : arguments[2], NULL, 10);
    if (query)
        mkdir(folder, 0777);
    root = open(folder, O_RDONLY | O_DIRECTORY);
    if (root < 0)
        return perror(folder), 1;
    for (int i = 0; i < SLOTS; i++)
        slots[i].fd = -1;
    for (unsigned i = 0; i < operations_count; i++)
        run_one(i);
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].fd >= 0)
            close(slots[i].fd);
    clear(root);
    return 0;
}
