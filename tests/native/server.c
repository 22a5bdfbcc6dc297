/*
 * The enclave's HTTP server and WASI host as an ordinary process: plain TCP, no sealing, no attestation. For tests,
 * debuggers and sanitizers.
 *
 * Usage: native_server PORT WORKERS [NAME[:TIMEOUT_MS]=FILE.wasm ...]
 * The admin hook echoes; the monitoring right belongs to "Bearer test". TIMEOUT_MS sets the apps' deadline,
 * HEADER_TIMEOUT_MS the connection's. EGRESS=PORT lets the apps connect to localhost:PORT, without TLS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/container.h"
#include "enclave/fs/fs.h"
#include "enclave/https/client.h"
#include "enclave/https/http.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/service/router.h"
#include "enclave/wasi/wasi.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "enclave/wasm/settings.h"
#include "enclave/thread/worker.h"

static struct http_server server;
static struct wasm_runtime *runtime;

struct native_worker {
    struct worker worker;
    int epoll, event, listener;
};

struct socket_transport {
    struct transport t;
    int fd;
    struct native_worker *owner;
    bool want_write;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void watch(struct socket_transport *s, int op, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (writing ? (unsigned)EPOLLOUT : 0),
                                .data.ptr = s};
    epoll_ctl(s->owner->epoll, op, s->fd, &event);
    s->want_write = writing;
}

static struct http_site site; /* all that is ever served */

static ssize_t sock_read(struct transport *t, void *buf, size_t size)
{
    ssize_t got = recv(CONTAINER_OF(t, struct socket_transport, t)->fd, buf, size, 0);
    return got < 0 ? (errno == EWOULDBLOCK ? -EAGAIN : -errno) : got;
}

static ssize_t sock_write(struct transport *t, const void *buf, size_t size)
{
    struct socket_transport *s = CONTAINER_OF(t, struct socket_transport, t);
    ssize_t sent = send(s->fd, buf, size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        if (!s->want_write)
            watch(s, EPOLL_CTL_MOD, true);
        return -EAGAIN;
    }
    return sent < 0 ? -errno : sent;
}

static void sock_flush(struct transport *t)
{
}

/* Freed by the next pass of the loop: events of this pass may still name it. */
static _Thread_local struct socket_transport *dead;

static void sock_abort(struct transport *t)
{
    struct socket_transport *s = CONTAINER_OF(t, struct socket_transport, t);
    close(s->fd);
    s->t.on_ready = NULL;
    s->t.user = dead;
    dead = s;
}

static void sock_close(struct transport *t)
{
    struct socket_transport *s = CONTAINER_OF(t, struct socket_transport, t);
    char sink[4096];
    /* What the client still sends must not turn the close into a reset before it read the answer. */
    shutdown(s->fd, SHUT_WR);
    while (recv(s->fd, sink, sizeof sink, 0) > 0)
        ;
    sock_abort(t);
}

/* Nobody proves anything here, and what a socket has not given out has not come. */
static bool sock_reusable(struct transport *t)
{
    return true;
}

static const struct transport_ops sock_ops = {.read = sock_read,
                                              .write = sock_write,
                                              .flush = sock_flush,
                                              .close = sock_close,
                                              .abort = sock_abort,
                                              .reusable = sock_reusable};

static void accept_all(struct native_worker *w)
{
    for (;;) {
        int fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0)
            return;
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct socket_transport *s = calloc(1, sizeof *s);
        s->t.ops = &sock_ops;
        s->t.site = &site;
        s->t.peer = "native";
        s->fd = fd;
        s->owner = w;
        watch(s, EPOLL_CTL_ADD, false);
        http_connection_start(&server, &w->worker, &s->t);
    }
}

/* Outgoing connections: to this machine, at once, and without TLS. */
struct dial {
    struct loop_task task;
    struct socket_transport *s;
    http_dialled done;
    void *user;
    bool cancelled;
};

static void dialled(struct loop_task *task)
{
    struct dial *d = CONTAINER_OF(task, struct dial, task);
    if (!d->cancelled)
        d->done(d->user, d->s ? &d->s->t : NULL, d->s ? CALL_OK : CALL_REFUSED, 0);
    else if (d->s)
        sock_abort(&d->s->t);
    free(d);
}

static void *dial(struct worker *worker, const struct http_site *site, const char *host, uint16_t port,
                  http_dialled done, void *user)
{
    struct dial *d = calloc(1, sizeof *d);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    d->task.fn = dialled;
    d->done = done;
    d->user = user;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
        d->s = calloc(1, sizeof *d->s);
        d->s->t.ops = &sock_ops;
        d->s->fd = fd;
        d->s->owner = (struct native_worker *)worker;
        watch(d->s, EPOLL_CTL_ADD, false);
    } else {
        close(fd);
    }
    loop_post(&worker->loop, &d->task);
    return d;
}

static void cancel_dial(void *attempt)
{
    ((struct dial *)attempt)->cancelled = true;
}

static const struct http_dialer dialer = {.start = dial, .cancel = cancel_dial};

static void wake(struct loop *loop)
{
    struct native_worker *w = (struct native_worker *)((char *)loop - offsetof(struct worker, loop));
    eventfd_write(w->event, 1);
}

static void bury(void)
{
    while (dead) {
        struct socket_transport *next = dead->t.user;
        free(dead);
        dead = next;
    }
}

