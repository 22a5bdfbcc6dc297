/* The names in the enclave's certificate. */
#ifndef ENCLAVE_OS_HOST_SAN_H
#define ENCLAVE_OS_HOST_SAN_H

#include "host/options.h"

/* From --san, --no-localhost and --listen into names. 0, or -EINVAL with a sentence in why: one is wrong. */
int san_gather(struct options *o, char *why, size_t why_size);

#endif
