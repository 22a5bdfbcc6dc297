/*
 * What the first boot makes of the master key: each holder opens one share and no other, what he opens has the hash
 * that was said, a threshold of them is the key, and each of the facts that a share is bound to counts.
 */
#include <errno.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"
#include "common/hpke.h"
#include "common/recovery_text.h"
#include "enclave/recovery/shamir.h"
#include "enclave/recovery/sharing.h"

#define COUNT 5u
#define THRESHOLD 3u
#define SEALED (RECOVERY_SHARE_SIZE + HPKE_OVERHEAD)

static uint8_t master[32], secrets[RECOVERY_HOLDERS_MAX][32], holders[RECOVERY_HOLDERS_MAX][32];
static struct recovery_sharing facts = {.epoch = 1, .threshold = THRESHOLD, .count = COUNT};
static uint8_t wrapped[SHARING_WRAPPED_SIZE];
static char why[SHARING_WHY_SIZE];

static void fill(void *bytes, size_t size)
{
    assert_int_equal(RAND_bytes(bytes, (int)size), 1);
}

static int setup(void **unused)
{
    (void)unused;
    fill(master, sizeof master);
    fill(secrets, sizeof secrets);
    fill(facts.instance, sizeof facts.instance);
    for (unsigned i = 0; i < RECOVERY_HOLDERS_MAX; i++)
        assert_int_equal(hpke_public(secrets[i], holders[i]), 0);
    return 0;
}

static void member(const char *text, unsigned i, const char *name, uint8_t *out, size_t size)
{
    json_t *whole = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *hex = json_string_value(json_object_get(json_array_get(json_object_get(whole, "shares"), i), name));
    assert_non_null(hex);
    assert_true(hex_read(hex, strlen(hex), out, size));
    json_decref(whole);
}

static int open_share(const char *text, unsigned i, const struct recovery_sharing *s, unsigned x,
                      const uint8_t secret[32], uint8_t share[RECOVERY_SHARE_SIZE])
{
    uint8_t sealed[SEALED], info[RECOVERY_INFO_SIZE];
    member(text, i, "sealed", sealed, sizeof sealed);
    recovery_share_info(s, x, info);
    return hpke_open(secret, info, sizeof info, sealed, sizeof sealed, share);
}

static void test_each_holder_has_one(void **unused)
{
    (void)unused;
    char *text = sharing_make(master, &facts, holders, fill, wrapped, why);
    assert_non_null(text);
    uint8_t shares[COUNT][RECOVERY_SHARE_SIZE], other[RECOVERY_SHARE_SIZE], hash[32], said[32], out[32];
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(open_share(text, i, &facts, i + 1, secrets[i], shares[i]), 0);
        assert_int_equal(open_share(text, i, &facts, i + 1, secrets[(i + 1) % COUNT], other), -EBADMSG);
        recovery_share_hash(&facts, i + 1, shares[i], hash);
        member(text, i, "hash", said, sizeof said);
        assert_memory_equal(hash, said, sizeof hash);
    }
    const uint8_t x[] = {5, 1, 3}, *y[] = {shares[4], shares[0], shares[2]};
    uint8_t secret[RECOVERY_SHARE_SIZE];
    assert_int_equal(shamir_combine(x, y, THRESHOLD, secret), 0);
    assert_int_equal(sharing_unwrap(&facts, secret, wrapped, sizeof wrapped, out), 0);
    assert_memory_equal(out, master, sizeof master);
    assert_memory_not_equal(secret, master, sizeof master);
    assert_int_equal(shamir_combine(x, y, THRESHOLD - 1, secret), 0);
    assert_int_equal(sharing_unwrap(&facts, secret, wrapped, sizeof wrapped, out), -EBADMSG);
    free(text);
}

