/* See issuer_change.h. */
#include "enclave/service/issuer_change.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/container.h"
#include "common/ensure.h"
#include "enclave/service/generation.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

struct issuer_change {
    struct change change; /* first */
    struct issuer *issuer;
    void *json; /* a copy, with the key: wiped */
    size_t size;
};

static void issuer_write(struct change *change)
{
    struct issuer_change *c = CONTAINER_OF(change, struct issuer_change, change);
    loop_check(&enclave_system.owner->loop);
    ENSURE((c->size == 0) == (c->issuer == NULL));
    const struct kv_op op = {
        c->size ? KV_PUT : KV_DELETE, enclave_system.settings, ISSUER_KEY, strlen(ISSUER_KEY), c->json, c->size};
    generation_parts_issuer(&change->draft, issuer_ref(c->issuer));
    change_propose(change, &op, 1);
}

static void issuer_committed(struct change *change)
{
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "certificates are issued by another CA: %s",
            CONTAINER_OF(change, struct issuer_change, change)->issuer ? "the one that was given"
                                                                       : "the enclave's own");
}

static json_t *issuer_describe(const struct change *change)
{
    return issuer_json(CONTAINER_OF(change, const struct issuer_change, change)->issuer);
}

static void issuer_release(struct change *change)
{
    struct issuer_change *c = CONTAINER_OF(change, struct issuer_change, change);
    issuer_unref(c->issuer);
    OPENSSL_clear_free(c->json, c->size);
    free(c);
}

int issuer_set(const struct change_asker *asker, const char *json, size_t size, char why[ISSUER_WHY_SIZE])
{
    static const struct change_ops ops = {
        .write = issuer_write, .committed = issuer_committed, .describe = issuer_describe, .release = issuer_release};
    loop_check(&asker->worker->loop);
    struct issuer_change *c = calloc(1, sizeof *c);
    int result = c && (size == 0 || (c->json = OPENSSL_memdup(json, size))) ? 0 : -ENOMEM;
    snprintf(why, ISSUER_WHY_SIZE, "out of memory");
    if (c)
        c->size = size;
    if (result == 0 && size)
        result = issuer_read(&c->issuer, json, size, time(NULL), why);
    if (result < 0) {
        if (c)
            issuer_release(&c->change);
        return result;
    }
    c->change.ops = &ops;
    c->change.success = 200;
    c->change.subject = (struct change_subject){.what = "issuer"};
    change_ask(&c->change, asker);
    return 0;
}
