/* See date.h. */
#include "enclave/https/date.h"

#include <string.h>
#include <time.h>

#include "common/ensure.h"

void http_date_text(int64_t seconds, char out[HTTP_DATE_SIZE])
{
    struct tm utc;
    time_t time = seconds;
    ENSURE(gmtime_r(&time, &utc) && utc.tm_year < 8100);
    ENSURE(strftime(out, HTTP_DATE_SIZE, "%a, %d %b %Y %H:%M:%S GMT", &utc) == HTTP_DATE_SIZE - 1);
}

static int digits(const char *at, size_t count)
{
    int v = 0;
    for (size_t i = 0; i < count; i++)
        v = v * 10 + (at[i] - '0');
    return v;
}

static int month_of(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (memcmp(names + 3 * i, name, 3) == 0)
            return i;
    return -1;
}

/* What is read must be what would be written: so a letter for a digit, or a day that there is not, is none. */
bool http_date_read(struct http_text text, int64_t *seconds)
{
    static const char form[] = "---, 00 --- 0000 00:00:00 GMT";
    char again[HTTP_DATE_SIZE];
    const char *at = text.data;
    if (text.size != sizeof form - 1)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (form[i] == '0' ? at[i] < '0' || at[i] > '9' : form[i] != '-' && at[i] != form[i])
            return false;
    struct tm utc = {.tm_mday = digits(at + 5, 2),
                     .tm_mon = month_of(at + 8),
                     .tm_year = digits(at + 12, 4) - 1900,
                     .tm_hour = digits(at + 17, 2),
                     .tm_min = digits(at + 20, 2),
                     .tm_sec = digits(at + 23, 2)};
    time_t time = utc.tm_mon < 0 ? -1 : timegm(&utc);
    if (time < 0 || utc.tm_year >= 8100)
        return false;
    http_date_text(time, again);
    *seconds = time;
    return memcmp(again, at, text.size) == 0;
}
