/* Records, the root's digest and the index: what is sealed opens, and nothing else does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/kvstore/index.h"
#include "enclave/kvstore/record.h"

static struct record_keys keys;
static const struct record_name name = {(const uint8_t *)"app:a:kv:b", (const uint8_t *)"key", 10, 3};

static int setup(void **state)
{
    (void)state;
    uint8_t master[32];
    memset(master, 7, sizeof master);
    return record_keys_derive(master, &keys);
}

static size_t sealed(uint8_t storage_key[32], uint64_t version, const char *value, uint8_t *out)
{
    assert_int_equal(record_storage_key(&keys, &name, storage_key), 0);
    int64_t size = record_seal(&keys, &name, storage_key, version, value, strlen(value), out);
    assert_true(size > 0);
    return (size_t)size;
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t storage_key[32], record[1024];
    for (size_t length = 0; length < 40; length++) {
        char value[64] = "";
        memset(value, 'v', length);
        size_t size = sealed(storage_key, 9, value, record);
        struct record_opened opened;
        assert_int_equal(record_open(&keys, storage_key, 9, record, size, &opened), 0);
        assert_int_equal(opened.value_size, length);
        assert_memory_equal(opened.value, value, length);
        assert_int_equal(opened.name.key_size, 3);
        assert_memory_equal(opened.name.ns, "app:a:kv:b", 10);
        record_opened_free(&opened);
    }
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    uint8_t storage_key[32], record[1024];
    size_t size = sealed(storage_key, 9, "value", record);
    struct record_opened opened;
    for (size_t bit = 0; bit < size * 8; bit++) {
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(record_open(&keys, storage_key, 9, record, size, &opened), -EBADMSG);
        assert_null(opened.value);
        bool named = bit / 8 >= size - 5 - AEAD_OVERHEAD; /* the value's part */
        assert_int_equal(opened.plain != NULL, named);
        if (named)
            assert_memory_equal(opened.name.key, "key", 3);
        record_opened_free(&opened);
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t shorter = 0; shorter < size; shorter++) {
        assert_int_equal(record_open(&keys, storage_key, 9, record, shorter, &opened), -EBADMSG);
        record_opened_free(&opened);
    }
    assert_int_equal(record_open(&keys, storage_key, 10, record, size, &opened), -EBADMSG); /* another version */
    storage_key[0] ^= 1;
    assert_int_equal(record_open(&keys, storage_key, 9, record, size, &opened), -EBADMSG); /* another key's record */
}

static void test_namespaces_differ(void **state)
{
    (void)state;
    uint8_t a[32], b[32];
    struct record_name other = name;
    other.ns = (const uint8_t *)"app:b:kv:b";
    assert_int_equal(record_storage_key(&keys, &name, a), 0);
    assert_int_equal(record_storage_key(&keys, &other, b), 0);
    assert_memory_not_equal(a, b, 32);
}

static void test_root(void **state)
{
    (void)state;
    struct root root = {.epoch = 3}, empty = root, opened;
    uint8_t storage_key[32] = {1}, tag[16] = {2}, out[ROOT_SIZE];
    for (uint64_t version = 1; version < 20; version++)
        assert_int_equal(root_digest(&keys, &root, storage_key, version, tag, 1), 0);
    assert_int_equal(root.count, 19);
    assert_int_equal(root_seal(&keys, &root, out), 0);
    assert_int_equal(root_open(&keys, out, sizeof out, &opened), 0);
    assert_memory_equal(&root, &opened, sizeof root);
    out[20] ^= 1;
    assert_int_equal(root_open(&keys, out, sizeof out, &opened), -EBADMSG);
    for (uint64_t version = 19; version > 0; version--)
        assert_int_equal(root_digest(&keys, &root, storage_key, version, tag, 0), 0);
    assert_memory_equal(&root, &empty, sizeof root);
}

