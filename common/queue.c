/*
 * The byte ring. See queue.h for the contract.
 */
#include "common/queue.h"

#include <errno.h>
#include <string.h>

#include "common/alive.h"
#include "common/ensure.h"

#define WORD 8u
#define REP_MOVS_WORDS 32u /* from here on the string instruction's start-up cost is won back (measured) */

/* Whole words between private memory and the ring. Exactly one side is shared and 8-byte aligned; the other may
 * have any alignment. Written so that the compiler can neither merge, widen nor split the accesses. */
static void copy_words(void *to, const void *from, size_t words)
{
#if defined(__SANITIZE_THREAD__)
    memcpy(to, from, words * WORD); /* plain accesses, so that the sanitizer checks the ordering around them */
#else
    if (words < REP_MOVS_WORDS) {
        for (size_t i = 0; i < words; i++) {
            uint64_t v;
            __asm__ volatile("movq (%1), %0" : "=r"(v) : "r"((const uint8_t *)from + i * WORD) : "memory");
            __asm__ volatile("movq %0, (%1)" : : "r"(v), "r"((uint8_t *)to + i * WORD) : "memory");
        }
        return;
    }
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#endif
}

/* Words at the edges may be written by one side while the other reads them (it uses only the bytes that were
 * published before), so they are atomic; no order is needed beyond that of head and tail. */
static uint64_t load_word(const uint8_t *p)
{
    return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
}

static void store_word(uint8_t *p, uint64_t v)
{
    __atomic_store_n((uint64_t *)p, v, __ATOMIC_RELAXED);
}

static bool ring_is_sound(const struct ring_shared *shared, const void *data, uint64_t capacity)
{
    return shared && data && ((uintptr_t)shared & 63) == 0 && ((uintptr_t)data & 63) == 0 &&
           capacity >= PROTO_RING_MIN && capacity <= PROTO_RING_MAX && (capacity & (capacity - 1)) == 0;
}

void queue_producer_check(const struct queue_producer *p)
{
    ENSURE(p->shared);
    ENSURE(p->published - p->head <= p->tail - p->head);
    ENSURE(p->tail - p->head <= p->capacity);
}

void queue_consumer_check(const struct queue_consumer *c)
{
    ENSURE(c->shared);
    ENSURE(c->head - c->told <= c->tail - c->told);
    ENSURE(c->tail - c->head <= c->capacity);
}

int queue_producer_init(struct queue_producer *p, struct ring_shared *shared, void *data, uint64_t capacity)
{
    if (!ring_is_sound(shared, data, capacity))
        return -EINVAL;
    *p = (struct queue_producer){.shared = shared, .data = data, .capacity = capacity};
    return 0;
}

int queue_consumer_init(struct queue_consumer *c, struct ring_shared *shared, const void *data, uint64_t capacity)
{
    if (!ring_is_sound(shared, data, capacity))
        return -EINVAL;
    *c = (struct queue_consumer){.shared = shared, .data = data, .capacity = capacity};
    return 0;
}

/* ---- producer ---------------------------------------------------------------------------------------------- */

/* Space by the head that we believe in. The word that head points into may not be overwritten: its later bytes
 * are unread. */
static uint64_t space_believed(const struct queue_producer *p)
{
    return p->capacity - (p->tail - (p->head & ~(uint64_t)(WORD - 1)));
}

int64_t queue_producer_space(struct queue_producer *p)
{
    queue_producer_check(p);
    if (p->error)
        return p->error;
    /* Acquire: pairs with the consumer's release of head, so that its reads are over before we overwrite. */
    uint64_t head = atomic_load_explicit(&p->shared->head, memory_order_acquire);
    if (head - p->head > p->published - p->head)
        return p->error = -EPROTO;
    p->head = head;
    return (int64_t)space_believed(p);
}

int64_t queue_producer_space_for(struct queue_producer *p, uint64_t wanted)
{
    queue_producer_check(p);
    if (p->error)
        return p->error;
    uint64_t believed = space_believed(p);
    return believed >= wanted ? (int64_t)believed : queue_producer_space(p);
}

