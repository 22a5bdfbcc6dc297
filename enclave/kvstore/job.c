/*
 * Jobs: made on the caller's thread, ordered and started on the owner's, handed back when they are done. Jobs that
 * touch the same key run in the order they came.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "enclave/kvstore/internal.h"

/* ---- making and freeing -------------------------------------------------------------------------------------- */

static void op_deinit(struct job_op *op)
{
    if (op->value)
        OPENSSL_cleanse(op->value, op->value_size);
    free(op->key);
    free(op->value);
    free(op->name);
}

static void job_free(struct job *j)
{
    store_release(j);
    for (size_t i = 0; i < j->op_count; i++)
        op_deinit(&j->ops[i]);
    record_opened_free(&j->opened);
    free(j->names);
    free(j->ops);
    free(j);
}

static int op_init(struct job_op *op, const struct kv_op *from)
{
    op->kind = from->kind;
    op->ns = *from->ns;
    op->key_size = from->key_size;
    op->key = malloc(from->key_size ? from->key_size : 1);
    if (!op->key)
        return -ENOMEM;
    memcpy(op->key, from->key, from->key_size);
    if (from->kind == KV_PUT && from->value) {
        op->value_size = from->value_size;
        op->value = malloc(from->value_size ? from->value_size : 1);
        if (!op->value)
            return -ENOMEM;
        memcpy(op->value, from->value, from->value_size);
    }
    struct record_name name = {op->ns.name, op->key, op->ns.size, (uint16_t)op->key_size};
    return record_storage_key(&store.keys, &name, op->storage_key);
}

/* Of two operations on one key in a batch the later one counts: the root must not count the key twice. slots is an
 * open-addressed table of op numbers plus one, a power of two of them; storage keys are HMACs, so their bytes hash. */
static void drop_superseded(struct job *j, uint32_t *slots, size_t mask)
{
    uint64_t hash;
    struct job_op *last = &j->ops[j->op_count - 1];
    memcpy(&hash, last->storage_key, sizeof hash);
    size_t at = hash & mask;
    while (slots[at] && memcmp(j->ops[slots[at] - 1].storage_key, last->storage_key, STORAGE_KEY_SIZE) != 0)
        at = (at + 1) & mask;
    if (!slots[at]) {
        slots[at] = (uint32_t)j->op_count;
        return;
    }
    struct job_op *op = &j->ops[slots[at] - 1];
    op_deinit(op);
    *op = *last;
    *last = (struct job_op){0};
    j->op_count--;
}

struct job *job_new(struct worker *w, enum job_kind kind, const struct kv_op *ops, size_t count, void *user)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->kind = kind;
    j->origin = w;
    j->user = user;
    size_t mask = 1;
    while (mask < 2 * count)
        mask = 2 * mask + 1;
    j->ops = calloc(count ? count : 1, sizeof *j->ops);
    uint32_t few[16] = {0}, *slots = mask < 16 ? few : calloc(mask + 1, sizeof *slots);
    if (!slots)
        j->status = -ENOMEM;
    j->one_namespace = true;
    for (size_t i = 0; j->ops && i < count && j->status == 0; i++) {
        j->op_count++;
        j->one_namespace &= ops[i].ns == ops[0].ns;
        if (ops[i].key_size > KV_KEY_MAX || ops[i].value_size > KV_VALUE_MAX)
            j->status = -EINVAL;
        else
            j->status = op_init(&j->ops[j->op_count - 1], &ops[i]);
        if (j->status == 0)
            drop_superseded(j, slots, mask);
    }
    if (!j->ops)
        j->status = -ENOMEM;
    if (slots != few)
        free(slots);
    return j;
}

/* ---- ending -------------------------------------------------------------------------------------------------- */

static void deliver(struct loop_task *task)
{
    struct job *j = (struct job *)task;
    if (j->kind == JOB_GET && j->get_done)
        j->get_done(j->user, j->status, j->opened.value, j->opened.value_size);
    else if (j->kind == JOB_LIST)
        j->list_done(j->user, j->status, j->names, j->name_count, j->cursor);
    else if (j->done)
        j->done(j->user, j->status);
    job_free(j);
}

static void send_back(struct job *j)
{
    j->task.fn = deliver;
    if (j->origin == store.owner)
        loop_post(&j->origin->loop, &j->task);
    else
        loop_post_remote(&j->origin->loop, &j->task);
}

static bool writes(const struct job *j)
{
    return j->kind == JOB_COMMIT || j->kind == JOB_UPDATE;
}

void store_finish(struct job *j, int status)
{
    loop_check(&store.owner->loop);
    j->status = status;
    if (writes(j))
        store_release(j);
    struct job **at = &store.jobs;
    while (*at != j)
        at = &(*at)->next;
    *at = j->next;
    if (!*at)
        store.jobs_end = at;
    send_back(j);
}

/* ---- order --------------------------------------------------------------------------------------------------- */

static bool same_namespace(const struct job_op *a, const struct job_op *b)
{
    return a->ns.size == b->ns.size && !memcmp(a->ns.name, b->ns.name, a->ns.size);
}

static bool conflict(const struct job *a, const struct job *b)
{
    if (!writes(a) && !writes(b))
        return false;
    if (a->kind == JOB_LIST || b->kind == JOB_LIST)
        return false; /* a listing sees what is acknowledged */
    if (a->one_namespace && b->one_namespace && a->op_count && b->op_count && !same_namespace(&a->ops[0], &b->ops[0]))
        return false; /* so that an app's thousand operations are not held against every other's */
    for (size_t i = 0; i < a->op_count; i++)
        for (size_t k = 0; k < b->op_count; k++)
            if (!memcmp(a->ops[i].storage_key, b->ops[k].storage_key, STORAGE_KEY_SIZE))
                return true;
    return false;
}

static void start(struct job *j)
{
    j->running = true;
    if (j->status < 0)
        store_finish(j, j->status);
    else if (j->kind == JOB_LIST)
        store_queue_list(j);
    else if (j->kind == JOB_COMMIT)
        store_queue_commit(j);
    else
        store_start_read(j);
}

static bool blocked(const struct job *j)
{
    for (const struct job *before = store.jobs; before != j; before = before->next)
        if (conflict(before, j))
            return true;
    return false;
}

void store_proceed(void)
{
    loop_check(&store.owner->loop);
    for (struct job *j = store.jobs, *next; j; j = next) {
        next = j->next;
        if (!j->running && !blocked(j))
            start(j);
    }
    store_pump_commits();
}

static void arrive(struct loop_task *task)
{
    struct job *j = (struct job *)task;
    *store.jobs_end = j;
    store.jobs_end = &j->next;
    if (!blocked(j))
        start(j);
    store_pump_commits();
}

void job_submit(struct job *j)
{
    loop_check(&j->origin->loop);
    j->task.fn = arrive;
    if (j->origin == store.owner)
        loop_post(&store.owner->loop, &j->task);
    else
        loop_post_remote(&store.owner->loop, &j->task);
}
