/*
 * The I/O thread's turn: names from the enclave's doorbell, answers that services have ready, and then it waits for
 * events of the sockets, which it takes, too: one call of the kernel for all of that. At each step one wake for
 * everything that was put into the worker's doorbell.
 *
 * How it waits: for clients or for the enclave, and what it learns of one (common/patience.h) it does not believe of
 * the other.
 *
 *   - The enclave is at rest (doorbell_is_at_rest): nothing can come but from sockets and the host's threads. It asks
 *     the kernel again if events lately came within moments, and then sleeps there.
 *   - The enclave is at work. If a few channels only are owed something, it looks at the doorbell, and at nothing else:
 *     the answer is not far. If many are, the enclave has work for longer than a nap takes, in which it need not leave
 *     to wake anybody. Where neither has lately paid, it sleeps.
 *
 * Sockets and the host's threads wake it from naps and sleeps; names only from a sleep, for which the enclave leaves.
 * A sleep is announced to the enclave by the doorbell's flag, and to the host's threads by `asleep`, before a last
 * look.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/net/internal.h"

#define EVENTS_MAX 128
#define NAMES_PER_TURN 256
/* What a sleep costs the kernel and whoever wakes from it; and the enclave, which must leave for that; and how long a
 * few naps last that cost as much, each as long as the wait was before it (measured). */
#define POLLS_WORTH_NS 20000u
#define LOOKS_WORTH_NS 200000u
#define NAPS_WORTH_NS 1000000u
#define NAP_NS 50000u
#define NAP_OWED 4u /* channels: so many requests at least take as long as a nap */
#define NAP_SLACK_NS 5000u
#define SWEEP_NS 1000000000u
#define FINISH_NS 2000000000u /* at shutdown: how long to send what is left */
#define FOREVER_NS UINT64_MAX

static void begin_wait(struct io *io, int whom, uint64_t now_ns)
{
    if ((int)io->waits_for == whom)
        return;
    io->waits_for = whom;
    io->waits_since_ns = now_ns;
    io->naps_from_ns = 0;
}

/* Names have come. Where it napped, they may have come long before. */
static void names_came(struct io *io, uint64_t now_ns)
{
    uint64_t since_ns = io->waits_since_ns, up_ns = atomic_load(&io->up_ns), kicked_ns = atomic_load(&io->kicked_ns);
    if (up_ns > since_ns)
        since_ns = up_ns; /* no answer can come before that */
    uint64_t until_ns = io->naps_from_ns ? io->naps_from_ns : kicked_ns > since_ns ? kicked_ns : now_ns;
    uint64_t waited_ns = until_ns > since_ns ? until_ns - since_ns : 0;
    if (io->naps_from_ns == 0)
        patience_learn(&io->looks, waited_ns, LOOKS_WORTH_NS);
    patience_learn(&io->naps, waited_ns, NAPS_WORTH_NS);
    io->waits_for = WAITS_FOR_NOBODY;
}

/* Whether there may be more. */
static bool read_doorbell(struct io *io)
{
    channel_name name;
    int count = 0;
    bool any = doorbell_has_news(&io->from_worker);
    if (any && io->waits_for == WAITS_FOR_ENCLAVE)
        names_came(io, clock_monotonic_ns());
    while (count < NAMES_PER_TURN && doorbell_pop(&io->from_worker, &name) == 1) {
        count++;
        if ((uint32_t)name == CHANNEL_CONTROL_ID)
            control_on_news(&io->control);
        else
            channels_on_name(io, name);
    }
    io->quiet = count == 0;
    if (any) {
        io->sleeps_again = false;
        atomic_store(&io->read_ns, clock_monotonic_ns());
    }
    return count == NAMES_PER_TURN;
}

