/* The channel table; see channel.h. Runs before libc is up: no libc calls, no TLS. */
#include "enclave/early/channel.h"

#include <errno.h>

#include "common/ensure.h"
#include "sgx/trusted/bridge.h"

/* A slot's life is one word: what it holds and for whom, so that one exchange both checks and claims. A slot that says
 * POSTED for a name is complete; whoever turns that into TAKEN has it alone, however often it was used before. */
enum slot_state { SLOT_FREE, SLOT_CLAIMED, SLOT_POSTED, SLOT_TAKEN };

struct slot {
    _Atomic uint64_t state;
    struct channel_desc desc; /* whose is what `state` says: CLAIMED the poster's, TAKEN the taker's, else nobody's */
};

static uint64_t posted(uint32_t worker, enum channel_kind kind, channel_name name)
{
    return name >> 32 << 32 | worker << 16 | (uint32_t)kind << 8 | SLOT_POSTED;
}

static struct slot connections[PROTO_MAX_CHANNELS];
static struct slot controls[PROTO_MAX_WORKERS];
static atomic_bool refusing;

static bool shared_object_ok(uint64_t address, uint64_t size)
{
    return address % 64 == 0 && sgx_is_outside_enclave((const void *)address, size);
}

static bool ring_ok(uint64_t header, uint64_t data, uint64_t capacity)
{
    return capacity >= PROTO_RING_MIN && capacity <= PROTO_RING_MAX && (capacity & (capacity - 1)) == 0 &&
           shared_object_ok(header, sizeof(struct ring_shared)) && shared_object_ok(data, capacity);
}

static bool desc_ok(const struct channel_desc *d)
{
    if (d->worker >= PROTO_MAX_WORKERS || !ring_ok(d->to_enclave, d->to_enclave_data, d->to_enclave_capacity) ||
        !ring_ok(d->to_host, d->to_host_data, d->to_host_capacity))
        return false;
    if (d->kind == CHANNEL_CONTROL)
        return d->name == 0 && shared_object_ok(d->doorbell_in, sizeof(struct doorbell_shared)) &&
               shared_object_ok(d->doorbell_out, sizeof(struct doorbell_shared));
    return (d->kind == CHANNEL_CONNECTION || d->kind == CHANNEL_EGRESS) && (uint32_t)d->name < PROTO_MAX_CHANNELS;
}

int channel_post(const struct channel_desc *desc)
{
    if (!desc_ok(desc))
        return -EINVAL;
    if (atomic_load(&refusing))
        return -ESHUTDOWN;
    struct slot *s = desc->kind == CHANNEL_CONTROL ? &controls[desc->worker] : &connections[(uint32_t)desc->name];
    uint64_t expected = SLOT_FREE;
    if (!atomic_compare_exchange_strong(&s->state, &expected, SLOT_CLAIMED))
        return -EBUSY;
    s->desc = *desc;
    atomic_store_explicit(&s->state, posted(desc->worker, desc->kind, desc->name), memory_order_release);
    return 0;
}

void channel_stop_accepting(void)
{
    atomic_store(&refusing, true);
}

/* Claim, then copy. Fails where it is another worker's channel, news of another generation, or not what is asked
 * for. */
static bool take(struct slot *s, uint32_t worker, enum channel_kind kind, channel_name name, struct channel_desc *out)
{
    uint64_t expected = posted(worker, kind, name);
    if (!atomic_compare_exchange_strong(&s->state, &expected, SLOT_TAKEN))
        return false;
    *out = s->desc;
    ENSURE(out->worker == worker && out->kind == (uint32_t)kind && out->name == name);
    return true;
}

bool channel_take(uint32_t worker, enum channel_kind kind, channel_name name, struct channel_desc *out)
{
    return (uint32_t)name < PROTO_MAX_CHANNELS && take(&connections[(uint32_t)name], worker, kind, name, out);
}

void channel_free(uint32_t id)
{
    ENSURE(id < PROTO_MAX_CHANNELS);
    ENSURE(atomic_exchange(&connections[id].state, SLOT_FREE) == SLOT_TAKEN);
}

bool channel_control(uint32_t worker, struct channel_desc *out)
{
    return take(&controls[worker], worker, CHANNEL_CONTROL, 0, out);
}