/* A share of another instance, epoch, threshold, number or place does not pass for this one. */
static void test_what_it_is_bound_to(void **unused)
{
    (void)unused;
    char *text = sharing_make(master, &facts, holders, fill, wrapped, why);
    assert_non_null(text);
    uint8_t share[RECOVERY_SHARE_SIZE], hash[32], others[32];
    assert_int_equal(open_share(text, 1, &facts, 2, secrets[1], share), 0);
    recovery_share_hash(&facts, 2, share, hash);
    for (unsigned change = 0; change < 5; change++) {
        struct recovery_sharing other = facts;
        other.instance[31] ^= change == 0;
        other.epoch += change == 1;
        other.threshold -= change == 2;
        other.count += change == 3;
        unsigned x = change == 4 ? 3 : 2;
        uint8_t ignored[RECOVERY_SHARE_SIZE];
        assert_int_equal(open_share(text, 1, &other, x, secrets[1], ignored), -EBADMSG);
        recovery_share_hash(&other, x, share, others);
        assert_memory_not_equal(hash, others, sizeof hash);
    }
    free(text);
}

static void test_any_bit_counts(void **unused)
{
    (void)unused;
    char *text = sharing_make(master, &facts, holders, fill, wrapped, why);
    uint8_t sealed[SEALED], info[RECOVERY_INFO_SIZE], share[RECOVERY_SHARE_SIZE];
    assert_non_null(text);
    member(text, 0, "sealed", sealed, sizeof sealed);
    recovery_share_info(&facts, 1, info);
    for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(hpke_open(secrets[0], info, sizeof info, sealed, sizeof sealed, share), -EBADMSG);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(hpke_open(secrets[0], info, sizeof info, sealed, sizeof sealed - 1, share), -EBADMSG);
    assert_int_equal(hpke_open(secrets[0], info, sizeof info, sealed, HPKE_OVERHEAD - 1, share), -EBADMSG);
    assert_int_equal(hpke_open(secrets[0], info, sizeof info, sealed, sizeof sealed, share), 0);
    free(text);
}

/* The secret of a sharing, by its first shares. */
static void secret_of(const char *text, const struct recovery_sharing *s, uint8_t secret[RECOVERY_SHARE_SIZE])
{
    uint8_t shares[THRESHOLD][RECOVERY_SHARE_SIZE];
    const uint8_t x[] = {1, 2, 3}, *y[] = {shares[0], shares[1], shares[2]};
    for (unsigned i = 0; i < THRESHOLD; i++)
        assert_int_equal(open_share(text, i, s, i + 1, secrets[i], shares[i]), 0);
    assert_int_equal(shamir_combine(x, y, THRESHOLD, secret), 0);
}

/* The shares of a sharing before this one, of the same key among the same holders, give a secret that opens what was
 * kept for them, and not what is kept now; nor does that open as another sharing's. */
