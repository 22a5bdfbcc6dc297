/*
 * Who wakes whom: the worker by its doorbell and a futex in it, the I/O thread by an eventfd. See io.h.
 */
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/net/internal.h"

/* A worker that sleeps so soon after its answer was read has not looked for more. */
#define AT_ONCE_NS 10000u

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
    if (!doorbell_wake(&io->to_worker))
        return;
    io->sleeps_again = atomic_load(&io->down_ns) < atomic_load(&io->read_ns) + AT_ONCE_NS;
    atomic_store(&io->rung_ns, clock_monotonic_ns());
    futex_wake(io->bell_in);
}

void io_kick(struct io *io)
{
    if (atomic_exchange(&io->asleep, 0) == 1) {
        uint64_t one = 1;
        atomic_store(&io->kicked_ns, clock_monotonic_ns());
        ssize_t ignored = write(io->wake, &one, sizeof one);
        (void)ignored;
    }
}

/* From when all that the worker had rung for was done until it was rung. */
static uint64_t had_nothing_ns(const struct io *io, uint64_t since_ns, uint64_t now_ns)
{
    uint64_t read_ns = atomic_load(&io->read_ns), rung_ns = atomic_load(&io->rung_ns);
    uint64_t from_ns = read_ns > since_ns ? read_ns : since_ns, to_ns = rung_ns >= since_ns ? rung_ns : now_ns;
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

uint64_t io_wait_for_news(struct io *io, uint64_t timeout_ns)
{
    uint64_t since_ns = clock_monotonic_ns();
    atomic_store(&io->down_ns, since_ns);
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    bool forever = timeout_ns > 1000000000ull * 86400 * 365;
    if (doorbell_is_unread(io->bell_out)) /* the worker left it to this call to say so */
        io_kick(io);
    bool late = false;
    while (atomic_load(&io->bell_in->sleeping) == 1 && !late)
        late = syscall(SYS_futex, doorbell_futex(io->bell_in), FUTEX_WAIT_PRIVATE, 1, forever ? NULL : &timeout, NULL,
                       0) != 0 &&
               errno == ETIMEDOUT;
    uint64_t now_ns = clock_monotonic_ns();
    atomic_store(&io->up_ns, now_ns);
    return had_nothing_ns(io, since_ns, now_ns);
}

void io_wake_worker(struct io *io)
{
    atomic_exchange(&io->bell_in->sleeping, 0);
    futex_wake(io->bell_in);
}
