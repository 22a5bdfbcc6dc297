/* A whole HTTP/1.1 connection: whatever arrives, in whatever pieces, it ends, and answers are well-formed starts. */
#include <errno.h>
#include <jansson.h>
#include <sys/types.h>

#include "enclave/https/http.h"
#include "common/container.h"
#include "enclave/https/site.h"
#include "enclave/https/transport.h"
#include "enclave/service/router.h"
#include "enclave/wasm/app.h"
#include "enclave/thread/worker.h"
#include "tests/fuzz/fuzz.h"

#define TURNS_MAX 100000

struct memory {
    struct transport t;
    struct input in;
    size_t read_step, write_step;
    uint8_t first[9];
    size_t written;
    bool closed;
};

static ssize_t mem_read(struct transport *t, void *buf, size_t size)
{
    struct memory *m = CONTAINER_OF(t, struct memory, t);
    if (size > m->read_step)
        size = m->read_step;
    const uint8_t *bytes = input_bytes(&m->in, &size);
    memcpy(buf, bytes, size);
    return (ssize_t)size;
}

static ssize_t mem_write(struct transport *t, const void *buf, size_t size)
{
    struct memory *m = CONTAINER_OF(t, struct memory, t);
    if (size > m->write_step)
        size = m->write_step;
    for (size_t i = 0; i < size && m->written + i < sizeof m->first; i++)
        m->first[m->written + i] = ((const uint8_t *)buf)[i];
    m->written += size;
    return (ssize_t)size;
}

static void mem_flush(struct transport *t)
{
    (void)t;
}

static void mem_close(struct transport *t)
{
    MUST(!CONTAINER_OF(t, struct memory, t)->closed);
    CONTAINER_OF(t, struct memory, t)->closed = true;
}

static const struct transport_ops mem_ops = {
    .read = mem_read, .write = mem_write, .flush = mem_flush, .close = mem_close, .abort = mem_close};

static int admit(struct http_admin_hook *hook, const struct http_admin_request *request, const char **why)
{
    *why = "no token";
    return request->authorization[0] ? 0 : 401;
}

static const char *methods(struct http_admin_hook *hook, const char *path)
{
    (void)hook, (void)path;
    return "GET, PUT";
}

static void answer(struct http_admin_hook *hook, struct worker *w, const struct http_admin_request *request,
                   struct http_admin_reply *reply)
{
    (void)hook, (void)w;
    size_t sum = strlen(request->method) + strlen(request->path) + strlen(request->authorization);
    for (size_t i = 0; i < request->body_size; i++)
        sum += request->body[i];
    http_admin_reply_value(reply, sum % 2 ? 200 : 409, json_object());
}

static bool may(void *user, const char *method, const char *path, const char *authorization)
{
    (void)user;
    return strcmp(authorization, "Bearer right") == 0;
}

static struct http_server server;
static struct http_site site;
static struct worker worker;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    static struct http_admin_hook hook = {.admit = admit, .methods = methods, .handle = answer};
    MUST(loop_init(&worker.loop, NULL) == 0);
    http_site_init(&site, 1, app_table_new(), NULL);
    http_server_init(&server, route_request, 1);
    server.admin = &hook;
    server.authorize_monitoring = may;
    return 0;
}

/* The first byte chooses how large the pieces are; the rest is what the peer sends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory m = {.t.ops = &mem_ops, .t.site = &site, .in = {data, data + size}};
    uint8_t pieces = input_byte(&m.in);
    m.read_step = pieces & 0x40 ? 1 + (pieces & 7) : SIZE_MAX;
    m.write_step = pieces & 0x80 ? 1 + (pieces >> 3 & 7) : SIZE_MAX;
    MUST(http_connection_start(&server, &worker, &m.t) == 0);
    for (int i = 0; i < TURNS_MAX && !m.closed; i++)
        if (!loop_run_once(&worker.loop, worker.loop.now_ns + 1000000))
            m.t.on_ready(&m.t, m.t.user);
    MUST(m.closed);
    MUST(m.written < 9 || memcmp(m.first, "HTTP/1.1 ", 9) == 0);
    while (loop_run_once(&worker.loop, worker.loop.now_ns + 1))
        ;
    return 0;
}
