/* See upgrade_rule_change.h. */
#include "enclave/service/upgrade_rule_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "enclave/service/generation.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

struct upgrade_rule_change {
    struct change change; /* first */
    struct upgrade_rule *made;
    bool conditional;
    uint8_t replaces[32];
    char *record;
};

static void upgrade_rule_write(struct change *change)
{
    struct upgrade_rule_change *c = CONTAINER_OF(change, struct upgrade_rule_change, change);
    const struct upgrade_rule *now = change->draft.upgrade_rule;
    const struct kv_op op = {KV_PUT,    enclave_system.settings, UPGRADE_RULE_KEY, strlen(UPGRADE_RULE_KEY),
                             c->record, strlen(c->record)};
    char why[UPGRADE_WHY_SIZE];
    loop_check(&enclave_system.owner->loop);
    ENSURE(c->made && now);
    if (!upgrade_rule_may_become(now, c->made, why)) {
        change_fail(change, 409, "%s: nothing was changed", why);
        return;
    }
    if (c->conditional && memcmp(c->replaces, now->sha256, 32) != 0) {
        change_fail(change, 409, "the upgrade rule has changed since this was made (replaces)");
        return;
    }
    generation_parts_upgrade_rule(&change->draft, upgrade_rule_ref(c->made));
    change_propose(change, &op, 1);
}

static void upgrade_rule_committed(struct change *change)
{
    const struct upgrade_rule *made = CONTAINER_OF(change, struct upgrade_rule_change, change)->made;
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "the upgrade rule has changed: %s", upgrade_kind_name(made->kind));
}

static json_t *upgrade_rule_describe(const struct change *change)
{
    return upgrade_rule_json(CONTAINER_OF(change, const struct upgrade_rule_change, change)->made);
}

static void upgrade_rule_release(struct change *change)
{
    struct upgrade_rule_change *c = CONTAINER_OF(change, struct upgrade_rule_change, change);
    upgrade_rule_unref(c->made);
    free(c->record);
    free(c);
}

int upgrade_rule_set(const struct change_asker *asker, const void *json, size_t size, char error[UPGRADE_WHY_SIZE])
{
    static const struct change_ops ops = {.write = upgrade_rule_write,
                                          .committed = upgrade_rule_committed,
                                          .describe = upgrade_rule_describe,
                                          .release = upgrade_rule_release};
    loop_check(&asker->worker->loop);
    struct upgrade_rule_change *c = calloc(1, sizeof *c);
    snprintf(error, UPGRADE_WHY_SIZE, "out of memory");
    if (!c)
        return -ENOMEM;
    c->made = upgrade_rule_read(json, size, &c->conditional, c->replaces, error);
    c->record = c->made ? upgrade_rule_record(c->made) : NULL;
    if (!c->record) {
        int result = c->made || strcmp(error, "out of memory") == 0 ? -ENOMEM : -EINVAL;
        upgrade_rule_release(&c->change);
        return result;
    }
    c->change.ops = &ops;
    c->change.success = 200;
    c->change.subject = (struct change_subject){.what = "upgrade-rule"};
    change_ask(&c->change, asker);
    return 0;
}
