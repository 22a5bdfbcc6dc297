/*
 * wasi:keyvalue/{store,atomics}@0.2.0-draft over the sealed store, and the table of batch as well. A bucket is the
 * namespace "app:SPACE:kv:BUCKET" (app.h).
 */
#include <errno.h>
#include <stdio.h>

#include "enclave/wasi/keyvalue.h"

static void got_value(void *user, int error, const uint8_t *value, size_t size)
{
    struct kv_call *call = kv_call_answered(user);
    if (error == 0 && call->guest) {
        call->value = charged_alloc(&call->app->memory, size + 1);
        call->size = call->value ? size : 0;
        if (call->size)
            memcpy(call->value, value, size);
        if (!call->value)
            error = -ENOMEM;
    }
    kv_call_complete(call, error);
}

static void got_names(void *user, int error, const struct kv_name *names, size_t count, uint64_t cursor)
{
    struct kv_call *call = kv_call_answered(user);
    size_t size = 1;
    for (size_t i = 0; error == 0 && i < count; i++)
        size += names[i].size;
    if (error == 0 && call->guest) {
        call->value = charged_alloc(&call->app->memory, size);
        call->names = charged_calloc(&call->app->memory, (count + 1) * sizeof *call->names);
        if (!call->value || !call->names)
            error = -ENOMEM;
        uint8_t *at = call->value;
        for (size_t i = 0; error == 0 && i < count; i++) {
            memcpy(at, names[i].data, names[i].size);
            call->names[i] = (struct kv_name){at, names[i].size};
            at += names[i].size;
        }
        call->name_count = count;
        call->number = cursor;
    }
    kv_call_complete(call, error);
}

static bool bucket_name_ok(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
            return false;
    return size < 64;
}

static HOST_FUNC(open)
{
    const char *name = slot_text(&args[0]);
    if (!bucket_name_ok(name, args[0].size))
        return kv_fail(g, NO_SUCH_STORE, NULL);
    char full[KV_NAMESPACE_MAX + 1];
    bool unnamed = args[0].size == 0;
    int size = snprintf(full, sizeof full, "app:%s:kv:%.*s", g->app->space, unnamed ? 7 : (int)args[0].size,
                        unnamed ? "default" : name);
    struct resource *bucket = size < (int)sizeof full ? resource_new(g, KIND_BUCKET) : NULL;
    if (!bucket)
        return g->trap ? HOST_TRAP : kv_fail(g, NO_SUCH_STORE, NULL);
    resource_check(bucket);
    ENSURE(!bucket->bucket);
    bucket->bucket = kv_namespace_open(g->app->rt->config.store, full);
    if (!bucket->bucket)
        return guest_trap(g, "no memory");
    reply_word(g, 0);
    reply_own(g, bucket);
    return HOST_DONE;
}

static HOST_FUNC(get)
{
    struct kv_namespace *ns = NULL;
    struct kv_call *call = NULL;
    enum host_result result = kv_call_step(g, args, &ns, &call);
    if (result == HOST_WAIT && !g->kv && kv_call_begin(g))
        kv_call_begun(g->kv, kv_get(g->worker, ns, slot_text(&args[1]), args[1].size, got_value, g->kv));
    if (result != HOST_DONE)
        return g->trap ? HOST_TRAP : result;
    if (call->error && call->error != -ENOENT) {
        result = kv_fail_error(g, call->error);
    } else {
        reply_word(g, 0);
        reply_word(g, call->error == 0);
        if (call->error == 0)
            reply_text(g, call->value, call->size);
    }
    kv_call_end(g, call);
    return result;
}

static enum host_result commit(struct guest *g, const struct slot *args, enum kv_op_kind kind)
{
    struct kv_namespace *ns = NULL;
    struct kv_call *call = NULL;
    enum host_result result = kv_call_step(g, args, &ns, &call);
    if (result == HOST_WAIT && !g->kv && kv_call_begin(g)) {
        struct kv_op op = {.kind = kind, .ns = ns, .key = slot_text(&args[1]), .key_size = args[1].size};
        if (kind == KV_PUT) {
            op.value = slot_text(&args[2]);
            op.value_size = args[2].size;
        }
        if (!kv_call_hold(g->kv, kv_call_cost(1, op.key_size, op.value_size))) {
            kv_call_complete(g->kv, -ENOMEM);
            return HOST_WAIT;
        }
        kv_call_begun(g->kv, kv_commit(g->worker, &op, 1, kv_call_over, g->kv));
    }
    if (result != HOST_DONE)
        return g->trap ? HOST_TRAP : result;
    if (call->error && call->error != -ENOENT)
        result = kv_fail_error(g, call->error);
    else
        reply_word(g, 0);
    kv_call_end(g, call);
    return result;
}

static HOST_FUNC(set)
{
    return commit(g, args, KV_PUT);
}

static HOST_FUNC(delete_key)
{
    return commit(g, args, KV_DELETE);
}

static HOST_FUNC(exists)
{
    struct kv_namespace *ns = NULL;
    struct kv_call *call = NULL;
    enum host_result result = kv_call_step(g, args, &ns, &call);
    if (result == HOST_WAIT && !g->kv && kv_call_begin(g))
        kv_call_begun(g->kv, kv_exists(g->worker, ns, slot_text(&args[1]), args[1].size, kv_call_over, g->kv));
    if (result != HOST_DONE)
        return g->trap ? HOST_TRAP : result;
    if (call->error && call->error != -ENOENT) {
        result = kv_fail_error(g, call->error);
    } else {
        reply_word(g, 0);
        reply_word(g, call->error == 0);
    }
    kv_call_end(g, call);
    return result;
}

