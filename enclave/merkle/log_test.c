/* The tree that grows against the one of merkle.h and against the RFC's own words: roots of every size, tiles, and
 * proofs put together from tiles. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/merkle/log.h"

#define LEAVES 70000u /* three levels of tiles */

static uint8_t leaves[LEAVES][32];
static uint8_t (*levels[3])[32]; /* all hashes of each level, as tiles have them side by side */

/* A store of tiles, filled as a log fills it: one leaf at a time. */
static int fill(void **state)
{
    (void)state;
    for (unsigned level = 0; level < 3; level++)
        levels[level] = calloc((size_t)merkle_level_size(LEAVES, level) + 1, 32);
    for (size_t i = 0; i < LEAVES; i++) {
        merkle_leaf_hash(&i, sizeof i, leaves[i]);
        memcpy(levels[0][i], leaves[i], 32);
        for (unsigned level = 1; level < 3 && (i + 1) % (1u << 8 * level) == 0; level++) {
            size_t at = (i + 1) >> (8 * level);
            merkle_tile_root((const uint8_t(*)[32])levels[level - 1] + (at - 1) * 256, 256, levels[level][at - 1]);
        }
    }
    return 0;
}

static int empty(void **state)
{
    (void)state;
    for (unsigned level = 0; level < 3; level++)
        free(levels[level]);
    return 0;
}

/* RFC 9162, section 2.1.1, word by word. */
static void mth(size_t first, size_t end, uint8_t out[32])
{
    uint8_t left[32], right[32];
    size_t k = 1;
    if (end - first == 1) {
        memcpy(out, leaves[first], 32);
        return;
    }
    while (2 * k < end - first)
        k *= 2;
    mth(first, first + k, left);
    mth(first + k, end, right);
    merkle_node_hash(left, right, out);
}

/* Section 2.1.4.1: SUBPROOF. */
static size_t subproof(size_t m, size_t first, size_t end, bool whole, uint8_t out[64][32])
{
    size_t k = 1, count;
    if (m == end - first) {
        if (!whole)
            mth(first, end, out[0]);
        return whole ? 0 : 1;
    }
    while (2 * k < end - first)
        k *= 2;
    if (m <= k) {
        count = subproof(m, first, first + k, whole, out);
        mth(first + k, end, out[count]);
    } else {
        count = subproof(m - k, first + k, end, false, out);
        mth(first, first + k, out[count]);
    }
    return count + 1;
}

/* The hashes of a plan, from tiles that are as wide as a log of size leaves has them. */
static size_t carry_out(const struct merkle_plan *p, uint64_t size, uint8_t proof[64][32])
{
    uint8_t hashes[MERKLE_PLAN_MAX][32];
    for (size_t i = 0; i < p->count; i++) {
        struct merkle_tile tile = merkle_node_tile(p->nodes[i]);
        assert_in_range(tile.level, 0, 2);
        merkle_node_from_tile(p->nodes[i], (const uint8_t(*)[32])levels[tile.level] + tile.index * 256,
                              merkle_tile_width(tile, size), hashes[i]);
    }
    return merkle_plan_end(p, (const uint8_t(*)[32])hashes, proof);
}

static void test_roots(void **state)
{
    (void)state;
    struct merkle m = {0};
    struct merkle_edge edge = {0};
    struct merkle_plan plan;
    uint8_t root[32], expected[32], planned[64][32];
    for (size_t i = 0; i < 3000; i++) {
        merkle_root(&m, expected);
        merkle_edge_root(&edge, root);
        assert_memory_equal(root, expected, 32);
        if (i > 0) {
            assert_int_equal(merkle_plan_root(&plan, i), 0);
            assert_int_equal(carry_out(&plan, i, planned), 1);
            assert_memory_equal(planned[0], expected, 32);
        }
        assert_int_equal(merkle_add(&m, &i, sizeof i), 0);
        merkle_edge_push(&edge, leaves[i]);
    }
    assert_int_equal(edge.size, 3000);
    merkle_free(&m);
}

/* An edge from what is stored of a log is the one that the log had. */
static void test_edge_of_tiles(void **state)
{
    (void)state;
    struct merkle_edge grown = {0};
    for (size_t size = 0; size <= LEAVES; size++) {
        if (size % 251 == 0 || size % 256 < 2 || size > LEAVES - 10) {
            struct merkle_edge read = {0};
            for (unsigned level = 3; level-- > 0;) {
                uint64_t hashes = merkle_level_size(size, level);
                merkle_edge_push_tile(&read, level, (const uint8_t(*)[32])levels[level] + hashes / 256 * 256,
                                      (unsigned)(hashes % 256));
            }
            assert_int_equal(read.size, size);
            assert_memory_equal(read.hashes, grown.hashes, (size_t)__builtin_popcountll(size) * 32);
        }
        if (size < LEAVES)
            merkle_edge_push(&grown, leaves[size]);
    }
}

static void expect_inclusion(const struct merkle *m, size_t index)
{
    struct merkle_plan plan;
    uint8_t proof[64][32], expected[64][32];
    int length = merkle_proof(m, index, expected);
    assert_int_equal(merkle_plan_inclusion(&plan, index, m->count), 0);
    assert_int_equal(carry_out(&plan, m->count, proof), length);
    assert_memory_equal(proof, expected, (size_t)length * 32);
}

