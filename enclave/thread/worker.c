/* See worker.h. */
#include "enclave/thread/worker.h"

#include <errno.h>

#include "common/container.h"
#include "enclave/early/channel.h"
#include "enclave/early/ecall.h"
#include "enclave_os_t.h"

#include "common/alive.h"
#include "common/clock.h"
#include "common/ensure.h"

/* What looking for work may cost for each name that was news, and at once; and about how long a turn takes that has
 * nothing to do (measured). */
#define LOOKS_EACH_NS 200000u
#define LOOKS_MOST_NS 1000000u
#define TURN_NS 50u
#define NAMES_PER_TURN 256u

static int32_t notify(struct worker *w, enum notify_op op, uint64_t timeout_ns)
{
    int32_t result = 0;
    atomic_store_explicit(&w->exits, w->exits + 1, memory_order_relaxed);
    ocall_notify(&result, (uint32_t)op, w->index, timeout_ns);
    return result;
}

static void wake_from_another_thread(struct loop *loop)
{
    struct worker *w = CONTAINER_OF(loop, struct worker, loop);
    int32_t ignored;
    if (atomic_load(&w->parked))
        ocall_notify(&ignored, NOTIFY_WAKE_WORKER, w->index, 0);
}

static void only_wake(struct loop_timer *timer)
{
    (void)timer;
}

int worker_init(struct worker *w, uint32_t index, const struct worker_handlers *handlers, void *user,
                struct channel_desc *control)
{
    ENSURE(index < PROTO_MAX_WORKERS && handlers != NULL);
    ENSURE(control);
    w->index = index;
    w->handlers = handlers;
    w->user = user;
    if (!channel_control(index, control))
        return -ENODEV;
    if (doorbell_consumer_init(&w->bell_in, (struct doorbell_shared *)control->doorbell_in) < 0 ||
        doorbell_producer_init(&w->bell_out, (struct doorbell_shared *)control->doorbell_out) < 0)
        return -ENODEV;
    int result = loop_init(&w->loop, wake_from_another_thread);
    w->loop.now_ns = clock_monotonic_ns();
    w->last.fn = only_wake;
    return result < 0 ? result : loop_timer_start(&w->loop, &w->last, UINT64_MAX); /* later it needs no memory */
}

void worker_ring_host(struct worker *w, channel_name name)
{
    loop_check(&w->loop);
    doorbell_push(&w->bell_out, name); /* a full or broken bell is the host's doing, and its loss */
    w->rang = true;
}

void worker_give_back(struct worker *w, struct link *link, uint32_t how)
{
    channel_free((uint32_t)link->name); /* first: once it has heard, the host may use the id again */
    worker_ring_host(w, link_end(link, how));
}

static void on_name(struct worker *w, channel_name name)
{
    uint32_t id = (uint32_t)name;
    if (id == CHANNEL_CONTROL_ID)
        w->handlers->control(w);
    else if (id < PROTO_MAX_CHANNELS)
        w->handlers->news(w, name);
}

static bool read_doorbell(struct worker *w)
{
    channel_name name;
    uint32_t count = 0;
    while (count < NAMES_PER_TURN && doorbell_pop(&w->bell_in, &name) == 1) {
        earnings_add(&w->earnings, LOOKS_EACH_NS, LOOKS_MOST_NS);
        on_name(w, name);
        count++;
    }
    return count > 0;
}

/* Asked for, but not seen by worker_run or boot yet: its wake may have come just before this worker began to sleep. */
static bool shutdown_is_news(const struct worker *w)
{
    uint64_t ignored;
    return !w->stopping && ecall_shutdown_requested(&ignored);
}

static uint64_t looked_ns(const struct worker *w)
{
    return (uint64_t)w->quiet_turns * TURN_NS;
}

static struct patience *patience_now(struct worker *w)
{
    return &w->patience[w->waits_for_host];
}

/* No longer than there is patience, by what it has earned. */
static bool may_look(struct worker *w)
{
    return looked_ns(w) < patience_ns(patience_now(w), w->earnings.ns);
}

/* There is work again; slept: after so long, beside the looking. */
static void wait_ended(struct worker *w, uint64_t slept_ns)
{
    patience_learn(patience_now(w), looked_ns(w) + slept_ns, w->earnings.ns);
    earnings_spend(&w->earnings, looked_ns(w));
    w->quiet_turns = 0;
}

/* Nothing to do, as far as can be seen without announcing anything. */
static bool is_dry(struct worker *w)
{
    return !doorbell_has_news(&w->bell_in) && loop_next_deadline(&w->loop) > w->loop.now_ns;
}

static void park(struct worker *w)
{
    ENSURE(!atomic_load_explicit(&w->parked, memory_order_relaxed));
    ENSURE(!may_look(w));
    atomic_store(&w->parked, true);
    bool asleep = doorbell_sleep(&w->bell_in);
    uint64_t deadline = loop_next_deadline(&w->loop), now = clock_monotonic_ns();
    if (asleep && deadline > now && !atomic_load(&w->loop.remote) && !shutdown_is_news(w)) {
        w->rang = false; /* NOTIFY_WAIT wakes the host's side, too, if it has not read all names */
        int32_t slept_us = notify(w, NOTIFY_WAIT, deadline == UINT64_MAX ? UINT64_MAX : deadline - now);
        wait_ended(w, slept_us > 0 ? (uint64_t)slept_us * 1000 : 0);
        earnings_slept(&w->earnings);
    }
    doorbell_awake(&w->bell_in);
    atomic_store(&w->parked, false);
}

static void was_busy(struct worker *w)
{
    doorbell_idle(&w->bell_in, false);
    if (w->quiet_turns > 0)
        wait_ended(w, 0);
    w->handlers->worked(w);
    w->waits_for_host = w->asked > 0;
}

static void was_quiet(struct worker *w)
{
    atomic_store_explicit(&w->quiet, w->quiet + 1, memory_order_relaxed);
    w->quiet_turns++;
    doorbell_idle(&w->bell_in, true);
    __builtin_ia32_pause();
}

void worker_turn(struct worker *w)
{
    loop_check(&w->loop);
    ENSURE(!atomic_load_explicit(&w->parked, memory_order_relaxed)); /* nobody turns what sleeps */
    sgx_stop_if_dead();
    w->loop.now_ns = clock_monotonic_ns(); /* after a sleep, before anything starts a timer */
    bool busy = read_doorbell(w);
    busy |= loop_run_once(&w->loop, clock_monotonic_ns());
    if (busy)
        was_busy(w);
    else
        was_quiet(w);
    if ((!busy || w->serving) && !may_look(w) && is_dry(w))
        park(w);
    if (w->rang && doorbell_wake(&w->bell_out)) /* it did not park, which says the same */
        notify(w, NOTIFY_HOST, 0);
    w->rang = false;
}

void worker_run(struct worker *w)
{
    uint64_t deadline;
    loop_take(&w->loop); /* boot made it, and then this thread */
    ENSURE(!w->serving && !w->stopping);
    w->serving = true;
    while (!ecall_shutdown_requested(&deadline))
        worker_turn(w);
    w->serving = false;
    w->stopping = true;
    ENSURE(loop_timer_start(&w->loop, &w->last, deadline) == 0); /* it is started already */
    w->handlers->drain(w);
    while (!w->handlers->drained(w) && clock_monotonic_ns() < deadline)
        worker_turn(w);
    w->handlers->abort(w);
}
