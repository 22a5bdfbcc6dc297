/*
 * The change of the CA bundle that servers are believed by (trust.h); change.h says how it goes.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_TRUST_CHANGE_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_TRUST_CHANGE_H

#include <stddef.h>

#include "common/callbacks.h"
#include "enclave/service/change.h"

/* From now on, this bundle (copied), or none if size is 0. 0; or -EINVAL (the bundle) or -ENOMEM with a line in error,
 * and done never runs (common/callbacks.h). On the asker's thread. */
MAY_REFUSE int egress_trust_set(const struct change_asker *asker, const void *pem, size_t size, char *error,
                                size_t error_size);

#endif