static void test_old_shares(void **unused)
{
    (void)unused;
    uint8_t first[RECOVERY_SHARE_SIZE], second[RECOVERY_SHARE_SIZE], before[SHARING_WRAPPED_SIZE], out[32];
    struct recovery_sharing next = facts;
    next.epoch++;
    char *old = sharing_make(master, &facts, holders, fill, before, why);
    char *new = sharing_make(master, &next, holders, fill, wrapped, why);
    assert_true(old && new);
    secret_of(old, &facts, first);
    secret_of(new, &next, second);
    assert_int_equal(sharing_unwrap(&facts, first, before, sizeof before, out), 0);
    assert_memory_equal(out, master, sizeof master);
    assert_int_equal(sharing_unwrap(&next, second, wrapped, sizeof wrapped, out), 0);
    assert_memory_equal(out, master, sizeof master);
    assert_int_equal(sharing_unwrap(&facts, first, wrapped, sizeof wrapped, out), -EBADMSG);
    assert_int_equal(sharing_unwrap(&next, first, wrapped, sizeof wrapped, out), -EBADMSG);
    assert_int_equal(sharing_unwrap(&next, second, before, sizeof before, out), -EBADMSG);
    assert_int_equal(sharing_unwrap(&next, second, wrapped, sizeof wrapped - 1, out), -EBADMSG);
    for (size_t bit = 0; bit < sizeof wrapped * 8; bit += 7) {
        wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(sharing_unwrap(&next, second, wrapped, sizeof wrapped, out), -EBADMSG);
        wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(old);
    free(new);
}

static void test_what_is_read(void **unused)
{
    (void)unused;
    struct recovery_text read;
    struct recovery_sharing last = facts;
    last.epoch = UINT32_MAX;
    char *text = sharing_make(master, &last, holders, fill, wrapped, why);
    assert_non_null(text);
    assert_true(recovery_text_read(text, strlen(text), &read));
    assert_true(recovery_same_sharing(&read.of, &last));
    for (unsigned i = 0; i < COUNT; i++)
        assert_memory_equal(read.shares[i].holder, holders[i], sizeof holders[i]);
    assert_false(recovery_text_read(text, strlen(text) - 1, &read));
    assert_false(recovery_text_read("{}", 2, &read));
    char *threshold = strstr(text, "\"threshold\":3");
    assert_non_null(threshold);
    threshold[strlen("\"threshold\":")] = '6'; /* of 5 */
    assert_false(recovery_text_read(text, strlen(text), &read));
    free(text);
}

/* What is given again is the same, so that it can be told from another; and opens. */
static void test_given_again(void **unused)
{
    (void)unused;
    uint8_t handed[RECOVERY_HANDED_SIZE], seed[32], other[32], a[RECOVERY_HANDED_SIZE + HPKE_OVERHEAD], b[sizeof a];
    uint8_t info[RECOVERY_HAND_INFO_SIZE], out[RECOVERY_HANDED_SIZE];
    recovery_handed_write(&facts, 2, master, handed);
    recovery_hand_info(holders[1], info);
    recovery_hand_seed(holders[1], handed, seed);
    assert_int_equal(hpke_seal_same(holders[1], info, sizeof info, handed, sizeof handed, seed, a), 0);
    assert_int_equal(hpke_seal_same(holders[1], info, sizeof info, handed, sizeof handed, seed, b), 0);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(hpke_open(secrets[1], info, sizeof info, a, sizeof a, out), 0);
    assert_memory_equal(out, handed, sizeof out);
    recovery_hand_seed(holders[0], handed, other);
    assert_memory_not_equal(seed, other, sizeof seed);
    handed[sizeof handed - 1] ^= 1;
    recovery_hand_seed(holders[1], handed, other);
    assert_memory_not_equal(seed, other, sizeof seed);
}

static void test_the_most(void **unused)
{
    (void)unused;
    struct recovery_sharing most = facts;
    most.threshold = most.count = RECOVERY_HOLDERS_MAX;
    char *text = sharing_make(master, &most, holders, fill, wrapped, why);
    assert_non_null(text);
    assert_true(strlen(text) <= SHARING_TEXT_MAX);
    free(text);
}

static void test_keys_that_are_none(void **unused)
{
    (void)unused;
    uint8_t wrong[COUNT][32];
    memcpy(wrong, holders, sizeof wrong);
    memset(wrong[2], 0, sizeof wrong[2]); /* of small order: whatever is sealed to it, anybody opens */
    assert_null(sharing_make(master, &facts, wrong, fill, wrapped, why));
    assert_string_equal(why, "nothing can be sealed to holder 3's key");
    memcpy(wrong[2], wrong[0], sizeof wrong[2]); /* the same key, written otherwise */
    wrong[2][31] ^= 0x80;
    assert_null(sharing_make(master, &facts, wrong, fill, wrapped, why));
    assert_string_equal(why, "holder 3's key is not as X25519 keys are written");
    wrong[2][31] ^= 0x80;
    assert_null(sharing_make(master, &facts, wrong, fill, wrapped, why));
    assert_string_equal(why, "one key is there twice");
}

static void test_one_spelling(void **unused)
{
    (void)unused;
    uint8_t key[32];
    memset(key, 0xff, sizeof key);
    assert_false(recovery_is_holder(key));
    key[31] = 0x7f; /* 2^255 - 1 */
    for (unsigned low = 0; low < 256; low++) {
        key[0] = (uint8_t)low;
        assert_int_equal(recovery_is_holder(key), low < 0xed);
    }
    for (unsigned i = 1; i < 32; i++) {
        key[i]--;
        assert_true(recovery_is_holder(key));
        key[i]++;
    }
    memset(key, 0, sizeof key);
    assert_true(recovery_is_holder(key)); /* of small order, which sealing to it shows */
    key[31] = 0x80;
    assert_false(recovery_is_holder(key));
}

static void keep(struct recovery_kept *kept, enum recovery_kept_name name, const void *bytes, size_t size)
{
    kept->of[name].bytes = memcpy(malloc(size), bytes, size);
    kept->of[name].size = size;
}

/* Whatever one bit of what a host keeps is another, the text that counts is the one that was kept. */
static void test_either_copy(void **unused)
{
    (void)unused;
    struct recovery_text read;
    char *text = sharing_make(master, &facts, (const uint8_t(*)[32])holders, fill, wrapped, why);
    size_t size = strlen(text);
    uint8_t hash[32];
    struct recovery_kept kept = {0};
    SHA256((const uint8_t *)text, size, hash);
    assert_int_equal(recovery_kept_text(&kept, &read), KEPT_NAMES);
    keep(&kept, KEPT_TEXT, text, size);
    assert_int_equal(recovery_kept_text(&kept, &read), KEPT_TEXT); /* as it was before there were copies */
    keep(&kept, KEPT_TEXT_COPY, text, size);
    keep(&kept, KEPT_SHA256, hash, sizeof hash);
    static const enum recovery_kept_name names[] = {KEPT_TEXT, KEPT_TEXT_COPY, KEPT_SHA256};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t bit = 0; bit < 8 * kept.of[names[i]].size; bit++) {
            kept.of[names[i]].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            enum recovery_kept_name which = recovery_kept_text(&kept, &read);
            assert_int_not_equal(which, KEPT_NAMES);
            assert_int_equal(kept.of[which].size, size);
            assert_memory_equal(kept.of[which].bytes, text, size);
            kept.of[names[i]].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    kept.of[KEPT_TEXT].bytes[0] ^= 1;
    kept.of[KEPT_SHA256].bytes[0] ^= 1;
    assert_int_equal(recovery_kept_text(&kept, &read), KEPT_TEXT_COPY); /* the one that can be read */
    kept.of[KEPT_TEXT_COPY].size = 0;
    assert_int_equal(recovery_kept_text(&kept, &read), KEPT_NAMES);
    recovery_kept_free(&kept);
    free(text);
}

static void test_no_two_alike(void **unused)
{
    (void)unused;
    uint8_t a[SEALED], b[SEALED];
    assert_int_equal(hpke_seal(holders[0], "i", 1, master, sizeof master, a), 0);
    assert_int_equal(hpke_seal(holders[0], "i", 1, master, sizeof master, b), 0);
    assert_memory_not_equal(a, b, 32);
    assert_memory_not_equal(a + 32, b + 32, sizeof a - 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_holder_has_one),
        cmocka_unit_test(test_what_it_is_bound_to),
        cmocka_unit_test(test_any_bit_counts),
        cmocka_unit_test(test_old_shares),
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_given_again),
        cmocka_unit_test(test_the_most),
        cmocka_unit_test(test_keys_that_are_none),
        cmocka_unit_test(test_one_spelling),
        cmocka_unit_test(test_either_copy),
        cmocka_unit_test(test_no_two_alike),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
