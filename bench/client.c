/*
 * The client side of the figures that drive.c does not give: full handshakes, idle connections, time to first byte.
 *
 *   client handshakes PORT COUNT PARALLEL [GROUPS]
 *                                  full TLS 1.3 handshakes, never resumed, by these groups; prints handshakes a second
 *   client idle PORT PATH COUNT    opens COUNT connections, one request on each, prints "open", and holds them until
 *                                  standard input ends
 *   client boot PORT PATH COMMAND...
 *                                  starts COMMAND, prints the milliseconds until the first byte of a 200 from
 *                                  https://127.0.0.1:PORT/PATH, and stops it with SIGTERM
 *
 * Certificates are not checked (only that the server holds the key): this measures, it does not trust. A handshake
 * counts once the server, too, has finished it: the client ends its side and waits for the server to end its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PARALLEL_MAX 1024
#define BOOT_TIMEOUT_S 60.0

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct sockaddr_in loopback(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* The client's work would otherwise grow with the server's certificate, and it is already the larger part. */
static int accept_any(X509_STORE_CTX *store, void *user)
{
    (void)store, (void)user;
    return 1;
}

static SSL_CTX *context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
        die("TLS context");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return ctx;
}

/* ---- handshakes -------------------------------------------------------------------------------------------- */

enum state { CONNECTING, SHAKING, ENDING };

struct attempt {
    int fd;
    SSL *ssl;
    enum state state;
};

static struct {
    SSL_CTX *ctx;
    struct sockaddr_in to;
    int epoll;
    unsigned started, done, failed, count;
} shakes;

static void begin(struct attempt *a)
{
    int on = 1;
    shakes.started++;
    a->state = CONNECTING;
    a->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    a->ssl = SSL_new(shakes.ctx);
    if (a->fd < 0 || !a->ssl || SSL_set_fd(a->ssl, a->fd) != 1)
        die("socket");
    setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SSL_set_connect_state(a->ssl);
    if (connect(a->fd, (struct sockaddr *)&shakes.to, sizeof shakes.to) != 0 && errno != EINPROGRESS)
        die("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = a};
    if (epoll_ctl(shakes.epoll, EPOLL_CTL_ADD, a->fd, &event) != 0)
        die("epoll_ctl");
}

static void end(struct attempt *a, bool success)
{
    shakes.done += success;
    shakes.failed += !success;
    SSL_free(a->ssl);
    close(a->fd);
    a->ssl = NULL;
    if (shakes.started < shakes.count)
        begin(a);
}

static void step(struct attempt *a)
{
    if (a->state != ENDING) {
        int result = SSL_do_handshake(a->ssl);
        int error = SSL_get_error(a->ssl, result);
        if (result != 1) {
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
                end(a, false);
            ERR_clear_error();
            return;
        }
        if (SSL_session_reused(a->ssl))
            die("a session was resumed");
        a->state = ENDING;
        SSL_shutdown(a->ssl);
        shutdown(a->fd, SHUT_WR);
    }
    char waste[4096];
    ssize_t n;
    while ((n = recv(a->fd, waste, sizeof waste, 0)) > 0)
        continue;
    if (n == 0 || errno == ECONNRESET)
        end(a, true);
    else if (errno != EAGAIN)
        end(a, false);
}

static int handshakes(const char *port, unsigned count, unsigned parallel, const char *groups)
{
    static struct attempt attempts[PARALLEL_MAX];
    struct epoll_event events[64];
    if (parallel > PARALLEL_MAX)
        parallel = PARALLEL_MAX;
    shakes.ctx = context();
    if (groups && SSL_CTX_set1_groups_list(shakes.ctx, groups) != 1)
        die("groups");
    shakes.to = loopback(port);
    shakes.epoll = epoll_create1(0);
    shakes.count = count;
    double start = now();
    for (unsigned i = 0; i < parallel && i < count; i++)
        begin(&attempts[i]);
    while (shakes.done + shakes.failed < count) {
        int n = epoll_wait(shakes.epoll, events, 64, 10000);
        if (n == 0)
            die("no answer within 10 s");
        for (int i = 0; i < n; i++)
            if (((struct attempt *)events[i].data.ptr)->ssl)
                step(events[i].data.ptr);
    }
    printf("%.0f\n", (double)shakes.done / (now() - start));
    if (shakes.failed)
        fprintf(stderr, "client: %u of %u handshakes failed\n", shakes.failed, count);
    return shakes.failed != 0;
}

/* ---- one request at a time --------------------------------------------------------------------------------- */

static int dial(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        die("socket");
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The connection after one answered request, or NULL. */
static SSL *request(SSL_CTX *ctx, int fd, const char *path)
{
    char text[512], answer[8192];
    SSL *ssl = SSL_new(ctx);
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhost: localhost\r\n\r\n", path);
    if (!ssl || SSL_set_fd(ssl, fd) != 1)
        die("TLS");
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, text, size) == size && SSL_read(ssl, answer, sizeof answer) > 12 &&
        memcmp(answer, "HTTP/1.1 200", 12) == 0)
        return ssl;
    SSL_free(ssl);
    ERR_clear_error();
    return NULL;
}

static int idle(const char *port, const char *path, unsigned count)
{
    SSL_CTX *ctx = context();
    struct sockaddr_in to = loopback(port);
    struct rlimit limit = {count + 64, count + 64};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned i = 0; i < count; i++) {
        int fd = dial(&to);
        if (fd < 0 || !request(ctx, fd, path))
            die("request");
    }
    puts("open");
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    return 0;
}

static int boot(const char *port, const char *path, char **command)
{
    SSL_CTX *ctx = context();
    struct sockaddr_in to = loopback(port);
    double start = now();
    pid_t server = fork();
    if (server == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execvp(command[0], command);
        _exit(127);
    }
    SSL *ssl = NULL;
    while (!ssl) {
        int fd = dial(&to);
        ssl = fd >= 0 ? request(ctx, fd, path) : NULL;
        if (!ssl && fd >= 0)
            close(fd);
        if (!ssl)
            usleep(1000);
        if (waitpid(server, NULL, WNOHANG) != 0 || now() - start > BOOT_TIMEOUT_S)
            die("the server did not answer");
    }
    printf("%.0f\n", (now() - start) * 1e3);
    SSL_shutdown(ssl);
    close(SSL_get_fd(ssl));
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "handshakes") == 0)
        return handshakes(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), argv[5]);
    if (argc == 5 && strcmp(argv[1], "idle") == 0)
        return idle(argv[2], argv[3], (unsigned)atoi(argv[4]));
    if (argc > 4 && strcmp(argv[1], "boot") == 0)
        return boot(argv[2], argv[3], argv + 4);
    fprintf(stderr, "usage: see the head of client.c\n");
    return 2;
}
