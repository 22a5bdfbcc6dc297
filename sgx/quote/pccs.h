/*
 * The simulation's collateral as Intel's PCS API version 4 (and a PCCS) serves it: from a request's target to a whole
 * HTTP answer. Who listens is the host's matter.
 */
#ifndef ENCLAVE_OS_SGX_QUOTE_PCCS_H
#define ENCLAVE_OS_SGX_QUOTE_PCCS_H

#include <stddef.h>

/* The answer to "GET target": 200 with the document, refreshed if its time is half over, or 404. The PKI must exist in
 * machine_dir (quote_simulation_create). malloc'ed; NULL if a file cannot be read or memory is short. Any thread. */
char *pccs_answer(const char *machine_dir, const char *target, size_t *size);

/* An answer without a document, for requests that have no target. */
char *pccs_refuse(int status, const char *reason, size_t *size);

#endif
