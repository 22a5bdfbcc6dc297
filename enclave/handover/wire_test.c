/*
 * Messages: what is written is read as it was; whatever is cut anywhere, longer, or has a number that cannot be, is
 * refused; and no length in it leads outside.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "enclave/handover/marker.h"
#include "enclave/handover/wire.h"

/* Of each kind: whether it reads. */
static bool reads_offer(const void *data, size_t size)
{
    struct handover_offer o;
    return handover_read_offer(data, size, &o);
}

static bool reads_offer_asked(const void *data, size_t size)
{
    uint8_t nonce[HANDOVER_NONCE_SIZE];
    return handover_read_offer_asked(data, size, nonce);
}

static bool reads_accept(const void *data, size_t size)
{
    struct handover_accept a;
    return handover_read_accept(data, size, &a);
}

static bool reads_evidence(const void *data, size_t size)
{
    struct handover_evidence e;
    return handover_read_evidence(data, size, &e);
}

static bool reads_sealed(const void *data, size_t size)
{
    struct handover_sealed s;
    return handover_read_sealed(data, size, &s);
}

static bool reads_asked(const void *data, size_t size)
{
    struct handover_asked a;
    return handover_read_asked(data, size, &a);
}

static bool reads_given(const void *data, size_t size)
{
    struct handover_given g;
    return handover_read_given(data, size, &g);
}

static bool reads_marker(const void *data, size_t size)
{
    struct handover_marker m;
    return size > 0 && handover_marker_read(data, size, &m) == 0;
}

/* It reads, and neither any beginning of it nor with a byte behind it. On the heap, so that sanitizers see the end. */
static void expect_exact(bool (*reads)(const void *data, size_t size), const void *message, size_t size)
{
    for (size_t n = 0; n <= size + 1; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, message, n < size ? n : size);
        if (n > size)
            copy[size] = 0;
        assert_int_equal(reads(copy, n), n == size);
        free(copy);
    }
}

static void test_offer(void **state)
{
    struct handover_offer o = {.generation = 7, .log_size = 1234567890123}, read;
    uint8_t asked[HANDOVER_OFFER_ASKED_SIZE], bytes[HANDOVER_OFFER_SIZE], nonce[HANDOVER_NONCE_SIZE];
    memset(o.nonce, 1, sizeof o.nonce);
    memset(o.instance, 2, sizeof o.instance);
    memset(o.mrenclave, 3, sizeof o.mrenclave);
    memset(o.log_root, 4, sizeof o.log_root);
    handover_write_offer(&o, bytes);
    assert_true(handover_read_offer(bytes, sizeof bytes, &read));
    assert_memory_equal(&read, &o, sizeof o);
    expect_exact(reads_offer, bytes, sizeof bytes);
    handover_write_offer_asked(o.nonce, asked);
    assert_true(handover_read_offer_asked(asked, sizeof asked, nonce));
    assert_memory_equal(nonce, o.nonce, sizeof nonce);
    expect_exact(reads_offer_asked, asked, sizeof asked);
    asked[7] ^= 1; /* another version of all this */
    assert_false(handover_read_offer_asked(asked, sizeof asked, nonce));
}

static void test_accept(void **state)
{
    static const uint8_t evidence[] = {3, 0, 0, 0, 'q', 'u', 'o', 2, 0, 0, 0, 'c', 'o'};
    struct handover_accept a = {.evidence = {evidence, sizeof evidence}}, read;
    struct handover_evidence e;
    size_t size;
    memset(a.nonce, 5, sizeof a.nonce);
    memset(a.key, 6, sizeof a.key);
    uint8_t *bytes = handover_write_accept(&a, &size);
    assert_true(handover_read_accept(bytes, size, &read));
    assert_memory_equal(read.nonce, a.nonce, sizeof a.nonce);
    assert_memory_equal(read.key, a.key, sizeof a.key);
    assert_memory_equal(read.evidence.data, evidence, sizeof evidence);
    expect_exact(reads_accept, bytes, size);
    assert_true(handover_read_evidence(read.evidence.data, read.evidence.size, &e));
    assert_int_equal(e.quote.size, 3);
    assert_int_equal(e.collateral.size, 2);
    expect_exact(reads_evidence, evidence, sizeof evidence);
    free(bytes);
    static const uint8_t no_quote[8];
    assert_false(handover_read_evidence(no_quote, sizeof no_quote, &e));
}

