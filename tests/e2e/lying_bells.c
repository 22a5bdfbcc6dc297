/*
 * A host that rings for whatever it likes beside what it should, and posts channels that it may not: names of other
 * generations, doubled, ended, out of range; descriptions twice, and impossible ones. Linked in place of the host's own
 * functions (--wrap); all else is the real host. LIE_SEED repeats a run.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/doorbell.h"
#include "edl/enclave_os_u.h"

int __real_doorbell_push(struct doorbell_producer *p, channel_name name);
int __wrap_doorbell_push(struct doorbell_producer *p, channel_name name);
int __real_ecall_init_channel_u(struct enclave *e, int32_t *result, const struct channel_desc *desc);
int __wrap_ecall_init_channel_u(struct enclave *e, int32_t *result, const struct channel_desc *desc);

static uint64_t next_random(void) /* xorshift64, one for each thread */
{
    static _Atomic uint64_t threads;
    static _Thread_local uint64_t state;
    if (state == 0) {
        const char *seed = getenv("LIE_SEED");
        state = (seed ? strtoull(seed, NULL, 0) : 1) * 0x9E3779B97F4A7C15u + ++threads;
    }
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static channel_name lie(channel_name name)
{
    uint32_t id = (uint32_t)name, generation = (uint32_t)(name >> 32);
    switch (next_random() % 7) {
    case 0:
        return channel_name_make(id, generation - 1);
    case 1:
        return channel_name_make(id, generation + 1);
    case 2:
        return name | CHANNEL_ENDED;
    case 3:
        return channel_name_make(PROTO_MAX_CHANNELS + (uint32_t)(next_random() % 2), generation);
    case 4:
        return channel_name_make((id + 1) % PROTO_MAX_CHANNELS, generation); /* a neighbour's, another worker's */
    case 5:
        return channel_name_make(CHANNEL_CONTROL_ID, 0);
    default:
        return name;
    }
}

int __wrap_doorbell_push(struct doorbell_producer *p, channel_name name)
{
    if (next_random() % 2)
        __real_doorbell_push(p, lie(name));
    int result = __real_doorbell_push(p, name);
    if (next_random() % 2)
        __real_doorbell_push(p, lie(name));
    return result;
}

static void must_be(int32_t expected, struct enclave *e, const struct channel_desc *desc)
{
    int32_t result = 0;
    int status;
    do
        status = __real_ecall_init_channel_u(e, &result, desc);
    while (status == -EBUSY); /* no TCS at the moment */
    if (status != 0 || result == expected)
        return;
    fprintf(stderr, "lying_bells: a channel that may not be was answered with %d instead of %d\n", result, expected);
    abort();
}

int __wrap_ecall_init_channel_u(struct enclave *e, int32_t *result, const struct channel_desc *desc)
{
    struct channel_desc bad = *desc;
    bad.to_host_data = UINT64_MAX - 63;
    must_be(-EINVAL, e, &bad);
    bad = *desc;
    bad.to_enclave_capacity = 3 * PROTO_RING_MIN;
    must_be(-EINVAL, e, &bad);
    int status = __real_ecall_init_channel_u(e, result, desc);
    if (status == 0 && *result == 0)
        must_be(-EBUSY, e, desc); /* nobody has rung for it yet: it stands there */
    return status;
}
