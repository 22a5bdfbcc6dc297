/* What random-files.c prints, and what it asks for. */
#ifndef RANDOM_FILES_H
#define RANDOM_FILES_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/openat2.h>
#include <sys/syscall.h>
#else
#include <wasi/api.h>
#endif

#define SLOTS 8
#define PATH_SIZE 8192
#define BYTES_MAX 200000
#define OLD_MAX 1000000 /* seconds: a time of ours, not now */

static uint64_t state;
static int root;
static struct slot {
    int fd; /* -1: none */
    bool append;
} slots[SLOTS];
static char bytes[BYTES_MAX];

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 11) % n);
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

/* ---- what is printed -------------------------------------------------------------------------------------------- */

#define E(name)     \
    {               \
        name, #name \
    }
static const struct {
    int number;
    const char *name;
} errors[] = {
    E(EACCES), E(EBADF),  E(EBUSY),   E(EDQUOT),    E(EEXIST),  E(EFBIG),        E(EINVAL),
    E(EIO),    E(EISDIR), E(ELOOP),   E(EMFILE),    E(EMLINK),  E(ENAMETOOLONG), E(ENOENT),
    E(ENOMEM), E(ENOSPC), E(ENOTDIR), E(ENOTEMPTY), E(ENOTSUP), E(EPERM),        E(EOVERFLOW),
    E(EROFS),  E(ESPIPE), E(ETXTBSY), E(EXDEV),     E(EILSEQ),  E(ENOSYS),       E(ENXIO),
};

static const char *error_name(int error)
{
    static char unknown[24];
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].number == error)
            return errors[i].name;
    snprintf(unknown, sizeof unknown, "errno %d", error);
    return unknown;
}

/* A result that is no number of interest. True: it succeeded. */
static bool say(int result)
{
    printf(" = %s\n", result < 0 ? error_name(errno) : "ok");
    return result >= 0;
}

static void say_number(long long result)
{
    if (result < 0)
        printf(" = %s\n", error_name(errno));
    else
        printf(" = %lld\n", result);
}

/* Long names are shown by their length, and "./" as often as it is there. */
static const char *shown(const char *path)
{
    static char out[PATH_SIZE];
    size_t used = 0;
    *out = 0;
    for (const char *at = path; *at;) {
        size_t dots = 0;
        while (!strncmp(at + 2 * dots, "./", 2) && (at == path || at[-1] == '/'))
            dots++;
        if (dots > 1) {
            used += (size_t)sprintf(out + used, "{./*%zu}", dots);
            at += 2 * dots;
            continue;
        }
        size_t size = strcspn(at, "/") ? strcspn(at, "/") : 1;
        used += (size_t)(size < 100 ? sprintf(out + used, "%.*s", (int)size, at)
                                    : sprintf(out + used, "%c*%zu", *at, size));
        at += size;
    }
    return out;
}

/* Inodes are numbered as they are met. */
static unsigned number_of(ino_t inode)
{
    static ino_t met[65536];
    static unsigned count;
    for (unsigned i = 0; i < count; i++)
        if (met[i] == inode)
            return i;
    met[count] = inode;
    return count < 65535 ? count++ : count;
}

static void say_stat(int result, const struct stat *s)
{
    if (result < 0) {
        printf(" = %s\n", error_name(errno));
        return;
    }
    printf(" = %s %u", S_ISDIR(s->st_mode) ? "directory" : S_ISLNK(s->st_mode) ? "link" : "file", number_of(s->st_ino));
    if (!S_ISDIR(s->st_mode))
        printf(", %lld bytes, %u names", (long long)s->st_size, (unsigned)s->st_nlink);
    if (s->st_mtim.tv_sec < OLD_MAX)
        printf(", of %lld.%09ld", (long long)s->st_mtim.tv_sec, (long)s->st_mtim.tv_nsec);
    printf("\n");
}

static unsigned sum_of(const char *data, size_t size)
{
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + (unsigned char)data[i];
    return sum;
}

static void say_bytes(ssize_t size)
{
    if (size < 0)
        printf(" = %s\n", error_name(errno));
    else
        printf(" = %zd bytes, %08x\n", size, sum_of(bytes, (size_t)size));
}

/* ---- what is asked ---------------------------------------------------------------------------------------------- */

