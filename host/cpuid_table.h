/*
 * What CPUID says on this machine, for the enclave, which cannot ask itself.
 */
#ifndef ENCLAVE_OS_HOST_CPUID_TABLE_H
#define ENCLAVE_OS_HOST_CPUID_TABLE_H

#include "common/protocol.h"

/* At most PROTO_CPUID_MAX entries; returns how many. */
uint32_t cpuid_table_fill(struct cpuid_entry *entries);

#endif
