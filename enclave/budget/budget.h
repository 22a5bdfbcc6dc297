/*
 * Who is charged for memory, and up to what bound. docs/memory.md lists every kind of memory with its budget.
 *
 * A budget is a limit and what is used of it; what is taken from a budget is taken from its parent as well, so that an
 * app's guests share what all guests have, and a connection's buffers share what all connections have. A charge is
 * what one owner took. It remembers from which budget and how much, so nobody adds or subtracts by hand: giving back
 * twice does nothing, giving back more than was taken cannot be written down, and a budget that ends while something
 * is still charged to it stops the enclave (ENSURE).
 *
 *     struct charge c = {0};                      an empty charge
 *     if (!charge_take(&c, &budget, size))        the bound is reached: an error value
 *     ...
 *     charge_give(&c);                            at any time, also if nothing was taken
 *
 * Memory that comes from malloc and has one owner is best had with charged_alloc: the block carries its charge.
 *
 * Budgets may be used from any thread, except local ones. A charge belongs to one thread at a time. A budget must
 * outlive the charges on it.
 */
#ifndef ENCLAVE_OS_ENCLAVE_BUDGET_BUDGET_H
#define ENCLAVE_OS_ENCLAVE_BUDGET_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget {
    const char *name;
    struct budget *parent;
    uint64_t limit;        /* bytes */
    _Atomic uint64_t used; /* bytes; may pass the limit by what budget_take adds and takes back, and by charge_must */
    _Atomic uint64_t refused; /* how often the limit, or the share, was reached */
    bool shared;              /* it may use as much as it leaves free in its parent, whatever its limit */
    bool local;               /* only one thread ever charges it: no atomic read-modify-write */
};

#define BUDGET_UNLIMITED UINT64_MAX

/* With a limit of its own. parent: NULL, or charged as well. name: a literal, for /metrics. */
void budget_init(struct budget *b, const char *name, struct budget *parent, uint64_t limit);
/* Besides, it gets no more than it leaves free in its parent (a dynamic threshold): one that takes what it can gets
 * half of it, two get a third each, and something is always left for those that need little. */
void budget_init_shared(struct budget *b, const char *name, struct budget *parent);
/* Nothing may be charged to it any more. */
void budget_deinit(struct budget *b);

uint64_t budget_used(const struct budget *b);
/* Whether so much more could be taken now. */
bool budget_left(const struct budget *b, uint64_t bytes);

struct charge {
    struct budget *from; /* NULL: nothing is taken */
    size_t bytes;
};

/* Take bytes; the charge must be empty. False, and still empty: the bound is reached. */
bool charge_take(struct charge *c, struct budget *b, size_t bytes);
/* An empty charge that can be resized; whatever the bound. */
void charge_open(struct charge *c, struct budget *b);
/* Change how much it is. False, and unchanged: the bound is reached; never when it becomes less. */
bool charge_resize(struct charge *c, size_t bytes);
/* As charge_resize, whatever the bound: for what is there in any case (records found at boot, what a library holds). */
void charge_must(struct charge *c, size_t bytes);
/* A charge for many small things, where one each would be larger than they are: one more, whatever the bound; one
 * less, which must be in it. */
void charge_grow(struct charge *c, size_t bytes);
void charge_shrink(struct charge *c, size_t bytes);
/* Give all of it back; an empty charge stays empty. */
void charge_give(struct charge *c);
/* to, which must be empty, becomes what from was. */
void charge_move(struct charge *to, struct charge *from);

/* malloc and friends with the block's charge in front of it (CHARGED_OVERHEAD more bytes). NULL: no memory, or the
 * bound is reached. charged_realloc charges old and new block together while both exist. b NULL: not charged. */
#define CHARGED_OVERHEAD 32u /* our header and malloc's own */
void *charged_alloc(struct budget *b, size_t size);
void *charged_calloc(struct budget *b, size_t size);
void *charged_realloc(struct budget *b, void *block, size_t size);
char *charged_text(struct budget *b, const char *text, size_t size); /* a copy with a zero behind it */
void charged_free(void *block);                                      /* NULL: nothing */

#endif
