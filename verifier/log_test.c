/*
 * Logs as clients see them: proofs of consistency between all heads of small trees and some of larger ones, entries
 * with their proofs, and servers that lie.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "verifier/json.h"
#include "verifier/log.h"
#include "verifier/testing/logs.h"

static struct verifier_log *opened(struct made_log *made)
{
    char error[256] = "";
    struct verifier_log *log = verifier_log_open(made_log_fetch, made, error, sizeof error);
    if (!log)
        fail_msg("%s", error);
    return log;
}

/* Whether the log proves that it goes on from the tree of that size and root. */
static bool proves(struct verifier_log *log, uint64_t old_size, const uint8_t root[32])
{
    struct verifier_consistency proof;
    uint8_t roots[2][32];
    return verifier_log_prove(log, old_size, &proof) == 0 && verifier_consistency_roots(&proof, roots[0], roots[1]) &&
           memcmp(roots[0], root, 32) == 0 && memcmp(roots[1], verifier_log_root(log), 32) == 0;
}

/* Every proof of every tree of up to 70, and no other proof for it. */
static void test_small(void **state)
{
    struct made_log *made = made_log_open("log");
    uint8_t trees[71][32];
    made_log_grow(made, 70);
    for (size_t i = 1; i <= 70; i++)
        made_log_root(made, i, trees[i]);
    for (made->shown = 1; made->shown <= 70; made->shown++) {
        struct verifier_log *log = opened(made);
        assert_int_equal(verifier_log_size(log), made->shown);
        struct verifier_consistency proof;
        for (uint64_t old = 1; old <= made->shown; old++) {
            assert_true(proves(log, old, trees[old]));
            assert_memory_equal(verifier_log_root(log), trees[made->shown], 32);
            uint8_t roots[2][32];
            assert_int_equal(verifier_log_prove(log, old, &proof), 0);
            proof.path_count--; /* too short, and too long */
            assert_false(proof.path_count > 0 && verifier_consistency_roots(&proof, roots[0], roots[1]));
            proof.path_count += 2;
            assert_false(verifier_consistency_roots(&proof, roots[0], roots[1]));
        }
        assert_int_equal(verifier_log_prove(log, 0, &proof), -EINVAL);
        assert_int_equal(verifier_log_prove(log, made->shown + 1, &proof), -EINVAL);
        verifier_log_close(log);
    }
    made_log_close(made);
}

/* The last one up to each head, and its proof under that head, whatever the log has grown to. */
static void test_hand_overs(void **state)
{
    static const uint8_t measurement[32] = {0x3e};
    static const size_t at[] = {0, 3, 254, 255, 256, 600};
    size_t count = sizeof at / sizeof *at;
    struct made_log *made = made_log_open("log");
    for (size_t i = 0; i < count; i++) {
        made_log_grow(made, at[i]);
        made_log_hand_over(made, i % 2 ? "recovery" : "hand-over", measurement);
    }
    made_log_grow(made, 700);
    struct verifier_log *log = opened(made);
    for (uint64_t size = 1; size <= 700; size += size < 10 || (size > 250 && size < 260) ? 1 : 9) {
        uint8_t root[32];
        uint64_t last = 0;
        for (size_t i = 0; i < count; i++)
            last = at[i] < size ? at[i] : last;
        made_log_root(made, size, root);
        for (int known = 0; known < 2; known++) { /* up to it, or with it */
            log->view = (struct verifier_log_view){0};
            verifier__log_search(log, last + (uint64_t)known, size);
            const struct verifier_log_leaf *leaf = log->view.hand_over;
            assert_true((leaf != NULL) == !known);
            if (leaf)
                assert_true(leaf->proof.leaf_index == last && leaf->proof.tree_size == size &&
                            verifier_inclusion_holds(&leaf->proof, leaf->data, leaf->size, root));
        }
    }
    verifier_log_close(log);
    made_log_close(made);
}

