/*
 * The upgrade rule (upgrade_rule.h), as the option gives it and the store keeps it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_UPGRADE_RECORD_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_UPGRADE_RECORD_H

#include "enclave/service/upgrade_rule.h"

/* First boot: the record of the rule that the option asks for, malloc'ed. NULL with a line in error. */
char *upgrade_rule_record_first(char *error, size_t error_size);

/* Boot, on the owner's thread: the store's rule; an older store's is none. An option that is given must ask for this
 * rule's kind. 0, and a reference in *out; a negative errno with a line in error. */
int upgrade_rule_boot(struct upgrade_rule **out, char *error, size_t error_size);

#endif
