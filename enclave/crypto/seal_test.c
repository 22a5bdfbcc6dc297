/*
 * Sealing over the emulated CPU's own EGETKEY: the image that sealed opens, and neither another image, another CPU, a
 * production enclave against a debug one, nor a changed blob does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/crypto/seal.h"
#include "sgx/emulator/internal.h"
#include "sgx/trusted/bridge.h"

#define SIZE 32u
static const uint8_t secret[SIZE] = "thirty-two bytes of secret text";
static uint8_t blob[SIZE + SEAL_OVERHEAD], opened[SIZE];

static int setup(void **state)
{
    (void)state;
    memset(&emu, 0, sizeof emu);
    memset(emu.fuse_key, 1, sizeof emu.fuse_key);
    memset(emu.cpu_svn, 7, sizeof emu.cpu_svn);
    memset(emu.secs.mrenclave, 2, 32);
    memset(emu.secs.mrsigner, 3, 32);
    emu.secs.attributes = (struct sgx_attributes){SGX_FLAGS_INIT | SGX_FLAGS_MODE64BIT, 0xE7};
    emu.secs.isvsvn = 5;
    return seal(secret, SIZE, blob);
}

static int open_it(void)
{
    memset(opened, 0, sizeof opened);
    return unseal(blob, sizeof blob, opened);
}

static void test_round_trip(void **state)
{
    (void)state;
    assert_int_equal(open_it(), 0);
    assert_memory_equal(opened, secret, SIZE);
    assert_null(memmem(blob, sizeof blob, secret, 8));
}

static void test_same_image_later(void **state)
{
    (void)state;
    emu.secs.isvsvn = 6; /* a newer version may open what an older one sealed */
    assert_int_equal(open_it(), 0);
    assert_false(seal_is_current(blob, sizeof blob));
    emu.secs.isvsvn = 4; /* not the reverse */
    assert_int_equal(open_it(), -EKEYEXPIRED);
    emu.secs.isvsvn = 5;
    assert_true(seal_is_current(blob, sizeof blob));
    for (size_t i = 0; i < sizeof emu.cpu_svn; i++) { /* and so with the microcode's */
        emu.cpu_svn[i]++;
        assert_int_equal(open_it(), 0);
        assert_false(seal_is_current(blob, sizeof blob));
        emu.cpu_svn[i] -= 2;
        assert_int_equal(open_it(), -ENOKEY);
        emu.cpu_svn[i]++;
    }
    assert_true(seal_is_current(blob, sizeof blob));
    emu.secs.attributes.xfrm = 0x3; /* another machine state, same CPU */
    assert_int_equal(open_it(), 0);
}

static void test_others(void **state)
{
    (void)state;
    emu.secs.mrenclave[0] ^= 1;
    assert_int_equal(open_it(), -EACCES);
    emu.secs.mrenclave[0] ^= 1;
    emu.fuse_key[0] ^= 1;
    assert_int_equal(open_it(), -EACCES);
    emu.fuse_key[0] ^= 1;
    emu.secs.attributes.flags |= SGX_FLAGS_DEBUG;
    assert_int_equal(open_it(), -EACCES);
    emu.secs.attributes.flags &= ~SGX_FLAGS_DEBUG;
    emu.secs.mrsigner[0] ^= 1; /* sealed to the image, whoever signed it */
    assert_int_equal(open_it(), 0);
}

static void test_every_bit(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < sizeof blob * 8; bit++) {
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int result = open_it();
        assert_true(result == -EBADMSG || result == -EACCES || result == -ENOKEY || result == -EKEYEXPIRED);
        assert_memory_not_equal(opened, secret, SIZE);
        blob[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < sizeof blob; size++)
        assert_int_not_equal(unseal(blob, size, opened), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_round_trip, setup),
        cmocka_unit_test_setup(test_same_image_later, setup),
        cmocka_unit_test_setup(test_others, setup),
        cmocka_unit_test_setup(test_every_bit, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