static bool two_paths; /* which of two errors comes first is nobody's promise: no name is too long */

static void add_name(char *path)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", ".", "..", "\303\251", ".hidden"};
    size_t size = strlen(path), length = 0;
    switch (below(120)) {
    case 0:
        length = 255;
        break;
    case 1:
        length = two_paths ? 255 : 256;
        break;
    default:
        strcat(path, names[one_in(8) ? below(10) : below(3)]);
    }
    memset(path + size, 'n', length);
    if (length)
        path[size + length] = 0;
}

/* Random, relative, mostly short. */
static const char *random_path(char path[static PATH_SIZE])
{
    *path = 0;
    if (one_in(200))
        return path;
    unsigned parts = one_in(200) && !two_paths ? 14 + below(6) : one_in(3) ? 1 + below(4) : 1;
    bool is_long = parts > 10;
    for (unsigned i = 0; i < parts; i++) {
        if (i)
            strcat(path, one_in(20) ? "//" : one_in(20) ? "/./" : "/");
        if (is_long)
            strncat(path,
                    "./././././././././././././././././././././././././././././././././././././././././././././././././"
                    "./././././././././././././././././././././././././././././././././././././././././././././././././"
                    "./././././././././././././././././././././././././././././././././././././././././././",
                    290);
        add_name(path);
    }
    const char *last = strrchr(path, '/');
    if (one_in(10) && strlen(last ? last + 1 : path) <= 255)
        strcat(path, one_in(4) ? "//" : "/");
    return path;
}

/* Mostly one that is open. */
static unsigned random_index(void)
{
    unsigned i = below(SLOTS);
    for (int tries = 0; slots[i].fd < 0 && tries < 8; tries++)
        i = below(SLOTS);
    return i;
}

static bool is_folder(int fd)
{
    struct stat s;
    return fd >= 0 && fstat(fd, &s) == 0 && S_ISDIR(s.st_mode);
}

/* A directory to start from, mostly the folder. */
static int random_base(void)
{
    unsigned i = random_index();
    bool is_root = !one_in(3) || !is_folder(slots[i].fd);
    if (!is_root)
        printf(" [%u]", i);
    return is_root ? root : slots[i].fd;
}

static struct slot *random_slot(void)
{
    unsigned i = random_index();
    printf(" [%u]", i);
    return &slots[i];
}

static off_t random_offset(void)
{
    static const off_t special[] = {-1, 0, 1, 65535, 65536, 65537, 131072, (off_t)1 << 33, ((off_t)1 << 33) + 65536};
    return one_in(3) ? special[below(9)] : (off_t)below(100000);
}

static size_t random_size(void)
{
    return one_in(8) ? below(BYTES_MAX) : one_in(10) ? 0 : below(3000);
}

/* What becomes of a symbolic link at a path's end: it is what is meant, with a slash behind it, too; or without; or
 * never. */
enum last { IS_MEANT, IS_MEANT_WITHOUT_SLASH, IS_FOLLOWED };

/* Whether a path leads out of where it starts, which is EPERM here. Linux can say so itself. */
static bool leaves(int base, const char *path, enum last last)
{
#ifdef __linux__
    char name[PATH_SIZE];
    size_t size = strlen(path);
    while (last == IS_MEANT && size > 1 && path[size - 1] == '/')
        size--;
    snprintf(name, sizeof name, "%.*s", (int)size, path);
    struct open_how how = {.flags = O_PATH | (last == IS_FOLLOWED ? 0 : O_NOFOLLOW), .resolve = RESOLVE_BENEATH};
    long fd = syscall(SYS_openat2, base, name, &how, sizeof how);
    if (fd >= 0)
        close((int)fd);
    if (fd >= 0 || errno != EXDEV)
        return false;
    errno = EPERM;
    return true;
#else
    (void)base, (void)path, (void)last;
    return false;
#endif
}

/* Whether there is a directory for a path's last part. */
static bool has_parent(int base, const char *path)
{
    char parent[PATH_SIZE];
    size_t size = strlen(path);
    if (size == 0)
        return false;
    while (size > 0 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    snprintf(parent, sizeof parent, "%.*s.", (int)size, path);
    int fd = openat(base, parent, O_RDONLY | O_DIRECTORY);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

#endif
