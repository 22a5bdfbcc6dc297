/* See trust_change.h. */
#include "enclave/service/trust_change.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/hex.h"
#include "enclave/service/deployed.h"
#include "enclave/service/generation.h"
#include "enclave/service/rule.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"

struct trust_change {
    struct change change; /* first */
    struct egress_trust *trust;
    void *pem; /* a copy */
    size_t size;
};

static void trust_write(struct change *change)
{
    struct trust_change *c = CONTAINER_OF(change, struct trust_change, change);
    loop_check(&enclave_system.owner->loop);
    ENSURE((c->size == 0) == (c->trust == NULL));
    for (const struct deployed *d = deployed_first(); d; d = d->next)
        if (rule_trusts(d->rule, c->trust ? c->trust->sha256 : NULL, change->why, sizeof change->why) < 0) {
            change_fail_why(change, 403);
            return;
        }
    const struct kv_op op = {c->size ? KV_PUT : KV_DELETE,
                             enclave_system.settings,
                             EGRESS_BUNDLE_KEY,
                             strlen(EGRESS_BUNDLE_KEY),
                             c->pem,
                             c->size};
    generation_parts_trust(&change->draft, egress_trust_ref(c->trust));
    change_propose(change, &op, 1);
}

static void trust_committed(struct change *change)
{
    (void)change;
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "the CA bundle of outgoing requests has changed");
}

static json_t *trust_describe(const struct change *change)
{
    const struct egress_trust *trust = CONTAINER_OF(change, const struct trust_change, change)->trust;
    char sha256[65];
    if (!trust)
        return json_pack("{s:i}", "certificates", 0);
    hex_text(trust->sha256, 32, sha256);
    return json_pack("{s:I,s:s}", "certificates", (json_int_t)trust->count, "sha256", sha256);
}

static void trust_release(struct change *change)
{
    struct trust_change *c = CONTAINER_OF(change, struct trust_change, change);
    egress_trust_unref(c->trust);
    free(c->pem);
    free(c);
}

int egress_trust_set(const struct change_asker *asker, const void *pem, size_t size, char *error, size_t error_size)
{
    static const struct change_ops ops = {
        .write = trust_write, .committed = trust_committed, .describe = trust_describe, .release = trust_release};
    loop_check(&asker->worker->loop);
    struct trust_change *c = calloc(1, sizeof *c);
    int result = c && (c->pem = malloc(size ? size : 1)) ? 0 : -ENOMEM;
    snprintf(error, error_size, "out of memory");
    if (result == 0 && size)
        result = egress_trust_make(&c->trust, pem, size, error, error_size);
    if (result < 0) {
        if (c)
            trust_release(&c->change);
        return result;
    }
    if (size)
        memcpy(c->pem, pem, size);
    c->change.ops = &ops;
    c->change.success = 200;
    c->change.subject = (struct change_subject){.what = "egress-ca"};
    c->size = size;
    change_ask(&c->change, asker);
    return 0;
}
