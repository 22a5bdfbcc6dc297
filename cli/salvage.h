/*
 * What of an enclave's store is lost, for whoever is asked to approve that it is given up.
 */
#ifndef ENCLAVE_OS_CLI_SALVAGE_H
#define ENCLAVE_OS_CLI_SALVAGE_H

#include "cli/authorised.h"

#define SALVAGE_PATH "/_enclave/salvage"

/* Print what the server that o names says is lost, if what can be given up of it is this list (64 hexadecimal digits;
 * NULL is none). 0, or the exit status: why was told. */
int salvage_check(struct authorised_options *o, const char *list);

#endif
