/*
 * A guest that works its file system hard, through the C library. Each request is one task, /TASK?A or /TASK?A,B; the
 * answer is "ok" with a figure, or what went wrong.
 *
 *   /write?MIB     a file, written in order             /check?MIB  read it in order: every byte is as written
 *   /random?N      N reads at random places of it       /sparse     a file of 1 TiB with four bytes in it
 *   /pwrite?MIB,KIB and /pread?MIB,KIB                  the same file by position, in blocks of KIB
 *   /make?N,D      N files in D directories             /list?N,D   all are listed, once each
 *   /stat?N,D      and have the right size              /rename?N,D each within its directory
 *   /remove?N,D    and they are gone                    /ends       the largest file, and one byte more
 *   /fill?N        files until one is refused, N at most; then one is removed and one more goes in
 *   /chunks?N      the same with bytes, 64 KiB apart
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/say.h"
#include "../common/wasi_http.h"

#define CHUNK 65536

static int failed(const char *what, unsigned long at)
{
    return say("%s %lu: %s", what, at, strerror(errno));
}

/* What stands at a place of the file: different everywhere. */
static uint64_t word_at(uint64_t offset)
{
    uint64_t x = offset * 0x9e3779b97f4a7c15u + 1;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 27;
}

static uint64_t block[CHUNK * 16 / 8];

static void make_block(uint64_t offset, size_t size)
{
    for (size_t i = 0; i < size / 8; i++)
        block[i] = word_at(offset + 8 * i);
}

static bool block_is(uint64_t offset, size_t size)
{
    for (size_t i = 0; i < size / 8; i++)
        if (block[i] != word_at(offset + 8 * i))
            return false;
    return true;
}

/* ---- one large file ----------------------------------------------------------------------------------------- */

