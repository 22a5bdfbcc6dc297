/* See witness_change.h. */
#include "enclave/service/witness_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/system.h"
#include "enclave/service/witness_record.h"
#include "enclave/service/witnessing.h"
#include "enclave/thread/rpc_client.h"
#include "enclave/wasm/settings.h"

struct witness_change {
    struct change change; /* first */
    struct witness_set *made, *former;
    bool conditional;
    uint8_t replaces[32];
    char *record, *former_record; /* NULL: there were none */
};

static struct kv_op keep(const char *key, const char *record)
{
    return (struct kv_op){record ? KV_PUT : KV_DELETE, enclave_system.settings, key, strlen(key), record,
                          record ? strlen(record) : 0};
}

static void propose(struct witness_change *c)
{
    struct witness_set *now = c->change.draft.witnesses;
    c->former = now && now->count > 0 ? witness_set_ref(now) : NULL;
    c->former_record = c->former ? witness_set_record(c->former) : NULL;
    if (c->former && !c->former_record) {
        change_fail(&c->change, 503, "out of memory: nothing was changed");
        return;
    }
    const struct kv_op ops[] = {keep(WITNESSES_KEY, c->record), keep(WITNESSES_FORMER_KEY, c->former_record)};
    generation_parts_witnesses(&c->change.draft, witness_set_ref(c->made));
    change_propose(&c->change, ops, sizeof ops / sizeof *ops);
}

static void on_tried(void *user, const char *why)
{
    struct witness_change *c = user;
    if (why)
        change_fail(&c->change, 409, "%s: nothing was changed", why);
    else
        propose(c);
}

/* An app that could store nothing without witnesses; NULL: there is none. */
static const char *waits_for_them(void)
{
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        if (d->settings->witnessed)
            return d->name;
    return NULL;
}

static void witness_write(struct change *change)
{
    struct witness_change *c = CONTAINER_OF(change, struct witness_change, change);
    const struct witness_set *now = change->draft.witnesses;
    loop_check(&enclave_system.owner->loop);
    ENSURE(c->made);
    static const uint8_t none[32];
    if (c->conditional && memcmp(c->replaces, now ? now->sha256 : none, 32) != 0)
        change_fail(change, 409, "the witnesses have changed since this was made (replaces)");
    else if (witnessing_is_handing())
        change_fail(change, 409, "the witnesses before the last change have not cosigned it yet: nothing was changed");
    else if (c->made->count == 0 && waits_for_them())
        change_fail(change, 409, "app %s is durable only once witnesses have cosigned: nothing was changed",
                    waits_for_them());
    else if (c->made->count == 0)
        propose(c);
    else if (witnessing_try(c->made, on_tried, c) < 0)
        change_fail(change, 503, "out of memory: nothing was changed");
}

static void witness_committed(struct change *change)
{
    struct witness_change *c = CONTAINER_OF(change, struct witness_change, change);
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "the witnesses have changed: %zu, a quorum of %u", c->made->count,
            c->made->quorum);
    witnessing_changed(c->made, c->former);
}

static json_t *witness_describe(const struct change *change)
{
    return witness_set_json(CONTAINER_OF(change, const struct witness_change, change)->made);
}

static void witness_release(struct change *change)
{
    struct witness_change *c = CONTAINER_OF(change, struct witness_change, change);
    witness_set_unref(c->made);
    witness_set_unref(c->former);
    free(c->record);
    free(c->former_record);
    free(c);
}

int witnesses_set(const struct change_asker *asker, const void *json, size_t size, char error[WITNESS_WHY_SIZE])
{
    static const struct change_ops ops = {.write = witness_write,
                                          .committed = witness_committed,
                                          .describe = witness_describe,
                                          .release = witness_release};
    loop_check(&asker->worker->loop);
    struct witness_change *c = calloc(1, sizeof *c);
    snprintf(error, WITNESS_WHY_SIZE, "out of memory");
    if (!c)
        return -ENOMEM;
    c->made = witness_set_read(json, size, &c->conditional, c->replaces, error);
    c->record = c->made ? witness_set_record(c->made) : NULL;
    if (!c->record) {
        int result = c->made || strcmp(error, "out of memory") == 0 ? -ENOMEM : -EINVAL;
        witness_release(&c->change);
        return result;
    }
    c->change.ops = &ops;
    c->change.success = 200;
    c->change.subject = (struct change_subject){.what = "witnesses"};
    change_ask(&c->change, asker);
    return 0;
}
