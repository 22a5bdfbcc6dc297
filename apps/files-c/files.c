/*
 * A small file server on the app's sealed file system, through the C library:
 *
 *   PUT /a/b        make the body the file, once all is there     POST /a/b?append   append the body
 *   GET /a/b        the file, or a directory's entries            DELETE /a/b        remove a file or empty directory
 *   PUT /a?mkdir    make a directory                              POST /a?rename=/b  rename
 *
 * What was done to a file is on disk before the answer says so.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/wasi_http.h"

struct method {
    uint8_t which; /* get head post put delete connect options trace patch other */
    struct text other;
};
IMPORT(TYPES, "[method]incoming-request.method") void request_method(uint32_t request, struct method *result);
enum { GET, HEAD, POST, PUT, DELETE };

static void respond_error(uint32_t outparam, int error)
{
    char text[128];
    int size = snprintf(text, sizeof text, "%s\n", strerror(error));
    unsigned status = error == ENOENT                         ? 404
                      : error == EEXIST || error == ENOTEMPTY ? 409
                      : error == ENOSPC || error == EDQUOT    ? 507
                      : error == ECONNRESET                   ? 400
                      : error == EIO                          ? 500
                                                              : 403;
    respond_text(outparam, status, (struct text){text, (size_t)size});
}

static int write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0)
            return -1;
        data += written;
        size -= (size_t)written;
    }
    return 0;
}

/* All of the request's body into the file. A body that broke off is an error: what came of it is not what was sent. */
static int receive(uint32_t request, int fd)
{
    struct handle_result body, stream;
    struct byte_list piece;
    bool whole;
    int status = 0;
    request_consume(request, &body);
    incoming_body_stream(body.handle, &stream);
    while (status == 0 && read_piece(stream.handle, &piece, &whole)) {
        status = write_all(fd, piece.data, piece.size);
        free(piece.data);
    }
    input_stream_drop(stream.handle);
    incoming_body_drop(body.handle);
    if (status == 0 && !whole) {
        errno = ECONNRESET;
        status = -1;
    }
    return status == 0 ? fsync(fd) : status;
}

static int close_with(int fd, int status)
{
    int error = errno, closed = close(fd);
    if (status != 0)
        errno = error;
    return status != 0 ? status : closed;
}

/*
 * A name that was changed, before the client is told: it is on disk with the next fsync of any file, and fd is open on
 * what has or had the name. A directory's is EBADF in the C library: its changes follow with the next file's.
 */
static int settle(int fd, int status)
{
    if (status == 0 && fsync(fd) != 0 && errno != EBADF)
        status = -1;
    return close_with(fd, status);
}

/* Written beside and renamed, so that the file is never half of what was sent. */
static int store(uint32_t request, const char *path)
{
    char beside[4096 + 2];
    snprintf(beside, sizeof beside, "%s~", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        return -1;
    int status = receive(request, fd);
    if (status == 0 && (status = rename(beside, path)) == 0)
        return settle(fd, 0);
    status = close_with(fd, status);
    int error = errno;
    unlink(beside);
    errno = error;
    return -1;
}

/* What came of a body that broke off is taken back. */
static int append(uint32_t request, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    off_t before = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (before < 0)
        return fd < 0 ? -1 : close_with(fd, -1);
    int status = receive(request, fd), error = errno;
    if (status != 0) {
        ftruncate(fd, before);
        errno = error;
    }
    return close_with(fd, status);
}

static int move(const char *from, const char *to)
{
    int fd = open(from, O_RDONLY);
    return fd < 0 ? -1 : settle(fd, rename(from, to));
}

static int erase(const char *path)
{
    int fd = open(path, O_RDONLY);
    return fd < 0 ? -1 : settle(fd, remove(path));
}

static void send(uint32_t stream, const char *data, size_t size)
{
    struct stream_result written;
    for (size_t at = 0; at < size; at += 4096)
        stream_write(stream, data + at, size - at < 4096 ? size - at : 4096, &written);
}

static int list(uint32_t outparam, const char *path)
{
    DIR *directory = opendir(path);
    if (!directory)
        return -1;
    uint32_t stream, body = respond(outparam, 200, &stream);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        send(stream, entry->d_name, strlen(entry->d_name));
        send(stream, entry->d_type == DT_DIR ? "/\n" : "\n", entry->d_type == DT_DIR ? 2 : 1);
    }
    closedir(directory);
    finish(body, stream);
    return 0;
}

static int fetch(uint32_t outparam, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return list(outparam, path);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    static char buffer[65536];
    size_t got = fread(buffer, 1, sizeof buffer, file);
    if (got == 0 && ferror(file))
        return -1;
    uint32_t stream, body = respond(outparam, 200, &stream);
    for (; got > 0; got = fread(buffer, 1, sizeof buffer, file))
        send(stream, buffer, got);
    if (ferror(file))
        __builtin_trap(); /* the client sees that the answer is cut */
    fclose(file);
    finish(body, stream);
    return 0;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text target;
    struct method method;
    static char path[4096];
    request_path(request, &target);
    request_method(request, &method);
    snprintf(path, sizeof path, "%.*s", (int)target.text.size, target.text.data);
    char *query = strchr(path, '?');
    if (query)
        *query++ = 0;
    int status = -1;
    errno = EINVAL;
    if (method.which == GET)
        status = fetch(outparam, path);
    else if (method.which == PUT && query && !strcmp(query, "mkdir"))
        status = mkdir(path, 0777);
    else if (method.which == POST && query && !strncmp(query, "rename=", 7))
        status = move(path, query + 7);
    else if (method.which == PUT)
        status = store(request, path);
    else if (method.which == POST && query && !strcmp(query, "append"))
        status = append(request, path);
    else if (method.which == DELETE)
        status = erase(path);
    if (status != 0)
        respond_error(outparam, errno);
    else if (method.which != GET)
        respond_text(outparam, 200, TEXT("done\n"));
}
