/* The running measurement of an enclave being built: what the CPU keeps in SECS.MRENCLAVE until EINIT. */
#ifndef ENCLAVE_OS_SGX_SIGN_MEASURE_H
#define ENCLAVE_OS_SGX_SIGN_MEASURE_H

#include <stdint.h>

#include "sgx/include/arch.h"

struct measure;
/* NULL when out of memory. */
struct measure *measure_ecreate(uint32_t ssa_frame_pages, uint64_t elrange_size);
void measure_eadd(struct measure *m, uint64_t offset, const struct sgx_secinfo *secinfo);
/* One 256-byte chunk. */
void measure_eextend(struct measure *m, uint64_t offset, const uint8_t chunk[256]);
/* The digest so far, and release. */
void measure_final(struct measure *m, uint8_t mrenclave[32]);

#endif
