/*
 * Who can recover it (recovery.h), as the options of a first boot name them and the store keeps it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_RECOVERY_RECORD_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_RECOVERY_RECORD_H

#include "enclave/service/recovery.h"

/* First boot, on the owner's thread: the sharing of the options, if they name any holder, for recovery_first. 0;
 * -EINVAL or -ENOMEM with a line in error. */
int recovery_share(const uint8_t master[32], const uint8_t instance[32], char *error, size_t error_size);
/* What the first boot is to keep, or NULL. */
const struct recovery *recovery_first(void);

/* On the owner's thread, with the store open, at boot: what the store says, a reference or NULL. 0 or a negative errno
 * with a line in error. Turns the loop. */
int recovery_load(struct recovery **out, char *error, size_t error_size);
/* The same, and the host has it, too; an error also where the options name others. */
int recovery_boot(struct recovery **out, char *error, size_t error_size);

/* What the host has beside the store, as it is, whatever that is worth. The caller's to free. The owner's thread, at
 * boot; turns the loop. */
void recovery_kept_read(struct recovery_kept *out);

#endif
