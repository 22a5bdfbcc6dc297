/*
 * Times as they stand in collateral (RFC 3339, always UTC and whole seconds there), without the C library's time zones.
 */
#include <stdio.h>
#include <string.h>

#include "verifier/internal.h"

/* Days from 1970-01-01 in the Gregorian calendar. Years are counted from March, so that leap days come last. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_from_days(int64_t days, int *year, unsigned *month, unsigned *day)
{
    days += 719468;
    int64_t era = days / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned m = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int)(era * 400 + year_of_era + (*month <= 2));
}

static bool take(const char *text, size_t digits, unsigned least, unsigned most, unsigned *out)
{
    unsigned v = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    *out = v;
    return v >= least && v <= most;
}

bool verifier__parse_time(const char *text, size_t size, int64_t *unix_s)
{
    static const char form[] = "0000-00-00T00:00:00Z";
    unsigned year, month, day, hour, minute, second;
    if (size != sizeof form - 1)
        return false;
    for (size_t i = 0; i < size; i++)
        if (form[i] != '0' && text[i] != form[i])
            return false;
    if (!take(text, 4, 1970, 9999, &year) || !take(text + 5, 2, 1, 12, &month) || !take(text + 8, 2, 1, 31, &day) ||
        !take(text + 11, 2, 0, 23, &hour) || !take(text + 14, 2, 0, 59, &minute) || !take(text + 17, 2, 0, 59, &second))
        return false;
    int64_t days = days_from_date(year, month, day);
    int y;
    unsigned m, d;
    date_from_days(days, &y, &m, &d);
    if (m != month || d != day) /* the 31st of a month that has 30 */
        return false;
    *unix_s = days * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

void verifier__format_time(int64_t unix_s, char out[24])
{
    int year;
    unsigned month, day;
    if (unix_s < 0 || unix_s > 253402300799) {
        memcpy(out, "an impossible time", 19);
        return;
    }
    date_from_days(unix_s / 86400, &year, &month, &day);
    unsigned s = (unsigned)(unix_s % 86400);
    snprintf(out, 24, "%04d-%02u-%02uT%02u:%02u:%02uZ", year % 10000, month % 100, day % 100, s / 3600 % 100,
             s / 60 % 60, s % 60);
}
