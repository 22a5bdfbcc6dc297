/* See upgrade_record.h. */
#include "enclave/service/upgrade_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/ensure.h"
#include "enclave/early/ecall.h"
#include "enclave/service/system.h"

static const enum upgrade_kind option_kinds[] = {[PROTO_UPGRADE_UNSAID] = UPGRADE_MEASUREMENTS,
                                                 [PROTO_UPGRADE_NONE] = UPGRADE_NONE,
                                                 [PROTO_UPGRADE_MEASUREMENTS] = UPGRADE_MEASUREMENTS,
                                                 [PROTO_UPGRADE_SIGNER] = UPGRADE_SIGNER};

/* As the option says, which ecall.c has judged. */
static enum upgrade_kind kind_of_option(void)
{
    uint32_t given = ecall_run_args()->upgrade_rule;
    ENSURE(given < sizeof option_kinds / sizeof *option_kinds);
    return option_kinds[given];
}

char *upgrade_rule_record_first(char *error, size_t error_size)
{
    char why[UPGRADE_WHY_SIZE] = "out of memory";
    struct upgrade_candidate self;
    upgrade_self(&self);
    struct upgrade_rule *first = upgrade_rule_first(kind_of_option(), &self, why);
    char *record = first ? upgrade_rule_record(first) : NULL;
    upgrade_rule_unref(first);
    if (!record)
        snprintf(error, error_size, "upgrade rule: %s", why);
    return record;
}

/* The record; an older store has none, and its instance was promised to no other image. */
static int load(struct upgrade_rule **out, char why[UPGRADE_WHY_SIZE])
{
    struct upgrade_candidate ignored = {0};
    uint8_t *kept = NULL, replaces[32];
    size_t size = 0;
    bool conditional;
    int result = system_get(UPGRADE_RULE_KEY, &kept, &size);
    if (result == 0)
        *out = upgrade_rule_read((const char *)kept, size, &conditional, replaces, why);
    else if (result == -ENOENT)
        *out = upgrade_rule_first(UPGRADE_NONE, &ignored, why);
    else
        return result;
    free(kept);
    return *out ? 0 : -EBADMSG;
}

int upgrade_rule_boot(struct upgrade_rule **out, char *error, size_t error_size)
{
    char why[UPGRADE_WHY_SIZE] = "the store does not give it";
    loop_check(&enclave_system.owner->loop);
    *out = NULL;
    int result = load(out, why);
    if (result < 0) {
        snprintf(error, error_size, "upgrade rule: %s (error %d)", why, -result);
        return result;
    }
    bool same = ecall_run_args()->upgrade_rule == PROTO_UPGRADE_UNSAID || kind_of_option() == (*out)->kind;
    if (same)
        return 0;
    snprintf(error, error_size,
             "upgrade rule: %s is given now, and this store's, which the first boot or a change since then fixed, is "
             "%s: start without --upgrade-rule, and see enclavectl upgrade-rule",
             upgrade_kind_name(kind_of_option()), upgrade_kind_name((*out)->kind));
    upgrade_rule_unref(*out);
    *out = NULL;
    return -EINVAL;
}
