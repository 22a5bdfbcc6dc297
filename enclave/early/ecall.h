/* What the ECALLs leave for the code inside. */
#ifndef ENCLAVE_OS_ENCLAVE_EARLY_ECALL_H
#define ENCLAVE_OS_ENCLAVE_EARLY_ECALL_H

#include <stdbool.h>

#include "common/protocol.h"

/* The boot thread's arguments: copied in and checked, the same from boot to the end. */
const struct run_args *ecall_run_args(void);

/* Has ecall_shutdown been called, and until which monotonic time may connections drain? */
bool ecall_shutdown_requested(uint64_t *deadline_ns);

#endif
