/* See recovery_change.h. */
#include "enclave/service/recovery_change.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "common/hex.h"
#include "common/json.h"
#include "enclave/secrets/find.h"
#include "enclave/service/generation.h"
#include "enclave/service/identity.h"
#include "enclave/service/system.h"
#include "enclave/service/upgrade_rule.h"
#include "enclave/thread/rpc_client.h"

struct recovery_change {
    struct change change; /* first */
    struct recovery_sharing of;
    uint8_t holders[RECOVERY_HOLDERS_MAX][32];
    bool conditional;
    uint8_t replaces[32];
    struct recovery *made;
    struct raw_op beside[KEPT_NAMES];
};

/* ---- the order --------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool refuse(char why[SHARING_WHY_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, SHARING_WHY_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

static bool take_hash(const json_t *value, uint8_t out[32])
{
    return json_is_string(value) && hex_read(json_string_value(value), json_string_length(value), out, 32);
}

static bool take_holders(struct recovery_change *c, const json_t *list, char why[SHARING_WHY_SIZE])
{
    size_t count = json_array_size(list);
    if (count == 0 || count > RECOVERY_HOLDERS_MAX)
        return refuse(why, "holders: a list of 1 to %u X25519 keys, 64 hex digits each", RECOVERY_HOLDERS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!take_hash(json_array_get(list, i), c->holders[i]))
            return refuse(why, "holders: number %zu is no X25519 key, 64 hex digits", i + 1);
        if (!recovery_is_holder(c->holders[i]))
            return refuse(why, "holders: number %zu is not as X25519 keys are written, below 2^255 - 19", i + 1);
        for (size_t k = 0; k < i; k++)
            if (memcmp(c->holders[k], c->holders[i], sizeof *c->holders) == 0)
                return refuse(why, "holders: number %zu is there already", i + 1);
    }
    c->of.count = (uint8_t)count;
    return true;
}

static bool take_order(struct recovery_change *c, const json_t *order, char why[SHARING_WHY_SIZE])
{
    const json_t *threshold = json_object_get(order, "threshold"), *replaces = json_object_get(order, "replaces");
    json_int_t k = json_integer_value(threshold);
    if (!json_is_object(order))
        return refuse(why, "not a JSON object");
    if (!take_holders(c, json_object_get(order, "holders"), why))
        return false;
    if (!json_is_integer(threshold) || k < 1 || k > c->of.count)
        return refuse(why, "threshold: a whole number from 1 to that of holders");
    c->of.threshold = (uint8_t)k;
    c->conditional = replaces != NULL;
    if (replaces && !take_hash(replaces, c->replaces))
        return refuse(why, "replaces has to be the SHA-256 of a sharing, 64 hex digits");
    if (json_object_size(order) != 2u + c->conditional)
        return refuse(why, "there is a member beside \"holders\", \"threshold\" and \"replaces\"");
    return true;
}

static bool read_order(struct recovery_change *c, const void *json, size_t size, char why[SHARING_WHY_SIZE])
{
    json_error_t where = {0};
    if (size > RECOVERY_JSON_MAX)
        return refuse(why, "more than %u bytes", RECOVERY_JSON_MAX);
    json_t *order = json_read(json, size, JSON_REJECT_DUPLICATES, &where);
    bool ok = order ? take_order(c, order, why) : refuse(why, "not JSON: line %d: %.80s", where.line, where.text);
    json_decref(order);
    return ok;
}

/* ---- the change -------------------------------------------------------------------------------------------------- */

