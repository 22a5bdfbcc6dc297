/*
 * What OpenSSL believes of the processor, judged after it has looked: it chooses its code by that, and without these
 * features takes code whose memory accesses depend on secrets.
 */
#ifndef ENCLAVE_OS_ENCLAVE_CRYPTO_PROCESSOR_H
#define ENCLAVE_OS_ENCLAVE_CRYPTO_PROCESSOR_H

#include <stdint.h>

/* capabilities as in OPENSSL_ia32cap(3): CPUID leaf 1 EDX, ECX, leaf 7 EBX, ECX. The first feature that is missing
 * by name, or NULL. */
const char *processor_lacks(const uint32_t capabilities[4]);

/* The same of the OpenSSL that is linked in, once it is initialised. */
const char *processor_lacks_for_openssl(void);

#endif