static void *worker_main(void *user)
{
    struct native_worker *w = user;
    loop_take(&w->worker.loop); /* main made it */
    struct epoll_event events[256];
    for (;;) {
        uint64_t deadline = loop_next_deadline(&w->worker.loop), now = now_ns();
        int wait = deadline == UINT64_MAX ? 1000 : deadline <= now ? 0 : (int)((deadline - now) / 1000000 + 1);
        int count = epoll_wait(w->epoll, events, 256, wait);
        for (int i = 0; i < count; i++) {
            struct socket_transport *s = events[i].data.ptr;
            if (!s)
                accept_all(w);
            else if ((void *)s == w)
                eventfd_read(w->event, &(eventfd_t){0});
            else if (s->t.on_ready)
                s->t.on_ready(&s->t, s->t.user);
        }
        loop_run_once(&w->worker.loop, now_ns());
        bury();
    }
    return NULL;
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static void start_worker(struct native_worker *w, uint32_t index, int port)
{
    w->worker.index = index;
    loop_init(&w->worker.loop, wake);
    w->worker.loop.now_ns = now_ns();
    w->epoll = epoll_create1(0);
    w->event = eventfd(0, EFD_NONBLOCK);
    w->listener = listen_on(port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->listener, &event);
    event.data.ptr = w;
    epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->event, &event);
    pthread_t thread;
    pthread_create(&thread, NULL, worker_main, w);
}

static void log_line(struct worker *worker, const char *app, bool error, const char *line, size_t size)
{
    fprintf(stderr, "[%s%s] %.*s\n", app, error ? "!" : "", (int)size, line);
}

static void load(struct app_table *apps, char *argument)
{
    char *file = strchr(argument, '='), error[512];
    static uint8_t bytes[64 << 20];
    if (!file)
        exit(2);
    *file++ = 0;
    char *colon = strchr(argument, ':'); /* its own deadline behind it */
    if (colon)
        *colon = 0;
    FILE *in = fopen(file, "rb");
    if (!in) {
        perror(file);
        exit(1);
    }
    size_t size = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    uint64_t start = now_ns();
    struct wasm_component *component = wasm_compile(runtime, bytes, size, error, sizeof error);
    static const uint8_t salt[SETTINGS_SALT_SIZE];
    char settings[256];
    const char *port = getenv("EGRESS");
    int settings_size = snprintf(settings, sizeof settings,
                                 "{\"environment\":{\"APP_NAME\":\"%s\"},"
                                 "\"egress\":[\"localhost:%s\"]}",
                                 argument, port ? port : "1");
    struct app_config config = {.name = argument};
    config.settings = app_settings_parse(settings, (size_t)settings_size, salt, error, sizeof error);
    const char *timeout = colon ? colon + 1 : getenv("TIMEOUT_MS");
    if (timeout)
        config.timeout_ms = (uint32_t)atoi(timeout);
    struct app *app = component ? app_new(runtime, &config, component, error, sizeof error) : NULL;
    if (!app) {
        fprintf(stderr, "%s: %s\n", file, error);
        exit(1);
    }
    app_table_put(apps, app);
    fprintf(stderr, "%s: %zu bytes, ready in %.0f ms\n", argument, size, (double)(now_ns() - start) / 1e6);
}

static bool authorize(void *user, const char *method, const char *path, const char *authorization)
{
    return strcmp(authorization, "Bearer test") == 0;
}

static int more_metrics(void *user, const struct http_site *served, json_t *into)
{
    json_t *bytes = json_integer((json_int_t)wasm_runtime_guest_memory(runtime));
    return json_object_set_new(into, "guest_memory_bytes", bytes) < 0 ? -ENOMEM : 0;
}

static int admit(struct http_admin_hook *hook, const struct http_admin_request *request, const char **why)
{
    *why = "no token";
    return request->authorization[0] ? 0 : 401;
}

static const char *methods(struct http_admin_hook *hook, const char *path)
{
    return "GET, PUT";
}

static void admin(struct http_admin_hook *hook, struct worker *worker, const struct http_admin_request *request,
                  struct http_admin_reply *reply)
{
    http_admin_reply_value(reply, 200,
                           json_pack("{s:s,s:s,s:I}", "method", request->method, "path", request->path, "size",
                                     (json_int_t)request->body_size));
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: native_server PORT WORKERS [NAME[:TIMEOUT_MS]=FILE.wasm ...]\n");
        return 2;
    }
    /* As in the enclave: memory is never given back, so none is mapped for a request. */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, 16 << 20);
    static struct http_admin_hook hook = {admit, methods, admin};
    struct wasm_runtime_config config = {
        .world = &wasi_world, .dialer = &dialer, .log = log_line, .marks_from = 1, .compare_memories = true};
    int workers = atoi(argv[2]);
    struct native_worker *all = calloc((size_t)workers, sizeof *all);
    loop_take(&all[0].worker.loop); /* to make what is worker 0's; its thread takes it over */
    config.files = fs_home_new(&all[0].worker, NULL);
    runtime = wasm_runtime_new(&config);
    struct app_table *apps = app_table_new();
    for (int i = 3; i < argc; i++)
        load(apps, argv[i]);
    http_site_init(&site, 1, apps, NULL);
    http_server_init(&server, route_request, now_ns());
    server.admin = &hook;
    server.authorize_monitoring = authorize;
    server.more_metrics = more_metrics;
    server.limits.min_rate = 0; /* tests take the time that they need */
    if (getenv("HEADER_TIMEOUT_MS"))
        server.limits.header_timeout_ms = (uint32_t)atoi(getenv("HEADER_TIMEOUT_MS"));
    for (int i = 0; i < workers; i++)
        start_worker(&all[i], (uint32_t)i, atoi(argv[1]));
    fprintf(stderr, "listening on port %s\n", argv[1]);
    for (;;) {
        usleep(10000);
        wasm_runtime_tick(runtime);
    }
}
