/*
 * A guest that says what it has done as it does it, so that a test can kill the server at any moment and see what is
 * left. A round is one operation of each kind, each synced and then acknowledged by a line "ROUND KIND" of the answer.
 *
 *   /run        rounds without end, from where the files are
 *   /check?R,K  after a restart: everything up to kind K of round R is there, nothing is half done, and what is there
 *               beyond it was done in order
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

static int failed(const char *what, long round)
{
    return say("%s in round %ld: %s", what, round, strerror(errno));
}

static uint8_t byte_of(long round, size_t at)
{
    uint64_t x = ((uint64_t)round << 32 | (uint64_t)(at + 1)) * 0x9e3779b97f4a7c15u;
    return (uint8_t)(x >> 56);
}

static uint8_t buffer[1 << 20];

static void make(long round, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer[i] = byte_of(round, i);
    memcpy(buffer, &round, sizeof round);
}

/* The round that these bytes are of, as a whole; -1: of none. */
static long round_of(const uint8_t *bytes, size_t size)
{
    long round;
    memcpy(&round, bytes, sizeof round);
    for (size_t i = sizeof round; i < size; i++)
        if (bytes[i] != byte_of(round, i))
            return -1;
    return round;
}

static int read_whole(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return say("%s: %s", path, strerror(errno));
    *size = 0;
    for (ssize_t got = 1; got > 0; *size += (size_t)got)
        if ((got = read(fd, buffer + *size, sizeof buffer - *size)) < 0)
            return say("%s: %s", path, strerror(errno));
    return close(fd);
}

static int write_whole(const char *path, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        return -1;
    for (size_t at = 0; at < size;) {
        ssize_t written = write(fd, buffer + at, size - at);
        if (written <= 0)
            return -1;
        at += (size_t)written;
    }
    return fsync(fd) || close(fd);
}

static int sync_all(void)
{
    int fd = open("/w", O_RDWR | O_CREAT, 0666);
    return fd < 0 || fsync(fd) || close(fd);
}

/* ---- each kind: do_ makes round r of it, state_ says which round there is, or what is wrong ---------------------- */

/* Blocks of a file, each written over: a block is of this round or the one before. */
#define BLOCKS 32
static int do_write(long r)
{
    int fd = open("/w", O_RDWR | O_CREAT, 0666);
    make(r, 4096);
    for (int i = 0; i < BLOCKS; i++)
        if (pwrite(fd, buffer, 4096, i * 4096) != 4096)
            return -1;
    return fsync(fd) || close(fd);
}

static long state_write(void)
{
    size_t size;
    long low = -1, high = -1;
    if (read_whole("/w", &size) != 0)
        return -1;
    for (size_t at = 0; at < size; at += 4096) {
        long r = size - at < 4096 ? -1 : round_of(buffer + at, 4096);
        if (r < 0)
            return say("/w: a block at %zu is of no round", at);
        low = low < 0 || r < low ? r : low;
        high = r > high ? r : high;
    }
    if (high > low + 1 || (high > 1 && size != BLOCKS * 4096))
        return say("/w: rounds %ld to %ld, size %zu", low, high, size);
    return low < 0 || size != BLOCKS * 4096 ? 0 : low;
}

#define RECORD 5000
static int do_append(long r)
{
    int fd = open("/a", O_WRONLY | O_CREAT | O_APPEND | (r % 200 == 1 ? O_TRUNC : 0), 0666);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return -1;
    for (; st.st_size % RECORD; st.st_size--) /* what a crash left of the last one */
        ;
    if (ftruncate(fd, st.st_size) != 0)
        return -1;
    make(r, RECORD);
    return write(fd, buffer, RECORD) != RECORD || fsync(fd) || close(fd);
}