static int write_whole(unsigned long mib)
{
    int fd = open("/large", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        return failed("open", 0);
    for (uint64_t at = 0; at < (uint64_t)mib << 20; at += CHUNK) {
        make_block(at, CHUNK);
        for (size_t done = 0; done < CHUNK;) {
            ssize_t written = write(fd, (char *)block + done, CHUNK - done);
            if (written <= 0)
                return failed("write", at + done);
            done += (size_t)written;
        }
    }
    if (fsync(fd) != 0 || close(fd) != 0)
        return failed("sync", 0);
    return 0;
}

static int check_whole(unsigned long mib)
{
    int fd = open("/large", O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return failed("open", 0);
    if (st.st_size != (off_t)mib << 20)
        return say("size %lld", (long long)st.st_size);
    for (uint64_t at = 0; at < (uint64_t)mib << 20; at += CHUNK) {
        for (size_t done = 0; done < CHUNK;) {
            ssize_t got = read(fd, (char *)block + done, CHUNK - done);
            if (got <= 0)
                return failed("read", at + done);
            done += (size_t)got;
        }
        if (!block_is(at, CHUNK))
            return say("other bytes at %llu", at);
    }
    if (read(fd, block, 1) != 0)
        return say("bytes behind the end");
    return close(fd);
}

static int read_randomly(unsigned long count)
{
    int fd = open("/large", O_RDONLY);
    struct stat st;
    uint64_t seed = 88172645463325252u;
    if (fd < 0 || fstat(fd, &st) != 0)
        return failed("open", 0);
    for (unsigned long i = 0; i < count; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        uint64_t at = seed % ((uint64_t)st.st_size - 4096) & ~7ull;
        for (size_t done = 0; done < 4096;) { /* a read ends with its chunk */
            ssize_t got = pread(fd, (char *)block + done, 4096 - done, (off_t)(at + done));
            if (got <= 0)
                return failed("pread", i);
            done += (size_t)got;
        }
        if (!block_is(at, 4096))
            return say("other bytes at %llu", at);
    }
    return close(fd);
}

static int by_position(unsigned long mib, size_t size, bool writing)
{
    int fd = open("/large", writing ? O_RDWR | O_CREAT | O_TRUNC : O_RDONLY, 0666);
    if (fd < 0 || size == 0 || size > sizeof block)
        return failed("open", 0);
    if (writing)
        make_block(0, size);
    for (uint64_t at = 0; at < (uint64_t)mib << 20;) {
        ssize_t done = writing ? pwrite(fd, block, size, (off_t)at) : pread(fd, block, size, (off_t)at);
        if (done <= 0)
            return failed("by position", at);
        at += (uint64_t)done;
    }
    return fsync(fd) || close(fd);
}

static int sparse(void)
{
    static const off_t places[] = {0, 5 * CHUNK - 1, 1ll << 39, (1ll << 40) - 1};
    struct stat st;
    int fd = open("/sparse", O_RDWR | O_CREAT | O_TRUNC, 0666);
    for (size_t i = 0; i < 4; i++)
        if (fd < 0 || pwrite(fd, "x", 1, places[i]) != 1)
            return failed("pwrite", i);
    if (fsync(fd) != 0 || fstat(fd, &st) != 0 || st.st_size != 1ll << 40)
        return failed("size", 0);
    for (size_t i = 0; i < 4; i++) {
        char before = 0, here = 0;
        if (pread(fd, &here, 1, places[i]) != 1 || here != 'x')
            return say("other bytes at %lld", (long long)places[i]);
        if (places[i] && (pread(fd, &before, 1, places[i] - 1) != 1 || before))
            return say("no hole before %lld", (long long)places[i]);
    }
    for (off_t at = CHUNK; at < 1ll << 40; at += (1ll << 32) + 12345) {
        ssize_t got = pread(fd, block, CHUNK, at);
        for (ssize_t i = 0; i < got / 8; i++)
            if (block[i] != 0)
                return say("no hole at %lld", (long long)at);
    }
    return close(fd) || unlink("/sparse");
}

static int ends(void)
{
    int fd = open("/ends", O_RDWR | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || pwrite(fd, "x", 1, (1ll << 40) - 1) != 1)
        return failed("the last byte", 0);
    if (pwrite(fd, "x", 1, 1ll << 40) != -1 || errno != EFBIG)
        return failed("a byte behind it", 0);
    if (ftruncate(fd, (1ll << 40) + 1) != -1 || errno != EFBIG)
        return failed("a longer file", 0);
    return close(fd) || unlink("/ends");
}

/* ---- many files --------------------------------------------------------------------------------------------- */

static const char *name_of(unsigned long i, unsigned long dirs, const char *kind)
{
    static char name[64];
    snprintf(name, sizeof name, "/d%lu/%s%lu", i % dirs, kind, i);
    return name;
}

static int make(unsigned long count, unsigned long dirs)
{
    for (unsigned long i = 0; i < dirs; i++) {
        char name[32];
        snprintf(name, sizeof name, "/d%lu", i);
        if (mkdir(name, 0777) != 0)
            return failed("mkdir", i);
    }
    int fd = -1;
    for (unsigned long i = 0; i < count; i++) {
        fd = open(name_of(i, dirs, "f"), O_WRONLY | O_CREAT | O_EXCL, 0666);
        size_t size = i % 3; /* some are empty */
        if (fd < 0 || write(fd, "ab", size) != (ssize_t)size || (i + 1 < count && close(fd) != 0))
            return failed("make", i);
    }
    return fsync(fd) || close(fd);
}

static int list(unsigned long count, unsigned long dirs)
{
    uint8_t *seen = calloc(1, count);
    unsigned long found = 0;
    for (unsigned long i = 0; i < dirs; i++) {
        char path[32];
        snprintf(path, sizeof path, "/d%lu", i);
        DIR *directory = opendir(path);
        if (!directory)
            return failed("opendir", i);
        for (struct dirent *entry; (entry = readdir(directory));) {
            if (entry->d_name[0] == '.')
                continue;
            unsigned long number = strtoul(entry->d_name + 1, NULL, 10);
            if (number >= count || number % dirs != i || seen[number]++)
                return say("unexpected: %s/%s", path, entry->d_name);
            found++;
        }
        closedir(directory);
    }
    free(seen);
    return found == count ? 0 : say("%lu of %lu are listed", found, count);
}

static int stat_all(unsigned long count, unsigned long dirs, const char *kind)
{
    for (unsigned long i = 0; i < count; i++) {
        struct stat st;
        if (stat(name_of(i, dirs, kind), &st) != 0)
            return failed("stat", i);
        if (st.st_size != (off_t)(i % 3))
            return say("%lu has size %lld", i, (long long)st.st_size);
    }
    return 0;
}

static int rename_all(unsigned long count, unsigned long dirs)
{
    for (unsigned long i = 0; i < count; i++) {
        char from[64];
        strcpy(from, name_of(i, dirs, "f"));
        if (rename(from, name_of(i, dirs, "g")) != 0)
            return failed("rename", i);
    }
    return stat_all(count, dirs, "g");
}

static int remove_all(unsigned long count, unsigned long dirs)
{
    for (unsigned long i = 0; i < count; i++)
        if (unlink(name_of(i, dirs, "g")) != 0)
            return failed("unlink", i);
    for (unsigned long i = 0; i < dirs; i++) {
        char name[32];
        snprintf(name, sizeof name, "/d%lu", i);
        if (rmdir(name) != 0)
            return failed("rmdir", i);
    }
    return 0;
}

/* ---- quotas ------------------------------------------------------------------------------------------------- */

static int touch(unsigned long i)
{
    char name[32];
    snprintf(name, sizeof name, "/q%lu", i);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0666);
    return fd < 0 ? -1 : close(fd);
}

static int fill(unsigned long most)
{
    unsigned long count = 0;
    while (count < most && touch(count) == 0)
        count++;
    if (count < most && errno != EDQUOT)
        return failed("file", count);
    bool refused = count < most && mkdir("/one-more", 0777) != 0 && errno == EDQUOT;
    bool again = refused && unlink("/q0") == 0 && touch(0) == 0 && touch(count) != 0 && errno == EDQUOT;
    for (unsigned long i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "/q%lu", i);
        if (unlink(name) != 0)
            return failed("unlink", i);
    }
    say("ok %lu%s%s", count, refused ? " refused" : "", again ? " again" : "");
    return 0;
}

