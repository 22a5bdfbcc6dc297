/* See trust_change.h. */
#include "enclave/service/trust_change.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "enclave/service/system.h"
#include "enclave/service/trust.h"
#include "enclave/thread/rpc_client.h"

struct trust_change {
    struct change change; /* first */
    struct egress_bundle bundle;
    size_t count; /* of its certificates */
    uint8_t sha256[32];
    void *pem; /* a copy */
    size_t size;
};

static void trust_write(struct change *change)
{
    struct trust_change *c = (struct trust_change *)change;
    struct kv_op op = {c->size ? KV_PUT : KV_DELETE,
                       enclave_system.settings,
                       EGRESS_BUNDLE_KEY,
                       strlen(EGRESS_BUNDLE_KEY),
                       c->pem,
                       c->size};
    change_commit(change, &op, 1);
}

static void trust_install(struct change *change)
{
    egress_bundle_install(&((struct trust_change *)change)->bundle);
    rpc_log(enclave_system.owner->rpc, LOG_INFO, "the CA bundle of outgoing requests has changed");
}

static json_t *trust_describe(const struct change *change)
{
    const struct trust_change *c = (const struct trust_change *)change;
    char sha256[65];
    hex_text(c->sha256, 32, sha256);
    return c->size ? json_pack("{s:I,s:s}", "certificates", (json_int_t)c->count, "sha256", sha256)
                   : json_pack("{s:i}", "certificates", 0);
}

static void trust_release(struct change *change)
{
    struct trust_change *c = (struct trust_change *)change;
    SSL_CTX_free(c->bundle.context);
    free(c->pem);
    free(c);
}

int egress_trust_set(struct worker *origin, const void *pem, size_t size, change_done done, void *user, char *error,
                     size_t error_size)
{
    static const struct change_ops ops = {NULL, trust_write, trust_install, trust_describe, trust_release};
    loop_check(&origin->loop);
    struct trust_change *c = calloc(1, sizeof *c);
    int result = c && (c->pem = malloc(size ? size : 1)) ? 0 : -ENOMEM;
    snprintf(error, error_size, "out of memory");
    if (result == 0 && size)
        result = egress_bundle_make(&c->bundle, pem, size, error, error_size);
    if (result < 0) {
        if (c)
            trust_release(&c->change);
        return result;
    }
    if (size)
        memcpy(c->pem, pem, size);
    c->change.ops = &ops;
    c->change.success = 200;
    c->size = size;
    c->count = c->bundle.count;
    memcpy(c->sha256, c->bundle.sha256, 32);
    change_ask(&c->change, origin, done, user);
    return 0;
}