static HOST_FUNC(list_keys)
{
    struct kv_namespace *ns = NULL;
    struct kv_call *call = NULL;
    enum host_result result = kv_call_step(g, args, &ns, &call);
    if (result == HOST_WAIT && !g->kv && kv_call_begin(g))
        kv_call_begun(g->kv, kv_list(g->worker, ns, args[1].word ? args[2].word : 0, got_names, g->kv));
    if (result != HOST_DONE)
        return g->trap ? HOST_TRAP : result;
    if (call->error == -EBADMSG) {
        result = kv_fail(g, OTHER,
                         "a record of this app is damaged together with its name, so that no list is complete: an "
                         "administrator sees it, and can give it up (enclavectl salvage)");
    } else if (call->error) {
        result = kv_fail_error(g, call->error);
    } else {
        reply_word(g, 0);
        reply_word(g, call->name_count);
        for (size_t i = 0; i < call->name_count; i++)
            reply_text(g, call->names[i].data, call->names[i].size);
        reply_word(g, call->number != 0);
        if (call->number)
            reply_word(g, call->number);
    }
    kv_call_end(g, call);
    return result;
}

/* wasi:keyvalue/atomics: a counter is eight bytes, little endian. */
static int add(void *user, const uint8_t *value, size_t size, uint8_t **out, size_t *out_size)
{
    struct kv_call *call = user;
    ENSURE(!call->done);
    ENSURE(value || size == 0);
    uint64_t number = 0;
    if (value && size != sizeof number)
        return -ECANCELED;
    if (value)
        memcpy(&number, value, sizeof number);
    number += call->number;
    *out = malloc(sizeof number);
    if (!*out)
        return -ECANCELED;
    memcpy(*out, &number, sizeof number);
    *out_size = sizeof number;
    call->number = number;
    return 0;
}

static HOST_FUNC(increment)
{
    struct kv_namespace *ns = NULL;
    struct kv_call *call = NULL;
    enum host_result result = kv_call_step(g, args, &ns, &call);
    if (result == HOST_WAIT && !g->kv && kv_call_begin(g)) {
        g->kv->number = args[2].word;
        kv_call_begun(g->kv, kv_update(g->worker, ns, slot_text(&args[1]), args[1].size, add, kv_call_over, g->kv));
    }
    if (result != HOST_DONE)
        return g->trap ? HOST_TRAP : result;
    if (call->error == -ECANCELED) {
        result = kv_fail(g, OTHER, "the value is not a counter");
    } else if (call->error) {
        result = kv_fail_error(g, call->error);
    } else {
        reply_word(g, 0);
        reply_word(g, call->number);
    }
    kv_call_end(g, call);
    return result;
}

#define KV_ERROR "variant{no-such-store,access-denied,other:string}"
#define BUCKET "[method]bucket."
static const struct host_func store_funcs[] = {
    {"open", "(string)->(result<own<bucket>," KV_ERROR ">)", open, SHAPE_ANY, false},
    {BUCKET "get", "(borrow<bucket>,string)->(result<option<list<u8>>," KV_ERROR ">)", get, SHAPE_KV_GET, true},
    {BUCKET "set", "(borrow<bucket>,string,list<u8>)->(result<_," KV_ERROR ">)", set, SHAPE_KV_SET, true},
    {BUCKET "delete", "(borrow<bucket>,string)->(result<_," KV_ERROR ">)", delete_key, SHAPE_ANY, true},
    {BUCKET "exists", "(borrow<bucket>,string)->(result<bool," KV_ERROR ">)", exists, SHAPE_ANY, true},
    {BUCKET "list-keys",
     "(borrow<bucket>,option<u64>)->(result<record{keys:list<string>,cursor:option<u64>}," KV_ERROR ">)", list_keys,
     SHAPE_ANY, true},
};
static const struct host_func atomics_funcs[] = {
    {"increment", "(borrow<bucket>,string,u64)->(result<u64," KV_ERROR ">)", increment, SHAPE_ANY, true},
};

static const struct host_func batch_funcs[] = {
    {"get-many", "(borrow<bucket>,list<string>)->(result<list<option<tuple<string,list<u8>>>>," KV_ERROR ">)",
     kv_get_many, SHAPE_KV_GET_MANY, true},
    {"set-many", "(borrow<bucket>,list<tuple<string,list<u8>>>)->(result<_," KV_ERROR ">)", kv_set_many,
     SHAPE_KV_SET_MANY, true},
    {"delete-many", "(borrow<bucket>,list<string>)->(result<_," KV_ERROR ">)", kv_delete_many, SHAPE_ANY, true},
};

const struct host_interface wasi_keyvalue[3] = {
    INTERFACE("wasi:keyvalue/store", "0.2.0-draft", store_funcs),
    INTERFACE("wasi:keyvalue/atomics", "0.2.0-draft", atomics_funcs),
    INTERFACE("wasi:keyvalue/batch", "0.2.0-draft", batch_funcs),
};
