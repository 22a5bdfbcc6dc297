/* See head.h. */
#include "enclave/https/head.h"

#include <time.h>

#include "enclave/https/date.h"
#include "enclave/https/fields.h"

/* Of this second: written once for each. */
static struct http_field date_field(void)
{
    static _Thread_local time_t second;
    static _Thread_local char text[HTTP_DATE_SIZE];
    time_t now = time(NULL);
    if (now != second || !text[0])
        http_date_text(now, text);
    second = now;
    return (struct http_field){HTTP_TEXT("date"), {text, HTTP_DATE_SIZE - 1}};
}

size_t http_head_own(const struct http_exchange *x, const struct http_field *fields, size_t count,
                     struct http_field own[HTTP_HEAD_OWN])
{
    size_t own_count = 0;
    bool dated = false;
    for (size_t i = 0; i < count; i++)
        dated |= http_name_is(fields[i].name, "date");
    if (!dated)
        own[own_count++] = date_field();
    if (x->shared)
        own[own_count++] = (struct http_field){HTTP_TEXT("access-control-allow-origin"), HTTP_TEXT("*")};
    return own_count;
}
