/* See quorum.h. */
#include "enclave/witness/quorum.h"

#include "common/ensure.h"

static void check(const struct witness_quorum *q)
{
    ENSURE(q->count <= WITNESSES_MAX && q->quorum <= q->count);
    ENSURE((q->quorum > 0) == (q->count > 0));
}

void witness_quorum_init(struct witness_quorum *q, size_t count, uint32_t quorum)
{
    *q = (struct witness_quorum){.count = count, .quorum = quorum, .pause_max_ns = WITNESS_PAUSE_MAX_NS};
    check(q);
}

void witness_quorum_want(struct witness_quorum *q, uint64_t size, uint64_t guess)
{
    check(q);
    ENSURE(size >= q->wanted && guess <= size);
    q->wanted = size;
    for (size_t i = 0; i < q->count; i++)
        if (q->of[i].last.says == WITNESS_NOTHING && !q->of[i].asked)
            q->of[i].seen = guess;
}

/* Whether it is to be asked, now or after its pause. */
static bool is_due(const struct witness_quorum *q, const struct witness_progress *p)
{
    return !p->asked && !p->refused && p->cosigned < q->wanted;
}

bool witness_quorum_next(struct witness_quorum *q, uint64_t now_ns, size_t *who, uint64_t *from)
{
    check(q);
    for (size_t i = 0; i < q->count; i++) {
        struct witness_progress *p = &q->of[i];
        if (!is_due(q, p) || p->again_ns > now_ns)
            continue;
        ENSURE(p->seen <= q->wanted);
        p->asked = true;
        p->from = p->seen;
        p->size = q->wanted;
        *who = i;
        *from = p->from;
        return true;
    }
    return false;
}

static void pause_for(struct witness_quorum *q, struct witness_progress *p, uint64_t now_ns)
{
    uint64_t pause = WITNESS_PAUSE_FIRST_NS << (p->failures < 6 ? p->failures : 6);
    p->again_ns = now_ns + (pause < q->pause_max_ns ? pause : q->pause_max_ns);
    p->corrections = 0;
    p->failures++;
    p->failures_total++;
}

void witness_quorum_unasked(struct witness_quorum *q, size_t who, uint64_t now_ns)
{
    check(q);
    ENSURE(who < q->count && q->of[who].asked);
    q->of[who].asked = false;
    pause_for(q, &q->of[who], now_ns);
}

/* It has seen less than it was asked from, or more: the next question begins there, if there is so much of this log by
 * now. Whether it is this log that it has seen so much of, the answer to that says. */
static void correct(struct witness_quorum *q, struct witness_progress *p, uint64_t size, uint64_t now_ns)
{
    if (size > q->wanted) {
        p->refused = true;
    } else if (++p->corrections > WITNESS_CORRECTIONS_MAX) {
        pause_for(q, p, now_ns);
    } else {
        p->seen = size;
    }
}

static void cosigned(struct witness_progress *p, uint64_t now_ns)
{
    ENSURE(p->size >= p->cosigned);
    p->seen = p->cosigned = p->size;
    p->cosigned_ns = now_ns;
    p->again_ns = 0;
    p->corrections = p->failures = 0;
}

void witness_quorum_heard(struct witness_quorum *q, size_t who, const struct witness_answer *a, uint64_t now_ns)
{
    check(q);
    ENSURE(who < q->count && q->of[who].asked);
    ENSURE(a->says != WITNESS_NOTHING);
    struct witness_progress *p = &q->of[who];
    p->asked = false;
    p->last = *a;
    p->last_size = a->says == WITNESS_SIZE ? q->wanted : p->size;
    if (a->says == WITNESS_COSIGNED)
        cosigned(p, now_ns);
    else if (a->says == WITNESS_SIZE)
        correct(q, p, a->size, now_ns);
    else if (a->says == WITNESS_CONFLICT)
        p->refused = true;
    else
        pause_for(q, p, now_ns);
}

size_t witness_quorum_count(const struct witness_quorum *q, uint64_t size)
{
    size_t count = 0;
    check(q);
    for (size_t i = 0; i < q->count; i++)
        count += q->of[i].cosigned >= size;
    return count;
}

uint64_t witness_quorum_reached(const struct witness_quorum *q)
{
    uint64_t reached = 0;
    check(q);
    if (q->quorum == 0)
        return UINT64_MAX;
    for (size_t i = 0; i < q->count; i++)
        if (q->of[i].cosigned > reached && witness_quorum_count(q, q->of[i].cosigned) >= q->quorum)
            reached = q->of[i].cosigned;
    return reached;
}

bool witness_quorum_possible(const struct witness_quorum *q)
{
    size_t left = 0;
    check(q);
    for (size_t i = 0; i < q->count; i++)
        left += !q->of[i].refused;
    return left >= q->quorum;
}

uint64_t witness_quorum_wakes_ns(const struct witness_quorum *q)
{
    uint64_t first = UINT64_MAX;
    check(q);
    for (size_t i = 0; i < q->count; i++)
        if (is_due(q, &q->of[i]) && q->of[i].again_ns < first)
            first = q->of[i].again_ns;
    return first;
}
