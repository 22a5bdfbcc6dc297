/*
 * wasi:random/{random,insecure,insecure-seed}@0.2.x. There is only one kind of randomness here, and it is secure.
 */
#include "enclave/wasi/internal.h"

static HOST_FUNC(bytes)
{
    void *buf = args[0].word <= RANDOM_MAX ? guest_buffer(g, args[0].word) : NULL;
    if (!buf)
        return guest_trap(g, "more than 64 MiB of random bytes at once, or no memory for them");
    g->app->rt->config.random(buf, args[0].word);
    reply_text(g, buf, args[0].word);
    return HOST_DONE;
}

static HOST_FUNC(word)
{
    uint64_t value;
    g->app->rt->config.random(&value, sizeof value);
    reply_word(g, value);
    return HOST_DONE;
}

static HOST_FUNC(seed)
{
    word(g, args, count);
    return word(g, args, count);
}

static const struct host_func random_funcs[] = {
    {"get-random-bytes", "(u64)->(list<u8>)", bytes, SHAPE_RANDOM, false},
    {"get-random-u64", "()->(u64)", word, SHAPE_ANY, false},
};
static const struct host_func insecure_funcs[] = {
    {"get-insecure-random-bytes", "(u64)->(list<u8>)", bytes, SHAPE_RANDOM, false},
    {"get-insecure-random-u64", "()->(u64)", word, SHAPE_ANY, false},
};
static const struct host_func seed_funcs[] = {
    {"insecure-seed", "()->(tuple<u64,u64>)", seed, SHAPE_ANY, false},
};

const struct host_interface wasi_random[3] = {
    INTERFACE("wasi:random/random", "0.2", random_funcs),
    INTERFACE("wasi:random/insecure", "0.2", insecure_funcs),
    INTERFACE("wasi:random/insecure-seed", "0.2", seed_funcs),
};
