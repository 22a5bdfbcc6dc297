/*
 * A load that goes on when told to: drive [--plain] PORT CONNECTIONS BODY REQUEST...
 *
 * Opens CONNECTIONS connections to 127.0.0.1:PORT, with TLS unless they are plain, and says "open". For each line on
 * standard input, a number, it sends as many requests over all of them, each with one under way, and says
 * "done SECONDS P50 P99" when all are answered by a 2xx: how long that took, and the milliseconds that one request in
 * two, and 99 in 100, took at most. So what a connection costs at first is in no figure.
 *
 * The requests are those of the files REQUEST, one after the other: heads of HTTP/1.1, each followed by BODY zeros. One
 * that is answered with `connection: close`, as a long body may be, is its connection's last.
 *
 * Certificates are not checked: this measures, it does not trust.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16384
#define HEAD_MAX 4096
#define SPAN_MAX (256u << 10) /* of a body's zeros, over and over */
#define HANG_MS 300000

enum part { HEAD, SIZED, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct request {
    char *bytes; /* the head, and behind it as much of the body as there is in memory */
    size_t head;
};

struct connection {
    int fd;
    SSL *ssl; /* NULL: plain */
    const struct request *request;
    size_t sent; /* of the request; all of it where none is under way */
    bool waiting;
    bool over; /* the server has said that this answer is the connection's last */
    uint64_t began_ns;
    enum part part;
    char line[HEAD_MAX]; /* the head, or a line of the chunked coding */
    size_t line_size, left;
};

static struct request *requests;
static size_t request_count, request_next, body, span;
static struct connection *connections;
static unsigned to_send, to_come;
static uint32_t *took_us; /* one for each request of this round */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "drive: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void *memory(size_t count, size_t size)
{
    void *made = calloc(count, size);
    if (!made)
        die("no memory");
    return made;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void read_request(struct request *r, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        die(path);
    r->head = (size_t)ftell(f);
    r->bytes = memory(1, r->head + span);
    rewind(f);
    if (fread(r->bytes, 1, r->head, f) != r->head)
        die(path);
    fclose(f);
}

static void open_connection(struct connection *c, SSL_CTX *context, uint16_t port, int epoll)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    int on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (context) {
        c->ssl = SSL_new(context);
        if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1)
            die("handshake");
    }
    BIO_socket_nbio(c->fd, 1);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("epoll_ctl");
}

/* How much was read or written; 0: not now. */
static size_t moved(const struct connection *c, ssize_t n)
{
    if (n > 0)
        return (size_t)n;
    int error = c->ssl ? SSL_get_error(c->ssl, (int)n) : 0;
    bool later = c->ssl ? error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE : n < 0 && errno == EAGAIN;
    if (!later && (c->waiting || !c->over))
        die("the server ended a connection");
    return 0;
}

static size_t read_some(struct connection *c, char *data, size_t size)
{
    return moved(c, c->ssl ? SSL_read(c->ssl, data, (int)size) : recv(c->fd, data, size, 0));
}

static size_t write_some(struct connection *c)
{
    size_t head = c->request->head, from = c->sent < head ? c->sent : head + (c->sent - head) % span;
    size_t size = head + span - from, left = head + body - c->sent;
    if (size > left)
        size = left;
    const char *data = c->request->bytes + from;
    return moved(c, c->ssl ? SSL_write(c->ssl, data, (int)size) : send(c->fd, data, size, 0));
}

/* The line or head in c->line is whole, that is, ends with `end`. */
static bool ended(struct connection *c, char byte, const char *end)
{
    size_t size = strlen(end);
    if (c->line_size == sizeof c->line - 1)
        die("a head or line is too long");
    c->line[c->line_size++] = byte;
    c->line[c->line_size] = '\0';
    return c->line_size >= size && strcmp(c->line + c->line_size - size, end) == 0;
}

static void judge_head(struct connection *c)
{
    const char *size = strcasestr(c->line, "\r\ncontent-length:");
    if (strncmp(c->line, "HTTP/1.1 2", 10) != 0)
        die(c->line);
    c->over = strcasestr(c->line, "\r\nconnection: close");
    if (!size && !strcasestr(c->line, "\r\ntransfer-encoding: chunked"))
        die("a response without an end");
    c->part = size ? SIZED : CHUNK_SIZE;
    c->left = size ? strtoul(size + 17, NULL, 10) : 0;
    c->line_size = 0;
}

