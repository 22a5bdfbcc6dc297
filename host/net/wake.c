/*
 * Who wakes whom: the worker by its doorbell and a futex in it, the I/O thread by an eventfd. See io.h.
 */
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/net/internal.h"

static void futex_wake(struct doorbell_shared *bell)
{
    syscall(SYS_futex, doorbell_futex(bell), FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void io_ring_worker(struct io *io, channel_name name)
{
    if (doorbell_push(&io->to_worker, name) != 0) {
        fprintf(stderr, "enclave-os: worker %u does not read its doorbell: giving up\n", io->worker);
        abort(); /* the enclave is broken; nothing sensible can follow */
    }
    io->rang = true;
}

void io_wake_if_rang(struct io *io)
{
    if (!io->rang)
        return;
    io->rang = false;
    if (doorbell_wake(&io->to_worker))
        futex_wake(io->bell_in);
}

void io_kick(struct io *io)
{
    if (atomic_exchange(&io->asleep, 0) == 1) {
        uint64_t one = 1;
        ssize_t ignored = write(io->wake, &one, sizeof one);
        (void)ignored;
    }
}

void io_wait_for_news(struct io *io, uint64_t timeout_ns)
{
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    bool forever = timeout_ns > 1000000000ull * 86400 * 365;
    if (doorbell_is_unread(io->bell_out)) /* the worker left it to this call to say so */
        io_kick(io);
    bool late = false;
    while (atomic_load(&io->bell_in->sleeping) == 1 && !late)
        late = syscall(SYS_futex, doorbell_futex(io->bell_in), FUTEX_WAIT_PRIVATE, 1, forever ? NULL : &timeout, NULL,
                       0) != 0 &&
               errno == ETIMEDOUT;
}

void io_wake_worker(struct io *io)
{
    atomic_exchange(&io->bell_in->sleeping, 0);
    futex_wake(io->bell_in);
}
