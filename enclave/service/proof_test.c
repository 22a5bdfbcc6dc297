/* Proofs of apps, checked by the arithmetic of RFC 9162, section 2.1.3.2. */
#include "enclave/service/proof.h"

#include <errno.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"

#define OTHERS 3u /* leaves before the apps' */

/* A tree of some leaves, apps and some more leaves; root: what the certificate would carry. */
static struct proof_tree make(unsigned apps, unsigned behind, uint8_t root[MERKLE_HASH_SIZE])
{
    struct proof_tree tree = {0};
    char text[32];
    for (unsigned i = 0; i < OTHERS; i++)
        assert_int_equal(merkle_add(&tree.merkle, "other", 5), 0);
    for (unsigned i = 0; i < apps; i++) {
        snprintf(text, sizeof text, "app-%u", i);
        assert_int_equal(merkle_add(&tree.merkle, text, strlen(text)), 0);
        assert_int_equal(proof_tree_name(&tree, text), 0);
    }
    for (unsigned i = 0; i < behind; i++)
        assert_int_equal(merkle_add(&tree.merkle, "behind", 6), 0);
    merkle_root(&tree.merkle, root);
    return tree;
}

static void parent(const uint8_t *left, const uint8_t *right, uint8_t out[MERKLE_HASH_SIZE])
{
    uint8_t node[1 + 2 * MERKLE_HASH_SIZE] = {1};
    memcpy(node + 1, left, MERKLE_HASH_SIZE);
    memcpy(node + 1 + MERKLE_HASH_SIZE, right, MERKLE_HASH_SIZE);
    SHA256(node, sizeof node, out);
}

static bool proves(const char *json, const char *name, const uint8_t root[MERKLE_HASH_SIZE])
{
    unsigned index, size;
    int at = 0;
    uint8_t hash[MERKLE_HASH_SIZE], leaf[64] = {0}, sibling[MERKLE_HASH_SIZE];
    if (sscanf(json, "{\"leaf_index\":%u,\"tree_size\":%u,\"path\":[%n", &index, &size, &at) != 2)
        return false;
    memcpy(leaf + 1, name, strlen(name));
    SHA256(leaf, 1 + strlen(name), hash);
    unsigned f = index, s = size - 1;
    for (const char *p = json + at; *p == '"' || *p == ','; s >>= 1, f >>= 1) {
        p += *p == ',';
        for (size_t i = 0; i < MERKLE_HASH_SIZE; i++)
            if (sscanf(p + 1 + 2 * i, "%2hhx", &sibling[i]) != 1)
                return false;
        p += 2 + 2 * MERKLE_HASH_SIZE;
        if (f % 2 || f == s) {
            parent(sibling, hash, hash);
            while (f % 2 == 0 && f != 0) {
                f >>= 1;
                s >>= 1;
            }
        } else {
            parent(hash, sibling, hash);
        }
    }
    return s == 0 && memcmp(hash, root, MERKLE_HASH_SIZE) == 0;
}

static void apps_are_proved(void **state)
{
    (void)state;
    for (unsigned apps = 1; apps < 20; apps++) {
        uint8_t root[MERKLE_HASH_SIZE];
        struct proof_tree tree = make(apps, apps % 3, root);
        proof_publish(&tree);
        assert_null(tree.names); /* it was taken */
        for (unsigned i = 0; i < apps; i++) {
            char name[32], json[PROOF_JSON_MAX];
            snprintf(name, sizeof name, "app-%u", i);
            int size = proof_json(NULL, name, strlen(name), json, sizeof json);
            assert_int_equal(size, strlen(json));
            assert_true(proves(json, name, root));
            root[0] ^= 1;
            assert_false(proves(json, name, root));
            root[0] ^= 1;
            assert_false(proves(json, "app-x", root));
        }
    }
}

static void others_are_not(void **state)
{
    (void)state;
    uint8_t root[MERKLE_HASH_SIZE];
    char json[PROOF_JSON_MAX];
    struct proof_tree tree = make(2, 1, root);
    proof_publish(&tree);
    assert_int_equal(proof_json(NULL, "app-2", 5, json, sizeof json), -ENOENT);
    assert_int_equal(proof_json(NULL, "app-", 4, json, sizeof json), -ENOENT);
    assert_int_equal(proof_json(NULL, "app-1", 5, json, 100), -ENOSPC);
    struct proof_tree none = make(0, 0, root);
    proof_publish(&none);
    assert_int_equal(proof_json(NULL, "app-1", 5, json, sizeof json), -ENOENT);
    struct proof_tree empty = {0};
    proof_publish(&empty); /* so that nothing is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(apps_are_proved), cmocka_unit_test(others_are_not)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
