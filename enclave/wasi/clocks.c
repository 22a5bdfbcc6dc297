/*
 * wasi:clocks/{monotonic-clock,wall-clock,timezone}@0.2.x. Both clocks are the host's claim; the monotonic one never
 * goes back. The time zone is UTC.
 */
#include "common/clock.h"
#include "enclave/wasi/internal.h"

static HOST_FUNC(now)
{
    reply_word(g, clock_monotonic_ns());
    return HOST_DONE;
}

static HOST_FUNC(resolution)
{
    reply_word(g, 1000000); /* a shared time page that the host updates */
    return HOST_DONE;
}

static enum host_result pollable_at(struct guest *g, uint64_t deadline_ns)
{
    struct resource *pollable = pollable_on(g, NULL);
    if (!pollable)
        return HOST_TRAP;
    pollable->pollable.deadline_ns = deadline_ns;
    reply_own(g, pollable);
    return HOST_DONE;
}

static HOST_FUNC(subscribe_instant)
{
    return pollable_at(g, args[0].word);
}

static HOST_FUNC(subscribe_duration)
{
    uint64_t start = clock_monotonic_ns(), deadline;
    return pollable_at(g, __builtin_add_overflow(start, args[0].word, &deadline) ? UINT64_MAX : deadline);
}

static HOST_FUNC(wall_now)
{
    uint64_t wall_ns = clock_realtime_ns();
    reply_word(g, wall_ns / 1000000000u);
    reply_word(g, wall_ns % 1000000000u);
    return HOST_DONE;
}

static HOST_FUNC(wall_resolution)
{
    reply_word(g, 0);
    reply_word(g, 1000000);
    return HOST_DONE;
}

static HOST_FUNC(zone_display)
{
    reply_word(g, 0); /* the offset */
    reply_text(g, "UTC", 3);
    reply_word(g, 0); /* no daylight saving */
    return HOST_DONE;
}

static HOST_FUNC(zone_offset)
{
    reply_word(g, 0);
    return HOST_DONE;
}

static const struct host_func monotonic_funcs[] = {
    {"now", "()->(u64)", now, SHAPE_ANY, false},
    {"resolution", "()->(u64)", resolution, SHAPE_ANY, false},
    {"subscribe-instant", "(u64)->(own<pollable>)", subscribe_instant, SHAPE_ANY, false},
    {"subscribe-duration", "(u64)->(own<pollable>)", subscribe_duration, SHAPE_ANY, false},
};

#define DATETIME "record{seconds:u64,nanoseconds:u32}"
static const struct host_func wall_funcs[] = {
    {"now", "()->(" DATETIME ")", wall_now, SHAPE_ANY, false},
    {"resolution", "()->(" DATETIME ")", wall_resolution, SHAPE_ANY, false},
};

static const struct host_func zone_funcs[] = {
    {"display", "(" DATETIME ")->(record{utc-offset:s32,name:string,in-daylight-saving-time:bool})", zone_display,
     SHAPE_ANY, false},
    {"utc-offset", "(" DATETIME ")->(s32)", zone_offset, SHAPE_ANY, false},
};

const struct host_interface wasi_clocks[3] = {
    INTERFACE("wasi:clocks/monotonic-clock", "0.2", monotonic_funcs),
    INTERFACE("wasi:clocks/wall-clock", "0.2", wall_funcs),
    INTERFACE("wasi:clocks/timezone", "0.2", zone_funcs),
};
