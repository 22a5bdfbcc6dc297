/*
 * The host threads that live inside the enclave, and the one OCALL.
 */
#ifndef ENCLAVE_OS_HOST_DISPATCHER_H
#define ENCLAVE_OS_HOST_DISPATCHER_H

#include "common/protocol.h"
#include "host/net/io.h"
#include "sgx/loader/enclave.h"

struct dispatcher_options {
    struct enclave *enclave;
    const struct run_args *args; /* outlives the dispatcher */
    struct io *const *ios;       /* args->workers of them, outlive the dispatcher */
    /* The last thread has left, or all but one that computes have; 0, or what the boot thread returned. Any thread. */
    void (*on_end)(int result);
};

/* Start the boot thread. One dispatcher for each process, since the OCALL has no other context. 0 or -errno. */
int dispatcher_start(const struct dispatcher_options *options);

/* After on_end: is a thread still inside, which may use all of this until the process ends? */
bool dispatcher_is_left_computing(void);

#endif
