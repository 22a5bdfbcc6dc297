/* Which heads a quorum has cosigned, and whom to ask: cases, and schedules of honest, lying, slow and silent ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/testing/stops.h"
#include "enclave/witness/quorum.h"

#define S UINT64_C(1000000000)

static struct witness_quorum q;
static size_t who;
static uint64_t from, now;

static void hear(size_t i, enum witness_says what, uint64_t size)
{
    const struct witness_answer a = {.says = what, .size = size, .status = 200};
    witness_quorum_heard(&q, i, &a, now);
}

static bool next(void)
{
    return witness_quorum_next(&q, now, &who, &from);
}

static void begin(size_t count, uint32_t quorum, uint64_t size)
{
    now = 100 * S;
    witness_quorum_init(&q, count, quorum);
    witness_quorum_want(&q, size, size - 1);
}

static void nobody_is_needed_where_there_is_none(void **state)
{
    witness_quorum_init(&q, 0, 0);
    witness_quorum_want(&q, 5, 4);
    assert_false(next());
    assert_int_equal(witness_quorum_reached(&q), UINT64_MAX);
    assert_true(witness_quorum_possible(&q));
    assert_int_equal(witness_quorum_wakes_ns(&q), UINT64_MAX);
}

static void each_is_asked_once_and_two_of_three_suffice(void **state)
{
    begin(3, 2, 7);
    for (size_t i = 0; i < 3; i++) {
        assert_true(next());
        assert_int_equal(who, i);
        assert_int_equal(from, 6);
    }
    assert_false(next());
    hear(2, WITNESS_COSIGNED, 0);
    assert_int_equal(witness_quorum_reached(&q), 0);
    hear(0, WITNESS_COSIGNED, 0);
    assert_int_equal(witness_quorum_reached(&q), 7);
    assert_int_equal(witness_quorum_count(&q, 7), 2);
    assert_false(next());
    witness_quorum_want(&q, 9, 8);
    assert_true(next());
    assert_int_equal(who, 0); /* 1 still has its first question */
    assert_int_equal(from, 7);
    hear(0, WITNESS_COSIGNED, 0);
    assert_int_equal(witness_quorum_reached(&q), 7);
    hear(1, WITNESS_COSIGNED, 0); /* of 7 */
    assert_int_equal(witness_quorum_reached(&q), 7);
    assert_int_equal(witness_quorum_count(&q, 7), 3);
    assert_true(next() && who == 1 && from == 7);
    hear(1, WITNESS_COSIGNED, 0);
    assert_int_equal(witness_quorum_reached(&q), 9);
}

static void a_smaller_or_equal_size_corrects_the_question(void **state)
{
    static const uint64_t sizes[] = {0, 1, 6, 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        begin(1, 1, 7);
        witness_quorum_want(&q, 7, 3);
        assert_true(next() && from == 3);
        hear(0, WITNESS_SIZE, sizes[i]);
        assert_true(next());
        assert_int_equal(from, sizes[i]);
        hear(0, WITNESS_COSIGNED, 0);
        assert_int_equal(witness_quorum_reached(&q), 7);
    }
}

static void a_larger_size_and_another_tree_are_refusals(void **state)
{
    begin(2, 1, 7);
    assert_true(next() && next());
    hear(0, WITNESS_SIZE, 8);
    assert_true(witness_quorum_possible(&q));
    assert_false(next());
    now += 1000 * S;
    assert_false(next()); /* for good */
    hear(1, WITNESS_CONFLICT, 7);
    assert_false(witness_quorum_possible(&q));
    assert_int_equal(witness_quorum_reached(&q), 0);
    assert_int_equal(witness_quorum_wakes_ns(&q), UINT64_MAX);
}

