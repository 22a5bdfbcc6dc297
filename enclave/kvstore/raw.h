/*
 * The host's map as it keeps it, below the sealed store: for who moves a store from one host to another, and for what
 * is sealed otherwise. Nothing that it gives is more than a claim.
 *
 * On a worker's thread, over its control channel; an open store's own keys are not to be written. 0, and done runs
 * once, later, from the worker's loop, with the host's answer (common/protocol.h has its form); or a negative errno,
 * and it never runs. The _wait forms turn the worker's loop: at boot only.
 */
#ifndef ENCLAVE_OS_ENCLAVE_KVSTORE_RAW_H
#define ENCLAVE_OS_ENCLAVE_KVSTORE_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/callbacks.h"
#include "enclave/kvstore/kvstore.h"
#include "enclave/thread/rpc_client.h"

struct worker;

/* done's payload: the value. -ENOENT. Keys have 1 to SCAN_KEY_MAX bytes. */
MAY_REFUSE int raw_get(struct worker *w, const void *key, size_t key_size, rpc_done done, void *user);
int raw_get_wait(struct worker *w, const void *key, size_t key_size, uint8_t **value, size_t *size);

/* done's payload: a page of records behind this key; after_size 0: from the start. */
MAY_REFUSE int raw_scan(struct worker *w, const void *after, size_t after_size, rpc_done done, void *user);
int raw_scan_wait(struct worker *w, const void *after, size_t after_size, uint8_t **page, size_t *size);

/* A page, taken apart: false where it is none. What next gives points into it. */
struct raw_page {
    const uint8_t *next;
    size_t left;
    uint32_t count;
    bool more;
};
bool raw_page_read(const uint8_t *page, size_t size, struct raw_page *out);
struct raw_record {
    const uint8_t *key, *value;
    size_t key_size, size;
};
bool raw_page_next(struct raw_page *p, struct raw_record *out); /* false: that was the last one */

/* All of it or nothing. */
struct raw_op {
    enum kv_op_kind kind;
    const void *key;
    size_t key_size;
    const void *value; /* put only */
    size_t size;
};
/* As the host is told: how many (u32), then each. malloc'ed; NULL: no memory. */
uint8_t *raw_ops_write(const struct raw_op *ops, size_t count, size_t *size);
MAY_REFUSE int raw_commit(struct worker *w, const struct raw_op *ops, size_t count, kv_done done, void *user);
int raw_commit_wait(struct worker *w, const struct raw_op *ops, size_t count);

#endif
