/*
 * Outgoing connections, for the enclave's egress. Blocks: for service threads.
 */
#ifndef ENCLAVE_OS_HOST_RPC_CONNECT_H
#define ENCLAVE_OS_HOST_RPC_CONNECT_H

#include <stdint.h>

/* A connected, non-blocking socket; or -EHOSTUNREACH (name unknown), -ECONNREFUSED, -ETIMEDOUT, another errno. */
int connect_tcp(const char *host, uint16_t port);

/* The same, by the socket of the server whose data is in folder. */
int connect_local(const char *folder);

#endif
