/*
 * A worker's event loop: a list of ready tasks, a heap of timers, and a lock-free stack for posts from other threads.
 */
#include "enclave/thread/loop.h"

#include <errno.h>
#include <stdlib.h>

#include "common/ensure.h"

int loop_init(struct loop *loop, void (*wake)(struct loop *loop))
{
    *loop = (struct loop){.wake = wake, .timer_capacity = 64};
    loop_take(loop);
    loop->timers = malloc(loop->timer_capacity * sizeof *loop->timers);
    return loop->timers ? 0 : -ENOMEM;
}

void loop_deinit(struct loop *loop)
{
    free(loop->timers);
    loop->timers = NULL;
    loop->timer_count = loop->timer_capacity = 0;
}

void loop_check_all(const struct loop *loop)
{
    loop_check(loop);
    ENSURE(loop->timer_count <= loop->timer_capacity);
    for (uint32_t i = 0; i < loop->timer_count; i++) {
        ENSURE(loop->timers[i]->heap_index == i + 1);
        ENSURE(loop->timers[i]->fn != NULL);
        ENSURE(i == 0 || loop->timers[(i - 1) / 2]->deadline_ns <= loop->timers[i]->deadline_ns);
    }
    const struct loop_task *last = NULL;
    for (const struct loop_task *task = loop->ready_first; task; task = task->next) {
        ENSURE(atomic_load(&task->queued));
        last = task;
    }
    ENSURE(loop->ready_last == last);
}

static void append(struct loop *loop, struct loop_task *task)
{
    ENSURE(task->fn != NULL);
    task->next = NULL;
    if (loop->ready_last)
        loop->ready_last->next = task;
    else
        loop->ready_first = task;
    loop->ready_last = task;
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    loop_check(loop);
    if (!atomic_exchange_explicit(&task->queued, true, memory_order_acq_rel))
        append(loop, task);
}

void loop_post_remote(struct loop *loop, struct loop_task *task)
{
    ENSURE(atomic_load_explicit(&loop->owner.thread, memory_order_relaxed)); /* somebody will run it */
    ENSURE(task->fn != NULL);
    if (atomic_exchange_explicit(&task->queued, true, memory_order_acq_rel))
        return;
    struct loop_task *top = atomic_load_explicit(&loop->remote, memory_order_relaxed);
    do
        task->next = top;
    /* Release: the owner that takes the stack sees the task's fields. */
    while (
        !atomic_compare_exchange_weak_explicit(&loop->remote, &top, task, memory_order_release, memory_order_relaxed));
    if (loop->wake)
        loop->wake(loop);
}

/* The stack is newest first; posts run in the order in which they were made. */
static void take_remote(struct loop *loop)
{
    ENSURE(!loop->ready_first == !loop->ready_last);
    if (!atomic_load_explicit(&loop->remote, memory_order_relaxed))
        return;
    struct loop_task *stack = atomic_exchange_explicit(&loop->remote, NULL, memory_order_acquire);
    struct loop_task *reversed = NULL;
    while (stack) {
        ENSURE(atomic_load_explicit(&stack->queued, memory_order_relaxed));
        struct loop_task *next = stack->next;
        stack->next = reversed;
        reversed = stack;
        stack = next;
    }
    while (reversed) {
        struct loop_task *next = reversed->next;
        append(loop, reversed);
        reversed = next;
    }
}

static void place(struct loop *loop, uint32_t index, struct loop_timer *timer)
{
    loop->timers[index] = timer;
    timer->heap_index = index + 1;
}

static void sift_up(struct loop *loop, uint32_t index, struct loop_timer *timer)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (loop->timers[parent]->deadline_ns <= timer->deadline_ns)
            break;
        place(loop, index, loop->timers[parent]);
        index = parent;
    }
    place(loop, index, timer);
}