/* Others ask the same witness about this log: it may have seen more than it is asked about here. */
static void a_larger_size_that_the_log_has_by_now_corrects_the_question(void **state)
{
    begin(1, 1, 7);
    assert_true(next());
    witness_quorum_want(&q, 9, 8);
    hear(0, WITNESS_SIZE, 8);
    assert_true(witness_quorum_possible(&q));
    assert_int_equal(q.of[0].last_size, 9);
    assert_true(next());
    assert_int_equal(from, 8);
    assert_int_equal(q.of[0].size, 9);
    hear(0, WITNESS_COSIGNED, 0);
    assert_int_equal(witness_quorum_reached(&q), 9);
    witness_quorum_want(&q, 10, 9);
    assert_true(next());
    assert_int_equal(q.of[0].last_size, 9); /* what it said is about 9 still */
    witness_quorum_want(&q, 12, 11);
    hear(0, WITNESS_SIZE, 11);
    assert_true(next() && from == 11);
    hear(0, WITNESS_CONFLICT, 11); /* of another log, after all */
    assert_false(witness_quorum_possible(&q));
    begin(1, 1, 7);
    assert_true(next());
    witness_quorum_want(&q, 9, 8);
    hear(0, WITNESS_SIZE, 10);
    assert_false(witness_quorum_possible(&q));
}

static void a_head_that_was_cosigned_stays_so_when_its_witness_refuses(void **state)
{
    begin(1, 1, 7);
    assert_true(next());
    hear(0, WITNESS_COSIGNED, 0);
    witness_quorum_want(&q, 8, 7);
    assert_true(next());
    hear(0, WITNESS_SIZE, 12);
    assert_int_equal(witness_quorum_reached(&q), 7);
    assert_false(witness_quorum_possible(&q));
}

/* Whatever it is that is no answer: pauses of 1, 2, 4 ... s, up to the longest. */
static void failures_make_growing_pauses(void **state)
{
    static const enum witness_says failures[] = {WITNESS_SILENT, WITNESS_STRANGER, WITNESS_REFUSED, WITNESS_FORGED,
                                                 WITNESS_GARBAGE};
    for (size_t f = 0; f < sizeof failures / sizeof *failures; f++) {
        begin(1, 1, 7);
        uint64_t pause = S;
        for (int i = 0; i < 10; i++) {
            assert_true(next());
            hear(0, failures[f], 0);
            assert_int_equal(witness_quorum_wakes_ns(&q), now + pause);
            now += pause - 1;
            assert_false(next());
            now++;
            pause = 2 * pause < WITNESS_PAUSE_MAX_NS ? 2 * pause : WITNESS_PAUSE_MAX_NS;
        }
        assert_int_equal(q.of[0].failures_total, 10);
        assert_true(next());
        hear(0, WITNESS_COSIGNED, 0);
        witness_quorum_want(&q, 8, 7);
        assert_true(next());
        hear(0, failures[f], 0);
        assert_int_equal(witness_quorum_wakes_ns(&q), now + S); /* from the beginning */
    }
    begin(1, 1, 7);
    q.pause_max_ns = S / 2;
    assert_true(next());
    witness_quorum_unasked(&q, 0, now);
    assert_int_equal(witness_quorum_wakes_ns(&q), now + S / 2);
}

static void one_that_names_sizes_without_end_is_asked_after_pauses(void **state)
{
    begin(1, 1, 100);
    for (uint64_t i = 0; i < WITNESS_CORRECTIONS_MAX; i++) {
        assert_true(next());
        hear(0, WITNESS_SIZE, i);
    }
    assert_true(next());
    hear(0, WITNESS_SIZE, 50);
    assert_false(next());
    assert_int_equal(witness_quorum_wakes_ns(&q), now + S);
}

static void ask_before_it_is_wanted(void)
{
    begin(1, 1, 7);
    hear(0, WITNESS_COSIGNED, 0);
}

static void shrink(void)
{
    begin(1, 1, 7);
    witness_quorum_want(&q, 6, 5);
}

static void too_many_are_needed(void)
{
    witness_quorum_init(&q, 1, 2);
}

static void misuse_stops(void **state)
{
    assert_true(stops(ask_before_it_is_wanted, BROKEN));
    assert_true(stops(shrink, BROKEN));
    assert_true(stops(too_many_are_needed, BROKEN));
}

/* ---- schedules --------------------------------------------------------------------------------------------------- */

enum nature { HONEST, SILENT, FORGER, LIAR, AHEAD, NATURES };

struct model {
    enum nature nature;
    uint64_t has; /* what it has cosigned for somebody */
};

