/* RFC 9162's tree against values computed by hand from its definition, and every proof of every small tree. */
#include <errno.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/merkle/merkle.h"

static void unhex(const char *text, uint8_t *out)
{
    for (int i = 0; i < 32; i++) {
        char two[3] = {text[2 * i], text[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
}

static void expect_root(const struct merkle *m, const char *hex)
{
    uint8_t root[32], expected[32];
    merkle_root(m, root);
    unhex(hex, expected);
    assert_memory_equal(root, expected, 32);
}

/* The certificate-transparency reference tree: leaves "", 00, 10, 2021, 3031, 40414243, 50..57, 60..6f. */
static void test_known_roots(void **state)
{
    (void)state;
    struct merkle m = {0};
    uint8_t sixty[16];
    for (int i = 0; i < 16; i++)
        sixty[i] = (uint8_t)(0x60 + i);
    expect_root(&m, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    merkle_add(&m, "", 0);
    expect_root(&m, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    merkle_add(&m, "\x00", 1);
    expect_root(&m, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    merkle_add(&m, "\x10", 1);
    expect_root(&m, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    merkle_add(&m, "\x20\x21", 2);
    expect_root(&m, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    merkle_add(&m, "\x30\x31", 2);
    merkle_add(&m, "\x40\x41\x42\x43", 4);
    merkle_add(&m, "\x50\x51\x52\x53\x54\x55\x56\x57", 8);
    expect_root(&m, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c");
    merkle_add(&m, sixty, 16);
    expect_root(&m, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    merkle_free(&m);
}

/* RFC 9162 2.1.3.2, straight from its text. */
static void verify(const uint8_t leaf[32], size_t index, size_t size, uint8_t proof[64][32], int length,
                   uint8_t root[32])
{
    uint8_t r[32], input[65];
    size_t fn = index, sn = size - 1;
    memcpy(r, leaf, 32);
    input[0] = 1;
    for (int i = 0; i < length; i++) {
        assert_true(sn != 0);
        bool right = (fn & 1) || fn == sn;
        memcpy(input + 1, right ? proof[i] : r, 32);
        memcpy(input + 33, right ? r : proof[i], 32);
        SHA256(input, 65, r);
        if (right)
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        fn >>= 1;
        sn >>= 1;
    }
    assert_int_equal(sn, 0);
    memcpy(root, r, 32);
}

static void test_every_proof(void **state)
{
    (void)state;
    struct merkle m = {0};
    for (uint8_t size = 1; size <= 33; size++) {
        merkle_add(&m, &size, 1);
        uint8_t root[32], from_proof[32], proof[64][32];
        merkle_root(&m, root);
        for (size_t i = 0; i < size; i++) {
            int length = merkle_proof(&m, i, proof);
            verify(m.hashes[i], i, size, proof, length, from_proof);
            assert_memory_equal(root, from_proof, 32);
            if (length > 0) {
                proof[0][0] ^= 1;
                verify(m.hashes[i], i, size, proof, length, from_proof);
                assert_memory_not_equal(root, from_proof, 32);
            }
        }
        assert_int_equal(merkle_proof(&m, size, proof), -EINVAL);
    }
    merkle_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_roots), cmocka_unit_test(test_every_proof)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
