/* A server's response, whatever it says and in whatever pieces: it ends, nothing that broke off is complete, and what
 * the app sees is well-formed. */
#include <errno.h>

#include "common/container.h"
#include "enclave/https/client.h"
#include "enclave/https/transport.h"
#include "enclave/thread/worker.h"
#include "tests/fuzz/fuzz.h"

#define TURNS_MAX 200000

struct memory {
    struct transport t;
    struct input in;
    size_t read_step, write_step;
    bool clean, closed;
};

static ssize_t mem_read(struct transport *t, void *buf, size_t size)
{
    struct memory *m = CONTAINER_OF(t, struct memory, t);
    if (size > m->read_step)
        size = m->read_step;
    const uint8_t *bytes = input_bytes(&m->in, &size);
    memcpy(buf, bytes, size);
    return size || m->clean ? (ssize_t)size : -ECONNRESET;
}

static ssize_t mem_write(struct transport *t, const void *buf, size_t size)
{
    struct memory *m = CONTAINER_OF(t, struct memory, t);
    (void)buf;
    return (ssize_t)(size > m->write_step ? m->write_step : size);
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

static struct worker worker;
static struct memory memory;
static struct loop_task dialled;
static http_dialled done;
static void *opener;

static void on_dialled(struct loop_task *task)
{
    (void)task;
    done(opener, &memory.t, CALL_OK, 0);
}

static void *start(struct worker *w, const struct http_site *site, const char *host, uint16_t port,
                   http_dialled when_done, void *user)
{
    (void)host, (void)port;
    done = when_done;
    opener = user;
    dialled.fn = on_dialled;
    loop_post(&w->loop, &dialled);
    return &dialled;
}

static void cancel(void *attempt)
{
    (void)attempt;
    MUST(0); /* it connects at once */
}

static void on_event(void *user)
{
    (void)user;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    MUST(loop_init(&worker.loop, NULL) == 0);
    return 0;
}

static void check_fields(const struct http_field *fields, size_t count, int64_t *length)
{
    *length = -1;
    for (size_t i = 0; i < count; i++) {
        MUST(fields[i].name.size > 0);
        for (size_t k = 0; k < fields[i].name.size; k++)
            MUST(fields[i].name.data[k] > ' ' && (fields[i].name.data[k] < 'A' || fields[i].name.data[k] > 'Z'));
        for (size_t k = 0; k < fields[i].value.size; k++)
            MUST(fields[i].value.data[k] && fields[i].value.data[k] != '\r' && fields[i].value.data[k] != '\n');
        if (fields[i].name.size == 14 && memcmp(fields[i].name.data, "content-length", 14) == 0) {
            char text[4096] = ""; /* nothing ends the value where it lies */
            MUST(*length == -1 && fields[i].value.size < sizeof text);
            memcpy(text, fields[i].value.data, fields[i].value.size);
            *length = strtoll(text, NULL, 10);
        }
    }
}

/* The first byte chooses how large the pieces are, the method, and how the connection ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_dialer dialer = {.start = start, .cancel = cancel};
    memory = (struct memory){.t.ops = &mem_ops, .in = {data, data + size}};
    uint8_t choice = input_byte(&memory.in);
    bool head = choice & 8;
    memory.read_step = choice & 0x40 ? 1 + (choice & 7) : SIZE_MAX;
    memory.write_step = choice & 0x80 ? 1 + (choice & 7) : SIZE_MAX;
    memory.clean = choice & 0x10;
    struct http_call_request request = {.worker = &worker,
                                        .dialer = &dialer,
                                        .host = "h",
                                        .method = head ? HTTP_TEXT("HEAD") : HTTP_TEXT("GET"),
                                        .target = HTTP_TEXT("/"),
                                        .authority = HTTP_TEXT("h"),
                                        .content_length = CALL_NO_BODY,
                                        .connect_ns = UINT64_MAX,
                                        .first_byte_ns = UINT64_MAX,
                                        .between_ns = UINT64_MAX,
                                        .on_event = on_event};
    struct http_call *call = http_call_start(&request);
    MUST(call);
    for (int i = 0; i < TURNS_MAX && !http_call_status(call) && !http_call_failure(call); i++)
        if (!loop_run_once(&worker.loop, worker.loop.now_ns + 1000000))
            memory.t.on_ready(&memory.t, memory.t.user);
    MUST(http_call_status(call) || http_call_failure(call));
    if (http_call_status(call)) {
        const struct http_field *fields = NULL;
        size_t count = http_call_fields(call, &fields);
        uint8_t buf[256];
        int64_t length, got = 0;
        ssize_t n;
        check_fields(fields, count, &length);
        while ((n = http_call_read(call, buf, sizeof buf)) > 0)
            got += n;
        MUST(n == 0 || (n == -EIO && http_call_failure(call)));
        int status = http_call_status(call);
        MUST(status >= 200 && status <= 999);
        bool no_body = head || status == 204 || status == 304;
        MUST(n != 0 || (no_body ? got == 0 : length < 0 || got == length));
        count = n == 0 ? http_call_trailers(call, &fields) : 0;
        check_fields(fields, count, &length);
    }
    http_call_delete(call);
    while (loop_run_once(&worker.loop, worker.loop.now_ns + 1))
        ;
    MUST(memory.closed);
    return 0;
}
