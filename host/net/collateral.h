/*
 * The simulation's collateral over plain HTTP, for verifiers that fetch it from a PCCS. What it serves is public and
 * signed, so the enclave has no part in it. One thread, a fixed number of short connections.
 */
#ifndef ENCLAVE_OS_HOST_NET_COLLATERAL_H
#define ENCLAVE_OS_HOST_NET_COLLATERAL_H

struct collateral_server;

/* Serve what is in machine_dir on a bound socket, which becomes the server's. NULL if a thread cannot be started. */
struct collateral_server *collateral_server_start(int listener, const char *machine_dir);
/* NULL is allowed. */
void collateral_server_stop(struct collateral_server *server);

#endif