static int chunks(unsigned long most)
{
    int fd = open("/chunks", O_RDWR | O_CREAT | O_TRUNC, 0666);
    unsigned long count = 0;
    while (count < most && pwrite(fd, "x", 1, (off_t)count * CHUNK) == 1)
        count++;
    if (count < most && errno != EDQUOT)
        return failed("byte", count);
    bool refused = count < most && pwrite(fd, "y", 1, 0) == 1; /* what is there may still be written */
    bool again = refused && ftruncate(fd, (off_t)(count - 1) * CHUNK) == 0 &&
                 pwrite(fd, "x", 1, (off_t)(count + 7) * CHUNK) == 1 &&
                 pwrite(fd, "x", 1, (off_t)(count + 8) * CHUNK) == -1 && errno == EDQUOT;
    if (close(fd) != 0 || unlink("/chunks") != 0)
        return failed("end", 0);
    say("ok %lu%s%s", count, refused ? " refused" : "", again ? " again" : "");
    return 0;
}

static int run(const char *task, unsigned long a, unsigned long b)
{
    if (!strcmp(task, "/write"))
        return write_whole(a);
    if (!strcmp(task, "/check"))
        return check_whole(a);
    if (!strcmp(task, "/random"))
        return read_randomly(a);
    if (!strcmp(task, "/pwrite") || !strcmp(task, "/pread"))
        return by_position(a, b << 10, task[2] == 'w');
    if (!strcmp(task, "/sparse"))
        return sparse();
    if (!strcmp(task, "/ends"))
        return ends();
    if (!strcmp(task, "/make"))
        return make(a, b);
    if (!strcmp(task, "/list"))
        return list(a, b);
    if (!strcmp(task, "/stat"))
        return stat_all(a, b, "f");
    if (!strcmp(task, "/rename"))
        return rename_all(a, b);
    if (!strcmp(task, "/remove"))
        return remove_all(a, b);
    if (!strcmp(task, "/fill"))
        return fill(a);
    if (!strcmp(task, "/chunks"))
        return chunks(a);
    return say("no such task");
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text target;
    char path[256];
    request_path(request, &target);
    snprintf(path, sizeof path, "%.*s", (int)target.text.size, target.text.data);
    char *query = strchr(path, '?'), *second = query ? strchr(query, ',') : NULL;
    if (query)
        *query++ = 0;
    unsigned long a = query ? strtoul(query, NULL, 10) : 0, b = second ? strtoul(second + 1, NULL, 10) : 1;
    int status = run(path, a, b ? b : 1);
    if (status == 0 && !answer[0])
        say("ok");
    else if (status != 0 && !answer[0])
        say("failed: %s", strerror(errno));
    strcat(answer, "\n");
    respond_text(outparam, status == 0 ? 200 : 500, (struct text){answer, strlen(answer)});
}