static void test_inclusion(void **state)
{
    (void)state;
    struct merkle m = {0};
    for (size_t size = 1; size <= 1100; size++) {
        size_t i = size - 1;
        assert_int_equal(merkle_add(&m, &i, sizeof i), 0);
        for (size_t index = 0; index < size; index += size < 270 ? 1 : 97)
            expect_inclusion(&m, index);
        expect_inclusion(&m, size - 1);
    }
    merkle_free(&m);
}

/* size: of the log that the tiles are of, which may have grown since. */
static void expect_consistency(size_t from, size_t to, uint64_t size)
{
    struct merkle_plan plan;
    uint8_t proof[64][32], expected[64][32];
    size_t length = subproof(from, 0, to, true, expected);
    assert_int_equal(merkle_plan_consistency(&plan, from, to), 0);
    assert_int_equal(carry_out(&plan, size, proof), length);
    assert_memory_equal(proof, expected, length * 32);
}

static void test_consistency(void **state)
{
    (void)state;
    for (size_t to = 1; to <= 140; to++)
        for (size_t from = 1; from <= to; from++)
            expect_consistency(from, to, to);
    for (size_t to = 250; to <= 1030; to += 13)
        for (size_t from = 1; from <= to; from += 29)
            expect_consistency(from, to, to);
    for (size_t to = 65534; to <= 65540; to++) /* a third level begins */
        for (size_t from = 255; from <= to; from += 30011)
            expect_consistency(from, to, to);
}

static void test_random_sizes(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : 20261127u;
    print_message("SEED=%u\n", seed);
    for (int i = 0; i < 40; i++) {
        seed = seed * 1103515245u + 12345u;
        size_t to = 1 + (seed >> 4) % LEAVES;
        seed = seed * 1103515245u + 12345u;
        expect_consistency(1 + (seed >> 4) % to, to, LEAVES);
    }
}

static void test_tiles(void **state)
{
    (void)state;
    assert_int_equal(merkle_tile_width((struct merkle_tile){0, 0}, 0), 0);
    assert_int_equal(merkle_tile_width((struct merkle_tile){0, 0}, 255), 255);
    assert_int_equal(merkle_tile_width((struct merkle_tile){0, 0}, 256), 256);
    assert_int_equal(merkle_tile_width((struct merkle_tile){0, 1}, 256), 0);
    assert_int_equal(merkle_tile_width((struct merkle_tile){1, 0}, 511), 1);
    assert_int_equal(merkle_tile_width((struct merkle_tile){1, 0}, 65536), 256);
    assert_int_equal(merkle_tile_width((struct merkle_tile){2, 0}, 65536), 1);
    assert_int_equal(merkle_tile_width((struct merkle_tile){7, 0}, MERKLE_LOG_MAX - 1), 127);
    assert_int_equal(merkle_tile_width((struct merkle_tile){0, UINT64_MAX}, 65536), 0);
    uint8_t root[32], expected[32];
    mth(256, 512, expected);
    merkle_tile_root((const uint8_t(*)[32])levels[0] + 256, 256, root);
    assert_memory_equal(root, expected, 32);
    assert_memory_equal(levels[1][1], expected, 32);
    mth(0, 65536, expected);
    assert_memory_equal(levels[2][0], expected, 32);
}

/* Of the largest tree there can be: nothing runs over. */
static void test_largest(void **state)
{
    (void)state;
    struct merkle_plan plan;
    const uint64_t most = MERKLE_LOG_MAX - 1;
    assert_int_equal(merkle_plan_root(&plan, most), 0);
    assert_int_equal(plan.count, 63);
    assert_int_equal(merkle_plan_inclusion(&plan, 0, most), 0);
    assert_int_equal(merkle_plan_inclusion(&plan, most - 1, most), 0);
    assert_int_equal(merkle_plan_inclusion(&plan, most / 2, most), 0);
    assert_int_equal(merkle_plan_consistency(&plan, 1, most), 0);
    assert_int_equal(merkle_plan_consistency(&plan, most - 1, most), 0);
    assert_int_equal(merkle_plan_consistency(&plan, most, most), 0);
    assert_int_equal(plan.hashes, 0);
    for (size_t i = 0; i < plan.count; i++)
        assert_in_range(merkle_node_tile(plan.nodes[i]).level, 0, MERKLE_TILE_LEVELS - 1);
}

static void test_refusals(void **state)
{
    (void)state;
    struct merkle_plan plan;
    assert_int_equal(merkle_plan_root(&plan, 0), -EINVAL);
    assert_int_equal(merkle_plan_root(&plan, MERKLE_LOG_MAX), -EINVAL);
    assert_int_equal(merkle_plan_inclusion(&plan, 0, 0), -EINVAL);
    assert_int_equal(merkle_plan_inclusion(&plan, 5, 5), -EINVAL);
    assert_int_equal(merkle_plan_inclusion(&plan, 5, UINT64_MAX), -EINVAL);
    assert_int_equal(merkle_plan_consistency(&plan, 0, 5), -EINVAL);
    assert_int_equal(merkle_plan_consistency(&plan, 6, 5), -EINVAL);
    assert_int_equal(merkle_plan_consistency(&plan, 6, UINT64_MAX), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),       cmocka_unit_test(test_edge_of_tiles), cmocka_unit_test(test_inclusion),
        cmocka_unit_test(test_consistency), cmocka_unit_test(test_random_sizes),  cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_largest),     cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, fill, empty);
}