/* Around the borders of tiles, on three levels. */
static void test_large(void **state)
{
    static const uint64_t sizes[] = {1,    2,    255,  256,   257,   511,   512,   513,   1000, 1024,
                                     4095, 4096, 4097, 65535, 65536, 65537, 65792, 65793, 70000};
    size_t count = sizeof sizes / sizeof *sizes;
    struct made_log *made = made_log_open("log");
    uint8_t trees[sizeof sizes / sizeof *sizes][32];
    made_log_grow(made, 70000);
    for (size_t i = 0; i < count; i++)
        made_log_root(made, sizes[i], trees[i]);
    for (size_t n = 0; n < count; n++) {
        made->shown = sizes[n];
        struct verifier_log *log = opened(made);
        made->fetched = 0;
        for (size_t o = 0; o <= n; o++)
            assert_true(proves(log, sizes[o], trees[o]));
        assert_true(made->fetched <= 24); /* tiles are kept */
        verifier_log_close(log);
    }
    /* a server that has the whole tiles alone, since its log has grown */
    made->no_partial = true;
    made->shown = 65537 - 256 - 7;
    struct verifier_log *log = opened(made);
    uint8_t root[32];
    made_log_root(made, 300, root);
    assert_true(proves(log, 300, root));
    verifier_log_close(log);
    made_log_close(made);
}

static void test_proof_form(void **state)
{
    uint8_t path[VERIFIER_CONSISTENCY_MAX + 1][32] = {{0}}, roots[2][32];
    struct verifier_consistency proof = {0, 4, path, 1};
    assert_false(verifier_consistency_roots(&proof, roots[0], roots[1]));
    proof.old_size = 5;
    assert_false(verifier_consistency_roots(&proof, roots[0], roots[1]));
    proof = (struct verifier_consistency){1, UINT64_C(1) << 63, path, 64};
    assert_false(verifier_consistency_roots(&proof, roots[0], roots[1]));
    proof.new_size = INT64_MAX;
    assert_true(verifier_consistency_roots(&proof, roots[0], roots[1]));
    proof.path_count = VERIFIER_CONSISTENCY_MAX + 1;
    assert_false(verifier_consistency_roots(&proof, roots[0], roots[1]));
    proof.path_count = 0;
    assert_false(verifier_consistency_roots(&proof, roots[0], roots[1]));
}

/* ---- entries --------------------------------------------------------------------------------------------------- */

static void test_entries(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 255, 256, 257, 600, 70000};
    struct made_log *made = made_log_open("log");
    made_log_grow(made, 70000);
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        made->shown = sizes[n];
        struct verifier_log *log = opened(made);
        const char *data;
        size_t size, step = sizes[n] > 1000 ? 1009 : 1;
        made->fetched = 0;
        for (uint64_t i = 0; i < made->shown; i += step) {
            assert_int_equal(verifier_log_entry(log, i, &data, &size), 0);
            assert_int_equal(size, strlen(made->entries[i]));
            assert_string_equal(data, made->entries[i]);
        }
        assert_true(step > 1 || made->fetched <= 12);
        assert_int_equal(verifier_log_entry(log, made->shown, &data, &size), -EINVAL);
        assert_int_equal(verifier_log_entry(log, UINT64_MAX, &data, &size), -EINVAL);
        verifier_log_close(log);
    }
    made->no_partial = true; /* the bundle is whole by now, and what is behind the head counts for nothing */
    made->shown = 300;
    struct verifier_log *log = opened(made);
    const char *data;
    size_t size;
    assert_int_equal(verifier_log_entry(log, 299, &data, &size), 0);
    assert_string_equal(data, made->entries[299]);
    assert_int_equal(verifier_log_entry(log, 300, &data, &size), -EINVAL);
    verifier_log_close(log);
    made_log_close(made);
}

/* An entry of the largest size, and one of more. */
static void test_entry_size(void **state)
{
    char text[VERIFIER_LOG_ENTRY_SIZE_MAX + 2];
    struct made_log *made = made_log_open("log");
    const char *data;
    size_t size;
    made_log_grow(made, 1);
    memset(text, 'x', sizeof text);
    text[VERIFIER_LOG_ENTRY_SIZE_MAX] = '\0';
    made_log_add(made, text);
    made_log_add(made, "");
    struct verifier_log *log = opened(made);
    assert_int_equal(verifier_log_entry(log, 1, &data, &size), 0);
    assert_string_equal(data, text);
    assert_int_equal(verifier_log_entry(log, 2, &data, &size), 0);
    assert_int_equal(size, 0);
    verifier_log_close(log);
    text[VERIFIER_LOG_ENTRY_SIZE_MAX] = 'x';
    text[VERIFIER_LOG_ENTRY_SIZE_MAX + 1] = '\0';
    made_log_add(made, text);
    log = opened(made);
    assert_int_equal(verifier_log_entry(log, 0, &data, &size), -EBADMSG);
    verifier_log_close(log);
    made_log_close(made);
}

