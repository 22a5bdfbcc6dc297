/* CBOR's heads, in the examples of RFC 8949 (appendix A), and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/cbor.h"

static const struct {
    enum cbor_type type;
    uint64_t number;
    const char *bytes;
    size_t size;
} heads[] = {
    {CBOR_UNSIGNED, 0, "\x00", 1},
    {CBOR_UNSIGNED, 23, "\x17", 1},
    {CBOR_UNSIGNED, 24, "\x18\x18", 2},
    {CBOR_UNSIGNED, 100, "\x18\x64", 2},
    {CBOR_UNSIGNED, 255, "\x18\xff", 2},
    {CBOR_UNSIGNED, 256, "\x19\x01\x00", 3},
    {CBOR_UNSIGNED, 1000, "\x19\x03\xe8", 3},
    {CBOR_UNSIGNED, 65535, "\x19\xff\xff", 3},
    {CBOR_UNSIGNED, 65536, "\x1a\x00\x01\x00\x00", 5},
    {CBOR_UNSIGNED, 1000000, "\x1a\x00\x0f\x42\x40", 5},
    {CBOR_UNSIGNED, 4294967296, "\x1b\x00\x00\x00\x01\x00\x00\x00\x00", 9},
    {CBOR_UNSIGNED, 1000000000000, "\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00", 9},
    {CBOR_UNSIGNED, UINT64_MAX, "\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9},
    {CBOR_ARRAY, 3, "\x83", 1},
    {CBOR_ARRAY, 25, "\x98\x19", 2},
    {CBOR_MAP, 5, "\xa5", 1},
    {CBOR_TAG, 1, "\xc1", 1},
    {CBOR_TAG, 60000, "\xd9\xea\x60", 3},
};

static void heads_are_read_and_written(void **state)
{
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        uint8_t out[9];
        struct bytes_writer w = bytes_writer_make(out, sizeof out);
        cbor_append(&w, heads[i].type, heads[i].number);
        assert_false(w.failed);
        assert_int_equal(w.size, heads[i].size);
        assert_memory_equal(out, heads[i].bytes, w.size);
        for (size_t left = 0; left < heads[i].size; left++) { /* cut short */
            struct bytes_reader part = bytes_reader_make(heads[i].bytes, left);
            assert_int_equal(cbor_take(&part, heads[i].type), 0);
            assert_true(part.failed);
            struct bytes_writer narrow = bytes_writer_make(out, left);
            cbor_append(&narrow, heads[i].type, heads[i].number);
            assert_true(narrow.failed);
        }
        for (enum cbor_type type = CBOR_UNSIGNED; type <= CBOR_TAG; type++) {
            struct bytes_reader r = bytes_reader_make(heads[i].bytes, heads[i].size);
            bool is_it = type == heads[i].type;
            assert_true(cbor_take(&r, type) == (is_it ? heads[i].number : 0));
            assert_int_equal(bytes_reader_complete(&r), is_it);
        }
    }
}

static void what_is_not_the_shortest_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x18\x17", 2},                             /* 23 in two bytes */
        {"\x19\x00\xff", 3},                         /* 255 in three */
        {"\x1a\x00\x00\xff\xff", 5},                 /* 65535 in five */
        {"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", 9}, /* 2^32 - 1 in nine */
        {"\x1c\x00\x00\x00\x00\x00\x00\x00\x00", 9}, /* no such size */
        {"\x1d", 1},
        {"\x1e", 1},
        {"\x1f\xff", 2}, /* indefinite */
        {"\x20", 1},     /* -1 */
        {"\xf6", 1},     /* null */
        {"", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes_reader r = bytes_reader_make(bad[i].bytes, bad[i].size);
        assert_int_equal(cbor_take(&r, CBOR_UNSIGNED), 0);
        assert_true(r.failed);
    }
}

static void strings_stay_in_their_bounds(void **state)
{
    size_t size;
    struct bytes_reader r = bytes_reader_make("\x64IETF\x44\x01\x02\x03\x04\x40", 11);
    assert_memory_equal(cbor_take_string(&r, CBOR_TEXT, &size), "IETF", 4);
    assert_int_equal(size, 4);
    assert_memory_equal(cbor_take_string(&r, CBOR_BYTES, &size), "\1\2\3\4", 4);
    assert_non_null(cbor_take_string(&r, CBOR_BYTES, &size));
    assert_int_equal(size, 0);
    assert_true(bytes_reader_complete(&r));
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"\x44\x01\x02\x03", 4},
               {"\x5b\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
               {"\x5f\x41\x01\xff", 4}, /* in pieces */
               {"\x64IETF", 5}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r = bytes_reader_make(bad[i].bytes, bad[i].size);
        assert_null(cbor_take_string(&r, CBOR_BYTES, &size));
        assert_int_equal(size, 0);
        assert_true(r.failed);
        assert_int_equal(cbor_take(&r, CBOR_UNSIGNED), 0); /* for good */
    }
    uint8_t out[300], in[256] = {7};
    struct bytes_writer w = bytes_writer_make(out, sizeof out);
    cbor_append_string(&w, CBOR_BYTES, in, sizeof in);
    assert_int_equal(w.size, 3 + sizeof in);
    r = bytes_reader_make(out, w.size);
    assert_memory_equal(cbor_take_string(&r, CBOR_BYTES, &size), in, sizeof in);
    assert_true(bytes_reader_complete(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read_and_written),
        cmocka_unit_test(what_is_not_the_shortest_is_refused),
        cmocka_unit_test(strings_stay_in_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
