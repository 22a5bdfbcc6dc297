/*
 * Listening sockets.
 */
#ifndef ENCLAVE_OS_HOST_NET_LISTEN_H
#define ENCLAVE_OS_HOST_NET_LISTEN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One bound socket for each worker, not yet listening; the kernel spreads connections over them. A port of 0 is
 * replaced by the one that was given. 0, or a negative errno: -EADDRINUSE if anyone else listens there. */
int listen_bind(struct sockaddr_in6 *address, uint32_t count, int *sockets);

/* Whether a socket is bound to this address; found: where it is, as people write it. */
bool listen_is_at(int fd, const struct sockaddr_in6 *address, char *found, size_t size);

/* ADDR:PORT as people write it. */
void listen_describe(const struct sockaddr_in6 *address, char *text, size_t size);

#endif
