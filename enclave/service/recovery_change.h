/*
 * Another sharing (recovery.h): among other holders, or the same ones again. A change like another, after which the
 * shares of the sharing before it are old: the record that they open is gone, from the store and from beside it, and an
 * enclave to which they are given refuses them.
 *
 * Who holds enough shares has the data. So administrators name whom they want only where the upgrade rule lets them
 * name any image (measurements, without publishers); under another rule, holders of now, and no lower threshold.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_RECOVERY_CHANGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_RECOVERY_CHANGE_H

#include "common/callbacks.h"
#include "enclave/service/change.h"
#include "enclave/service/recovery.h"

#define RECOVERY_JSON_MAX 4096u /* bytes of an order */

/* json: {"holders":[HEX,...],"threshold":K}, perhaps with "replaces", the sha256 of the sharing that it was made from.
 * 0: done is called, later; -EINVAL, with a line in error, or -ENOMEM. On the asker's thread. */
MAY_REFUSE int recovery_set(const struct change_asker *asker, const void *json, size_t size,
                            char error[SHARING_WHY_SIZE]);

#endif