static void take_byte(struct connection *c, char byte)
{
    if (c->part == HEAD && ended(c, byte, "\r\n\r\n")) {
        judge_head(c);
    } else if (c->part == CHUNK_SIZE && ended(c, byte, "\r\n")) {
        c->left = strtoul(c->line, NULL, 16);
        c->part = c->left > 0 ? CHUNK : TRAILER;
        c->line_size = 0;
    } else if (c->part == CHUNK_END && ended(c, byte, "\r\n")) {
        c->part = CHUNK_SIZE;
        c->line_size = 0;
    } else if (c->part == TRAILER && ended(c, byte, "\r\n")) {
        c->part = SIZED; /* with nothing left */
        c->line_size = 0;
    }
}

static void answered(struct connection *c)
{
    if (c->sent < c->request->head + body)
        die("an answer before the end of the request");
    c->waiting = false;
    c->part = HEAD;
    took_us[--to_come] = (uint32_t)((now_ns() - c->began_ns) / 1000);
}

static void take(struct connection *c, const char *data, size_t size)
{
    while (size > 0) {
        if (!c->waiting)
            die("an answer to nothing");
        size_t bulk = c->part == SIZED || c->part == CHUNK ? (c->left < size ? c->left : size) : 0;
        if (bulk > 0) {
            c->left -= bulk, data += bulk, size -= bulk;
            if (c->left == 0 && c->part == CHUNK)
                c->part = CHUNK_END;
        } else {
            take_byte(c, *data++);
            size--;
        }
        if (c->part == SIZED && c->left == 0)
            answered(c);
    }
}

static void begin(struct connection *c)
{
    if (c->over)
        die("the server wants another connection for each request");
    to_send--;
    c->request = &requests[request_next++ % request_count];
    c->sent = 0;
    c->waiting = true;
    c->began_ns = now_ns();
}

static void go_on(struct connection *c)
{
    static char data[65536];
    size_t n;
    do {
        while ((n = read_some(c, data, sizeof data)) > 0)
            take(c, data, n);
        if (!c->waiting && to_send > 0)
            begin(c);
        if (c->waiting && c->sent < c->request->head + body)
            c->sent += n = write_some(c);
    } while (n > 0);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void do_round(unsigned requests_now, unsigned connection_count, int epoll)
{
    struct epoll_event events[64];
    to_send = to_come = requests_now;
    took_us = memory(requests_now + 1u, sizeof *took_us);
    uint64_t began = now_ns();
    for (unsigned i = 0; i < connection_count; i++)
        go_on(&connections[i]);
    while (to_come > 0) {
        int n = epoll_wait(epoll, events, 64, HANG_MS);
        if (n <= 0)
            die("no answer");
        for (int i = 0; i < n; i++)
            go_on(events[i].data.ptr);
    }
    double seconds = (double)(now_ns() - began) * 1e-9;
    qsort(took_us, requests_now, sizeof *took_us, ascending);
    printf("done %.6f %.3f %.3f\n", seconds, took_us[requests_now / 2] * 1e-3,
           took_us[(size_t)requests_now * 99 / 100] * 1e-3);
    fflush(stdout);
    free(took_us);
}

int main(int argc, char **argv)
{
    char line[32];
    bool plain = argc > 1 && strcmp(argv[1], "--plain") == 0;
    argc -= plain, argv += plain;
    unsigned count = argc > 4 ? (unsigned)atoi(argv[2]) : 0;
    if (count == 0 || count > CONNECTIONS_MAX)
        die("usage: drive [--plain] PORT CONNECTIONS BODY REQUEST...");
    body = strtoul(argv[3], NULL, 10);
    span = body < SPAN_MAX ? body : SPAN_MAX;
    request_count = (size_t)argc - 4;
    requests = memory(request_count, sizeof *requests);
    for (size_t i = 0; i < request_count; i++)
        read_request(&requests[i], argv[4 + i]);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files = {count + 64, count + 64};
    struct rlimit now;
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files) != 0)
        die("so many files may not be open: ulimit -n");
    SSL_CTX *context = plain ? NULL : SSL_CTX_new(TLS_client_method());
    if (context)
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
    connections = memory(count, sizeof *connections);
    int epoll = epoll_create1(0);
    for (unsigned i = 0; i < count; i++)
        open_connection(&connections[i], context, (uint16_t)atoi(argv[1]), epoll);
    puts("open");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        do_round((unsigned)atoi(line), count, epoll);
    return 0;
}
