/* See budget.h. */
#include "enclave/budget/budget.h"

#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/ensure.h"

void budget_init(struct budget *b, const char *name, struct budget *parent, uint64_t limit)
{
    *b = (struct budget){.name = name, .parent = parent, .limit = limit};
}

void budget_init_shared(struct budget *b, const char *name, struct budget *parent)
{
    ENSURE(parent);
    *b = (struct budget){.name = name, .parent = parent, .limit = parent->limit, .shared = true};
}

void budget_deinit(struct budget *b)
{
    ENSURE(atomic_load_explicit(&b->used, memory_order_relaxed) == 0);
    b->limit = 0;
}

uint64_t budget_used(const struct budget *b)
{
    return atomic_load_explicit(&((struct budget *)b)->used, memory_order_relaxed);
}

/* The sum afterwards. Sums cannot overflow: they count bytes that exist, and each addition is at most a limit. */
static uint64_t add(struct budget *b, uint64_t bytes)
{
    if (!b->local)
        return atomic_fetch_add_explicit(&b->used, bytes, memory_order_relaxed) + bytes;
    uint64_t sum = atomic_load_explicit(&b->used, memory_order_relaxed) + bytes;
    atomic_store_explicit(&b->used, sum, memory_order_relaxed);
    return sum;
}

static void subtract(struct budget *b, uint64_t bytes)
{
    uint64_t before = add(b, -bytes) + bytes;
    ENSURE(before >= bytes);
}

/* Whether it holds no more than it may, given what it holds now. */
static bool within(const struct budget *b, uint64_t used)
{
    if (used > b->limit)
        return false;
    uint64_t all = b->shared ? budget_used(b->parent) : 0;
    return !b->shared || (all <= b->parent->limit && used <= b->parent->limit - all);
}

static void give(struct budget *b, uint64_t bytes)
{
    for (; b; b = b->parent)
        subtract(b, bytes);
}

static void must_take(struct budget *b, uint64_t bytes)
{
    for (; b; b = b->parent)
        add(b, bytes);
}

/* First all are charged, then all are asked, so that two that come at once do not both get the last bytes. */
static bool take(struct budget *b, uint64_t bytes)
{
    ENSURE(b);
    for (struct budget *at = b; at; at = at->parent) {
        ENSURE(!at->shared || at->parent);
        if (bytes > at->limit)
            return false;
    }
    must_take(b, bytes);
    for (struct budget *at = b; at; at = at->parent)
        if (!within(at, budget_used(at))) {
            atomic_fetch_add_explicit(&at->refused, 1, memory_order_relaxed);
            give(b, bytes);
            return false;
        }
    return true;
}

bool budget_left(const struct budget *b, uint64_t bytes)
{
    for (const struct budget *at = b; at; at = at->parent) {
        uint64_t used = budget_used(at), all = at->shared ? budget_used(at->parent) : 0;
        if (used > at->limit || bytes > at->limit - used)
            return false;
        if (at->shared && (all + bytes > at->parent->limit || used + bytes > at->parent->limit - (all + bytes)))
            return false;
    }
    return true;
}

bool charge_take(struct charge *c, struct budget *b, size_t bytes)
{
    ENSURE(!c->from);
    if (!take(b, bytes))
        return false;
    *c = (struct charge){b, bytes};
    return true;
}

void charge_open(struct charge *c, struct budget *b)
{
    ENSURE(b && !c->from);
    *c = (struct charge){b, 0};
}

bool charge_resize(struct charge *c, size_t bytes)
{
    ENSURE(c->from);
    if (bytes > c->bytes && !take(c->from, bytes - c->bytes))
        return false;
    if (bytes < c->bytes)
        give(c->from, c->bytes - bytes);
    c->bytes = bytes;
    return true;
}

void charge_must(struct charge *c, size_t bytes)
{
    ENSURE(c->from);
    if (bytes > c->bytes)
        must_take(c->from, bytes - c->bytes);
    else
        give(c->from, c->bytes - bytes);
    c->bytes = bytes;
}

void charge_grow(struct charge *c, size_t bytes)
{
    charge_must(c, c->bytes + bytes);
}

void charge_shrink(struct charge *c, size_t bytes)
{
    ENSURE(bytes <= c->bytes);
    charge_must(c, c->bytes - bytes);
}

void charge_give(struct charge *c)
{
    if (c->from)
        give(c->from, c->bytes);
    *c = (struct charge){0};
}

void charge_move(struct charge *to, struct charge *from)
{
    ENSURE(!to->from);
    *to = *from;
    *from = (struct charge){0};
}

/* ---- blocks that carry their charge ------------------------------------------------------------------------------ */

struct block {
    struct charge charge;
    max_align_t data[];
};
_Static_assert(sizeof(struct block) == 16, "blocks are aligned as malloc's are");

static struct block *block_of(void *data)
{
    return CONTAINER_OF(data, struct block, data);
}

static void *allocate(struct budget *b, size_t size, bool zeroed)
{
    struct charge charge = {0};
    if (size > SIZE_MAX - CHARGED_OVERHEAD || (b && !charge_take(&charge, b, size + CHARGED_OVERHEAD)))
        return NULL;
    struct block *block = zeroed ? calloc(1, sizeof *block + size) : malloc(sizeof *block + size);
    if (!block) {
        charge_give(&charge);
        return NULL;
    }
    block->charge = charge;
    return block->data;
}

void *charged_alloc(struct budget *b, size_t size)
{
    return allocate(b, size, false);
}

void *charged_calloc(struct budget *b, size_t size)
{
    return allocate(b, size, true);
}

void *charged_realloc(struct budget *b, void *data, size_t size)
{
    if (!data)
        return charged_alloc(b, size);
    struct block *block = block_of(data);
    ENSURE(block->charge.from == b);
    ENSURE(!b || block->charge.bytes >= CHARGED_OVERHEAD);
    struct charge more = {0}; /* realloc may hold both for a moment */
    if (size > SIZE_MAX - CHARGED_OVERHEAD || (b && !charge_take(&more, b, size + CHARGED_OVERHEAD)))
        return NULL;
    struct block *grown = realloc(block, sizeof *block + size);
    if (!grown) {
        charge_give(&more);
        return NULL;
    }
    charge_give(&grown->charge);
    grown->charge = more;
    return grown->data;
}

char *charged_text(struct budget *b, const char *text, size_t size)
{
    char *copy = charged_alloc(b, size + 1);
    if (copy) {
        if (size)
            memcpy(copy, text, size);
        copy[size] = 0;
    }
    return copy;
}

void charged_free(void *data)
{
    if (!data)
        return;
    struct block *block = block_of(data);
    charge_give(&block->charge);
    free(block);
}
