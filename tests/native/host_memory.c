/* See host_memory.h. */
#include "tests/native/host_memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/container.h"
#include "enclave/thread/rpc_client.h"

struct host_memory host_memory;
static struct worker *only_worker;

struct host_call {
    struct loop_task task; /* first */
    struct host_call *next;
    uint32_t method;
    rpc_done done;
    void *user;
    uint8_t *payload, *answer;
    size_t payload_size, size;
    int status;
    bool carried_out;
};

static void deliver(struct loop_task *task)
{
    struct host_call *c = CONTAINER_OF(task, struct host_call, task);
    if (c->done)
        c->done(c->user, c->status, c->answer, c->size);
    free(c->payload);
    free(c->answer);
    free(c);
}

static int compare(const struct host_record *r, const void *key, size_t size)
{
    int order = memcmp(r->key, key, r->key_size < size ? r->key_size : size);
    return order ? order : (r->key_size > size) - (r->key_size < size);
}

/* The first record that is not before key. */
static size_t lower_bound(const void *key, size_t size)
{
    size_t low = 0, high = host_memory.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(&host_memory.records[middle], key, size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct host_record *host_memory_find(const void *key, size_t size)
{
    size_t at = lower_bound(key, size);
    bool found = at < host_memory.count && compare(&host_memory.records[at], key, size) == 0;
    return found ? &host_memory.records[at] : NULL;
}

static uint8_t *copy(const void *data, size_t size)
{
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes)
        abort();
    if (size)
        memcpy(bytes, data, size);
    return bytes;
}

void host_memory_put(const void *key, size_t key_size, const void *value, size_t value_size)
{
    struct host_memory *h = &host_memory;
    struct host_record *r = host_memory_find(key, key_size);
    if (r) {
        free(r->value);
    } else {
        size_t at = lower_bound(key, key_size);
        h->records = realloc(h->records, (h->count + 1) * sizeof *h->records);
        r = &h->records[at];
        memmove(r + 1, r, (h->count++ - at) * sizeof *r);
        r->key = copy(key, key_size);
        r->key_size = key_size;
    }
    r->value = copy(value, value_size);
    r->value_size = value_size;
}

void host_memory_delete(const void *key, size_t key_size)
{
    struct host_record *r = host_memory_find(key, key_size);
    if (!r)
        return;
    free(r->key);
    free(r->value);
    memmove(r, r + 1, (size_t)(&host_memory.records[--host_memory.count] - r) * sizeof *r);
}

/* When nobody waits for them any more, or the caller does not mind. */
static void deliver_all(struct host_call *c)
{
    for (struct host_call *next; c; c = next) {
        next = c->next;
        deliver(&c->task);
    }
}

void host_memory_reset(void)
{
    while (host_memory.count)
        host_memory_delete(host_memory.records[0].key, host_memory.records[0].key_size);
    free(host_memory.records);
    deliver_all(host_memory.withheld);
    deliver_all(host_memory.lost);
    host_memory = (struct host_memory){0};
}

struct host_image {
    struct host_record *records;
    size_t count;
};

struct host_image *host_memory_keep(void)
{
    struct host_image *image = malloc(sizeof *image);
    *image = (struct host_image){calloc(host_memory.count + 1, sizeof *image->records), host_memory.count};
    for (size_t i = 0; i < image->count; i++) {
        const struct host_record *r = &host_memory.records[i];
        image->records[i] =
            (struct host_record){copy(r->key, r->key_size), copy(r->value, r->value_size), r->key_size, r->value_size};
    }
    return image;
}

const struct host_record *host_image_find(const struct host_image *image, const void *key, size_t size)
{
    for (size_t i = 0; i < image->count; i++)
        if (compare(&image->records[i], key, size) == 0)
            return &image->records[i];
    return NULL;
}

void host_memory_restore(struct host_image *image)
{
    while (host_memory.count)
        host_memory_delete(host_memory.records[0].key, host_memory.records[0].key_size);
    for (size_t i = 0; i < image->count; i++)
        host_memory_put(image->records[i].key, image->records[i].key_size, image->records[i].value,
                        image->records[i].value_size);
    host_memory_drop(image);
}

void host_memory_drop(struct host_image *image)
{
    for (size_t i = 0; i < image->count; i++) {
        free(image->records[i].key);
        free(image->records[i].value);
    }
    free(image->records);
    free(image);
}

/* ---- the RPCs --------------------------------------------------------------------------------------------------- */

static int get(struct bytes_reader *r, uint8_t **out, size_t *out_size)
{
    size_t size;
    const uint8_t *key = bytes_take_blob(r, &size);
    struct host_record *record = host_memory_find(key, size);
    if (!record)
        return -ENOENT;
    *out = copy(record->value, record->value_size);
    *out_size = record->value_size;
    return 0;
}

static bool fits(struct bytes_reader r, uint32_t count)
{
    size_t size, sum = 0, puts = 0;
    for (size_t i = 0; i < host_memory.count; i++)
        sum += host_memory.records[i].value_size;
    for (uint32_t i = 0; i < count; i++) {
        bool put = bytes_take_u8(&r) == 1;
        bytes_take_blob(&r, &size);
        if (put && bytes_take_blob(&r, &size))
            sum += size, puts++;
    }
    return puts == 1 || sum <= host_memory.room; /* the one is the root, which is written over */
}

static int commit(struct bytes_reader *r)
{
    host_memory.commits++;
    uint32_t count = bytes_take_u32(r);
    if (host_memory.room && !fits(*r, count))
        return -ENOSPC;
    for (uint32_t i = 0; i < count && (host_memory.commit_status == 0 || host_memory.keep_failed); i++) {
        uint8_t op = bytes_take_u8(r);
        size_t key_size, size;
        const uint8_t *key = bytes_take_blob(r, &key_size);
        const uint8_t *value = op == 1 ? bytes_take_blob(r, &size) : NULL;
        if (r->failed)
            abort(); /* the store's own bytes */
        if (op == 1)
            host_memory_put(key, key_size, value, size);
        else
            host_memory_delete(key, key_size);
    }
    return host_memory.commit_status;
}

static int scan(struct bytes_reader *r, uint8_t **out, size_t *out_size)
{
    size_t prefix_size, after_size;
    bytes_take_blob(r, &prefix_size);
    const uint8_t *after = bytes_take_blob(r, &after_size);
    uint32_t max_count = bytes_take_u32(r), count = 0;
    size_t max_bytes = bytes_take_u32(r);
    *out = malloc(max_bytes + 5);
    struct bytes_writer w = bytes_writer_make(*out + 4, max_bytes);
    size_t at = after_size ? lower_bound(after, after_size) : 0;
    while (at < host_memory.count && after_size && compare(&host_memory.records[at], after, after_size) <= 0)
        at++;
    for (; at < host_memory.count && count < max_count; at++, count++) {
        const struct host_record *record = &host_memory.records[at];
        if (8 + record->key_size + record->value_size > w.capacity - w.size)
            break;
        bytes_append_blob(&w, record->key, record->key_size);
        bytes_append_blob(&w, record->value, record->value_size);
    }
    bytes_put_u32(*out, count);
    (*out)[4 + w.size] = at < host_memory.count;
    *out_size = 5 + w.size;
    return 0;
}

static void carry_out(struct host_call *c)
{
    struct bytes_reader r = bytes_reader_make(c->payload, c->payload_size);
    if (host_memory.seen)
        host_memory.seen(c->method);
    if (host_memory.answer && host_memory.answer(c->method, &c->status, &c->answer, &c->size))
        ;
    else if (c->method == RPC_KV_GET)
        c->status = get(&r, &c->answer, &c->size);
    else if (c->method == RPC_KV_COMMIT)
        c->status = commit(&r);
    else if (c->method == RPC_KV_SCAN)
        c->status = scan(&r, &c->answer, &c->size);
    else
        c->status = -ENOSYS;
    c->carried_out = true;
    if (host_memory.seen)
        host_memory.seen(c->method);
}

static void fail_call(struct host_call *c)
{
    c->status = -EIO;
    c->size = 0;
}

static void keep_last(struct host_call **list, struct host_call *c)
{
    while (*list)
        list = &(*list)->next;
    *list = c;
}

bool host_memory_release(bool fails)
{
    struct host_call *c = host_memory.withheld;
    if (!c)
        return false;
    host_memory.withheld = c->next;
    if (fails)
        fail_call(c);
    else if (!c->carried_out)
        carry_out(c);
    loop_post(&only_worker->loop, &c->task);
    return true;
}

static void meet_fate(struct host_call *c, enum host_fate fate)
{
    if (fate != FATE_FAILS && fate != FATE_DELAYED)
        carry_out(c);
    if (fate == FATE_FAILS || fate == FATE_DONE_BUT_FAILS)
        fail_call(c);
    if (fate == FATE_ANSWER_LOST)
        keep_last(&host_memory.lost, c);
    else if (fate == FATE_ANSWER_DELAYED || fate == FATE_DELAYED)
        keep_last(&host_memory.withheld, c);
    else
        loop_post(&only_worker->loop, &c->task);
}

int rpc_call(struct rpc_client *client, enum rpc_method method, const void *payload, size_t size, rpc_done done,
             void *user)
{
    if (method == RPC_KV_COMMIT && host_memory.refused > 0) {
        host_memory.refused--;
        return -ENOMEM;
    }
    if (host_memory.refuse)
        return host_memory.refuse;
    enum host_fate fate = host_memory.fate ? host_memory.fate(method) : FATE_HONEST;
    if (fate == FATE_NOT_TAKEN)
        return -ENOMEM;
    struct host_call *c = calloc(1, sizeof *c);
    *c = (struct host_call){.task.fn = deliver, .method = method, .done = done, .user = user};
    c->payload = copy(payload, size);
    c->payload_size = size;
    meet_fate(c, fate);
    return 0;
}

void rpc_log(struct rpc_client *client, enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(host_memory.last_log, sizeof host_memory.last_log, format, args);
    va_end(args);
}

struct wait {
    bool finished;
    int status;
    uint8_t *answer;
    size_t size;
};

static void on_answer(void *user, int status, const uint8_t *payload, size_t size)
{
    struct wait *w = user;
    *w = (struct wait){true, status, copy(payload, size), size};
}

int rpc_call_wait(struct rpc_client *client, enum rpc_method method, const void *payload, size_t size, uint8_t **out,
                  size_t *out_size)
{
    struct wait w = {0};
    int asked = rpc_call(client, method, payload, size, on_answer, &w);
    if (asked < 0)
        return asked;
    while (!w.finished)
        worker_turn(only_worker);
    if (out && w.status == 0) {
        *out = w.answer;
        *out_size = w.size;
    } else {
        free(w.answer);
    }
    return w.status;
}

/* Where nothing is ready, time passes until something is. */
void worker_turn(struct worker *w)
{
    uint64_t next = loop_next_deadline(&w->loop);
    if (next && host_memory.idle) {
        host_memory.idle();
        next = loop_next_deadline(&w->loop);
    }
    loop_run_once(&w->loop, next > w->loop.now_ns && next != UINT64_MAX ? next : w->loop.now_ns + 1);
}

int host_memory_worker(struct worker *w)
{
    *w = (struct worker){0};
    only_worker = w;
    return loop_init(&w->loop, NULL);
}