static long state_append(void)
{
    size_t size;
    long last = 0;
    if (read_whole("/a", &size) != 0)
        return -1;
    for (size_t at = 0; at < size; at += RECORD) {
        size_t part = size - at < RECORD ? size - at : RECORD;
        long r = part < sizeof r ? last + 1 : round_of(buffer + at, part);
        if (r < 0 || (at && r != last + 1))
            return say("/a: %ld behind %ld at %zu of %zu", r, last, at, size);
        last = part == RECORD ? r : r - 1; /* the last one may have come in part */
    }
    return size > sizeof last ? last : -2; /* emptied: any round that begins anew */
}

/* Cut and grown in turn; what was cut off never comes back. */
#define SHORT 70000
#define LONG 200000
static int do_truncate(long r)
{
    int fd = open("/t", O_RDWR | O_CREAT, 0666);
    if (fd < 0 || ftruncate(fd, r % 2 ? LONG : SHORT) != 0 || fsync(fd) != 0)
        return -1;
    make(r, SHORT);
    return (r % 2 && pwrite(fd, buffer, 8192, 150000) != 8192) || pwrite(fd, buffer, 4096, 0) != 4096 || fsync(fd) ||
           close(fd);
}

static long state_truncate(void)
{
    size_t size;
    if (read_whole("/t", &size) != 0)
        return -1;
    if (size < 4096)
        return 0;
    long r = round_of(buffer, 4096);
    if (r < 0 && size == LONG && !buffer[0] && !memcmp(buffer, buffer + 1, 4095))
        return 0;
    if (r < 0 || (size != SHORT && size != LONG))
        return say("/t: size %zu", size);
    for (size_t i = SHORT; i < size; i++) {
        bool written = i >= 150000 && i < 150000 + 8192;
        if (buffer[i] && !written)
            return say("/t: a byte that was cut off is back at %zu", i);
        /* of a cut file that has grown again: zeros, or the new round's */
        if (written && r % 2 == 0 && buffer[i]) {
            long next = round_of(buffer + 150000, 8192 - (150000 + 8192) % 65536); /* as far as its chunk goes */
            if (next != r + 1)
                return say("/t: bytes of round %ld under %ld", next, r);
        }
    }
    return r;
}

static int do_rename(long r, const char *path, const char *other, size_t size)
{
    make(r, size);
    return write_whole(other, size) || rename(other, path) || sync_all();
}

static long state_rename(const char *path, size_t wanted)
{
    size_t size;
    if (access(path, F_OK) != 0)
        return 0;
    if (read_whole(path, &size) != 0)
        return -1;
    long r = size == wanted ? round_of(buffer, size) : -1;
    return r < 0 ? say("%s: neither old nor new: size %zu", path, size) : r;
}

static int do_replace(long r)
{
    return do_rename(r, "/r", "/r.new", 3000);
}

static long state_replace(void)
{
    return state_rename("/r", 3000);
}

static int do_stream(long r)
{
    return do_rename(r, "/s", "/s.new", 900000);
}

static long state_stream(void)
{
    return state_rename("/s", 900000);
}

/* A new one is made, the one before is removed. */
static int do_turn(long r, const char *folder, bool directory)
{
    char now[32], before[32];
    snprintf(now, sizeof now, "%s/%ld", folder, r);
    snprintf(before, sizeof before, "%s/%ld", folder, r - 1);
    make(r, 100);
    mkdir(folder, 0777);
    if (directory ? mkdir(now, 0777) != 0 && errno != EEXIST : write_whole(now, 100) != 0)
        return -1;
    if (sync_all() != 0 || ((directory ? rmdir(before) : unlink(before)) != 0 && errno != ENOENT))
        return -1;
    return sync_all();
}

