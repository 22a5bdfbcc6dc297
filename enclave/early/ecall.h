/*
 * The room's manual. The three ECALLs, and what they leave for the code inside. Begin here.
 *
 *     ecall.h     what the host asked for: arguments, and that it is over
 *     channel.h   which channels it has handed over
 *
 *     const struct run_args *args = ecall_run_args();                 on the boot thread, and on all that follow
 *     while (!ecall_shutdown_requested(&deadline_ns))                 a worker's loop
 *         if (channel_take(worker, CHANNEL_CONNECTION, name, &desc))  for a name that its doorbell brought
 *             ...                                                     and at the end of it channel_free
 *
 * They may come before libc is up, at any time, from any of the host's threads and from all of them at once, on the
 * bare stack of a TCS. So nothing in this room calls libc, uses thread-local storage, allocates or takes a lock: it
 * checks, stores in static variables, and returns (./dev lint holds the objects against that). What takes longer is
 * done by the worker that finds it here.
 *
 * Who owns what. All of it is this room's, and lives as long as the enclave. The arguments are copied once, by the
 * first ecall_run, and never change. A channel's description is the poster's until it is posted, and the worker's who
 * took it until that one frees it. The rings that it names stay the host's.
 *
 * Threads. Everything may be called from any thread; a channel is taken by the worker that it names, once. What is
 * shared is one atomic word for each thing, which says whose the rest of it is.
 *
 * Errors are negative errno values, and what the host gets back: -EINVAL where a field is impossible, -EBUSY where an
 * id is in use, -ESHUTDOWN after ecall_shutdown, -EAGAIN before ecall_run. All that the host brings is checked here,
 * before anybody sees it: every address lies outside, aligned, with its whole length. What stands in the rings is not:
 * who reads them judges that. What we do wrong, such as freeing a channel that nobody took, stops the enclave.
 *
 * Limits: PROTO_MAX_CHANNELS connections, PROTO_MAX_WORKERS control channels, one set of arguments. Units: bytes, MiB
 * and milliseconds as common/protocol.h has them; deadlines are nanoseconds of the host's monotonic clock.
 *
 * Known weaknesses. A channel that is posted, and whose name never comes through a doorbell, keeps its id for ever: the
 * host's loss. When the connections are to have ended is counted on the host's clock, which is the host's word.
 */
#ifndef ENCLAVE_OS_ENCLAVE_EARLY_ECALL_H
#define ENCLAVE_OS_ENCLAVE_EARLY_ECALL_H

#include <stdbool.h>

#include "common/protocol.h"

/* The boot thread's arguments: copied in and checked, the same from boot to the end. All zero before. */
const struct run_args *ecall_run_args(void);

/* Has ecall_shutdown been called, and until which monotonic time may connections drain? *deadline_ns is left alone if
 * not. */
bool ecall_shutdown_requested(uint64_t *deadline_ns);

#endif
