/* See fields.h. */
#include "enclave/https/fields.h"

#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof array / sizeof(*(array)))

bool http_name_is(struct http_text name, const char *wanted)
{
    return name.size == strlen(wanted) && strncasecmp(name.data, wanted, name.size) == 0;
}

bool http_text_is(struct http_text path, const char *wanted)
{
    return path.size == strlen(wanted) && memcmp(path.data, wanted, path.size) == 0;
}

bool http_text_begins(struct http_text path, const char *with)
{
    size_t size = strlen(with);
    return path.size >= size && memcmp(path.data, with, size) == 0;
}

static bool is_any(struct http_text name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (http_name_is(name, names[i]))
            return true;
    return false;
}

bool http_is_hop_by_hop(struct http_text name)
{
    static const char *const names[] = {"connection",
                                        "http2-settings",
                                        "keep-alive",
                                        "proxy-connection",
                                        "proxy-authenticate",
                                        "proxy-authorization",
                                        "te",
                                        "transfer-encoding",
                                        "upgrade"};
    return is_any(name, names, COUNT(names));
}

bool http_is_no_trailer(struct http_text name)
{
    static const char *const names[] = {"accept-ranges",
                                        "age",
                                        "allow",
                                        "authentication-info",
                                        "authorization",
                                        "cache-control",
                                        "content-encoding",
                                        "content-length",
                                        "content-range",
                                        "content-type",
                                        "cookie",
                                        "date",
                                        "expect",
                                        "expires",
                                        "forwarded",
                                        "host",
                                        "location",
                                        "max-forwards",
                                        "pragma",
                                        "proxy-authentication-info",
                                        "range",
                                        "retry-after",
                                        "set-cookie",
                                        "trailer",
                                        "vary",
                                        "via",
                                        "warning",
                                        "www-authenticate"};
    bool conditional = name.size > 3 && strncasecmp(name.data, "if-", 3) == 0;
    return conditional || http_is_hop_by_hop(name) || http_is_ours(name) || is_any(name, names, COUNT(names));
}

static char plain(char c)
{
    return c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool http_is_ours(struct http_text name)
{
    static const char *const names[] = {"x-forwarded-prefix", "x-enclave-client"};
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t same = 0;
        while (same < name.size && plain(name.data[same]) == names[i][same])
            same++;
        if (same == name.size && names[i][same] == 0)
            return true;
    }
    return false;
}

bool http_list_has(struct http_text list, struct http_text name)
{
    static const char blank[] = " \t";
    const char *at = list.data, *end = list.data + list.size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *last = comma ? comma : end;
        const char *first = at;
        while (first < last && strchr(blank, *first))
            first++;
        while (last > first && strchr(blank, last[-1]))
            last--;
        if ((size_t)(last - first) == name.size && strncasecmp(first, name.data, name.size) == 0)
            return true;
        at = comma ? comma + 1 : end;
    }
    return false;
}

size_t http_keep_trailers(struct http_field *fields, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!http_is_no_trailer(fields[i].name))
            fields[kept++] = fields[i];
    return kept;
}

size_t http_fields_find(const struct http_field *fields, size_t count, const char *name, struct http_text *value)
{
    size_t found = 0, size = strlen(name);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name.size != size || memcmp(fields[i].name.data, name, size) != 0)
            continue;
        if (found++ == 0)
            *value = fields[i].value;
    }
    return found;
}

bool http_fields_are_twice(const struct http_field *fields, size_t count)
{
    static const char *const single[] = {"host",         "content-length", "transfer-encoding",
                                         "content-type", "authorization",  "max-forwards"};
    struct http_text first;
    for (size_t i = 0; i < COUNT(single); i++)
        if (http_fields_find(fields, count, single[i], &first) > 1)
            return true;
    return false;
}
