/* See settings_hostnames.h. */
#include "enclave/wasm/settings_hostnames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "common/names.h"

/* What keeps a text from being one that clients ask for (RFC 6066, section 3); NULL: nothing. */
static const char *judge(const char *name, size_t size)
{
    const char *why = "it has \\u0000 in it";
    if (strlen(name) != size)
        return why;
    switch (name_kind_of(name, size, &why)) {
    case NAME_DNS:
        return NULL;
    case NAME_WILDCARD:
        return "a wildcard: each name has a certificate of its own, so list the names";
    case NAME_IPV4:
    case NAME_IPV6:
        return "an address, for which no client asks by name";
    default:
        return why;
    }
}

static char *lower_case(const char *name)
{
    char *copy = strdup(name);
    for (char *c = copy; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c += 32;
    return copy;
}

/* Its place among those that are there, or -1: it is one of them. */
static int place(const struct app_hostnames *h, const char *name)
{
    size_t at = 0;
    while (at < h->count && strcmp(h->names[at], name) < 0)
        at++;
    return at < h->count && strcmp(h->names[at], name) == 0 ? -1 : (int)at;
}

/* NULL, or what is wrong with it. */
static const char *take(struct app_hostnames *out, const json_t *value)
{
    ENSURE(out->count < APP_HOSTNAMES_MAX);
    if (!json_is_string(value))
        return "not a text: write a name in quotes";
    const char *wrong = judge(json_string_value(value), json_string_length(value));
    if (wrong)
        return wrong;
    char *name = lower_case(json_string_value(value));
    if (!name)
        return "out of memory";
    int at = place(out, name);
    if (at < 0) {
        free(name);
        return "it is there twice";
    }
    ENSURE((size_t)at <= out->count);
    memmove(&out->names[at + 1], &out->names[at], (out->count - (size_t)at) * sizeof *out->names);
    out->names[at] = name;
    out->count++;
    return NULL;
}

bool settings_hostnames_take(const json_t *array, struct app_hostnames *out, char *why, size_t why_size)
{
    size_t index;
    json_t *value;
    ENSURE(array && !out->names);
    ENSURE(why_size > 0);
    if (!json_is_array(array)) {
        snprintf(why, why_size, "hostnames: not an array: expected [\"app.example.com\"]");
        return false;
    }
    if (json_array_size(array) > APP_HOSTNAMES_MAX) {
        snprintf(why, why_size, "hostnames: more than %u: %zu", APP_HOSTNAMES_MAX, json_array_size(array));
        return false;
    }
    out->names = calloc(APP_HOSTNAMES_MAX, sizeof *out->names);
    if (!out->names) {
        snprintf(why, why_size, "out of memory");
        return false;
    }
    json_array_foreach(array, index, value)
    {
        const char *wrong = take(out, value);
        if (wrong) {
            const char *text = json_string_value(value);
            snprintf(why, why_size, "hostnames: number %zu%s%.64s%s: %s", index + 1, text ? ", \"" : "",
                     text ? text : "", text ? "\"" : "", wrong);
            return false;
        }
    }
    return true;
}

void settings_hostnames_free(struct app_hostnames *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->names[i]);
    free(h->names);
}
