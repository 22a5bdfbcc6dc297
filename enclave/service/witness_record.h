/*
 * Who the witnesses are (witness/set.h), as options give it and the store keeps it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_SERVICE_WITNESS_RECORD_H
#define ENCLAVE_OS_ENCLAVE_SERVICE_WITNESS_RECORD_H

#include "enclave/witness/set.h"

#define WITNESSES_KEY "witnesses"               /* the set's record, in the enclave's own namespace */
#define WITNESSES_FORMER_KEY "witnesses-former" /* those before, until they have cosigned the change */

/* First boot: the record of the set that the options give, malloc'ed. NULL with a line in error. */
char *witness_record_first(char *error, size_t error_size);
/* Boot: the store's set; an older store has none, which is the set of none. Options that are given must be of this set.
 * One reference; and one to those before, where they must still cosign, else NULL. 0 or a negative errno with a line in
 * error. Turns the loop. */
int witness_record_boot(struct witness_set **out, struct witness_set **former, char *error, size_t error_size);

#endif
