/* The hardware backend: Linux's in-kernel SGX driver and the vDSO's entry. */
#ifndef ENCLAVE_OS_SGX_LOADER_SGX_DEVICE_H
#define ENCLAVE_OS_SGX_LOADER_SGX_DEVICE_H

#include "sgx/loader/backend.h"
#include "sgx/loader/sgx_kernel.h"

#define SGX_ENCLAVE_DEVICE "/dev/sgx_enclave"
#define SGX_PROVISION_DEVICE "/dev/sgx_provision"

/* Open the driver. kernel must outlive the backend. 0, or a negative errno with what is missing in error. The way in
 * is one for the process: every backend opened this way enters through the last kernel's. */
int sgx_device_open(const struct sgx_kernel *kernel, struct backend **out, char *error, size_t error_size);

#endif