static long state_turn(const char *folder, bool directory)
{
    DIR *d = opendir(folder);
    long low = -1, high = -1, count = 0;
    for (struct dirent *entry; d && (entry = readdir(d));) {
        long r = strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] == '.')
            continue;
        if ((entry->d_type == DT_DIR) != directory)
            return say("%s/%ld is of another type", folder, r);
        low = low < 0 || r < low ? r : low;
        high = r > high ? r : high;
        count++;
    }
    if (d)
        closedir(d);
    if (count > 2 || (count == 2 && high != low + 1))
        return say("%s: %ld, from %ld to %ld", folder, count, low, high);
    char path[32];
    size_t size;
    snprintf(path, sizeof path, "%s/%ld", folder, low);
    if (count && !directory && (read_whole(path, &size) != 0 || size != 100 || round_of(buffer, 100) != low))
        return low == 1 && count == 1 ? 0 : say("%s: not whole", path); /* the first may just have been made */
    return count ? low : 0;
}

static int do_files(long r)
{
    return do_turn(r, "/u", false);
}

static long state_files(void)
{
    return state_turn("/u", false);
}

static int do_directories(long r)
{
    return do_turn(r, "/d", true);
}

static long state_directories(void)
{
    return state_turn("/d", true);
}

static const struct kind {
    int (*make)(long round);
    long (*state)(void);
} kinds[] = {
    {do_write, state_write},     {do_append, state_append}, {do_truncate, state_truncate},
    {do_replace, state_replace}, {do_files, state_files},   {do_directories, state_directories},
    {do_stream, state_stream},
};
#define KINDS (int)(sizeof kinds / sizeof *kinds)

/* ---- all of them -------------------------------------------------------------------------------------------- */

static int look(long rounds[KINDS])
{
    for (int k = 0; k < KINDS; k++) {
        rounds[k] = kinds[k].state();
        if (rounds[k] == -1)
            return -1;
        if (rounds[k] == -2) /* emptied in the middle of a round */
            rounds[k] = rounds[k - 1] - 1;
    }
    return 0;
}

static int check(long round, int kind)
{
    long rounds[KINDS];
    if (look(rounds) != 0)
        return -1;
    for (int k = 0; k < KINDS; k++) {
        if (rounds[k] < (k <= kind ? round : round - 1))
            return say("kind %d: round %ld is there, but kind %d of round %ld was acknowledged", k, rounds[k], kind,
                       round);
        if (k && (rounds[k] > rounds[k - 1] || rounds[k] < rounds[0] - 1))
            return say("kind %d is in round %ld, the first in %ld", k, rounds[k], rounds[0]);
    }
    say("ok %ld", rounds[0]);
    return 0;
}

static void run(uint32_t stream)
{
    struct stream_result result;
    long rounds[KINDS];
    static const char *const first[] = {"/w", "/a", "/t"};
    for (int i = 0; i < 3; i++)
        close(open(first[i], O_RDWR | O_CREAT, 0666));
    int status = look(rounds);
    for (long r = status ? 0 : rounds[0]; status == 0; r++)
        for (int k = 0; k < KINDS && status == 0; k++) {
            if (rounds[k] >= r)
                continue;
            status = kinds[k].make(r) ? failed("kind", r * 10 + k) : 0;
            rounds[k] = r;
            char line[64];
            int size = snprintf(line, sizeof line, "%ld %d\n", r, k);
            if (status == 0)
                stream_write(stream, line, (size_t)size, &result);
        }
    stream_write(stream, answer, strlen(answer), &result);
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text target;
    char path[256];
    request_path(request, &target);
    snprintf(path, sizeof path, "%.*s", (int)target.text.size, target.text.data);
    char *query = strchr(path, '?'), *second = query ? strchr(query, ',') : NULL;
    if (!strcmp(path, "/run")) {
        uint32_t stream, body = respond(outparam, 200, &stream);
        run(stream);
        finish(body, stream);
        return;
    }
    int status = check(query ? strtol(query + 1, NULL, 10) : 0, second ? atoi(second + 1) : -1);
    strcat(answer, "\n");
    respond_text(outparam, status == 0 ? 200 : 500, (struct text){answer, strlen(answer)});
}
