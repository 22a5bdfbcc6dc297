/* base64url both ways, against RFC 4648's examples, and what stands for nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/base64url.h"

static void agrees_with_the_rfc(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[16];
        uint8_t bytes[16];
        size_t size = strlen(pairs[i][0]);
        assert_ptr_equal(base64url_text(pairs[i][0], size, text), text + BASE64URL_SIZE(size));
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(base64url_read(text, strlen(text), bytes, size), size);
        assert_memory_equal(bytes, pairs[i][0], size);
    }
}

static void bytes_come_back(void **state)
{
    uint8_t bytes[256], back[256];
    char text[BASE64URL_SIZE(sizeof bytes) + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(255 - i);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        base64url_text(bytes, size, text);
        assert_int_equal(strlen(text), BASE64URL_SIZE(size));
        assert_int_equal(base64url_read(text, strlen(text), back, sizeof back), size);
        assert_memory_equal(back, bytes, size);
    }
    assert_non_null(strchr(text, '-'));
    assert_non_null(strchr(text, '_'));
}

static void all_else_is_refused(void **state)
{
    static const char *const wrong[] = {"Zg==", "Z", "Zh", "Zm9", "Zm9v+", "Zm9v/", "Zm 9v", "Zm9v\n", "Zm9vY"};
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(base64url_read(wrong[i], strlen(wrong[i]), bytes, sizeof bytes), -EINVAL);
    assert_int_equal(base64url_read("Zm9v", 4, bytes, 2), -EINVAL); /* no room */
    assert_int_equal(base64url_read("Zg\0", 3, bytes, sizeof bytes), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_rfc),
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(all_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
