/*
 * Both sides of a session have the same keys where they have heard the same, and nobody else has them: another
 * transcript, recipient, side, counter or key opens nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/handover/session.h"

struct side {
    uint8_t private_key[HANDOVER_PRIVATE_SIZE], key[HANDOVER_KEY_SIZE];
};

static void make(struct side *s)
{
    assert_int_equal(handover_key_make(s->private_key, s->key), 0);
}

static struct handover_session session_of(const struct side *own, const struct side *peer, const uint8_t recipient[32],
                                          const struct handover_transcript *t)
{
    struct handover_session s;
    assert_int_equal(handover_session_make(own->private_key, own->key, peer->key, recipient, t, &s), 0);
    return s;
}

/* What the new one says, to who has this session. */
static int hears(const struct handover_session *says, const struct handover_session *listens, uint64_t said,
                 uint64_t heard, enum handover_side from)
{
    uint8_t sealed[5 + AEAD_OVERHEAD], plain[5];
    assert_int_equal(handover_seal(says, HANDOVER_NEW, said, "hello", 5, sealed), 0);
    return handover_open(listens, from, heard, sealed, sizeof sealed, plain);
}

static void test_both_sides(void **state)
{
    struct side new_one, old_one, stranger;
    struct handover_transcript t = {0}, other = {0};
    uint8_t recipient[32], another[32] = {1};
    make(&new_one);
    make(&old_one);
    make(&stranger);
    handover_recipient(new_one.key, recipient);
    assert_int_equal(handover_transcript_add(&t, "offer", 5), 0);
    assert_int_equal(handover_transcript_add(&other, "offeR", 5), 0);
    struct handover_session n = session_of(&new_one, &old_one, recipient, &t);
    struct handover_session o = session_of(&old_one, &new_one, recipient, &t);
    assert_memory_equal(&n, &o, sizeof n);
    assert_memory_not_equal(n.keys[0], n.keys[1], AEAD_KEY_SIZE);
    assert_int_equal(hears(&n, &o, 3, 3, HANDOVER_NEW), 0);
    assert_int_equal(hears(&n, &o, 3, 4, HANDOVER_NEW), -EBADMSG); /* said with another counter */
    assert_int_equal(hears(&n, &o, 3, 3, HANDOVER_OLD), -EBADMSG); /* thrown back */
    struct handover_session s = session_of(&stranger, &new_one, recipient, &t);
    assert_int_equal(hears(&n, &s, 3, 3, HANDOVER_NEW), -EBADMSG);
    s = session_of(&old_one, &new_one, recipient, &other);
    assert_int_equal(hears(&n, &s, 3, 3, HANDOVER_NEW), -EBADMSG);
    s = session_of(&old_one, &new_one, another, &t); /* the same keys, and another recipient's name */
    assert_int_equal(hears(&n, &s, 3, 3, HANDOVER_NEW), -EBADMSG);
}

static void test_transcripts(void **state)
{
    struct handover_transcript a = {0}, b = {0};
    uint8_t data_new[64], data_old[64], before[32];
    handover_transcript_add(&a, "ab", 2);
    handover_transcript_add(&a, "c", 1);
    handover_transcript_add(&b, "a", 1);
    handover_transcript_add(&b, "bc", 2); /* the same bytes, cut elsewhere */
    assert_memory_not_equal(&a, &b, sizeof a);
    memcpy(before, a.hash, sizeof before);
    handover_transcript_add(&a, NULL, 0);
    assert_memory_not_equal(a.hash, before, sizeof before);
    assert_int_equal(handover_report_data(HANDOVER_NEW, &a, data_new), 0);
    assert_int_equal(handover_report_data(HANDOVER_OLD, &a, data_old), 0);
    assert_memory_not_equal(data_new, data_old, sizeof data_new); /* a quote of one side is of no use for the other */
}

/* A point that is none, and one that is no point at all, makes no key. */
static void test_bad_keys(void **state)
{
    struct side own, peer;
    struct handover_transcript t = {0};
    struct handover_session s;
    uint8_t recipient[32] = {0};
    make(&own);
    make(&peer);
    peer.key[40] ^= 1;
    assert_int_equal(handover_session_make(own.private_key, own.key, peer.key, recipient, &t, &s), -EINVAL);
    memset(peer.key, 0, sizeof peer.key);
    assert_int_equal(handover_session_make(own.private_key, own.key, peer.key, recipient, &t, &s), -EINVAL);
    memset(peer.key, 0xff, sizeof peer.key);
    assert_int_equal(handover_session_make(own.private_key, own.key, peer.key, recipient, &t, &s), -EINVAL);
}

/* Each bit of what was sealed counts. */
static void test_changed(void **state)
{
    struct side a, b;
    struct handover_transcript t = {0};
    uint8_t recipient[32] = {0}, sealed[4 + AEAD_OVERHEAD], plain[4];
    make(&a);
    make(&b);
    struct handover_session s = session_of(&a, &b, recipient, &t);
    assert_int_equal(handover_seal(&s, HANDOVER_OLD, 1, "four", 4, sealed), 0);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(handover_open(&s, HANDOVER_OLD, 1, sealed, sizeof sealed, plain), -EBADMSG);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < sizeof sealed; size++)
        assert_int_equal(handover_open(&s, HANDOVER_OLD, 1, sealed, size, plain), -EBADMSG);
    assert_int_equal(handover_open(&s, HANDOVER_OLD, 1, sealed, sizeof sealed, plain), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_sides), cmocka_unit_test(test_transcripts),
                                       cmocka_unit_test(test_bad_keys), cmocka_unit_test(test_changed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
