/*
 * The table of connection slots and the list of those that close: in random order of what may happen to them, checked
 * after each step; and each kind of damage is noticed. SEED=N repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ensure.h"
#include "common/testing/stops.h"
#include "host/net/closing.h"

#define SLOTS 24u
#define FIRST_ID 1000u
#define STEPS 4000

static struct slots slots;
static struct closing closing;
static int peers[SLOTS]; /* the other end of each slot's socket */
static unsigned seed;

static unsigned pick(unsigned below)
{
    return (unsigned)rand_r(&seed) % below;
}

static int set_up(void **state)
{
    seed = getenv("SEED") ? (unsigned)strtoul(getenv("SEED"), NULL, 10) : (unsigned)getpid();
    printf("SEED=%u\n", seed);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    closing_init(&closing, epoll);
    return epoll < 0 ? -1 : slots_init(&slots, FIRST_ID, SLOTS);
}

static int tear_down(void **state)
{
    for (uint32_t i = 0; i < slots.never_used; i++) {
        if (slots.channels[i].fd >= 0)
            close(slots.channels[i].fd);
        if (slots.channels[i].state != CHANNEL_FREE)
            close(peers[i]);
    }
    close(closing.epoll);
    slots_deinit(&slots);
    return 0;
}

static struct channel *open_one(void)
{
    int pair[2];
    struct channel *ch = slots_take(&slots);
    if (!ch)
        return NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    ch->fd = pair[0];
    ch->readable = ch->writable = true;
    peers[slots_index(&slots, ch)] = pair[1];
    return ch;
}

static void forget(struct channel *ch)
{
    close(peers[slots_index(&slots, ch)]);
    slots_give(&slots, ch);
}

static struct channel *any(enum channel_state state)
{
    uint32_t from = pick(SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct channel *ch = &slots.channels[(from + i) % SLOTS];
        if (ch->state == state)
            return ch;
    }
    return NULL;
}

/* One of the things that can happen next; true if it could. */
static bool step(void)
{
    struct channel *ch = NULL;
    switch (pick(5)) {
    case 0:
        return open_one() != NULL;
    case 1: /* the enclave lets go, and the socket is there */
        if ((ch = any(CHANNEL_OPEN)))
            closing_begin(&closing, &slots, ch, 0);
        return ch != NULL;
    case 2: /* or gone */
        if ((ch = any(CHANNEL_OPEN))) {
            slots_release_memory(&slots, ch);
            close(ch->fd);
            ch->fd = -1;
            forget(ch);
        }
        return ch != NULL;
    case 3: /* a turn, the peer still there or not */
        if ((ch = any(pick(2) ? CHANNEL_SENDING : CHANNEL_LINGERING))) {
            if (pick(2))
                shutdown(peers[slots_index(&slots, ch)], SHUT_WR);
            ch->readable = !ch->eof;
            if (closing_turn(&closing, &slots, ch, 0))
                forget(ch);
        }
        return ch != NULL;
    default: /* slots are short */
        if (closing.count > 0) {
            ch = &slots.channels[closing.first];
            closing_end(&closing, &slots, ch);
            forget(ch);
        }
        return ch != NULL;
    }
}

static void test_every_order(void **state)
{
    int done = 0;
    for (int i = 0; i < STEPS; i++) {
        done += step();
        slots_check(&slots);
        closing_check(&closing, &slots);
    }
    assert_in_range(done, STEPS / 10, STEPS);
}

static void test_names(void **state)
{
    struct channel *ch = open_one();
    while (!ch) {
        step();
        ch = open_one();
    }
    channel_name name = ch->link.name;
    assert_ptr_equal(slots_find(&slots, name), ch);
    assert_null(slots_find(&slots, name + ((channel_name)1 << 32)));
    assert_null(slots_find(&slots, FIRST_ID + SLOTS));
    assert_null(slots_find(&slots, FIRST_ID - 1));
    slots_release_memory(&slots, ch);
    close(ch->fd);
    ch->fd = -1;
    forget(ch);
    assert_null(slots_find(&slots, name));
    slots_check(&slots);
}

/* ---- damage ---------------------------------------------------------------------------------------------------- */

static void (*damage)(void);

static void damage_and_check(void)
{
    damage();
    slots_check(&slots);
    closing_check(&closing, &slots);
}

static bool is_noticed(void (*how)(void))
{
    damage = how;
    return stops(damage_and_check, BROKEN);
}

static void none(void)
{
}

static void free_list_in_a_circle(void)
{
    slots.channels[slots.free_first].next = slots.free_first;
}

static void free_list_forgets(void)
{
    slots.free_first = slots.channels[slots.free_first].next;
}

static void free_list_with_an_open_one(void)
{
    slots.channels[slots.free_first].state = CHANNEL_OPEN;
}

static void free_with_a_socket(void)
{
    slots.channels[slots.free_first].fd = 0;
}

static void lingers_without_a_socket(void)
{
    slots.channels[closing.first].fd = -1;
}

static void wrong_name(void)
{
    slots.channels[closing.first].link.name++;
}

static void more_warm_than_free(void)
{
    slots.warm = SLOTS + 1;
}

static void closing_list_forgets(void)
{
    closing.first = slots.channels[closing.first].next;
}

static void closing_list_one_way(void)
{
    slots.channels[closing.last].previous = closing.last;
}

static void closing_miscounted(void)
{
    closing.count++;
}

static void closing_and_open(void)
{
    slots.channels[closing.last].state = CHANNEL_OPEN;
}

static void memory_given_back_twice(void)
{
    slots_release_memory(&slots, any(CHANNEL_LINGERING));
}

static void test_damage(void **state)
{
    /* Two that close, of which one lingers, and two that are free. */
    while (slots_used(&slots) > SLOTS - 6)
        step();
    struct channel *a = open_one(), *b = open_one(), *c = open_one(), *d = open_one();
    assert_true(a && b && c && d);
    closing_begin(&closing, &slots, a, 0);
    closing_begin(&closing, &slots, b, 0);
    assert_false(closing_turn(&closing, &slots, a, 0));
    slots_release_memory(&slots, c);
    slots_release_memory(&slots, d);
    close(c->fd);
    close(d->fd);
    c->fd = d->fd = -1;
    forget(c);
    forget(d);
    assert_false(is_noticed(none));
    assert_true(is_noticed(free_list_in_a_circle));
    assert_true(is_noticed(free_list_forgets));
    assert_true(is_noticed(free_list_with_an_open_one));
    assert_true(is_noticed(free_with_a_socket));
    assert_true(is_noticed(lingers_without_a_socket));
    assert_true(is_noticed(wrong_name));
    assert_true(is_noticed(more_warm_than_free));
    assert_true(is_noticed(closing_list_forgets));
    assert_true(is_noticed(closing_list_one_way));
    assert_true(is_noticed(closing_miscounted));
    assert_true(is_noticed(closing_and_open));
    assert_true(is_noticed(memory_given_back_twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