static void test_index(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct index x = {0};
    static bool present[N];
    srand(1);
    for (int step = 0; step < 40000; step++) {
        uint32_t i = (uint32_t)rand() % N;
        uint8_t storage_key[32] = {0};
        uint32_t spread = i * 2654435761u % 1024; /* many begin alike */
        memcpy(storage_key, &spread, 4);
        memcpy(storage_key + 8, &i, 4);
        struct index_entry *e = index_find(&x, storage_key);
        assert_int_equal(e != NULL, present[i]);
        if (e) {
            assert_int_equal(e->version, i + 1);
            index_remove(&x, e);
        } else {
            e = index_put(&x, storage_key);
            e->version = i + 1;
            e->damage = DAMAGE_CHANGED; /* so it needs no name */
        }
        present[i] = !present[i];
        if (step % 8000 == 0)
            index_check(&x);
    }
    size_t expected = 0;
    for (int i = 0; i < N; i++)
        expected += present[i];
    assert_int_equal(x.count, expected);
    index_free(&x);
}

static size_t longest_run(const struct index *x)
{
    size_t run = 0, longest = 0;
    for (size_t i = 0; i < 2 * x->capacity; i++) {
        run = x->entries[i % x->capacity].version ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* However a host that makes up storage keys chooses them, they are spread. */
static void test_chosen_keys(void **state)
{
    enum { N = 24000 }; /* just below the load at which the table grows */
    static const struct {
        size_t at, step;
    } choices[] = {{8, 1}, {28, 1}, {0, 1}, {0, 65536}, {16, 1u << 12}};
    for (size_t c = 0; c < sizeof choices / sizeof *choices; c++) {
        struct index x = {0};
        for (uint32_t i = 0; i < N; i++) {
            uint8_t storage_key[STORAGE_KEY_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};
            uint64_t number = (uint64_t)i * choices[c].step;
            memcpy(storage_key + choices[c].at, &number, choices[c].at > 24 ? 4 : 8);
            index_put(&x, storage_key)->version = 1;
        }
        assert_int_equal(x.count, N);
        assert_true(longest_run(&x) < N / 40);
        index_free(&x);
    }
}

/* What of a record is in its twin: all of it up to a size, which is larger for the enclave's own. */
static void test_twins(void **state)
{
    static const struct {
        const char *ns;
        size_t most;
    } kinds[] = {{"app:a:kv:b", TWIN_WHOLE_MAX}, {"system", TWIN_WHOLE_OWN_MAX}};
    struct record_keys keys;
    uint8_t master[32] = {1}, storage_key[32];
    assert_int_equal(record_keys_derive(master, &keys), 0);
    for (size_t i = 0; i < 2; i++) {
        struct record_name name = {(const uint8_t *)kinds[i].ns, (const uint8_t *)"k", (uint16_t)strlen(kinds[i].ns),
                                   1};
        assert_int_equal(record_storage_key(&keys, &name, storage_key), 0);
        for (size_t size = kinds[i].most - 1; size <= TWIN_WHOLE_OWN_MAX + 1 && size <= kinds[i].most + 1; size++) {
            size_t value_size = size - record_size(&name, 0);
            uint8_t *value = calloc(1, value_size), *record = malloc(value_size + RECORD_OVERHEAD);
            assert_int_equal(record_seal(&keys, &name, storage_key, 5, value, value_size, record), size);
            size_t twin_size = record_twin_size(&name, size);
            uint8_t *twin = malloc(twin_size);
            assert_int_equal(record_twin(&keys, &name, storage_key, record, size, twin), 0);
            struct record_sight sight;
            assert_int_equal(record_look(&keys, storage_key, true, twin, twin_size, &sight), 0);
            assert_true(sight.claimed && sight.authentic);
            assert_int_equal(sight.whole, size <= kinds[i].most);
            assert_int_equal(sight.version, 5);
            assert_int_equal(sight.size, size);
            assert_memory_equal(sight.tag, record + size - 16, 16);
            assert_int_equal(sight.opened.name.key_size, 1);
            record_sight_free(&sight);
            twin[twin_size - 1] ^= 1;
            assert_int_equal(record_look(&keys, storage_key, true, twin, twin_size, &sight), 0);
            assert_false(sight.authentic);
            record_sight_free(&sight);
            free(value);
            free(record);
            free(twin);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_namespaces_differ),
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_chosen_keys),
        cmocka_unit_test(test_twins),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