/* Bytes into the current partial word, at most to its end. */
static size_t write_partial(struct queue_producer *p, const uint8_t *from, size_t size)
{
    unsigned used = p->tail % WORD;
    size_t n = WORD - used < size ? WORD - used : size;
    memcpy((uint8_t *)&p->partial + used, from, n);
    store_word(p->data + (p->tail & (p->capacity - 1) & ~(uint64_t)(WORD - 1)), p->partial);
    p->tail += n;
    if (p->tail % WORD == 0)
        p->partial = 0;
    return n;
}

static void write_bytes(struct queue_producer *p, const uint8_t *from, size_t size)
{
    if (p->tail % WORD != 0) {
        size_t n = write_partial(p, from, size);
        from += n;
        size -= n;
    }
    while (size >= WORD) { /* at most twice: before and after the wrap */
        uint64_t at = p->tail & (p->capacity - 1);
        uint64_t room = p->capacity - at;
        size_t n = (size < room ? size : room) & ~(size_t)(WORD - 1);
        copy_words(p->data + at, from, n / WORD);
        p->tail += n;
        from += n;
        size -= n;
    }
    if (size != 0)
        write_partial(p, from, size);
}

int64_t queue_producer_write(struct queue_producer *p, const void *data, size_t size)
{
    queue_producer_check(p);
    if (p->flags)
        return -EPIPE;
    int64_t space = queue_producer_space_for(p, size);
    if (space < 0)
        return space;
    if (size > (uint64_t)space)
        size = (size_t)space;
    sgx_stop_if_dead();
    if (size > 0)
        write_bytes(p, data, size);
    return (int64_t)size;
}

bool queue_producer_publish(struct queue_producer *p)
{
    queue_producer_check(p);
    if (p->published == p->tail || p->error)
        return false;
    sgx_stop_if_dead();
    p->published = p->tail;
    /* Release: pairs with the consumer's acquire of tail; the bytes are there before the index. */
    atomic_store_explicit(&p->shared->tail, p->tail, memory_order_release);
    return true;
}

void queue_producer_fin(struct queue_producer *p)
{
    queue_producer_check(p);
    queue_producer_publish(p);
    p->flags |= RING_FIN;
    /* Release: who sees FIN sees the last tail. */
    atomic_store_explicit(&p->shared->flags, p->flags, memory_order_release);
}

void queue_producer_rst(struct queue_producer *p)
{
    queue_producer_check(p);
    p->flags |= RING_RST;
    atomic_store_explicit(&p->shared->flags, p->flags, memory_order_release);
}

void queue_producer_drop(struct queue_producer *p)
{
    *p = (struct queue_producer){0};
}

bool queue_producer_wait_space(struct queue_producer *p, uint64_t needed)
{
    queue_producer_check(p);
    atomic_store_explicit(&p->shared->want_space, 1, memory_order_relaxed);
    /* Full fence against the one in queue_consumer_release: either it sees the wish, or we see its head. */
    atomic_thread_fence(memory_order_seq_cst);
    int64_t space = queue_producer_space(p);
    if (space < 0)
        return false;
    if ((uint64_t)space >= needed) {
        atomic_store_explicit(&p->shared->want_space, 0, memory_order_relaxed);
        return false;
    }
    return true;
}

/* At most two spans that start at offset of the ring and are size bytes long. */
static int make_spans(uint8_t *data, uint64_t capacity, uint64_t index, uint64_t size, struct queue_span spans[2])
{
    uint64_t at = index & (capacity - 1);
    uint64_t first = size < capacity - at ? size : capacity - at;
    spans[0] = (struct queue_span){.data = data + at, .size = first};
    spans[1] = (struct queue_span){.data = data, .size = size - first};
    return size == 0 ? 0 : size == first ? 1 : 2;
}

int queue_producer_reserve(struct queue_producer *p, struct queue_span spans[2])
{
    queue_producer_check(p);
    sgx_stop_if_dead();
    int64_t space = queue_producer_space(p);
    if (space < 0)
        return (int)space;
    return make_spans(p->data, p->capacity, p->tail, (uint64_t)space, spans);
}

void queue_producer_commit(struct queue_producer *p, size_t size)
{
    queue_producer_check(p);
    p->tail += size;
    /* A later queue_producer_write goes on from the middle of this word. */
    unsigned used = p->tail % WORD;
    p->partial = 0;
    if (used != 0)
        memcpy(&p->partial, p->data + ((p->tail - used) & (p->capacity - 1)), used);
    queue_producer_publish(p);
}

