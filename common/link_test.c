/* Tests of a channel's two ends: one name for whatever news, and nothing that can be touched after the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/link.h"
#include "common/testing/stops.h"

struct shared {
    struct ring_shared rings[2];
    _Alignas(64) uint8_t data[2][PROTO_RING_MIN];
};

static struct shared *make_ends(struct link *enclave, struct link *host)
{
    struct shared *s = aligned_alloc(64, sizeof *s);
    memset(s, 0, sizeof *s);
    struct channel_desc d = {.name = channel_name_make(5, 7),
                             .to_enclave = (uintptr_t)&s->rings[0],
                             .to_enclave_data = (uintptr_t)s->data[0],
                             .to_enclave_capacity = PROTO_RING_MIN,
                             .to_host = (uintptr_t)&s->rings[1],
                             .to_host_data = (uintptr_t)s->data[1],
                             .to_host_capacity = PROTO_RING_MIN};
    assert_int_equal(link_init_enclave(enclave, &d), 0);
    assert_int_equal(link_init_host(host, &d), 0);
    return s;
}

/* Bytes and space are news alike: the name stands once, whatever there is to tell. */
static void test_one_name(void **state)
{
    struct link enclave, host;
    struct shared *s = make_ends(&enclave, &host);
    uint8_t buffer[PROTO_RING_MIN] = {0};
    assert_false(link_publish(&host));
    queue_producer_write(&host.to, "abc", 3);
    assert_true(link_publish(&host));
    queue_producer_write(&host.to, "def", 3);
    assert_false(link_publish(&host)); /* it stands there already */

    link_on_name(&enclave);
    assert_int_equal(queue_consumer_read(&enclave.from, buffer, 10), 6);
    assert_false(link_release(&enclave)); /* nobody waits for the space */
    assert_int_equal(queue_producer_write(&enclave.to, buffer, sizeof buffer), PROTO_RING_MIN);
    assert_true(link_publish(&enclave));
    assert_true(queue_producer_wait_space(&enclave.to, 1));

    link_on_name(&host);
    queue_consumer_skip(&host.from, 100);
    queue_producer_write(&host.to, "ghi", 3);
    assert_true(link_publish(&host)); /* both kinds of news */
    assert_false(link_name_due(&host));
    link_on_name(&enclave);
    assert_true(queue_producer_space(&enclave.to) >= 96);
    assert_int_equal(queue_consumer_available(&enclave.from), 3);
    free(s);
}

static void test_end(void **state)
{
    struct link enclave, host;
    struct shared *s = make_ends(&enclave, &host);
    queue_producer_write(&enclave.to, "last words", 10);
    assert_true(link_end(&enclave, RING_FIN) == (channel_name_make(5, 7) | CHANNEL_ENDED));
    assert_false(link_is_open(&enclave));
    assert_int_equal(queue_consumer_available(&host.from), 10);
    assert_int_equal(queue_consumer_ended(&host.from), 0);
    queue_consumer_skip(&host.from, 10);
    assert_int_equal(queue_consumer_ended(&host.from), RING_FIN);
    assert_int_equal(atomic_load(&s->rings[1].named), 0); /* the end goes through the doorbell alone */
    free(s);

    s = make_ends(&enclave, &host);
    link_end(&enclave, RING_RST);
    assert_int_equal(queue_consumer_ended(&host.from), RING_RST);
    atomic_store(&s->rings[1].flags, 0); /* an end is not taken back */
    assert_int_equal(queue_consumer_ended(&host.from), RING_RST);
    free(s);
}

static void test_bytes_after_the_end(void **state)
{
    struct link enclave, host;
    struct shared *s = make_ends(&enclave, &host);
    queue_producer_fin(&host.to);
    assert_int_equal(queue_consumer_ended(&enclave.from), RING_FIN);
    atomic_store(&s->rings[0].tail, 4);
    assert_true(queue_consumer_available(&enclave.from) < 0);
    assert_int_equal(queue_consumer_ended(&enclave.from), RING_FIN);
    free(s);
}

/* ---- whatever touches a channel after its end is our own mistake, and stops the program ---------------------- */

static struct link ended;

static void after_write(void)
{
    queue_producer_write(&ended.to, "x", 1);
}
static void after_publish(void)
{
    queue_producer_publish(&ended.to);
}
static void after_space(void)
{
    queue_producer_space(&ended.to);
}
static void after_wait(void)
{
    queue_producer_wait_space(&ended.to, 1);
}
static void after_fin(void)
{
    queue_producer_fin(&ended.to);
}
static void after_rst(void)
{
    queue_producer_rst(&ended.to);
}
static void after_commit(void)
{
    queue_producer_commit(&ended.to, 0);
}
static void after_available(void)
{
    queue_consumer_available(&ended.from);
}
static void after_read(void)
{
    queue_consumer_read(&ended.from, &(char){0}, 1);
}
static void after_skip(void)
{
    queue_consumer_skip(&ended.from, 1);
}
static void after_release(void)
{
    queue_consumer_release(&ended.from);
}
static void after_ended(void)
{
    queue_consumer_ended(&ended.from);
}
static void after_due(void)
{
    link_name_due(&ended);
}
static void after_on_name(void)
{
    link_on_name(&ended);
}
static void after_link_publish(void)
{
    link_publish(&ended);
}
static void after_link_release(void)
{
    link_release(&ended);
}
static void after_end(void)
{
    link_end(&ended, RING_FIN);
}

static void test_nothing_after_the_end(void **state)
{
    void (*const uses[])(void) = {after_write,        after_publish, after_space, after_wait,    after_fin,
                                  after_rst,          after_commit,  after_read,  after_skip,    after_available,
                                  after_release,      after_ended,   after_due,   after_on_name, after_link_publish,
                                  after_link_release, after_end};
    struct link host;
    struct shared *s = make_ends(&ended, &host), before;
    link_end(&ended, RING_FIN);
    before = *s;
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        assert_true(stops(uses[i], BROKEN));
    assert_memory_equal(s, &before, sizeof before);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_name),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_bytes_after_the_end),
        cmocka_unit_test(test_nothing_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
