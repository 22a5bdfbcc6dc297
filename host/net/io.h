/*
 * The network side of one worker: a thread that moves bytes between sockets and rings, and the worker's doorbells.
 *
 * Socket to ring and ring to socket without a copy in between. A full ring stops reading from its socket; a slow
 * peer stops its own ring. The thread is the only producer of the worker's doorbell_in and of all to_enclave rings.
 */
#ifndef ENCLAVE_OS_HOST_NET_IO_H
#define ENCLAVE_OS_HOST_NET_IO_H

#include <stdint.h>

#include "common/protocol.h"
#include "host/rpc/control.h"
#include "sgx/loader/enclave.h"

struct io;

struct io_options {
    struct enclave *enclave;
    uint32_t worker, workers;
    int listener; /* bound; owned by the io from now on */
    const struct control_backends *backends;
};

/* Map the shared memory and give the enclave the worker's control channel. 0, or a negative errno with one line. */
int io_create(const struct io_options *options, struct io **out, char *error, size_t error_size);
/* Start the thread; it does not accept yet. 0 or a negative errno. */
int io_start(struct io *io);
/* The thread that made it, for these three; a listener that is let in is the I/O thread's from then on. Listen,
 * once and not after io_stop_accepting: the port takes connections when this returns 0. */
int io_accept(struct io *io);
/* Stop accepting; finish sending what there is, then end the thread. */
void io_stop_accepting(struct io *io);
void io_finish(struct io *io);
/* Waits for the thread's end. The services must not run any more. */
void io_join(struct io *io);
/* Joins it, and frees what a thread inside the enclave may use: none must be left there. */
void io_destroy(struct io *io);

/* Any thread: how many slots are not free. */
uint32_t io_used(const struct io *io);

/* From the enclave's OCALLs, any thread. */
void io_kick(struct io *io);                              /* wake the I/O thread if it sleeps */
int io_wait_for_news(struct io *io, uint64_t timeout_ns); /* the worker sleeps: 0 or -ETIMEDOUT */
void io_wake_worker(struct io *io);

#endif
