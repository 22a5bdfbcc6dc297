/* Jobs: made on the caller's thread, finished on the owner's, delivered and freed on the caller's again. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
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
    ENSURE(j->errand.state == ERRAND_HOME);
    ENSURE(!j->running && !j->next);
    memory_release(j);
    for (size_t i = 0; i < j->op_count; i++)
        op_deinit(&j->ops[i]);
    record_opened_free(&j->opened);
    free(j->record);
    free(j->names);
    free(j->beside);
    free(j->ops);
    free(j);
}

static int op_init(struct job_op *op, const struct kv_op *from)
{
    ENSURE(from->kind == KV_PUT || from->kind == KV_DELETE || from->kind == KV_GIVE_UP);
    ENSURE(from->key || from->key_size == 0);
    ENSURE(from->value || from->value_size == 0 || from->kind != KV_PUT);
    op->kind = from->kind == KV_PUT ? KV_PUT : KV_DELETE;
    op->only_lost = from->kind == KV_GIVE_UP;
    op->ns = *from->ns;
    op->key_size = from->key_size;
    op->key = malloc(from->key_size ? from->key_size : 1);
    if (!op->key)
        return -ENOMEM;
    if (from->key_size)
        memcpy(op->key, from->key, from->key_size);
    if (from->kind == KV_PUT && from->value) {
        op->value_size = from->value_size;
        op->value = malloc(from->value_size ? from->value_size : 1);
        if (!op->value)
            return -ENOMEM;
        if (from->value_size)
            memcpy(op->value, from->value, from->value_size);
    }
    if (op->only_lost) {
        ENSURE(op->key_size == STORAGE_KEY_SIZE);
        memcpy(op->storage_key, op->key, STORAGE_KEY_SIZE);
        return 0;
    }
    struct record_name name = {op->ns.name, op->key, op->ns.size, (uint16_t)op->key_size};
    return record_storage_key(&op->ns.store->keys, &name, op->storage_key);
}

/* Of two operations on one key in a batch the later one counts: the root must not count the key twice. slots is an
 * open-addressed table of op numbers plus one, a power of two of them; storage keys are HMACs, so their bytes hash. */
static void drop_superseded(struct job *j, uint32_t *slots, size_t mask)
{
    uint64_t hash;
    ENSURE(j->op_count > 0);
    ENSURE(j->op_count <= mask); /* so that a free slot is left */
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

/* The operations into the job; 0, or why they cannot be done. */
static int take_ops(struct job *j, const struct kv_op *ops, size_t count)
{
    ENSURE(!j->ops && j->op_count == 0);
    size_t mask = 1;
    while (mask < 2 * count)
        mask = 2 * mask + 1;
    j->ops = calloc(count ? count : 1, sizeof *j->ops);
    uint32_t few[16] = {0}, *slots = mask < 16 ? few : calloc(mask + 1, sizeof *slots);
    int error = j->ops && slots ? 0 : -ENOMEM;
    j->one_namespace = true;
    for (size_t i = 0; i < count && error == 0; i++) {
        ENSURE(ops[i].ns && ops[i].ns->store == j->store);
        j->op_count++;
        j->one_namespace &= ops[i].ns == ops[0].ns;
        if (ops[i].key_size > KV_KEY_MAX || ops[i].value_size > KV_VALUE_MAX)
            error = -EINVAL;
        else
            error = op_init(&j->ops[j->op_count - 1], &ops[i]);
        if (error == 0)
            drop_superseded(j, slots, mask);
    }
    if (slots != few)
        free(slots);
    return error;
}

struct job *job_new(struct store *s, struct worker *w, enum job_kind kind, const struct kv_op *ops, size_t count,
                    void *user)
{
    ENSURE(s && s->open);
    ENSURE(w);
    loop_check(&w->loop);
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->store = s;
    j->kind = kind;
    j->origin = w;
    j->user = user;
    j->error = take_ops(j, ops, count);
    return j;
}

/* ---- ending -------------------------------------------------------------------------------------------------- */

static void deliver(struct loop_task *task)
{
    struct job *j = CONTAINER_OF(task, struct job, errand.task);
    errand_end(&j->errand);
    ENSURE(!j->running && (!j->record || j->error == 0));
    if (j->record && !j->open(j))
        return;
    if (j->kind == JOB_GET && j->get_done)
        j->get_done(j->user, j->error, j->opened.value, j->opened.value_size);
    else if (j->kind == JOB_LIST)
        j->list_done(j->user, j->error, j->names, j->name_count, j->cursor);
    else if (j->done)
        j->done(j->user, j->error);
    job_free(j);
}

void job_queue_init(struct job_queue *q)
{
    *q = (struct job_queue){.end = &q->first};
}

void job_finish(struct job *j, int error)
{
    struct store *s = j->store;
    store_enter(s);
    ENSURE(j->running);
    j->error = error;
    j->running = false;
    if (j->kind == JOB_COMMIT || j->kind == JOB_UPDATE)
        memory_release(j);
    struct job **at = &s->jobs.first;
    while (*at != j) {
        ENSURE(*at); /* it is on the list */
        at = &(*at)->next;
    }
    *at = j->next;
    j->next = NULL;
    if (!*at)
        s->jobs.end = at;
    errand_return(&j->errand, &s->owner->loop, deliver);
}
