/*
 * The network side of one worker: a thread that moves bytes between sockets and rings, and the worker's doorbells.
 *
 * Socket to ring and ring to socket without a copy in between. A full ring stops reading from its socket; a slow
 * peer stops its own ring. The thread is the only producer of the worker's doorbell_in and of all to_enclave rings.
 *
 *     io_create(&options, &io, error, sizeof error);   the worker's control channel is posted in the enclave
 *     io_start(io);                                    from here on the I/O thread owns sockets and slots
 *     io_accept(io);                                   once the enclave serves
 *     ...
 *     io_hold(io, true);                               if another process has the port's sockets, too (host/port.h)
 *     io_stop_accepting(io);                           then the enclave is told to stop, and its threads leave
 *     io_finish(io);                                   what it wrote is sent, for two seconds at most
 *     io_join(io);
 *     io_destroy(io);                                  when no thread is left inside the enclave
 *
 * Owner: whoever calls io_create; the io owns the listener and all sockets that come from it, and maps the memory that
 * the enclave shares, which stays until io_destroy since the enclave may touch it until its last thread has left. The
 * enclave and the backends outlive it.
 *
 * Limits: as many channels are open at a time as it was given, each with two rings of SLOT_RING_CAPACITY
 * bytes; beyond them connections wait in the kernel's queue. What closes is bounded in time and bytes (closing.h).
 * Times are nanoseconds of the monotonic clock.
 *
 * Known weakness: an enclave that never reads its doorbell fills it, which ends the process: nothing sensible can
 * follow.
 *
 * What the thread does when there is nothing to do is judged by how soon there lately was (common/patience.h); with an
 * enclave that sleeps it sleeps, too, and nothing wakes it but sockets, the host's threads and what closes.
 *
 * Inside the room: turn.c is the thread's turn, accept.c the listener, channels.c what becomes of a socket, slots.h and
 * closing.h its tables, wake.c who wakes whom. The tables are checked once a second (channels_check).
 */
#ifndef ENCLAVE_OS_HOST_NET_IO_H
#define ENCLAVE_OS_HOST_NET_IO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/protocol.h"
#include "host/rpc/control.h"
#include "sgx/loader/enclave.h"

struct io;

struct io_options {
    struct enclave *enclave;
    uint32_t worker;
    uint32_t first_channel, channels; /* the ids that are its, no other io's */
    int listener; /* bound; owned by the io from now on, as the next one; -1: there is none, and no io_accept */
    int local;    /* for other processes of this machine, which are connections like any; -1: there is none */
    const struct control_backends *backends;
};

/* How an I/O thread has waited: looking at memory, in nanoseconds of processor time; by naps; and by sleeps, in which
 * the enclave must wake it. It alone writes them. */
struct io_waits {
    _Atomic uint64_t looked_ns, naps, sleeps;
};

/* Map the shared memory and give the enclave the worker's control channel. 0, or a negative errno with one line in
 * error; the listener is closed then, too. The calling thread becomes the maker. */
int io_create(const struct io_options *options, struct io **out, char *error, size_t error_size);
/* The maker: start the thread; it does not accept yet. 0 or a negative errno. Once. */
int io_start(struct io *io);
/* The thread that made it, for these three; a listener that is let in is the I/O thread's from then on. Listen,
 * once and not after io_stop_accepting: the port takes connections when this returns 0. */
int io_accept(struct io *io);
/* Any thread but the I/O thread, one at a time: nothing is taken from the listener, whose queue grows; or it is, again.
 * local goes on. When this returns it is so. */
void io_hold(struct io *io, bool held);
/* Stop accepting; finish sending what there is, then end the thread. */
void io_stop_accepting(struct io *io);
void io_finish(struct io *io);
/* The maker: waits for the thread's end, if it was started. The services run on: until then it may submit to them. */
void io_join(struct io *io);
/* Joins it, and frees what a thread inside the enclave or a service may use: none of them must run any more. */
void io_destroy(struct io *io);

/* Any thread: how many slots are not free. */
uint32_t io_used(const struct io *io);
/* Any thread: what its thread has waited by so far, added to what is there. */
void io_add_waits(const struct io *io, struct io_waits *sum);

/* From the enclave's OCALLs, any thread. */
void io_kick(struct io *io); /* wake the I/O thread if it sleeps */
/* The worker sleeps. Returns for how many nanoseconds there was nothing to do: without what waking up took, of its own
 * thread and of the I/O thread before it. */
uint64_t io_wait_for_news(struct io *io, uint64_t timeout_ns);

void io_wake_worker(struct io *io);

#endif
