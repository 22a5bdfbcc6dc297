/* Proofs of leaves, checked by the arithmetic of RFC 9162, section 2.1.3.2; and the manifest as everybody gets it. */
#include "enclave/service/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hex.h"

static struct manifest make(unsigned apps, unsigned behind, uint8_t root[MERKLE_HASH_SIZE])
{
    struct manifest m = {0};
    char label[32];
    assert_int_equal(manifest_add(&m, "limits", "none", 4), 0);
    assert_int_equal(manifest_add(&m, "empty", NULL, 0), 0);
    for (unsigned i = 0; i < apps; i++) {
        snprintf(label, sizeof label, "app:%u", i);
        assert_int_equal(manifest_add(&m, label, &i, sizeof i), 0);
    }
    for (unsigned i = 0; i < behind; i++) {
        snprintf(label, sizeof label, "settings:%u", i);
        assert_int_equal(manifest_add(&m, label, &i, sizeof i), 0);
    }
    manifest_root(&m, root);
    return m;
}

static void parent(const uint8_t *left, const uint8_t *right, uint8_t out[MERKLE_HASH_SIZE])
{
    uint8_t node[1 + 2 * MERKLE_HASH_SIZE] = {1};
    memcpy(node + 1, left, MERKLE_HASH_SIZE);
    memcpy(node + 1 + MERKLE_HASH_SIZE, right, MERKLE_HASH_SIZE);
    SHA256(node, sizeof node, out);
}

/* As text; NULL with an error. */
static char *proof_of(const struct manifest *m, const char *label, size_t size, int *error)
{
    json_t *proof = manifest_proof_json(m, label, size, error);
    char *text = proof ? json_dumps(proof, JSON_COMPACT) : NULL;
    json_decref(proof);
    return text;
}

static bool proves(const char *json, const struct manifest_leaf *of, const uint8_t root[MERKLE_HASH_SIZE])
{
    unsigned index, size;
    int at = 0;
    uint8_t hash[MERKLE_HASH_SIZE], leaf[64] = {0}, sibling[MERKLE_HASH_SIZE];
    if (sscanf(json, "{\"leaf_index\":%u,\"tree_size\":%u,\"path\":[%n", &index, &size, &at) != 2)
        return false;
    size_t label_size = strlen(of->label) + 1;
    memcpy(leaf + 1, of->label, label_size);
    if (of->size)
        memcpy(leaf + 1 + label_size, of->value, of->size);
    SHA256(leaf, 1 + label_size + of->size, hash);
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

static void every_leaf_is_proved(void **state)
{
    (void)state;
    for (unsigned apps = 0; apps < 20; apps++) {
        uint8_t root[MERKLE_HASH_SIZE];
        struct manifest m = make(apps, apps % 3, root);
        for (size_t i = 0; i < m.count; i++) {
            int error;
            char *json = proof_of(&m, m.leaves[i].label, strlen(m.leaves[i].label), &error);
            assert_non_null(json);
            assert_true(proves(json, &m.leaves[i], root));
            root[0] ^= 1;
            assert_false(proves(json, &m.leaves[i], root));
            root[0] ^= 1;
            assert_false(proves(json, &m.leaves[(i + 1) % m.count], root));
            free(json);
        }
        manifest_free(&m);
    }
}

static void an_apps_name_will_do(void **state)
{
    (void)state;
    uint8_t root[MERKLE_HASH_SIZE];
    int error;
    struct manifest m = make(2, 1, root);
    char *json = proof_of(&m, "1", 1, &error);
    assert_non_null(json);
    assert_true(proves(json, &m.leaves[3], root));
    free(json);
    assert_null(proof_of(&m, "2", 1, &error));
    assert_int_equal(error, -ENOENT);
    assert_null(proof_of(&m, "", 0, &error));
    assert_null(proof_of(&m, "app:", 4, &error));
    assert_null(proof_of(&m, "limits\0", 7, &error));
    assert_int_equal(error, -ENOENT);
    manifest_free(&m);
}

/* An app's own tree: its leaves in their order, and nobody else's of that name. */
static void an_app_has_a_tree_of_its_own(void **state)
{
    (void)state;
    static const char *const leaves[][2] = {
        {"app:a", "1"},        {"app:b", "2"},   {"admin:a", "3"},    {"settings:a", "4"}, {"egress:b", "5"},
        {"egress:a", "6"},     {"rule:a", "7"},  {"rule:aa", "8"},    {"witness:a", "9"},  {"limits", "a"},
        {"hostnames:a", "10"}, {"rule:b", "11"}, {"hostnames:", "12"}};
    static const size_t of_a[] = {0, 3, 5, 6, 10}, of_b[] = {1, 4, 11};
    struct manifest m = {0};
    uint8_t root[MERKLE_HASH_SIZE], expected[MERKLE_HASH_SIZE];
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
        assert_int_equal(manifest_add(&m, leaves[i][0], leaves[i][1], strlen(leaves[i][1])), 0);
    for (unsigned app = 0; app < 2; app++) {
        struct manifest own = {0};
        for (size_t i = 0; i < (app ? 3 : 5); i++) {
            const char *const *leaf = leaves[app ? of_b[i] : of_a[i]];
            assert_int_equal(manifest_add(&own, leaf[0], leaf[1], strlen(leaf[1])), 0);
        }
        manifest_root(&own, expected);
        assert_int_equal(manifest_app_root(&m, app ? "b" : "a", root), 0);
        assert_memory_equal(root, expected, sizeof root);
        manifest_free(&own);
    }
    assert_int_equal(manifest_app_root(&m, "c", root), 0);
    merkle_empty_hash(expected);
    assert_memory_equal(root, expected, sizeof root);
    manifest_free(&m);
}

/* Whoever has it can compute the root. */
static void it_is_told_whole(void **state)
{
    (void)state;
    static const uint8_t instance[32] = {0xab};
    uint8_t root[MERKLE_HASH_SIZE], again[MERKLE_HASH_SIZE];
    char hex[65];
    size_t size, index;
    struct manifest m = make(3, 2, root);
    char *text = manifest_json(&m, 7, instance, &size);
    assert_non_null(text);
    assert_int_equal(size, strlen(text));
    json_t *body = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *leaf;
    assert_string_equal(json_string_value(json_object_get(body, "format")), "enclave-os-manifest/1");
    assert_int_equal(json_integer_value(json_object_get(body, "generation")), 7);
    assert_int_equal(json_array_size(json_object_get(body, "leaves")), m.count);
    struct manifest other = {0};
    json_array_foreach(json_object_get(body, "leaves"), index, leaf)
    {
        uint8_t value[16];
        const char *digits = json_string_value(json_object_get(leaf, "value"));
        assert_true(hex_read(digits, strlen(digits), value, strlen(digits) / 2));
        const char *label = json_string_value(json_object_get(leaf, "label"));
        assert_int_equal(manifest_add(&other, label, value, strlen(digits) / 2), 0);
    }
    manifest_root(&other, again);
    assert_memory_equal(again, root, sizeof root);
    hex_text(root, sizeof root, hex);
    assert_string_equal(json_string_value(json_object_get(body, "merkle_root")), hex);
    json_decref(body);
    free(text);
    manifest_free(&other);
    manifest_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_leaf_is_proved), cmocka_unit_test(an_apps_name_will_do),
                                       cmocka_unit_test(an_app_has_a_tree_of_its_own),
                                       cmocka_unit_test(it_is_told_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
