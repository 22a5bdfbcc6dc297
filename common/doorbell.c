/*
 * The doorbell ring. See doorbell.h.
 */
#include "common/doorbell.h"

#include <errno.h>
#include <stddef.h>

#include "common/ensure.h"

#define SLOT(shared, index) ((shared)->slots[(index) & (PROTO_DOORBELL_SLOTS - 1)])
_Static_assert((PROTO_DOORBELL_SLOTS & (PROTO_DOORBELL_SLOTS - 1)) == 0, "indices are masked");

static bool is_sound(const struct doorbell_shared *shared)
{
    return shared && ((uintptr_t)shared & 63) == 0;
}

int doorbell_producer_init(struct doorbell_producer *p, struct doorbell_shared *shared)
{
    if (!is_sound(shared))
        return -EINVAL;
    *p = (struct doorbell_producer){.shared = shared};
    return 0;
}

int doorbell_consumer_init(struct doorbell_consumer *c, struct doorbell_shared *shared)
{
    if (!is_sound(shared))
        return -EINVAL;
    *c = (struct doorbell_consumer){.shared = shared};
    return 0;
}

static void producer_check(const struct doorbell_producer *p)
{
    ENSURE(p->shared);
    ENSURE(p->tail - p->head <= PROTO_DOORBELL_SLOTS);
}

static void consumer_check(const struct doorbell_consumer *c)
{
    ENSURE(c->shared);
    ENSURE(c->tail - c->head <= PROTO_DOORBELL_SLOTS);
}

int doorbell_push(struct doorbell_producer *p, channel_name name)
{
    producer_check(p);
    if (p->error)
        return p->error;
    if (p->tail - p->head == PROTO_DOORBELL_SLOTS) {
        /* Acquire: the consumer has read a slot before it gives it back. */
        uint64_t head = atomic_load_explicit(&p->shared->head, memory_order_acquire);
        if (head - p->head > p->tail - p->head)
            return p->error = -EPROTO;
        p->head = head;
        if (p->tail - p->head == PROTO_DOORBELL_SLOTS)
            return -ENOSPC;
    }
    atomic_store_explicit(&SLOT(p->shared, p->tail), name, memory_order_relaxed);
    p->tail++;
    /* Release: the name is there before the index. */
    atomic_store_explicit(&p->shared->tail, p->tail, memory_order_release);
    return 0;
}

bool doorbell_wake(struct doorbell_producer *p)
{
    /* Full fence against doorbell_sleep: either it sees our tail, or we see its flag. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&p->shared->sleeping, memory_order_relaxed) == 0)
        return false;
    return atomic_exchange_explicit(&p->shared->sleeping, 0, memory_order_relaxed) != 0;
}

/* Names that are there, by a fresh look if the known ones are used up; -EPROTO. */
static int64_t available(struct doorbell_consumer *c)
{
    consumer_check(c);
    if (c->error)
        return c->error;
    if (c->tail == c->head) {
        uint64_t tail = atomic_load_explicit(&c->shared->tail, memory_order_acquire);
        if (tail - c->head > PROTO_DOORBELL_SLOTS)
            return c->error = -EPROTO;
        c->tail = tail;
    }
    return (int64_t)(c->tail - c->head);
}

int doorbell_pop(struct doorbell_consumer *c, channel_name *name)
{
    int64_t count = available(c);
    if (count <= 0)
        return (int)count;
    *name = atomic_load_explicit(&SLOT(c->shared, c->head), memory_order_relaxed);
    doorbell_idle(c, false); /* before the name is seen to be gone */
    c->head++;
    atomic_store_explicit(&c->shared->head, c->head, memory_order_release);
    return 1;
}

bool doorbell_has_news(struct doorbell_consumer *c)
{
    return available(c) > 0;
}

bool doorbell_is_unread(struct doorbell_shared *shared)
{
    /* Full fence: after whatever the caller's thread has pushed, and before it looks whether the consumer sleeps. */
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&shared->tail, memory_order_relaxed) !=
           atomic_load_explicit(&shared->head, memory_order_relaxed);
}

bool doorbell_is_asleep(struct doorbell_shared *shared)
{
    return atomic_load_explicit(&shared->sleeping, memory_order_relaxed) != 0;
}

bool doorbell_is_at_rest(struct doorbell_shared *shared)
{
    /* Acquire: who has just taken the last name has said before that it is not idle. */
    if (atomic_load_explicit(&shared->head, memory_order_acquire) !=
        atomic_load_explicit(&shared->tail, memory_order_relaxed))
        return false;
    return atomic_load_explicit(&shared->idle, memory_order_relaxed) != 0 || doorbell_is_asleep(shared);
}

void doorbell_idle(struct doorbell_consumer *c, bool idle)
{
    if (c->idle != idle)
        atomic_store_explicit(&c->shared->idle, idle, memory_order_relaxed);
    c->idle = idle;
}

bool doorbell_sleep(struct doorbell_consumer *c)
{
    atomic_store_explicit(&c->shared->sleeping, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (available(c) <= 0)
        return true;
    doorbell_awake(c);
    return false;
}

void doorbell_awake(struct doorbell_consumer *c)
{
    atomic_store_explicit(&c->shared->sleeping, 0, memory_order_relaxed);
}
