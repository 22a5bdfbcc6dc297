/*
 * The change of which public authority issues for apps' own names (acme_settings.h); change.h says how it goes.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ACME_CHANGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ACME_CHANGE_H

#include <stddef.h>

#include "common/callbacks.h"
#include "enclave/service/acme_settings.h"
#include "enclave/service/change.h"

/* From now on these (read from json), or none if size is 0. 0; or -EINVAL or -ENOMEM with a line in why, and done never
 * runs (common/callbacks.h). On the asker's thread. */
MAY_REFUSE int acme_settings_set(const struct change_asker *asker, const char *json, size_t size,
                                 char why[ACME_SETTINGS_WHY_SIZE]);

#endif
