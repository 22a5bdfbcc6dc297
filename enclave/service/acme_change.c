/* See acme_change.h. */
#include "enclave/service/acme_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/service/generation.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

struct acme_change {
    struct change change;           /* first */
    struct acme_settings *settings; /* NULL: none from now on */
};

static void acme_write(struct change *change)
{
    struct acme_settings *s = CONTAINER_OF(change, struct acme_change, change)->settings;
    loop_check(&enclave_system.owner->loop);
    ENSURE(!s || s->record);
    const struct kv_op op = {s ? KV_PUT : KV_DELETE,    enclave_system.settings, ACME_SETTINGS_KEY,
                             strlen(ACME_SETTINGS_KEY), s ? s->record : NULL,    s ? strlen(s->record) : 0};
    generation_parts_acme(&change->draft, acme_settings_ref(s));
    change_propose(change, &op, 1);
}

static void acme_committed(struct change *change)
{
    const struct acme_settings *s = CONTAINER_OF(change, struct acme_change, change)->settings;
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "certificates of apps' own names: %s%s",
            s ? "asked for by ACME, of " : "from nobody but the enclave", s ? s->directory : "");
}

static json_t *acme_describe(const struct change *change)
{
    const struct acme_settings *s = CONTAINER_OF(change, const struct acme_change, change)->settings;
    return s ? json_deep_copy(s->json) : json_pack("{s:n}", "directory");
}

static void acme_release(struct change *change)
{
    struct acme_change *c = CONTAINER_OF(change, struct acme_change, change);
    acme_settings_unref(c->settings);
    free(c);
}

int acme_settings_set(const struct change_asker *asker, const char *json, size_t size, char why[ACME_SETTINGS_WHY_SIZE])
{
    static const struct change_ops ops = {
        .write = acme_write, .committed = acme_committed, .describe = acme_describe, .release = acme_release};
    loop_check(&asker->worker->loop);
    struct acme_change *c = calloc(1, sizeof *c);
    snprintf(why, ACME_SETTINGS_WHY_SIZE, "out of memory");
    int result = !c ? -ENOMEM : size ? acme_settings_read(&c->settings, json, size, why) : 0;
    if (result < 0) {
        free(c);
        return result;
    }
    c->change.ops = &ops;
    c->change.success = 200;
    c->change.subject = (struct change_subject){.what = "acme"};
    change_ask(&c->change, asker);
    return 0;
}
