/*
 * Hexadecimal: each byte there and back, each letter that is no digit, each wrong size.
 */
#include "common/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_there_and_back(void **state)
{
    uint8_t all[256], back[256];
    char text[513];
    for (unsigned i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    assert_ptr_equal(hex_text(all, sizeof all, text), text + 512);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text, "000102", 6);
    assert_true(hex_read(text, 512, back, sizeof back));
    assert_memory_equal(all, back, sizeof all);
    for (char *c = text; *c; c++)
        if (*c >= 'a')
            *c = (char)(*c - 'a' + 'A');
    memset(back, 0, sizeof back);
    assert_true(hex_read(text, 512, back, sizeof back));
    assert_memory_equal(all, back, sizeof all);
}

static void test_no_digits(void **state)
{
    uint8_t out[1];
    for (int place = 0; place < 2; place++) {
        for (int c = 0; c < 256; c++) {
            char text[2] = {'0', '0'};
            text[place] = (char)c;
            assert_int_equal(hex_read(text, 2, out, 1), c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL);
        }
    }
}

static void test_sizes(void **state)
{
    uint8_t out[2];
    assert_true(hex_read(NULL, 0, out, 0));
    assert_false(hex_read(NULL, 0, out, 1));
    assert_false(hex_read("00", 2, out, 2));
    assert_false(hex_read("000", 3, out, 1));
    assert_false(hex_read("000", 3, out, 2));
    assert_false(hex_read("00000", 5, out, 2));
    assert_true(hex_read("0000", 4, out, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_no_digits),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