/* ---- consumer ---------------------------------------------------------------------------------------------- */

int64_t queue_consumer_available(struct queue_consumer *c)
{
    queue_consumer_check(c);
    if (c->error)
        return c->error;
    /* Acquire: pairs with the producer's release of tail. */
    uint64_t tail = atomic_load_explicit(&c->shared->tail, memory_order_acquire);
    if (tail - c->head > c->capacity || tail - c->head < c->tail - c->head || (c->ended == RING_FIN && tail != c->tail))
        return c->error = -EPROTO;
    c->tail = tail;
    return (int64_t)(tail - c->head);
}

/* Bytes out of the word that head points into, at most to its end. */
static size_t read_partial(struct queue_consumer *c, uint8_t *to, size_t size)
{
    unsigned used = c->head % WORD;
    size_t n = WORD - used < size ? WORD - used : size;
    uint64_t word = load_word(c->data + (c->head & (c->capacity - 1) & ~(uint64_t)(WORD - 1)));
    memcpy(to, (const uint8_t *)&word + used, n);
    c->head += n;
    return n;
}

static void read_bytes(struct queue_consumer *c, uint8_t *to, size_t size)
{
    if (c->head % WORD != 0) {
        size_t n = read_partial(c, to, size);
        to += n;
        size -= n;
    }
    while (size >= WORD) { /* at most twice */
        uint64_t at = c->head & (c->capacity - 1);
        uint64_t room = c->capacity - at;
        size_t n = (size < room ? size : room) & ~(size_t)(WORD - 1);
        copy_words(to, c->data + at, n / WORD);
        c->head += n;
        to += n;
        size -= n;
    }
    if (size != 0)
        read_partial(c, to, size);
}

/* How many of size bytes can be taken now; looks at the shared index only if the known ones do not suffice. */
static int64_t readable(struct queue_consumer *c, size_t size)
{
    if (c->error)
        return c->error;
    if (size <= c->tail - c->head)
        return (int64_t)size;
    int64_t available = queue_consumer_available(c);
    if (available < 0)
        return available;
    return size < (uint64_t)available ? (int64_t)size : available;
}

int64_t queue_consumer_read(struct queue_consumer *c, void *data, size_t size)
{
    queue_consumer_check(c);
    int64_t n = readable(c, size);
    if (n > 0)
        read_bytes(c, data, (size_t)n);
    return n;
}

int64_t queue_consumer_skip(struct queue_consumer *c, size_t size)
{
    queue_consumer_check(c);
    int64_t n = readable(c, size);
    if (n > 0)
        c->head += (uint64_t)n;
    return n;
}

bool queue_consumer_release(struct queue_consumer *c)
{
    queue_consumer_check(c);
    if (c->told != c->head) {
        c->told = c->head;
        /* Release: our reads are over before the producer may overwrite. */
        atomic_store_explicit(&c->shared->head, c->head, memory_order_release);
    }
    /* Full fence against queue_producer_wait_space: either it sees the new head, or we see its wish. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&c->shared->want_space, memory_order_relaxed) == 0)
        return false;
    return atomic_exchange_explicit(&c->shared->want_space, 0, memory_order_relaxed) != 0;
}

void queue_consumer_drop(struct queue_consumer *c)
{
    *c = (struct queue_consumer){0};
}

uint32_t queue_consumer_ended(struct queue_consumer *c)
{
    queue_consumer_check(c);
    /* Acquire, and before the look at tail: FIN was set after the last tail. */
    uint32_t flags = (uint32_t)atomic_load_explicit(&c->shared->flags, memory_order_acquire);
    if (flags & RING_RST)
        c->ended = RING_RST;
    if (!c->ended && (flags & RING_FIN) && queue_consumer_available(c) == 0)
        c->ended = RING_FIN;
    return c->ended;
}

int queue_consumer_peek(struct queue_consumer *c, struct queue_span spans[2])
{
    int64_t available = queue_consumer_available(c);
    if (available < 0)
        return (int)available;
    return make_spans((uint8_t *)(uintptr_t)c->data, c->capacity, c->head, (uint64_t)available, spans);
}