/* Each byte of all that is served, but the head: nothing that is not the tree's is ever given, and no proof holds. */
static void test_lies(void **state)
{
    static const struct {
        const char *path;
        size_t size, step;
    } served[] = {{"tile/0/000", 8192, 97},  {"tile/0/001", 8192, 97},        {"tile/0/002.p/88", 88 * 32, 29},
                  {"tile/1/000.p/2", 64, 1}, {"tile/entries/000", 13000, 61}, {"tile/entries/002.p/88", 4500, 23}};
    struct made_log *made = made_log_open("log");
    made_log_grow(made, 600);
    char *checkpoint = made_log_checkpoint(made, 600);
    made->checkpoint = checkpoint;
    for (size_t i = 0; i < sizeof served / sizeof *served; i++) {
        made->tampered = served[i].path;
        for (made->at = 0; made->at < served[i].size; made->at += served[i].step) {
            struct verifier_log *log = opened(made);
            const char *data;
            size_t size;
            for (uint64_t k = 0; k < 600; k += 128)
                if (verifier_log_entry(log, k, &data, &size) == 0)
                    assert_true(size == strlen(made->entries[k]) && strcmp(data, made->entries[k]) == 0);
            uint64_t old = strncmp(served[i].path, "tile/e", 6) == 0 ? 0 : served[i].path[5] == '0' ? 301 : 512;
            struct verifier_consistency proof;
            uint8_t roots[2][32];
            if (old && verifier_log_prove(log, old, &proof) == 0 &&
                verifier_consistency_roots(&proof, roots[0], roots[1]) &&
                memcmp(roots[1], verifier_log_root(log), 32) == 0) {
                uint8_t expected[32]; /* a tile that this proof does not need */
                made_log_root(made, old, expected);
                assert_memory_equal(roots[0], expected, 32);
            }
            verifier_log_close(log);
        }
        struct verifier_log *log = opened(made);
        made->at = 0;
        made->cut = 1;
        const char *data;
        size_t size;
        uint64_t k = strstr(served[i].path, "/002") ? 512 : 0;
        if (strncmp(served[i].path, "tile/e", 6) == 0) {
            assert_int_equal(verifier_log_entry(log, k, &data, &size), -EBADMSG);
            assert_true(*verifier_log_error(log));
        }
        made->cut = 0;
        verifier_log_close(log);
    }
    made->tampered = NULL;
    made->missing = "tile/entries/001";
    struct verifier_log *log = opened(made);
    const char *data;
    size_t size;
    assert_int_equal(verifier_log_entry(log, 300, &data, &size), -ENOENT);
    assert_int_equal(verifier_log_entry(log, 0, &data, &size), 0);
    verifier_log_close(log);
    made_log_close(made);
    free(checkpoint);
}

static void test_heads(void **state)
{
    static const char *const wrong[] = {"", "x",
                                        "enclave-os/x\n0\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n"
                                        "\xe2\x80\x94 x AAAAAAA=\n"};
    struct made_log *made = made_log_open("log");
    char error[256];
    made_log_grow(made, 3);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        made->checkpoint = wrong[i];
        assert_null(verifier_log_open(made_log_fetch, made, error, sizeof error));
        assert_string_equal(error, "the log's checkpoint is malformed");
    }
    made->missing = "checkpoint";
    assert_null(verifier_log_open(made_log_fetch, made, error, sizeof error));
    assert_string_equal(error, "the log's checkpoint: there is none");
    made_log_close(made);
}

static void test_paths(void **state)
{
    char path[80];
    verifier__log_path(0, 0, 256, path);
    assert_string_equal(path, "tile/0/000");
    verifier__log_path(2, 1234067, 17, path);
    assert_string_equal(path, "tile/2/x001/x234/067.p/17");
    verifier__log_path(-1, 999, 255, path);
    assert_string_equal(path, "tile/entries/999.p/255");
    verifier__log_path(-1, INT64_MAX / 256, 256, path);
    assert_string_equal(path, "tile/entries/x036/x028/x797/x018/x963/967");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),      cmocka_unit_test(test_hand_overs), cmocka_unit_test(test_large),
        cmocka_unit_test(test_proof_form), cmocka_unit_test(test_heads),      cmocka_unit_test(test_entries),
        cmocka_unit_test(test_entry_size), cmocka_unit_test(test_lies),       cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
