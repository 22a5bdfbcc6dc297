/*
 * The options of witnesses. The enclave judges them again, by the same rules (enclave/witness/set.h); here an operator
 * learns what is wrong before anything is done.
 */
#ifndef ENCLAVE_OS_HOST_WITNESSES_H
#define ENCLAVE_OS_HOST_WITNESSES_H

#include "host/options.h"

#define WITNESSES_MAX 8u

/* --witness, once more. NULL, or what is wrong. */
const char *witnesses_add(struct options *o, const char *text);

#endif
