/* See crowd.h. */
#include "enclave/ratls/crowd.h"

#include "common/container.h"
#include "common/ensure.h"

#define HOPELESS_NS 10000000u /* how long it is not tried again after there was nothing to cut */

static void on_relieve(struct loop_task *task);
static void on_asked(struct loop_task *task);

void crowd_limits_init(struct crowd_limits *limits, uint64_t memory, uint64_t count)
{
    budget_init(&limits->memory, "connections", NULL, memory);
    budget_init(&limits->count, "connections in number", NULL, count);
    atomic_store(&limits->cut, 0);
}

void crowd_check(const struct crowd *c)
{
    loop_check(c->loop);
    const struct crowd_member *before = NULL;
    uint32_t leaving = 0;
    uint64_t sum = 0;
    for (const struct crowd_member *m = c->oldest; m; m = m->newer) {
        ENSURE(m->older == before);
        ENSURE(m->memory.parent == &c->limits->memory);
        leaving += m->leaving;
        sum += budget_used(&m->memory);
        before = m;
    }
    ENSURE(c->newest == before);
    ENSURE(c->leaving == leaving);
    ENSURE(sum <= budget_used(&c->limits->memory)); /* other workers' crowds have their part */
}

void crowd_init(struct crowd *c, struct crowd_limits *limits, struct loop *loop, struct crowd *others)
{
    ENSURE(limits && loop);
    ENSURE(!others || others->limits == limits);
    c->limits = limits;
    c->loop = loop;
    c->oldest = c->newest = NULL;
    c->leaving = 0;
    c->relieve = (struct loop_task){.fn = on_relieve};
    c->asked = (struct loop_task){.fn = on_asked};
    c->not_before_ns = 0;
    c->next = c;
    if (others) {
        c->next = others->next;
        others->next = c;
    }
}

static void take_out(struct crowd *c, struct crowd_member *m)
{
    ENSURE(m->older ? m->older->newer == m : c->oldest == m);
    ENSURE(m->newer ? m->newer->older == m : c->newest == m);
    *(m->older ? &m->older->newer : &c->oldest) = m->newer;
    *(m->newer ? &m->newer->older : &c->newest) = m->older;
}

static void put_newest(struct crowd *c, struct crowd_member *m)
{
    m->newer = NULL;
    m->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = m;
    c->newest = m;
}

bool crowd_join(struct crowd *c, struct crowd_member *m, uint64_t limit)
{
    loop_check(c->loop);
    *m = (struct crowd_member){0};
    if (!charge_take(&m->counted, &c->limits->count, 1))
        return false;
    budget_init(&m->memory, "connection", &c->limits->memory, limit);
    m->memory.local = true;
    put_newest(c, m);
    return true;
}

void crowd_leave(struct crowd *c, struct crowd_member *m)
{
    loop_check(c->loop);
    take_out(c, m);
    ENSURE(c->leaving >= m->leaving);
    c->leaving -= m->leaving;
    charge_give(&m->counted);
    budget_deinit(&m->memory);
    if (m->leaving && c->leaving == 0)
        crowd_look(c); /* was it enough? */
}

void crowd_progress(struct crowd *c, struct crowd_member *m)
{
    loop_check(c->loop);
    if (c->newest == m)
        return;
    take_out(c, m);
    put_newest(c, m);
}

/* How much is beyond a mark. */
static uint64_t beyond(const struct budget *b, uint64_t mark)
{
    uint64_t used = budget_used(b);
    return used > mark ? used - mark : 0;
}

static uint64_t memory_beyond(const struct crowd *c)
{
    return beyond(&c->limits->memory, CROWD_MEMORY_MARK(c->limits->memory.limit));
}

static uint64_t count_beyond(const struct crowd *c)
{
    return beyond(&c->limits->count, CROWD_COUNT_MARK(c->limits->count.limit));
}

/* Cut until what comes back will do. True: it will. */
static bool cut_oldest(struct crowd *c, uint64_t bytes, uint64_t count)
{
    uint32_t looked_at = 0;
    loop_check(c->loop);
    ENSURE(c->waits && c->cut);
    for (struct crowd_member *m = c->oldest, *newer; m && looked_at < CROWD_LOOKED_AT_MAX; m = newer, looked_at++) {
        if (bytes == 0 && count == 0)
            break;
        newer = m->newer;
        ENSURE(m->memory.parent == &c->limits->memory);
        if (m->leaving || !c->waits(m))
            continue;
        uint64_t held = budget_used(&m->memory);
        bytes -= held < bytes ? held : bytes;
        count -= count > 0;
        m->leaving = true;
        c->leaving++;
        atomic_fetch_add_explicit(&c->limits->cut, 1, memory_order_relaxed);
        c->cut(m);
    }
    return bytes == 0 && count == 0;
}

/* True: it is done, or will be with those that were cut and are on their way out. */
static bool relieve(struct crowd *c)
{
    uint64_t bytes = memory_beyond(c), count = count_beyond(c);
    return c->leaving > 0 || cut_oldest(c, bytes, count);
}

static void on_relieve(struct loop_task *task)
{
    struct crowd *c = CONTAINER_OF(task, struct crowd, relieve);
    if (relieve(c))
        return;
    c->not_before_ns = c->loop->now_ns + HOPELESS_NS;
    for (struct crowd *other = c->next; other != c; other = other->next)
        loop_post_remote(other->loop, &other->asked);
}

static void on_asked(struct loop_task *task)
{
    relieve(CONTAINER_OF(task, struct crowd, asked));
}

void crowd_look(struct crowd *c)
{
    loop_check(c->loop);
    if ((memory_beyond(c) || count_beyond(c)) && c->loop->now_ns >= c->not_before_ns)
        loop_post(c->loop, &c->relieve);
}
