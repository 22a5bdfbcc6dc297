/* The hardware backend: Linux's in-kernel SGX driver and the vDSO's entry. */
#ifndef ENCLAVE_OS_SGX_LOADER_SGX_DEVICE_H
#define ENCLAVE_OS_SGX_LOADER_SGX_DEVICE_H

#include "sgx/loader/backend.h"

/* 0, or a negative errno with what is missing in error. */
int sgx_device_open(struct backend **out, char *error, size_t error_size);

#endif