/* Whether there was something. */
static bool poll_sockets(struct io *io, uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    int count = epoll_pwait2(io->epoll, events, EVENTS_MAX, timeout_ns == FOREVER_NS ? NULL : &timeout, NULL);
    for (int i = 0; i < count; i++) {
        uint64_t tag = events[i].data.u64;
        if (tag == TAG_LISTENER || tag == TAG_LOCAL)
            accept_some(io, tag == TAG_LOCAL ? io->local : io->listener);
        else if (tag != TAG_WAKE) /* each write to that one is an event of its own, and it is never read */
            channels_on_event(io, tag, events[i].events);
    }
    io_wake_if_rang(io);
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

static void count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

/* Nothing but what can come without the kernel, and no longer than patience lasts. */
static void look(struct io *io, uint64_t from_ns)
{
    uint64_t now = from_ns, until = io->waits_since_ns + patience_ns(&io->looks, LOOKS_WORTH_NS);
    while (now < until && !doorbell_has_news(&io->from_worker) && !doorbell_is_at_rest(io->bell_in) &&
           !control_has_work(&io->control)) {
        __builtin_ia32_pause();
        now = clock_monotonic_ns();
    }
    count(&io->waits.looked_ns, now - from_ns);
}

/* Sleep for a moment: sockets and the host's threads wake it, the enclave does not. */
static void nap(struct io *io, uint64_t from_ns)
{
    uint64_t waited = from_ns - io->waits_since_ns;
    count(&io->waits.naps, 1);
    io->naps_from_ns = from_ns;
    atomic_store(&io->asleep, 1);
    bool nothing = !control_has_work(&io->control) && !asked(io);
    poll_sockets(io, !nothing ? 0 : waited > NAP_NS ? waited : NAP_NS);
    atomic_store(&io->asleep, 0);
}

/* Sleep until something happens. Both announcements come before the last look: whoever comes after it sees them. */
static bool sleep_once(struct io *io)
{
    atomic_store(&io->asleep, 1);
    bool quiet = doorbell_sleep(&io->from_worker);
    uint64_t timeout_ns = FOREVER_NS;
    if (io->finish_by_ns)
        timeout_ns = 20000000u;
    else if (io->closing.count > 0 || (io->accepting && !io->listener_armed))
        timeout_ns = 1000000000u;
    count(&io->waits.sleeps, 1);
    bool nothing = quiet && !control_has_work(&io->control) && !asked(io);
    bool something = poll_sockets(io, nothing ? timeout_ns : 0);
    doorbell_awake(&io->from_worker);
    atomic_store(&io->asleep, 0);
    return something;
}

/* Asking the kernel again and again for what will be there soon, as long as patience lasts. */
static bool poll_once(struct io *io, uint64_t from_ns)
{
    bool something = poll_sockets(io, 0);
    count(&io->waits.looked_ns, something ? 0 : clock_monotonic_ns() - from_ns);
    return something;
}

/* The enclave has nothing to do, and is owed nothing by anybody but clients. */
static void wait_for_clients(struct io *io)
{
    uint64_t now = clock_monotonic_ns();
    begin_wait(io, WAITS_FOR_CLIENTS, now);
    io->owed = 0;
    io->rests++;
    bool polls = now - io->waits_since_ns < patience_ns(&io->polls, POLLS_WORTH_NS);
    if (!(polls ? poll_once(io, now) : sleep_once(io)))
        return;
    patience_learn(&io->polls, clock_monotonic_ns() - io->waits_since_ns, POLLS_WORTH_NS);
    io->waits_for = WAITS_FOR_NOBODY;
}

static void wait_for_enclave(struct io *io)
{
    uint64_t now = clock_monotonic_ns();
    begin_wait(io, WAITS_FOR_ENCLAVE, now);
    uint64_t waited = now - io->waits_since_ns;
    if (io->owed >= NAP_OWED && waited < patience_ns(&io->naps, NAPS_WORTH_NS))
        nap(io, now);
    else if (!io->sleeps_again && waited < patience_ns(&io->looks, LOOKS_WORTH_NS))
        look(io, now);
    else
        sleep_once(io);
}

/* Nothing is to be done until something comes. */
static void wait_for_news(struct io *io)
{
    bool news = doorbell_has_news(&io->from_worker);
    if (!news && doorbell_is_at_rest(io->bell_in))
        wait_for_clients(io);
    else if (!io->quiet)
        poll_sockets(io, 0); /* who was answered may have asked again */
    else if (!news)
        wait_for_enclave(io);
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

void *io_run(void *argument)
{
    struct io *io = argument;
    char name[16];
    owner_take(&io->owner);
    snprintf(name, sizeof name, "io %u", io->worker);
    pthread_setname_np(pthread_self(), name);
    prctl(PR_SET_TIMERSLACK, NAP_SLACK_NS);
    io->rests = 1;
    uint64_t sweep_ns = 0;
    while (!finished(io)) {
        bool more = read_doorbell(io);
        control_turn(&io->control);
        io_wake_if_rang(io);
        obey(io);
        if (more)
            poll_sockets(io, 0);
        else
            wait_for_news(io);
        sweep(io, &sweep_ns);
    }
    pthread_mutex_lock(&io->hold_lock); /* nobody waits for it any more */
    io->gone = true;
    pthread_cond_broadcast(&io->hold_changed);
    pthread_mutex_unlock(&io->hold_lock);
    return NULL;
}
