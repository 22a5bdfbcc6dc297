/*
 * Changing the witnesses (witness/set.h): a change like another. It is refused where no quorum of the new ones would
 * cosign the log as it is, or where an app waits for witnesses and there would be none; and once it is in the log,
 * those before must cosign it, too, before the new ones alone will do (service/witnessing.h).
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_WITNESS_CHANGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_WITNESS_CHANGE_H

#include <stddef.h>

#include "enclave/service/change.h"
#include "enclave/witness/set.h"

/* On the asker's thread. 0: the asker's done comes. -EINVAL with a sentence in error; -ENOMEM. */
int witnesses_set(const struct change_asker *asker, const void *json, size_t size, char error[WITNESS_WHY_SIZE]);

#endif
