/* Dates, there and back, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "enclave/https/date.h"

static bool reads(const char *text, int64_t *seconds)
{
    return http_date_read((struct http_text){text, strlen(text)}, seconds);
}

static void there_and_back(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Tue, 29 Feb 2028 23:59:59 GMT", 1835481599},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[HTTP_DATE_SIZE];
        int64_t seconds = -1;
        http_date_text(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
        assert_true(reads(text, &seconds));
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void what_is_none(void **state)
{
    static const char *const cases[] = {
        "",
        "Mon, 06 Nov 1994 08:49:37 GMT",  /* it was a Sunday */
        "Sun, 06 Nov 1994 08:49:37 UTC",  /* another zone */
        "Sunday, 06-Nov-94 08:49:37 GMT", /* the older forms */
        "Sun Nov  6 08:49:37 1994",
        "Mon, 29 Feb 2027 00:00:00 GMT",  /* there was none */
        "Sun, 06 nov 1994 08:49:37 GMT",  /* letters as they are written */
        "Sun, 06 Nov 1994 24:49:37 GMT",  /* an hour that there is not */
        "Sun, 06 Nov 1994 08:49:37 GMT ", /* something behind it */
        "Wed, 31 Dec 1969 23:59:59 GMT",  /* before the beginning */
        "Sun, 06 Nov 1994 08:49:3: GMT",  /* no digit */
        "Sun, -6 Nov 1994 08:49:37 GMT",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds;
        if (reads(cases[i], &seconds))
            fail_msg("'%s' is taken for a date", cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
