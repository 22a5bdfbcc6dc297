/* Settings as text: see settings.h. */
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/wasm/settings.h"

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each once. */
static char *joined(char *const *texts, size_t count)
{
    size_t size = 1;
    for (size_t i = 0; i < count; i++)
        size += strlen(texts[i]) + 1;
    char *out = malloc(size), *at = out;
    for (size_t i = 0; out && i < count; i++)
        if (i == 0 || strcmp(texts[i - 1], texts[i]) != 0)
            at += sprintf(at, "%s%s", i ? "," : "", texts[i]);
    if (out)
        *at = 0;
    return out;
}

char *app_settings_egress_text(const struct app_settings *s)
{
    ENSURE(atomic_load_explicit(&((struct app_settings *)s)->refs, memory_order_relaxed) > 0);
    ENSURE(s->egress || s->egress_count == 0);
    char **texts = calloc(s->egress_count + 1, sizeof *texts), *out = NULL;
    size_t count = 0;
    for (; texts && count < s->egress_count; count++) {
        const struct egress_rule *rule = &s->egress[count];
        bool literal = strchr(rule->host, ':') != NULL; /* an IPv6 address */
        if (asprintf(&texts[count], literal ? "[%s]:%u" : "%s:%u", rule->host, rule->port) < 0)
            break;
    }
    if (texts && count == s->egress_count) {
        qsort(texts, count, sizeof *texts, compare_texts);
        out = joined(texts, count);
    }
    for (size_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
    return out;
}

char *app_settings_hostnames_text(const struct app_settings *s)
{
    return joined(s->hostnames.names, s->hostnames.count);
}

json_t *app_settings_hostnames_json(const struct app_settings *s)
{
    json_t *out = json_array();
    for (size_t i = 0; out && i < s->hostnames.count; i++)
        if (json_array_append_new(out, json_string(s->hostnames.names[i])) < 0) {
            json_decref(out);
            out = NULL;
        }
    return out;
}
