/*
 * A guest's one storage call, whatever it is that it asks of the store. The guest is suspended while it runs, and it
 * outlives a guest that ends meanwhile.
 */
#include <errno.h>

#include "enclave/wasi/keyvalue.h"

static void call_free(struct kv_call *call)
{
    if (!call)
        return;
    charged_free(call->value);
    charged_free(call->names);
    if (call->many)
        call->many_free(call->many);
    charge_give(&call->charge);
    app_unref(call->app);
    free(call);
}

void kv_call_check(const struct kv_call *call)
{
    ENSURE(call->app);
    ENSURE(!call->guest || call->guest->kv == call);
    ENSURE(!call->guest || call->guest->app == call->app);
    ENSURE(call->value || call->size == 0);
    ENSURE(call->names || call->name_count == 0);
    ENSURE(!call->many || call->many_free);
}

struct kv_call *kv_call_answered(void *user)
{
    struct kv_call *call = user;
    kv_call_check(call);
    ENSURE(!call->done);
    ENSURE(!call->guest || !call->guest->polling); /* later: common/callbacks.h */
    return call;
}

void keyvalue_abandon(struct guest *g)
{
    if (g->kv && !g->kv->done)
        g->kv->guest = NULL;
    else
        call_free(g->kv);
    g->kv = NULL;
    call_free(g->kv_kept);
    g->kv_kept = NULL;
}

void kv_call_complete(struct kv_call *call, int error)
{
    kv_call_check(call);
    ENSURE(!call->done);
    call->error = error;
    call->done = true;
    if (call->guest)
        guest_wake(call->guest);
    else
        call_free(call);
}

bool kv_call_hold(struct kv_call *call, size_t size)
{
    return charge_take(&call->charge, &call->app->memory, size);
}

void kv_call_over(void *user, int error)
{
    kv_call_complete(kv_call_answered(user), error);
}

void kv_call_begun(struct kv_call *call, int error)
{
    if (error < 0)
        kv_call_complete(call, error);
}

static void drop_kept(struct guest *g)
{
    call_free(g->kv_kept);
    g->kv_kept = NULL;
}

void kv_call_keep(struct guest *g, struct kv_call *call)
{
    drop_kept(g);
    g->kv_kept = call;
}

struct kv_call *kv_call_begin(struct guest *g)
{
    ENSURE(!g->kv && g->polling);
    struct kv_call *call = calloc(1, sizeof *call);
    if (!call) {
        guest_trap(g, "no memory");
        return NULL;
    }
    drop_kept(g);
    call->guest = g;
    call->app = app_ref(g->app);
    g->kv = call;
    return call;
}

enum host_result kv_fail(struct guest *g, unsigned which, const char *why)
{
    reply_word(g, 1);
    reply_word(g, which);
    if (which == OTHER)
        reply_text(g, why, strlen(why));
    return HOST_DONE;
}

enum host_result kv_fail_error(struct guest *g, int error)
{
    switch (error) {
    case -EBADMSG:
        return kv_fail(g, OTHER, "the stored record was tampered with");
    case -EINVAL:
        return kv_fail(g, OTHER, "key or value too long");
    case -ENOSPC:
        return kv_fail(g, OTHER, "the store is full");
    case -ENOMEM:
        return kv_fail(g, OTHER, "no memory is left for this app");
    default:
        return kv_fail(g, OTHER, "the store failed");
    }
}

/* A call that is over. What it brought stays until the reply is read: the next one, or the guest's end, frees it. */
void kv_call_end(struct guest *g, struct kv_call *call)
{
    if (call->value) {
        guest_keep_large(g, call->value);
        call->value = NULL;
    }
    call_free(call);
}

static struct kv_call *finished(struct guest *g)
{
    if (g->kv)
        kv_call_check(g->kv);
    return g->kv && g->kv->done ? g->kv : NULL;
}

/* The steps that all functions share: bucket, then wait for a call, then leave what it brought in *call. */
enum host_result kv_call_step(struct guest *g, const struct slot *args, struct kv_namespace **ns, struct kv_call **call)
{
    struct resource *bucket = resource_get(g, &args[0], KIND_BUCKET);
    if (!bucket)
        return guest_trap(g, "not a bucket");
    *ns = bucket->bucket;
    *call = finished(g);
    if (*call) {
        g->kv = NULL;
        return HOST_DONE;
    }
    return guest_wait(g, WAITS_OTHERS); /* and begin one, if none is running */
}