static void on_master(void *user, int error, const uint8_t *master)
{
    struct recovery_change *c = user;
    char why[SHARING_WHY_SIZE];
    loop_check(&enclave_system.owner->loop);
    ENSURE(!c->made && c->of.epoch > 0);
    if (error < 0) {
        change_fail(&c->change, 503, "the host does not give this enclave's sealed master key (error %d): %s", -error,
                    "nothing was changed");
        return;
    }
    struct kv_op ops[RECOVERY_OPS];
    c->made = recovery_make(master, &c->of, (const uint8_t(*)[32])c->holders, why);
    if (!c->made) {
        change_fail(&c->change, 422, "%s: nothing was changed", why);
        return;
    }
    recovery_ops(c->made, ops);
    recovery_beside(c->made, c->beside);
    c->change.beside = c->beside;
    c->change.beside_count = KEPT_NAMES;
    snprintf(c->change.subject.what, sizeof c->change.subject.what, "recovery: sharing %u, %u of %u holders",
             c->of.epoch, c->of.threshold, c->of.count);
    generation_parts_recovery(&c->change.draft, recovery_ref(c->made));
    change_propose(&c->change, ops, RECOVERY_OPS);
}

static bool holds_now(const struct recovery *now, const uint8_t holder[32])
{
    for (unsigned i = 0; i < now->of.count; i++)
        if (memcmp(now->holders[i], holder, 32) == 0)
            return true;
    return false;
}

/* Whether nobody can have the data by it who could not before: as many of the same, or more. */
static bool gives_nobody_more(const struct recovery *now, const struct recovery_change *c)
{
    bool more = !now || c->of.threshold < now->of.threshold;
    for (unsigned i = 0; i < c->of.count && !more; i++)
        more = !holds_now(now, c->holders[i]);
    return !more;
}

/* Administrators who may name any image to have the data may name any holder. Those who may not could else have by
 * shares what the upgrade rule keeps from them. */
static bool may_name_anybody(const struct upgrade_rule *r)
{
    return r->kind == UPGRADE_MEASUREMENTS && !r->publishers;
}

static void recovery_write(struct change *change)
{
    struct recovery_change *c = CONTAINER_OF(change, struct recovery_change, change);
    const struct recovery *now = change->draft.recovery;
    loop_check(&enclave_system.owner->loop);
    ENSURE(!c->made && c->of.count > 0);
    if (c->conditional && (!now || memcmp(c->replaces, now->sha256, 32) != 0)) {
        change_fail(change, 409, "the sharing has changed since this was made (replaces)");
        return;
    }
    if (!may_name_anybody(change->draft.upgrade_rule) && !gives_nobody_more(now, c)) {
        change_fail(change, 409, "under this upgrade rule administrators say not who may have the data: %s",
                    "only holders of now, and no lower threshold");
        return;
    }
    if (now && now->of.epoch == UINT32_MAX) {
        change_fail(change, 409, "there are no more sharings of this instance");
        return;
    }
    c->of.epoch = now ? now->of.epoch + 1 : 1;
    memcpy(c->of.instance, identity_instance(), sizeof c->of.instance);
    if (master_find(enclave_system.owner, enclave_system.store, on_master, c) < 0)
        change_fail(change, 503, "no memory is left for it: nothing was changed");
}

static void recovery_committed(struct change *change)
{
    const struct recovery_sharing *of = &CONTAINER_OF(change, struct recovery_change, change)->made->of;
    rpc_log(enclave_system.owner->rpc, LOG_INFO,
            "recovery: sharing %u, %u of %u holders: the shares of those before it are old", of->epoch, of->threshold,
            of->count);
}

static json_t *recovery_describe(const struct change *change)
{
    return recovery_json(CONTAINER_OF(change, const struct recovery_change, change)->made);
}

static void recovery_release(struct change *change)
{
    struct recovery_change *c = CONTAINER_OF(change, struct recovery_change, change);
    recovery_unref(c->made);
    free(c);
}

int recovery_set(const struct change_asker *asker, const void *json, size_t size, char error[SHARING_WHY_SIZE])
{
    static const struct change_ops ops = {.write = recovery_write,
                                          .committed = recovery_committed,
                                          .describe = recovery_describe,
                                          .release = recovery_release};
    loop_check(&asker->worker->loop);
    struct recovery_change *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    if (!read_order(c, json, size, error)) {
        free(c);
        return -EINVAL;
    }
    c->change.ops = &ops;
    c->change.success = 200;
    c->change.subject = (struct change_subject){.what = "recovery"};
    change_ask(&c->change, asker);
    return 0;
}