static void sift_down(struct loop *loop, uint32_t index, struct loop_timer *timer)
{
    ENSURE(index < loop->timer_count);
    ENSURE(timer->fn != NULL);
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= loop->timer_count)
            break;
        if (child + 1 < loop->timer_count && loop->timers[child + 1]->deadline_ns < loop->timers[child]->deadline_ns)
            child++;
        if (timer->deadline_ns <= loop->timers[child]->deadline_ns)
            break;
        place(loop, index, loop->timers[child]);
        index = child;
    }
    place(loop, index, timer);
}

static void settle(struct loop *loop, uint32_t index, struct loop_timer *timer)
{
    if (index > 0 && timer->deadline_ns < loop->timers[(index - 1) / 2]->deadline_ns)
        sift_up(loop, index, timer);
    else
        sift_down(loop, index, timer);
}

int loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns)
{
    loop_check(loop);
    ENSURE(timer->fn != NULL);
    ENSURE(timer->heap_index <= loop->timer_count);
    timer->deadline_ns = deadline_ns;
    if (timer->heap_index) {
        settle(loop, timer->heap_index - 1, timer);
        return 0;
    }
    if (loop->timer_count == loop->timer_capacity) {
        uint32_t capacity = loop->timer_capacity * 2;
        struct loop_timer **grown = realloc(loop->timers, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        loop->timers = grown;
        loop->timer_capacity = capacity;
    }
    sift_up(loop, loop->timer_count++, timer);
    return 0;
}

#define ABOUT_MOST_NS (UINT64_C(1) << 28)

int loop_timer_start_about(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns)
{
    uint64_t left = deadline_ns > loop->now_ns ? deadline_ns - loop->now_ns : 0, grid = 1;
    while (grid < ABOUT_MOST_NS && grid * 2 <= left / 32)
        grid *= 2;
    bool fits = deadline_ns <= UINT64_MAX - grid;
    return loop_timer_start(loop, timer, fits ? (deadline_ns + grid - 1) & ~(grid - 1) : deadline_ns);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    loop_check(loop);
    if (!timer->heap_index)
        return;
    uint32_t index = timer->heap_index - 1;
    ENSURE(index < loop->timer_count && loop->timers[index] == timer);
    struct loop_timer *last = loop->timers[--loop->timer_count];
    timer->heap_index = 0;
    if (last != timer)
        settle(loop, index, last);
}

static bool fire_timers(struct loop *loop)
{
    /* Only those that were started before: a timer that restarts itself with a past deadline must not hold the loop. */
    bool ran = false;
    for (uint32_t budget = loop->timer_count; budget > 0 && loop->timer_count > 0; budget--) {
        struct loop_timer *timer = loop->timers[0];
        ENSURE(timer->heap_index == 1);
        if (timer->deadline_ns > loop->now_ns)
            break;
        loop_timer_stop(loop, timer);
        ENSURE(loop->timer_count < loop->timer_capacity);
        timer->fn(timer);
        ran = true;
    }
    return ran;
}

bool loop_run_once(struct loop *loop, uint64_t now_ns)
{
    loop_check(loop);
    if (now_ns > loop->now_ns)
        loop->now_ns = now_ns;
    loop->passes++;
    bool ran = fire_timers(loop);
    take_remote(loop);
    struct loop_task *last = loop->ready_last;
    for (struct loop_task *task = NULL; last && task != last;) {
        task = loop->ready_first;
        ENSURE(task); /* last is still ahead */
        loop->ready_first = task->next;
        if (!loop->ready_first)
            loop->ready_last = NULL;
        /* Before fn, so that it may post itself again, or free itself. */
        atomic_store_explicit(&task->queued, false, memory_order_release);
        task->fn(task);
        ran = true;
    }
    return ran || loop->ready_first || atomic_load_explicit(&loop->remote, memory_order_relaxed);
}

uint64_t loop_next_deadline(struct loop *loop)
{
    loop_check(loop);
    if (loop->ready_first || atomic_load_explicit(&loop->remote, memory_order_relaxed))
        return 0;
    return loop->timer_count ? loop->timers[0]->deadline_ns : UINT64_MAX;
}
