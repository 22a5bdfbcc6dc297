/*
 * What OpenSSL allocates, measured for each connection: it has no such bounds of its own (a ClientHello that says it
 * has 131,396 bytes gets them at once). While a connection's calls run, its allocations are added up, and those
 * beyond its bound fail, at which OpenSSL ends the connection.
 *
 * What a call allocates for everybody (a cache of algorithms) is counted to the connection that came first.
 */
#ifndef ENCLAVE_OS_ENCLAVE_RATLS_TLS_MEMORY_H
#define ENCLAVE_OS_ENCLAVE_RATLS_TLS_MEMORY_H

#include <stdint.h>

/* Before anything else of OpenSSL's is called. */
void tls_memory_init(void);

/* This thread's allocations belong to a connection that has bytes already and may have max; until end, which says how
 * many it has then. */
void tls_memory_begin(int64_t bytes, int64_t max);
int64_t tls_memory_end(void);

#endif
