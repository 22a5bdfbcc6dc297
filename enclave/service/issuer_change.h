/*
 * The change of who issues the certificates (issuer.h); change.h says how it goes.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_ISSUER_CHANGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_ISSUER_CHANGE_H

#include <stddef.h>

#include "common/callbacks.h"
#include "enclave/service/change.h"
#include "enclave/service/issuer.h"

/* From now on this one (copied), or the enclave's own if size is 0. 0; or -EINVAL or -ENOMEM with a line in why, and
 * done never runs (common/callbacks.h). On the asker's thread. */
MAY_REFUSE int issuer_set(const struct change_asker *asker, const char *json, size_t size, char why[ISSUER_WHY_SIZE]);

#endif
