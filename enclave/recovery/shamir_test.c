/*
 * Splitting and combining: any threshold of the shares, and no fewer, and no others. SEED in the environment repeats a
 * run.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "enclave/recovery/shamir.h"

static uint64_t state_of_random;

static uint64_t next(void)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    return state_of_random ^= state_of_random << 17;
}

static void fill(void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)(next() >> 8);
}

static void choose(unsigned count, unsigned wanted, uint8_t *x)
{
    uint8_t all[SHAMIR_MAX];
    for (unsigned i = 0; i < count; i++)
        all[i] = (uint8_t)(i + 1);
    for (unsigned i = 0; i < wanted; i++) {
        unsigned j = i + (unsigned)(next() % (count - i));
        uint8_t other = all[j];
        all[j] = all[i];
        x[i] = all[i] = other;
    }
}

static uint8_t secret[SHAMIR_SIZE], shares[SHAMIR_MAX][SHAMIR_SIZE];

static int combine(const uint8_t *x, unsigned count, uint8_t out[SHAMIR_SIZE])
{
    const uint8_t *y[SHAMIR_MAX];
    for (unsigned i = 0; i < count; i++)
        y[i] = shares[x[i] ? x[i] - 1 : 0];
    return shamir_combine(x, y, count, out);
}

/* Of every size that is used, and the largest there may be. */
static void test_any_threshold_of_them(void **unused)
{
    (void)unused;
    for (unsigned round = 0; round < 400; round++) {
        unsigned count = round == 0 ? SHAMIR_MAX : 1 + (unsigned)(next() % 16);
        unsigned threshold = round < 2 ? count : 1 + (unsigned)(next() % count);
        uint8_t x[SHAMIR_MAX], out[SHAMIR_SIZE];
        fill(secret, sizeof secret);
        shamir_split(secret, threshold, count, fill, shares);
        choose(count, threshold, x);
        assert_int_equal(combine(x, threshold, out), 0);
        assert_memory_equal(out, secret, sizeof secret);
        if (threshold == 1)
            continue;
        assert_int_equal(combine(x, threshold - 1, out), 0); /* one fewer: something else */
        assert_memory_not_equal(out, secret, sizeof secret);
        shares[x[0] - 1][next() % SHAMIR_SIZE] ^= (uint8_t)(1u << next() % 8); /* and with a wrong one */
        assert_int_equal(combine(x, threshold, out), 0);
        assert_memory_not_equal(out, secret, sizeof secret);
    }
}

/* Shares of two sharings of one secret do not fit together. */
static void test_mixed(void **unused)
{
    (void)unused;
    uint8_t others[3][SHAMIR_SIZE], out[SHAMIR_SIZE];
    fill(secret, sizeof secret);
    shamir_split(secret, 2, 3, fill, shares);
    shamir_split(secret, 2, 3, fill, others);
    const uint8_t x[] = {1, 2}, *y[] = {shares[0], others[1]};
    assert_int_equal(shamir_combine(x, y, 2, out), 0);
    assert_memory_not_equal(out, secret, sizeof secret);
}

static void test_what_is_no_share(void **unused)
{
    (void)unused;
    uint8_t out[SHAMIR_SIZE];
    shamir_split(secret, 2, 3, fill, shares);
    assert_int_equal(combine((uint8_t[]){2, 2}, 2, out), -EINVAL);
    assert_int_equal(combine((uint8_t[]){0, 1}, 2, out), -EINVAL);
    assert_int_equal(combine((uint8_t[]){1, 0}, 2, out), -EINVAL);
    assert_int_equal(combine((uint8_t[]){0}, 1, out), -EINVAL);
}

/* One fewer than the threshold fits every secret: each byte that a share more could have gives another one. */
static void test_fewer_say_nothing(void **unused)
{
    (void)unused;
    static const uint8_t x[] = {1, 3};
    bool seen[256] = {false};
    shamir_split(secret, 2, 3, fill, shares);
    for (unsigned guess = 0; guess < 256; guess++) {
        uint8_t out[SHAMIR_SIZE];
        shares[2][0] = (uint8_t)guess;
        assert_int_equal(combine(x, 2, out), 0);
        assert_false(seen[out[0]]);
        seen[out[0]] = true;
    }
}

/* By the field of AES, as others share: 0x53 and 0xCA are each other's inverses there. The polynomial 0x53 + 0xCA x. */
static uint8_t constant;
static void constant_fill(void *bytes, size_t size)
{
    memset(bytes, constant, size);
}

static void test_known_values(void **unused)
{
    (void)unused;
    memset(secret, 0x53, sizeof secret);
    constant = 0xca;
    shamir_split(secret, 2, 3, constant_fill, shares);
    assert_int_equal(shares[0][0], 0x53 ^ 0xca);
    assert_int_equal(shares[1][5], 0x53 ^ 0x8f); /* 2 * 0xca = 0x194 ^ 0x11b */
    assert_int_equal(shares[2][31], 0x53 ^ 0xca ^ 0x8f);
}

int main(void)
{
    const char *given = getenv("SEED");
    state_of_random = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) | 1;
    printf("SEED=%lu\n", (unsigned long)state_of_random);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_threshold_of_them), cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_what_is_no_share),      cmocka_unit_test(test_fewer_say_nothing),
        cmocka_unit_test(test_known_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
