/* See recovery.h. */
#include "enclave/service/recovery.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "common/references.h"
#include "enclave/service/system.h"
#include "sgx/trusted/bridge.h"

static void check(const struct recovery *r)
{
    ENSURE(atomic_load_explicit(&((struct recovery *)r)->references, memory_order_relaxed) > 0);
    ENSURE(r->text && r->of.threshold >= 1 && r->of.threshold <= r->of.count);
}

struct recovery *recovery_ref(struct recovery *r)
{
    if (r)
        references_take(&r->references);
    return r;
}

void recovery_unref(struct recovery *r)
{
    if (!r || !references_give(&r->references))
        return;
    free(r->text);
    free(r);
}

struct recovery *recovery_new(char *text, const struct recovery_sharing *of, const uint8_t (*holders)[32],
                              const uint8_t wrapped[SHARING_WRAPPED_SIZE])
{
    struct recovery *r = text ? calloc(1, sizeof *r) : NULL;
    ENSURE(of->count <= RECOVERY_HOLDERS_MAX);
    if (!r) {
        free(text);
        return NULL;
    }
    atomic_store(&r->references, 1);
    r->text = text;
    r->of = *of;
    memcpy(r->holders, holders, of->count * sizeof *holders);
    memcpy(r->wrapped, wrapped, sizeof r->wrapped);
    SHA256((const uint8_t *)text, strlen(text), r->sha256);
    check(r);
    return r;
}

struct recovery *recovery_make(const uint8_t master[32], const struct recovery_sharing *of,
                               const uint8_t (*holders)[32], char why[SHARING_WHY_SIZE])
{
    uint8_t wrapped[SHARING_WRAPPED_SIZE];
    ENSURE(master && of && holders);
    ENSURE(of->epoch > 0);
    return recovery_new(sharing_make(master, of, holders, sgx_random, wrapped, why), of, holders, wrapped);
}

void recovery_ops(const struct recovery *r, struct kv_op ops[RECOVERY_OPS])
{
    check(r);
    ops[0] =
        (struct kv_op){KV_PUT, enclave_system.settings, RECOVERY_KEY, strlen(RECOVERY_KEY), r->text, strlen(r->text)};
    ops[1] = (struct kv_op){KV_PUT,     enclave_system.settings, RECOVERY_WRAPPED_KEY, strlen(RECOVERY_WRAPPED_KEY),
                            r->wrapped, sizeof r->wrapped};
}

static struct raw_op beside(enum recovery_kept_name name, const void *value, size_t size)
{
    const char *key = recovery_kept_names[name];
    return (struct raw_op){KV_PUT, key, strlen(key), value, size};
}

void recovery_beside(const struct recovery *r, struct raw_op ops[KEPT_NAMES])
{
    check(r);
    ops[KEPT_TEXT] = beside(KEPT_TEXT, r->text, strlen(r->text));
    ops[KEPT_TEXT_COPY] = beside(KEPT_TEXT_COPY, r->text, strlen(r->text));
    ops[KEPT_KEY] = beside(KEPT_KEY, r->wrapped, sizeof r->wrapped);
    ops[KEPT_KEY_COPY] = beside(KEPT_KEY_COPY, r->wrapped, sizeof r->wrapped);
    ops[KEPT_SHA256] = beside(KEPT_SHA256, r->sha256, sizeof r->sha256);
}

static json_t *holders_json(const struct recovery *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; list && r && i < r->of.count; i++) {
        char text[65];
        hex_text(r->holders[i], 32, text);
        if (json_array_append_new(list, json_string(text)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *recovery_json(const struct recovery *r)
{
    char sha256[65];
    if (!r)
        return json_pack("{s:[], s:i}", "holders", "threshold", 0);
    check(r);
    hex_text(r->sha256, sizeof r->sha256, sha256);
    return json_pack("{s:I, s:o, s:s, s:i}", "epoch", (json_int_t)r->of.epoch, "holders", holders_json(r), "sha256",
                     sha256, "threshold", (int)r->of.threshold);
}