static void test_sealed(void **state)
{
    uint8_t bytes[HANDOVER_SEALED_OVERHEAD + 5];
    struct handover_sealed s = {.counter = 1ull << 40 | 3, .sealed = {NULL, 5}}, read;
    memset(s.recipient, 7, sizeof s.recipient);
    size_t head = handover_write_sealed(&s, bytes);
    memcpy(bytes + head, "bytes", 5);
    assert_true(handover_read_sealed(bytes, head + 5, &read));
    assert_int_equal(read.counter, s.counter);
    assert_memory_equal(read.sealed.data, "bytes", 5);
    expect_exact(reads_sealed, bytes, head + 5);
}

static void test_asked(void **state)
{
    uint8_t key[SCAN_KEY_MAX + 1] = {1}, bytes[HANDOVER_ASKED_MAX + 1];
    struct handover_asked a = {HANDOVER_ASK_RECORDS, 99, {key, SCAN_KEY_MAX}}, read;
    size_t size = handover_write_asked(&a, bytes);
    assert_int_equal(size, HANDOVER_ASKED_MAX);
    assert_true(handover_read_asked(bytes, size, &read));
    assert_int_equal(read.since, 99);
    assert_int_equal(read.after.size, SCAN_KEY_MAX);
    expect_exact(reads_asked, bytes, size);
    for (unsigned kind = 0; kind < 256; kind++) {
        uint8_t one = (uint8_t)kind;
        assert_int_equal(handover_read_asked(&one, 1, &read), kind == HANDOVER_ASK_COMMIT || kind == HANDOVER_ASK_DONE);
    }
    bytes_put_u32(bytes + 9, SCAN_KEY_MAX + 1); /* a key of a length that no host has */
    assert_false(handover_read_asked(bytes, sizeof bytes, &read));
}

static void test_given(void **state)
{
    struct handover_given g = {.state = HANDOVER_GIVEN, .epoch = 5, .count = 6, .log_size = 7}, read;
    uint8_t bytes[HANDOVER_GIVEN_SIZE];
    memset(g.master, 8, sizeof g.master);
    memset(g.digest, 9, sizeof g.digest);
    memset(g.log_root, 10, sizeof g.log_root);
    handover_write_given(&g, bytes);
    assert_true(handover_read_given(bytes, sizeof bytes, &read));
    assert_int_equal(read.epoch, 5);
    assert_int_equal(read.count, 6);
    assert_int_equal(read.log_size, 7);
    assert_memory_equal(read.master, g.master, 32);
    assert_memory_equal(read.digest, g.digest, 32);
    expect_exact(reads_given, bytes, sizeof bytes);
    bytes[0] = HANDOVER_GIVEN + 1;
    assert_false(handover_read_given(bytes, sizeof bytes, &read));
}

static void test_page(void **state)
{
    static const uint8_t bytes[] = {9, 0, 0, 0, 0, 0,   0, 0, 1, /* epoch, more */
                                    1, 1, 0, 0, 0, 'a', 2, 0, 0, 0, 'v', 'w', 0, 1, 0, 0, 0, 'b'};
    struct handover_page p;
    struct handover_record r;
    assert_true(handover_read_page(bytes, sizeof bytes, &p));
    assert_true(p.more);
    assert_int_equal(p.epoch, 9);
    assert_int_equal(handover_next_record(&p, &r), 1);
    assert_memory_equal(r.value.data, "vw", 2);
    assert_int_equal(handover_next_record(&p, &r), 1);
    assert_null(r.value.data);
    assert_memory_equal(r.key.data, "b", 1);
    assert_int_equal(handover_next_record(&p, &r), 0);
    for (size_t cut = HANDOVER_PAGE_HEADER_SIZE + 1; cut < sizeof bytes; cut++) {
        uint8_t *copy = malloc(cut);
        memcpy(copy, bytes, cut);
        assert_true(handover_read_page(copy, cut, &p));
        int result;
        while ((result = handover_next_record(&p, &r)) == 1)
            ;
        assert_int_equal(result, cut == 21 ? 0 : -EBADMSG); /* behind the first one */
        free(copy);
    }
}

static void test_marker(void **state)
{
    struct handover_marker m, read;
    uint8_t bytes[HANDOVER_MARKER_SIZE];
    memset(&m, 11, sizeof m);
    handover_marker_write(&m, bytes);
    assert_int_equal(handover_marker_read(bytes, sizeof bytes, &read), 0);
    assert_memory_equal(&read, &m, sizeof m);
    expect_exact(reads_marker, bytes, sizeof bytes);
    bytes[0]++;
    assert_int_equal(handover_marker_read(bytes, sizeof bytes, &read), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offer),  cmocka_unit_test(test_accept), cmocka_unit_test(test_sealed),
        cmocka_unit_test(test_asked),  cmocka_unit_test(test_given),  cmocka_unit_test(test_page),
        cmocka_unit_test(test_marker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
