/* Tests of bytes.h: cursors stop at their end and stay failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/bytes.h"

static void test_round_trip(void **state)
{
    uint8_t buffer[64];
    struct bytes_writer w = bytes_writer_make(buffer, sizeof buffer);
    bytes_append_u8(&w, 1);
    bytes_append_u16(&w, 0x0302);
    bytes_append_u32(&w, 0x07060504);
    bytes_append_u64(&w, 0x0f0e0d0c0b0a0908);
    bytes_append_blob(&w, "key", 3);
    assert_false(w.failed);
    for (int i = 1; i <= 15; i++)
        assert_int_equal(buffer[i - 1], i);

    struct bytes_reader r = bytes_reader_make(buffer, w.size);
    assert_int_equal(bytes_take_u8(&r), 1);
    assert_int_equal(bytes_take_u16(&r), 0x0302);
    assert_int_equal(bytes_take_u32(&r), 0x07060504);
    assert_true(bytes_take_u64(&r) == 0x0f0e0d0c0b0a0908);
    size_t size;
    const uint8_t *blob = bytes_take_blob(&r, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(blob, "key", 3);
    assert_true(bytes_reader_complete(&r));
}

static void test_reader_stops(void **state)
{
    const uint8_t short_blob[] = {5, 0, 0, 0, 'a', 'b'};
    struct bytes_reader r = bytes_reader_make(short_blob, sizeof short_blob);
    size_t size = 99;
    assert_null(bytes_take_blob(&r, &size));
    assert_int_equal(size, 0);
    assert_int_equal(bytes_take_u8(&r), 0); /* two bytes are left, but the cursor has failed for good */
    assert_false(bytes_reader_complete(&r));

    const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff};
    r = bytes_reader_make(huge, sizeof huge);
    assert_null(bytes_take_blob(&r, &size));
}

static void test_writer_stops(void **state)
{
    uint8_t buffer[6] = {0};
    struct bytes_writer w = bytes_writer_make(buffer, 5);
    bytes_append_u32(&w, 1);
    bytes_append_u16(&w, 2);
    assert_true(w.failed);
    assert_int_equal(w.size, 4);
    bytes_append_u8(&w, 3);
    assert_int_equal(w.size, 4);
    assert_int_equal(buffer[4], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reader_stops),
        cmocka_unit_test(test_writer_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
