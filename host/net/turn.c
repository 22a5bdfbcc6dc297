/*
 * The I/O thread's turn: names from the enclave's doorbell, then events of the sockets, then answers that services have
 * ready; at the end one wake for everything that was put into the worker's doorbell. With nothing to do it spins for a
 * moment, takes a few naps, announces that it sleeps (to the enclave by the doorbell's flag, to the host's threads by
 * `asleep`), looks once more, and waits in epoll.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/net/internal.h"

#define EVENTS_MAX 128
#define NAMES_PER_TURN 256
/* Waiting, in three steps (measured, docs/benchmarks.md). First it spins, which bridges the gap between a request and
 * its answer. Then, while requests keep coming, it naps: as long as the enclave may count on being looked at, it need
 * not leave to wake anyone. Only when nothing has come for a while does it sleep, and say so. */
#define SPIN_NS 20000u
#define NAP_NS 50000u
#define NAPS_MAX 20u
#define NAP_SLACK_NS 5000u
#define SWEEP_NS 1000000000u
#define FINISH_NS 2000000000u /* at shutdown: how long to send what is left */

static bool read_doorbell(struct io *io)
{
    channel_name name;
    int count = 0;
    while (count < NAMES_PER_TURN && doorbell_pop(&io->from_worker, &name) == 1) {
        count++;
        if ((uint32_t)name == CHANNEL_CONTROL_ID)
            control_on_news(&io->control);
        else
            channels_on_name(io, name);
    }
    io->quiet = count == 0;
    return count > 0;
}

#define FOREVER_NS UINT64_MAX

static bool poll_sockets(struct io *io, uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    int count = epoll_pwait2(io->epoll, events, EVENTS_MAX, timeout_ns == FOREVER_NS ? NULL : &timeout, NULL);
    for (int i = 0; i < count; i++) {
        uint64_t tag = events[i].data.u64, value;
        if (tag == TAG_LISTENER || tag == TAG_LOCAL)
            accept_some(io, tag == TAG_LOCAL ? io->local : io->listener);
        else if (tag != TAG_WAKE)
            channels_on_event(io, tag, events[i].events);
        else if (read(io->wake, &value, sizeof value) < 0)
            continue; /* someone else's wake was read already */
    }
    return count > 0;
}

static void obey(struct io *io)
{
    if (atomic_exchange(&io->asked_hold, false))
        accept_hold(io);
    if (atomic_exchange(&io->asked_accept, false) && io->listener >= 0 && !io->accepting) {
        int error = accept_begin(io);
        if (error != 0) {
            fprintf(stderr, "enclave-os: cannot listen: %s\n", strerror(-error));
            io->control.backends->on_shutdown();
        }
    }
    if (atomic_exchange(&io->asked_stop, false) && io->listener >= 0)
        accept_end(io);
    if (io->finish_by_ns == 0 && atomic_load(&io->asked_finish))
        io->finish_by_ns = clock_monotonic_ns() + FINISH_NS;
    if (io->slot_came_free)
        accept_resume(io);
}

static bool asked(struct io *io)
{
    return atomic_load(&io->asked_accept) || atomic_load(&io->asked_hold) || atomic_load(&io->asked_stop) ||
           (io->finish_by_ns == 0 && atomic_load(&io->asked_finish));
}

/* Sleep for a moment: sockets and the host's threads wake it, the enclave does not. */
static void nap(struct io *io)
{
    atomic_store(&io->asleep, 1);
    if (!control_has_work(&io->control) && !asked(io))
        poll_sockets(io, NAP_NS);
    atomic_store(&io->asleep, 0);
}

/* Sleep until something happens. Both announcements come before the last look: whoever comes after it sees them. */
static void sleep_once(struct io *io)
{
    atomic_store(&io->asleep, 1);
    bool quiet = doorbell_sleep(&io->from_worker);
    uint64_t timeout_ns = FOREVER_NS;
    if (io->finish_by_ns)
        timeout_ns = 20000000u;
    else if (io->closing.count > 0 || (io->accepting && !io->listener_armed))
        timeout_ns = 1000000000u;
    if (quiet && !control_has_work(&io->control) && !asked(io))
        poll_sockets(io, timeout_ns);
    doorbell_awake(&io->from_worker);
    atomic_store(&io->asleep, 0);
}

/* Nothing more can come: the enclave's threads are out, and what they rang for has been read. */
static bool finished(struct io *io)
{
    return io->finish_by_ns != 0 && ((io->quiet && channels_all_sent(io)) || clock_monotonic_ns() > io->finish_by_ns);
}

static void sweep(struct io *io, uint64_t *next_ns)
{
    uint64_t now = clock_monotonic_ns();
    if (now < *next_ns)
        return;
    *next_ns = now + SWEEP_NS;
    channels_sweep(io);
    accept_resume(io);
    channels_check(io);
}

/* A turn without work counts from the one before, which had none either: so under load nobody asks for the time. */
static void count_spinning(struct io *io, bool busy, uint64_t *since_ns)
{
    uint64_t now = busy ? 0 : clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (now != 0 && *since_ns != 0)
        atomic_store_explicit(&io->spun_ns, io->spun_ns + now - *since_ns, memory_order_relaxed);
    *since_ns = now;
}

void *io_run(void *argument)
{
    struct io *io = argument;
    char name[16];
    owner_take(&io->owner);
    snprintf(name, sizeof name, "io %u", io->worker);
    pthread_setname_np(pthread_self(), name);
    prctl(PR_SET_TIMERSLACK, NAP_SLACK_NS);
    uint64_t busy_ns = clock_monotonic_ns(), sweep_ns = 0, spins_ns = 0;
    uint32_t naps = 0;
    while (!finished(io)) {
        bool busy = read_doorbell(io);
        io_wake_if_rang(io);
        busy |= poll_sockets(io, 0);
        control_turn(&io->control);
        io_wake_if_rang(io);
        obey(io);
        count_spinning(io, busy, &spins_ns);
        uint64_t now = clock_monotonic_ns();
        if (busy) {
            busy_ns = now;
            naps = 0;
        } else if (naps < NAPS_MAX && now - busy_ns > SPIN_NS) {
            nap(io);
            naps++;
            io_wake_if_rang(io);
        } else if (now - busy_ns > SPIN_NS) {
            sleep_once(io);
            naps = 0;
            io_wake_if_rang(io);
            busy_ns = clock_monotonic_ns();
        }
        sweep(io, &sweep_ns);
    }
    pthread_mutex_lock(&io->hold_lock); /* nobody waits for it any more */
    io->gone = true;
    pthread_cond_broadcast(&io->hold_changed);
    pthread_mutex_unlock(&io->hold_lock);
    return NULL;
}
