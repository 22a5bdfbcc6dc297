/*
 * Changing the upgrade rule (upgrade_rule.h): a change like another. It is refused where the rule is none, or where it
 * would take back that publishers have to agree.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_UPGRADE_RULE_CHANGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_UPGRADE_RULE_CHANGE_H

#include "common/callbacks.h"
#include "enclave/service/change.h"
#include "enclave/service/upgrade_rule.h"

/* Put the rule that json orders in force. 0: done is called, later; -EINVAL, with a line in error, or -ENOMEM. On the
 * asker's thread. */
MAY_REFUSE int upgrade_rule_set(const struct change_asker *asker, const void *json, size_t size,
                                char error[UPGRADE_WHY_SIZE]);

#endif
