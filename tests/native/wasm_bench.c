/*
 * How long a request takes without HTTP around it: instantiate, call, drop. And a check of nothing else.
 *
 * Usage: wasm_bench FILE.wasm [COUNT]
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "enclave/wasi/wasi.h"
#include "enclave/wasm/app.h"
#include "enclave/wasm/runtime.h"
#include "enclave/thread/worker.h"

static size_t body_size;
static int status_seen;
static bool over;

static ssize_t read_body(struct http_exchange *x, void *buf, size_t size)
{
    return 0;
}
static bool body_ready(struct http_exchange *x)
{
    return true;
}
static size_t trailers(struct http_exchange *x, const struct http_field **fields)
{
    return 0;
}
static int respond(struct http_exchange *x, int status, const struct http_field *fields, size_t count, int64_t length)
{
    status_seen = status;
    return 0;
}
static size_t write_space(struct http_exchange *x)
{
    return 65536;
}
static ssize_t write_body(struct http_exchange *x, const void *buf, size_t size)
{
    body_size += size;
    return (ssize_t)size;
}
static void push(struct http_exchange *x)
{
}
static int finish(struct http_exchange *x, const struct http_field *fields, size_t count)
{
    over = true;
    return 0;
}
static void fail(struct http_exchange *x, int status, const char *why)
{
    status_seen = status;
    over = true;
}
static const struct http_exchange_ops ops = {.read_body = read_body,
                                             .body_ready = body_ready,
                                             .trailers = trailers,
                                             .respond = respond,
                                             .write_space = write_space,
                                             .write_body = write_body,
                                             .push = push,
                                             .finish = finish,
                                             .fail = fail};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void log_line(struct worker *worker, const char *app, bool error, const char *line, size_t size)
{
    fprintf(stderr, "%.*s\n", (int)size, line);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[64 << 20];
    char error[512];
    FILE *in = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!in)
        return 2;
    size_t size = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    int count = argc > 2 ? atoi(argv[2]) : 100000;
    /* As in the enclave: memory is never given back, so none is mapped for a request. */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, 16 << 20);
    struct wasm_runtime_config config = {.world = &wasi_world, .log = log_line};
    struct wasm_runtime *rt = wasm_runtime_new(&config);
    struct wasm_component *component = wasm_compile(rt, bytes, size, error, sizeof error);
    struct app_config app_config = {.name = "bench"};
    struct app *app = component ? app_new(rt, &app_config, component, error, sizeof error) : NULL;
    if (!app) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    struct worker worker = {0};
    loop_init(&worker.loop, NULL);
    worker.loop.now_ns = now_ns();
    struct http_field host = {HTTP_TEXT("accept"), HTTP_TEXT("*/*")};
    uint64_t start = now_ns();
    for (int i = 0; i < count; i++) {
        struct http_exchange x = {
            .ops = &ops,
            .worker = &worker,
            .request = {.method = HTTP_TEXT("GET"),
                        .target = {.authority = HTTP_TEXT("localhost"),
                                   .path = HTTP_TEXT("/"),
                                   .whole = HTTP_TEXT("/")},
                        .fields = &host,
                        .field_count = 1},
        };
        over = false;
        app_handle(app, &x);
        while (loop_run_once(&worker.loop, now_ns()) || !over)
            ;
    }
    uint64_t took = now_ns() - start;
    printf("%d requests, status %d, %zu bytes each, %.2f us each\n", count, status_seen, body_size / (size_t)count,
           (double)took / 1e3 / count);
    app_unref(app);
    wasm_runtime_delete(rt);
    return status_seen == 200 ? 0 : 1;
}