/* What one of this nature answers to a question from from for size. */
static void answer(struct model *m, size_t i, unsigned *seed)
{
    struct witness_progress *p = &q.of[i];
    uint64_t size = p->size;
    if (m->nature == HONEST && rand_r(seed) % 8 != 0) {
        if (p->from != m->has) {
            hear(i, WITNESS_SIZE, m->has);
        } else {
            m->has = size;
            hear(i, WITNESS_COSIGNED, 0);
        }
    } else if (m->nature == HONEST) { /* the answer is lost, after it was done or before */
        if (p->from == m->has && rand_r(seed) % 2)
            m->has = size;
        hear(i, WITNESS_SILENT, 0);
    } else if (m->nature == LIAR) {
        hear(i, WITNESS_SIZE, (unsigned)rand_r(seed) % (size + 1));
    } else if (m->nature == AHEAD) {
        hear(i, rand_r(seed) % 2 ? WITNESS_CONFLICT : WITNESS_SIZE, size + 1 + (unsigned)rand_r(seed) % 9);
    } else {
        hear(i, m->nature == FORGER ? WITNESS_FORGED : WITNESS_SILENT, 0);
    }
}

/* What is reached is never more than what so many have really cosigned; and with enough honest ones all of it is. */
static void schedule(unsigned seed)
{
    struct model models[WITNESSES_MAX];
    size_t count = 1 + (unsigned)rand_r(&seed) % WITNESSES_MAX, honest = 0;
    uint32_t quorum = 1 + (uint32_t)((unsigned)rand_r(&seed) % count);
    uint64_t size = 1 + (unsigned)rand_r(&seed) % 50;
    begin(count, quorum, size);
    for (size_t i = 0; i < count; i++) {
        models[i] = (struct model){(enum nature)((unsigned)rand_r(&seed) % NATURES), (unsigned)rand_r(&seed) % size};
        honest += models[i].nature == HONEST;
    }
    for (int step = 0; step < 2000; step++) {
        if (rand_r(&seed) % 16 == 0 && step < 1000) {
            size += (unsigned)rand_r(&seed) % 3;
            witness_quorum_want(&q, size, size - 1);
        }
        while (rand_r(&seed) % 4 && next())
            assert_true(from <= size);
        size_t i = (unsigned)rand_r(&seed) % count;
        if (q.of[i].asked)
            answer(&models[i], i, &seed);
        now += (uint64_t)(unsigned)rand_r(&seed) % (2 * S);
        size_t really = 0;
        uint64_t reached = witness_quorum_reached(&q);
        for (size_t k = 0; k < count; k++)
            really += models[k].nature == HONEST && models[k].has >= reached;
        assert_true(reached == 0 || really >= quorum);
    }
    for (int rounds = 0; rounds < 200 && witness_quorum_reached(&q) < size; rounds++) {
        while (next())
            ;
        for (size_t i = 0; i < count; i++)
            if (q.of[i].asked)
                answer(&models[i], i, &seed);
        now += WITNESS_PAUSE_MAX_NS;
    }
    assert_int_equal(witness_quorum_reached(&q) == size, honest >= quorum);
}

static void any_schedule_of_any_witnesses_is_judged_rightly(void **state)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("SEED=%u\n", seed);
    for (int i = 0; i < (given ? 1 : 500); i++)
        schedule(seed + (unsigned)i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_needed_where_there_is_none),
        cmocka_unit_test(each_is_asked_once_and_two_of_three_suffice),
        cmocka_unit_test(a_smaller_or_equal_size_corrects_the_question),
        cmocka_unit_test(a_larger_size_and_another_tree_are_refusals),
        cmocka_unit_test(a_larger_size_that_the_log_has_by_now_corrects_the_question),
        cmocka_unit_test(a_head_that_was_cosigned_stays_so_when_its_witness_refuses),
        cmocka_unit_test(failures_make_growing_pauses),
        cmocka_unit_test(one_that_names_sizes_without_end_is_asked_after_pauses),
        cmocka_unit_test(misuse_stops),
        cmocka_unit_test(any_schedule_of_any_witnesses_is_judged_rightly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
