/*
 * Connection slots. See slots.h.
 */
#include "host/net/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/ensure.h"

#define HEADERS_SIZE 4096u
#define STRIDE (HEADERS_SIZE + 2ull * SLOT_RING_CAPACITY)
#define WARM_MAX 64u
#define NONE UINT32_MAX

_Static_assert(2 * sizeof(struct ring_shared) <= HEADERS_SIZE, "both headers fit the page");

int slots_init(struct slots *s, uint32_t first_id, uint32_t count)
{
    *s = (struct slots){.first_id = first_id, .count = count, .free_first = NONE};
    s->channels = calloc(count, sizeof(struct channel));
    s->memory = mmap(NULL, count * STRIDE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->memory == MAP_FAILED)
        s->memory = NULL;
    if (!s->channels || !s->memory) {
        slots_deinit(s);
        return -ENOMEM;
    }
    /* A huge page for one connection's first byte would be a bad bargain. */
    madvise(s->memory, count * STRIDE, MADV_NOHUGEPAGE);
    return 0;
}

void slots_deinit(struct slots *s)
{
    if (s->memory)
        munmap(s->memory, s->count * STRIDE);
    free(s->channels);
    *s = (struct slots){0};
}

uint32_t slots_index(const struct slots *s, const struct channel *ch)
{
    return (uint32_t)(ch - s->channels);
}

static uint8_t *memory_of(const struct slots *s, const struct channel *ch)
{
    return s->memory + slots_index(s, ch) * STRIDE;
}

static struct ring_shared *ring_of(const struct slots *s, const struct channel *ch, unsigned which)
{
    return (struct ring_shared *)memory_of(s, ch) + which;
}

static uint8_t *data_of(const struct slots *s, const struct channel *ch, unsigned which)
{
    return memory_of(s, ch) + HEADERS_SIZE + which * SLOT_RING_CAPACITY;
}

struct channel *slots_take(struct slots *s)
{
    struct channel *ch;
    ENSURE(s->channels && s->memory);
    if (s->free_first != NONE) {
        ch = &s->channels[s->free_first];
        s->free_first = ch->next;
        s->warm -= s->warm > 0; /* warm ones are in front */
    } else if (s->never_used < s->count) {
        ch = &s->channels[s->never_used++];
    } else {
        return NULL;
    }
    ENSURE(ch->state == CHANNEL_FREE);
    uint32_t generation = (uint32_t)(ch->link.name >> 32) + 1;
    *ch = (struct channel){.state = CHANNEL_OPEN, .fd = -1, .next = NONE, .previous = NONE};
    ch->link.name = channel_name_make(s->first_id + slots_index(s, ch), generation);
    struct channel_desc desc;
    slots_describe(s, ch, CHANNEL_CONNECTION, 0, &desc);
    ENSURE(link_init_host(&ch->link, &desc) == 0);
    return ch;
}

void slots_release_memory(struct slots *s, struct channel *ch)
{
    ENSURE(ch->state != CHANNEL_FREE && ch->state != CHANNEL_LINGERING); /* whose memory is given back already */
    queue_producer_drop(&ch->link.to);
    queue_consumer_drop(&ch->link.from);
    if (s->warm < WARM_MAX)
        memset(memory_of(s, ch), 0, 2 * sizeof(struct ring_shared));
    else
        madvise(memory_of(s, ch), STRIDE, MADV_DONTNEED); /* reads as zeros from now on */
}

void slots_give(struct slots *s, struct channel *ch)
{
    ENSURE(ch->state != CHANNEL_FREE && ch->fd < 0);
    ch->state = CHANNEL_FREE;
    ch->next = s->free_first;
    s->free_first = slots_index(s, ch);
    s->warm += s->warm < WARM_MAX;
}

struct channel *slots_find(struct slots *s, channel_name name)
{
    uint32_t index = (uint32_t)name - s->first_id;
    if (index >= s->count || s->channels[index].state == CHANNEL_FREE || s->channels[index].link.name != name)
        return NULL;
    return &s->channels[index];
}

uint32_t slots_used(const struct slots *s)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < s->never_used; i++)
        used += s->channels[i].state != CHANNEL_FREE;
    return used;
}

static void check_one(const struct slots *s, const struct channel *ch)
{
    ENSURE((uint32_t)ch->link.name == s->first_id + slots_index(s, ch));
    ENSURE(ch->state >= CHANNEL_FREE && ch->state <= CHANNEL_LINGERING);
    if (ch->state == CHANNEL_FREE)
        ENSURE(ch->fd < 0);
    else if (ch->state != CHANNEL_OPEN) /* an open one's socket may be gone before the enclave has let go */
        ENSURE(ch->fd >= 0);
}

void slots_check(const struct slots *s)
{
    uint32_t listed = 0;
    ENSURE(s->never_used <= s->count);
    for (uint32_t i = 0; i < s->never_used; i++)
        check_one(s, &s->channels[i]);
    for (uint32_t i = s->free_first; i != NONE; i = s->channels[i].next) {
        ENSURE(i < s->never_used && s->channels[i].state == CHANNEL_FREE);
        listed++;
        ENSURE(listed <= s->never_used); /* no circle */
    }
    ENSURE(listed == s->never_used - slots_used(s));
    ENSURE(s->warm <= listed && s->warm <= WARM_MAX);
}

void slots_describe(const struct slots *s, const struct channel *ch, enum channel_kind kind, uint32_t worker,
                    struct channel_desc *desc)
{
    *desc = (struct channel_desc){
        .kind = kind,
        .worker = worker,
        .name = ch->link.name,
        .to_enclave = (uintptr_t)ring_of(s, ch, 0),
        .to_enclave_data = (uintptr_t)data_of(s, ch, 0),
        .to_enclave_capacity = SLOT_RING_CAPACITY,
        .to_host = (uintptr_t)ring_of(s, ch, 1),
        .to_host_data = (uintptr_t)data_of(s, ch, 1),
        .to_host_capacity = SLOT_RING_CAPACITY,
    };
}
