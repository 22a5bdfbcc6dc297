/* See raw.h. */
#include "enclave/kvstore/raw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/ensure.h"
#include "enclave/kvstore/limits.h"
#include "enclave/thread/worker.h"

static size_t get_request(const void *key, size_t key_size, uint8_t out[4 + SCAN_KEY_MAX])
{
    struct bytes_writer w = bytes_writer_make(out, 4 + SCAN_KEY_MAX);
    bytes_append_blob(&w, key, key_size);
    ENSURE(!w.failed && key_size > 0);
    return w.size;
}

int raw_get(struct worker *w, const void *key, size_t key_size, rpc_done done, void *user)
{
    uint8_t request[4 + SCAN_KEY_MAX];
    return rpc_call(w->rpc, RPC_KV_GET, request, get_request(key, key_size, request), done, user);
}

int raw_get_wait(struct worker *w, const void *key, size_t key_size, uint8_t **value, size_t *size)
{
    uint8_t request[4 + SCAN_KEY_MAX];
    return rpc_call_wait(w->rpc, RPC_KV_GET, request, get_request(key, key_size, request), value, size);
}

#define SCAN_REQUEST_MAX (4u + 4u + SCAN_KEY_MAX + 8u)

static size_t scan_request(const void *after, size_t after_size, uint8_t out[SCAN_REQUEST_MAX])
{
    struct bytes_writer w = bytes_writer_make(out, SCAN_REQUEST_MAX);
    bytes_append_blob(&w, NULL, 0);
    bytes_append_blob(&w, after, after_size);
    bytes_append_u32(&w, SCAN_PAGE_RECORDS_MAX);
    bytes_append_u32(&w, SCAN_PAGE_MAX);
    ENSURE(!w.failed);
    return w.size;
}

int raw_scan(struct worker *w, const void *after, size_t after_size, rpc_done done, void *user)
{
    uint8_t request[SCAN_REQUEST_MAX];
    return rpc_call(w->rpc, RPC_KV_SCAN, request, scan_request(after, after_size, request), done, user);
}

int raw_scan_wait(struct worker *w, const void *after, size_t after_size, uint8_t **page, size_t *size)
{
    uint8_t request[SCAN_REQUEST_MAX];
    return rpc_call_wait(w->rpc, RPC_KV_SCAN, request, scan_request(after, after_size, request), page, size);
}

bool raw_page_read(const uint8_t *page, size_t size, struct raw_page *out)
{
    struct bytes_reader r = bytes_reader_make(page, size);
    uint32_t count = bytes_take_u32(&r);
    const struct bytes_reader records = r;
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        size_t key_size, ignored;
        bytes_take_blob(&r, &key_size);
        bytes_take_blob(&r, &ignored);
        r.failed |= key_size == 0 || key_size > SCAN_KEY_MAX;
    }
    uint8_t more = bytes_take_u8(&r);
    *out = (struct raw_page){records.next, records.left, count, more != 0};
    return bytes_reader_complete(&r) && !(more && count == 0);
}

bool raw_page_next(struct raw_page *p, struct raw_record *out)
{
    struct bytes_reader r = bytes_reader_make(p->next, p->left);
    if (p->count == 0)
        return false;
    out->key = bytes_take_blob(&r, &out->key_size);
    out->value = bytes_take_blob(&r, &out->size);
    ENSURE(!r.failed); /* raw_page_read has seen them all */
    p->next = r.next;
    p->left = r.left;
    p->count--;
    return true;
}

static size_t commit_size(const struct raw_op *ops, size_t count)
{
    size_t size = 4;
    for (size_t i = 0; i < count; i++)
        size += 1 + 4 + ops[i].key_size + (ops[i].kind == KV_PUT ? 4 + ops[i].size : 0);
    return size;
}

uint8_t *raw_ops_write(const struct raw_op *ops, size_t count, size_t *size)
{
    *size = commit_size(ops, count);
    uint8_t *request = malloc(*size);
    struct bytes_writer w = bytes_writer_make(request, *size);
    if (!request)
        return NULL;
    bytes_append_u32(&w, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        ENSURE(ops[i].key_size > 0 && ops[i].key_size <= SCAN_KEY_MAX);
        bytes_append_u8(&w, (uint8_t)ops[i].kind);
        bytes_append_blob(&w, ops[i].key, ops[i].key_size);
        if (ops[i].kind == KV_PUT)
            bytes_append_blob(&w, ops[i].value, ops[i].size);
    }
    ENSURE(!w.failed && w.size == *size);
    return request;
}

struct committing {
    kv_done done;
    void *user;
};

static void on_committed(void *user, int error, const uint8_t *payload, size_t size)
{
    struct committing c = *(struct committing *)user;
    (void)payload, (void)size;
    free(user);
    c.done(c.user, error);
}

int raw_commit(struct worker *w, const struct raw_op *ops, size_t count, kv_done done, void *user)
{
    size_t size;
    loop_check(&w->loop);
    ENSURE(done);
    uint8_t *request = raw_ops_write(ops, count, &size);
    struct committing *c = request ? malloc(sizeof *c) : NULL;
    if (c)
        *c = (struct committing){done, user};
    int error = c ? rpc_call(w->rpc, RPC_KV_COMMIT, request, size, on_committed, c) : -ENOMEM;
    if (error < 0)
        free(c);
    free(request);
    return error;
}

int raw_commit_wait(struct worker *w, const struct raw_op *ops, size_t count)
{
    size_t size;
    uint8_t *request = raw_ops_write(ops, count, &size);
    int error = request ? rpc_call_wait(w->rpc, RPC_KV_COMMIT, request, size, NULL, NULL) : -ENOMEM;
    free(request);
    return error;
}
