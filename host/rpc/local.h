/*
 * Sockets for other processes of this machine, in a server's data folder. By them a server goes over from one process
 * to another (host/port.h): nothing that comes from there is believed more than what comes from the network.
 */
#ifndef ENCLAVE_OS_HOST_RPC_LOCAL_H
#define ENCLAVE_OS_HOST_RPC_LOCAL_H

#include <stdint.h>

/* Their names in the folder. */
#define LOCAL_CONNECTIONS "connections.sock" /* as the port: HTTPS, by the enclave of another process */
#define LOCAL_LISTENERS "listeners.sock"     /* the listening sockets are handed over here */

/* A bound socket, non-blocking, not yet listening; what stands there of a process before is removed, so nobody else may
 * have the folder. For the user alone that this process has; while no other thread makes files. Or a negative errno. */
int local_bind(const char *folder, const char *name);
/* A connected, blocking socket; or a negative errno: -ENOENT and -ECONNREFUSED, nobody is there. */
int local_connect(const char *folder, const char *name);

/* How the enclave reaches what is on this machine in another process: a name and port stand for its data folder. */
struct local_way {
    const char *host; /* as the enclave says it; NULL: there is none */
    uint16_t port;
    const char *folder;
};

#endif
