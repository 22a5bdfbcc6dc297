/* See recovery_record.h. */
#include "enclave/service/recovery_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/recovery_text.h"
#include "enclave/early/ecall.h"
#include "enclave/service/system.h"
#include "enclave/thread/rpc_client.h"

static struct recovery *first; /* of a first boot */

/* ---- first boot -------------------------------------------------------------------------------------------------- */

int recovery_share(const uint8_t master[32], const uint8_t instance[32], char *error, size_t error_size)
{
    const struct run_args *a = ecall_run_args();
    struct recovery_sharing s = {
        .epoch = 1, .threshold = (uint8_t)a->recovery_threshold, .count = (uint8_t)a->recovery_count};
    char why[SHARING_WHY_SIZE];
    ENSURE(!first);
    ENSURE(a->recovery_count <= RECOVERY_HOLDERS_MAX && a->recovery_threshold <= RECOVERY_HOLDERS_MAX);
    if (s.count == 0)
        return 0;
    if (s.threshold == 0 || s.threshold > s.count) { /* the host's word */
        snprintf(error, error_size, "recovery: %u of %u shares cannot be asked for", s.threshold, s.count);
        return -EINVAL;
    }
    memcpy(s.instance, instance, sizeof s.instance);
    first = recovery_make(master, &s, a->recovery_keys, why);
    if (!first)
        snprintf(error, error_size, "recovery: %s", why);
    return first ? 0 : -EINVAL;
}

const struct recovery *recovery_first(void)
{
    return first;
}

/* ---- boot -------------------------------------------------------------------------------------------------------- */

/* Both records. NULL with *error. */
static struct recovery *read_records(char *text, size_t text_size, const uint8_t *wrapped, size_t size, int *error)
{
    struct recovery_text read;
    ENSURE(text && wrapped);
    ENSURE(error);
    *error = -EBADMSG;
    if (size != SHARING_WRAPPED_SIZE || text_size > SHARING_TEXT_MAX || !recovery_text_read(text, text_size, &read))
        return NULL;
    uint8_t holders[RECOVERY_HOLDERS_MAX][32];
    for (unsigned i = 0; i < read.of.count; i++)
        memcpy(holders[i], read.shares[i].holder, sizeof *holders);
    struct recovery *r = recovery_new(strndup(text, text_size), &read.of, (const uint8_t(*)[32])holders, wrapped);
    *error = r ? 0 : -ENOMEM;
    return r;
}

int recovery_load(struct recovery **out, char *error, size_t error_size)
{
    uint8_t *text = NULL, *wrapped = NULL;
    size_t text_size, size;
    loop_check(&enclave_system.owner->loop);
    ENSURE(error && error_size > 0);
    *out = NULL;
    int result = system_get(RECOVERY_WRAPPED_KEY, &wrapped, &size); /* an older store may have a text, but no key */
    bool none = result == -ENOENT;
    if (result == 0)
        result = system_get(RECOVERY_KEY, &text, &text_size);
    if (result == 0)
        *out = read_records((char *)text, text_size, wrapped, size, &result);
    free(text);
    free(wrapped);
    if (none)
        return 0;
    if (result < 0)
        snprintf(error, error_size, "recovery: who holds shares cannot be loaded (error %d)", -result);
    return result;
}

void recovery_kept_read(struct recovery_kept *out)
{
    loop_check(&enclave_system.owner->loop);
    ENSURE(out);
    for (size_t i = 0; i < KEPT_NAMES; i++) {
        const char *name = recovery_kept_names[i];
        int error = raw_get_wait(enclave_system.owner, name, strlen(name), &out->of[i].bytes, &out->of[i].size);
        if (error < 0)
            out->of[i].bytes = NULL;
        if (error < 0 && error != -ENOENT)
            rpc_log(enclave_system.owner->rpc, LOG_WARN, "recovery: %s cannot be read (error %d)", name, -error);
    }
}

static bool host_has(const struct raw_op *op)
{
    uint8_t *kept = NULL;
    size_t size = 0;
    int error = raw_get_wait(enclave_system.owner, op->key, op->key_size, &kept, &size);
    bool same = error == 0 && size == op->size && memcmp(kept, op->value, size) == 0;
    free(kept);
    return same;
}

/* Where the store's seals cannot be opened any more, the shares are needed: a store that was handed over, or whose disk
 * changed them, has none beside it, and one from before they were kept twice has no copies. */
static void publish(const struct recovery *r)
{
    struct raw_op ops[KEPT_NAMES];
    bool all = true;
    recovery_beside(r, ops);
    ENSURE(r->of.epoch > 0);
    for (size_t i = 0; i < KEPT_NAMES && all; i++)
        all = host_has(&ops[i]);
    if (all)
        return;
    int error = raw_commit_wait(enclave_system.owner, ops, KEPT_NAMES);
    if (error < 0)
        rpc_log(enclave_system.owner->rpc, LOG_WARN, "recovery: the host does not keep the shares (error %d)", -error);
}

/* Whether it is a sharing among just those that the options name, in this order. */
static bool is_of_options(const struct recovery *r)
{
    const struct run_args *a = ecall_run_args();
    return r && r->of.threshold == a->recovery_threshold && r->of.count == a->recovery_count &&
           memcmp(r->holders, a->recovery_keys, r->of.count * sizeof *r->holders) == 0;
}

int recovery_boot(struct recovery **out, char *error, size_t error_size)
{
    recovery_unref(first); /* it is in the store */
    first = NULL;
    int result = recovery_load(out, error, error_size);
    if (result < 0)
        return result;
    if (*out)
        publish(*out);
    if (ecall_run_args()->recovery_count == 0 || is_of_options(*out))
        return 0;
    snprintf(error, error_size,
             "recovery: those given now are not the holders of this store's shares, whom the first boot or a change "
             "since then fixed: start without --recovery-key and --recovery-threshold, and see enclavectl recovery");
    recovery_unref(*out);
    *out = NULL;
    return -EINVAL;
}
