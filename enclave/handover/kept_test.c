/* Which sessions the new one keeps: none that the old one may have committed to is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/handover/taker.h"

static const uint8_t ours[32] = {1}, another[32] = {2};

static struct handover_session session(uint8_t name)
{
    struct handover_session s;
    memset(&s, name, sizeof s);
    return s;
}

static void add(struct taker_state *s, uint8_t name)
{
    const struct handover_session keys = session(name);
    taker_state_add(s, ours, &keys);
}

static uint8_t now(const struct taker_state *s)
{
    return s->session.keys.recipient[0];
}

static void only_the_first_instance_is_met(void **state)
{
    (void)state;
    struct taker_state s = {0};
    assert_true(taker_state_meets(&s, another));
    add(&s, 1);
    assert_true(taker_state_meets(&s, ours));
    assert_false(taker_state_meets(&s, another));
}

static void what_may_be_given_is_kept(void **state)
{
    (void)state;
    struct taker_state s = {0};
    add(&s, 1);
    assert_false(taker_state_other(&s));
    s.session.may_be_given = 1;
    for (uint8_t name = 2; name < 20; name++) { /* met again and again, and never asked to commit */
        add(&s, name);
        assert_int_equal(now(&s), name);
        assert_false(s.session.may_be_given);
    }
    assert_true(taker_state_other(&s));
    assert_int_equal(now(&s), 1);
    assert_true(s.session.may_be_given);
    assert_true(taker_state_other(&s));
    assert_int_equal(now(&s), 19);
    assert_true(taker_state_other(&s));
    add(&s, 20); /* from the former one on, too */
    assert_true(taker_state_other(&s));
    assert_int_equal(now(&s), 1);
}

static void what_was_never_asked_is_not(void **state)
{
    (void)state;
    struct taker_state s = {0};
    add(&s, 1);
    add(&s, 2);
    assert_false(taker_state_other(&s));
    assert_int_equal(now(&s), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_first_instance_is_met),
        cmocka_unit_test(what_may_be_given_is_kept),
        cmocka_unit_test(what_was_never_asked_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
