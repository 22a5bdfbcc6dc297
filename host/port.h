/*
 * The port, while a server goes over from one process of this machine to another: the new one gets the listening
 * sockets themselves, so that at no moment nobody listens. Connections that come meanwhile wait in the kernel's queue,
 * and whoever serves next takes them.
 *
 *     the old one                                     the new one
 *     port_open(data, listeners, n)                   port_take(folder, listeners, n, ...) instead of binding
 *     port_share(ios)
 *     port_look()   when port_descriptor is readable
 *     port_pause(true)   the enclave pauses: nothing is taken from the port, if somebody has it who will
 *     port_pause(false)  it came to nothing
 *                                                     io_accept, when it serves
 *     port_close()  it stops
 *
 * The new one keeps its connection for as long as it lives: when it ends before it serves, the old one takes
 * connections again, and the enclave says in its answers what there is to say.
 *
 * Threads: the main thread, but for port_pause, which is any other's. There is one port in a process.
 */
#ifndef ENCLAVE_OS_HOST_PORT_H
#define ENCLAVE_OS_HOST_PORT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io;

/* Whoever takes over finds these sockets in this folder from now on; copies are kept. 0 or a negative errno. */
int port_open(const char *folder, const int *listeners, uint32_t count);
/* Whose they are: which take connections from them. */
void port_share(struct io *const *ios, uint32_t count);
/* To be polled for reading, and then port_look; they change with it. -1: not. */
void port_descriptors(int *waiting, int *taker);
void port_look(void);
/* Nothing is taken from the port from now on, while somebody else has its sockets, or is again. When this returns it is
 * so. Until port_close. */
void port_pause(bool paused);
void port_close(void);

/* Take over the sockets of the server whose data is in folder: count of them, bound to address. A connection to that
 * server, the caller's, to be held for as long as it lives: it hangs up when the server ends. -ENOENT: no server is
 * there; other negative errno with a line in error. */
int port_take(const char *folder, const struct sockaddr_in6 *address, int *listeners, uint32_t count, char *error,
              size_t error_size);

#endif
