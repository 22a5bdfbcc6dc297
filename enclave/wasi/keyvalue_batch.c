/*
 * wasi:keyvalue/batch@0.2.0-draft. Writes are one transaction: all of it or nothing. Reads go one after the other, each
 * what was last written when it is made.
 */
#include <errno.h>

#include "enclave/wasi/keyvalue.h"

/* The keys of a get-many, copied, and what has been read of them so far. */
struct kv_many {
    struct kv_namespace *ns; /* the bucket's, which its suspended guest cannot drop */
    size_t count, done;
    struct entry {
        const char *key; /* in text */
        size_t key_size, size;
        uint8_t *value; /* NULL: no such key */
    } * entries;        /* charged, as are all values and the text */
    char *text;
};

static void many_free(struct kv_many *m)
{
    for (size_t i = 0; m->entries && i < m->count; i++)
        charged_free(m->entries[i].value);
    charged_free(m->entries);
    charged_free(m->text);
    free(m);
}

/* keys: a count, then a text each. */
static struct kv_many *many_new(struct budget *memory, struct kv_namespace *ns, const struct slot *keys)
{
    struct kv_many *m = calloc(1, sizeof *m);
    size_t count = keys[0].word, size = 1;
    if (!m)
        return NULL;
    for (size_t i = 0; i < count; i++)
        size += keys[1 + i].size;
    m->count = count;
    m->entries = charged_calloc(memory, (count + 1) * sizeof *m->entries);
    m->text = charged_alloc(memory, size);
    m->ns = ns;
    if (!m->entries || !m->text) {
        many_free(m);
        return NULL;
    }
    char *at = m->text;
    for (size_t i = 0; i < count; i++) {
        m->entries[i].key = at;
        m->entries[i].key_size = keys[1 + i].size;
        if (keys[1 + i].size)
            at = mempcpy(at, slot_text(&keys[1 + i]), keys[1 + i].size);
    }
    return m;
}

static void read_next(struct kv_call *call);

static void on_value(void *user, int error, const uint8_t *value, size_t size)
{
    struct kv_call *call = kv_call_answered(user);
    ENSURE(call->many->done < call->many->count);
    struct entry *e = &call->many->entries[call->many->done];
    if (!call->guest || (error < 0 && error != -ENOENT)) {
        kv_call_complete(call, error);
        return;
    }
    if (error == 0) {
        e->value = charged_alloc(&call->app->memory, size + 1);
        if (!e->value) {
            kv_call_complete(call, -ENOMEM);
            return;
        }
        if (size)
            memcpy(e->value, value, size);
        e->size = size;
    }
    call->many->done++;
    read_next(call);
}

static void read_next(struct kv_call *call)
{
    struct kv_many *m = call->many;
    if (m->done == m->count) {
        kv_call_complete(call, 0);
        return;
    }
    const struct entry *e = &m->entries[m->done];
    kv_call_begun(call, kv_get(call->guest->worker, m->ns, e->key, e->key_size, on_value, call));
}

HOST_FUNC(kv_get_many)
{
    struct kv_namespace *ns = NULL;
    struct kv_call *call = NULL;
    enum host_result result = kv_call_step(g, args, &ns, &call);
    if (result == HOST_WAIT && !g->kv) {
        if (args[1].word > KEYVALUE_KEYS_MAX)
            return kv_fail(g, OTHER, "more than 4096 keys at once");
        if (!kv_call_begin(g))
            return HOST_TRAP;
        g->kv->many_free = many_free;
        g->kv->many = many_new(&g->app->memory, ns, &args[1]);
        if (g->kv->many)
            read_next(g->kv);
        else
            kv_call_complete(g->kv, -ENOMEM);
    }
    if (result != HOST_DONE)
        return g->trap ? HOST_TRAP : result;
    if (call->error) {
        result = kv_fail_error(g, call->error);
        kv_call_end(g, call);
        return result;
    }
    reply_word(g, 0);
    reply_word(g, call->many->count);
    for (size_t i = 0; i < call->many->count; i++) {
        const struct entry *e = &call->many->entries[i];
        reply_word(g, e->value != NULL);
        if (e->value) {
            reply_text(g, e->key, e->key_size);
            reply_text(g, e->value, e->size);
        }
    }
    kv_call_keep(g, call);
    return HOST_DONE;
}

/* Operations from a list: key, and for a put its value. */
static enum host_result write_many(struct guest *g, const struct slot *args, enum kv_op_kind kind)
{
    struct kv_namespace *ns = NULL;
    struct kv_call *call = NULL;
    enum host_result result = kv_call_step(g, args, &ns, &call);
    if (result == HOST_WAIT && !g->kv) {
        size_t count = args[1].word, keys = 0, bytes = 0, step = kind == KV_PUT ? 2 : 1;
        if (count > KEYVALUE_KEYS_MAX)
            return kv_fail(g, OTHER, "more than 4096 keys at once");
        if (count == 0) {
            reply_word(g, 0);
            return HOST_DONE;
        }
        struct kv_op *ops = kv_call_begin(g) ? calloc(count, sizeof *ops) : NULL;
        for (size_t i = 0; ops && i < count; i++) {
            const struct slot *at = &args[2 + i * step];
            ops[i] = (struct kv_op){.kind = kind, .ns = ns, .key = slot_text(at), .key_size = at->size};
            keys += at->size;
            if (kind == KV_PUT) {
                ops[i].value = slot_text(at + 1);
                ops[i].value_size = at[1].size;
                bytes += at[1].size;
            }
        }
        if (ops && kv_call_hold(g->kv, kv_call_cost(count, keys, bytes)))
            kv_call_begun(g->kv, kv_commit(g->worker, ops, count, kv_call_over, g->kv));
        else if (g->kv)
            kv_call_complete(g->kv, -ENOMEM);
        free(ops);
    }
    if (result != HOST_DONE)
        return g->trap ? HOST_TRAP : result;
    if (call->error)
        result = kv_fail_error(g, call->error);
    else
        reply_word(g, 0);
    kv_call_end(g, call);
    return result;
}

HOST_FUNC(kv_set_many)
{
    return write_many(g, args, KV_PUT);
}

HOST_FUNC(kv_delete_many)
{
    return write_many(g, args, KV_DELETE);
}
