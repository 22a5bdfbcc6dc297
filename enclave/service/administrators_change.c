/* See administrators_change.h. */
#include "enclave/service/administrators_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "enclave/early/ecall.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

#define OLD_KEY "admin.pub" /* of stores made before there were several: one key, DER */

/* ---- boot -------------------------------------------------------------------------------------------------------- */

/* The keys of the first boot, and of changes since then, are those that count: what is given now is compared, and what
 * cannot be mended is told. */
static void tell_of_admin_key(const struct administrators *a)
{
    const struct run_args *args = ecall_run_args();
    struct rpc_client *rpc = enclave_system.owner->rpc;
    char why[ADMINISTRATORS_WHY_SIZE];
    loop_check(&enclave_system.owner->loop);
    ENSURE((a->threshold == 0) == (a->count == 0));
    struct administrators *given =
        args->admin_key_size ? administrators_of_key(args->admin_key, args->admin_key_size, why) : NULL;
    if (a->count == 0)
        rpc_log(rpc, LOG_WARN,
                "nobody can deploy to this instance: it was first booted without --admin-key%s. To change that, begin "
                "anew: an empty --data folder, and --admin-key FILE.pub of a key that enclavectl keygen makes",
                args->admin_key_size ? ", and the one given now is ignored" : "");
    else if (args->admin_key_size && (!given || !administrators_find(a, given->of[0].thumbprint)))
        rpc_log(rpc, LOG_WARN, "the admin key given now is no administrator's: ignored (enclavectl admin ls)");
    administrators_unref(given);
}

/* The record, or what an older store has instead; its first change writes a record. */
static int load(struct administrators **out, char why[ADMINISTRATORS_WHY_SIZE])
{
    uint8_t *kept = NULL;
    size_t size = 0;
    int result = system_get(ADMINISTRATORS_KEY, &kept, &size);
    if (result == 0)
        *out = administrators_load((const char *)kept, size, why);
    else if (result == -ENOENT && ((result = system_get(OLD_KEY, &kept, &size)) == 0 || result == -ENOENT))
        *out = administrators_of_key(kept, size, why);
    else
        return result;
    free(kept);
    return *out ? 0 : -EBADMSG;
}

int administrators_boot(struct administrators **out, char *error, size_t error_size)
{
    loop_check(&enclave_system.owner->loop);
    char why[ADMINISTRATORS_WHY_SIZE] = "the store does not give them";
    *out = NULL;
    int result = load(out, why);
    if (result < 0)
        snprintf(error, error_size, "administrators: %s (error %d)", why, -result);
    else
        tell_of_admin_key(*out);
    return result;
}

/* ---- the change -------------------------------------------------------------------------------------------------- */

struct administrators_change {
    struct change change; /* first */
    struct administrators *made;
    bool conditional;
    uint8_t replaces[32];
    char *record;
};

static void administrators_write(struct change *change)
{
    struct administrators_change *c = CONTAINER_OF(change, struct administrators_change, change);
    const struct kv_op ops[] = {
        {KV_PUT, enclave_system.settings, ADMINISTRATORS_KEY, strlen(ADMINISTRATORS_KEY), c->record, strlen(c->record)},
        {KV_DELETE, enclave_system.settings, OLD_KEY, strlen(OLD_KEY), NULL, 0}};
    if (c->conditional && memcmp(c->replaces, change->draft.administrators->sha256, 32) != 0) {
        change_fail(change, 409, "the administrators have changed since this was made (replaces)");
        return;
    }
    generation_parts_administrators(&change->draft, administrators_ref(c->made));
    change_propose(change, ops, sizeof ops / sizeof *ops);
}

static void administrators_committed(struct change *change)
{
    const struct administrators *made = CONTAINER_OF(change, struct administrators_change, change)->made;
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "the administrators have changed: %zu, threshold %u", made->count,
            made->threshold);
}

static json_t *administrators_describe(const struct change *change)
{
    return administrators_json(CONTAINER_OF(change, const struct administrators_change, change)->made);
}

static void administrators_release(struct change *change)
{
    struct administrators_change *c = CONTAINER_OF(change, struct administrators_change, change);
    administrators_unref(c->made);
    free(c->record);
    free(c);
}

int administrators_set(const struct change_asker *asker, const void *json, size_t size,
                       char error[ADMINISTRATORS_WHY_SIZE])
{
    static const struct change_ops ops = {.write = administrators_write,
                                          .committed = administrators_committed,
                                          .describe = administrators_describe,
                                          .release = administrators_release};
    loop_check(&asker->worker->loop);
    struct administrators_change *c = calloc(1, sizeof *c);
    snprintf(error, ADMINISTRATORS_WHY_SIZE, "out of memory");
    if (!c)
        return -ENOMEM;
    c->made = administrators_parse(json, size, &c->conditional, c->replaces, error);
    c->record = c->made ? administrators_record(c->made) : NULL;
    if (!c->record) {
        int result = c->made || strcmp(error, "out of memory") == 0 ? -ENOMEM : -EINVAL;
        administrators_release(&c->change);
        return result;
    }
    c->change.ops = &ops;
    c->change.success = 200;
    c->change.subject = (struct change_subject){.what = "administrators"};
    change_ask(&c->change, asker);
    return 0;
}
