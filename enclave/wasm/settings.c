/* See settings.h. The texts are those of the parsed JSON, copied into one arena each. */
#include "enclave/wasm/settings.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "enclave/json.h"

#define HOST_MAX 253u /* RFC 1035, section 2.3.4 */

struct parse {
    struct app_settings *out;
    char *error;
    size_t error_size;
    bool failed;
};

static void refuse(struct parse *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!p->failed)
        vsnprintf(p->error, p->error_size, format, arguments);
    va_end(arguments);
    p->failed = true;
}

static char *copy(struct parse *p, const char *text)
{
    char *made = strdup(text);
    if (!made)
        refuse(p, "out of memory");
    return made;
}

static bool reserve(struct parse *p, struct setting_list *list, size_t count)
{
    list->items = calloc(count ? count : 1, sizeof *list->items);
    if (!list->items)
        refuse(p, "out of memory");
    return list->items != NULL;
}

static void take_map(struct parse *p, const char *member, const json_t *map, struct setting_list *list,
                     const char *not_in_name)
{
    const char *name;
    json_t *value;
    if (!json_is_object(map)) {
        refuse(p, "%s: not an object", member);
        return;
    }
    if (!reserve(p, list, json_object_size(map)))
        return;
    json_object_foreach((json_t *)map, name, value)
    {
        if (!json_is_string(value) || name[0] == 0 || strpbrk(name, not_in_name)) {
            refuse(p, "%s: %.64s: %s", member, name, json_is_string(value) ? "not a name" : "the value is not a text");
            return;
        }
        list->items[list->count++] = (struct setting){copy(p, name), copy(p, json_string_value(value))};
    }
}

static void take_arguments(struct parse *p, const json_t *array, struct setting_list *list)
{
    size_t index;
    json_t *value;
    if (!json_is_array(array)) {
        refuse(p, "arguments: not an array");
        return;
    }
    if (!reserve(p, list, json_array_size(array)))
        return;
    json_array_foreach(array, index, value)
    {
        if (!json_is_string(value)) {
            refuse(p, "arguments: number %zu is not a text", index);
            return;
        }
        list->items[list->count++] = (struct setting){NULL, copy(p, json_string_value(value))};
    }
}

static bool port_of(const char *text, uint16_t *port)
{
    size_t size = strlen(text);
    unsigned long value = strtoul(text, NULL, 10);
    *port = (uint16_t)value;
    return size > 0 && size <= 5 && strspn(text, "0123456789") == size && value > 0 && value <= 65535;
}

/* "host", "host:port", "[address]", "[address]:port": only the host is left in text. */
static bool split_rule(char *text, struct egress_rule *rule)
{
    char *end = text + strcspn(text, ":");
    if (text[0] == '[') {
        end = strchr(text, ']');
        if (!end)
            return false;
        memmove(text, text + 1, strlen(text));
        end[-1] = 0;
    }
    rule->host = text;
    rule->port = 443;
    if (*end == 0)
        return true;
    bool ok = *end == ':' && port_of(end + 1, &rule->port);
    *end = 0;
    return ok;
}

static bool host_ok(const char *host)
{
    const char *name = strncmp(host, "*.", 2) == 0 ? host + 2 : host;
    size_t size = strlen(name);
    return size > 0 && size <= HOST_MAX && name[0] != '.' && !strstr(name, "..") &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") == size;
}

static void take_egress(struct parse *p, const json_t *array)
{
    size_t index;
    json_t *value;
    if (!json_is_array(array)) {
        refuse(p, "egress: not an array");
        return;
    }
    p->out->egress = calloc(json_array_size(array) + 1, sizeof *p->out->egress);
    if (!p->out->egress) {
        refuse(p, "out of memory");
        return;
    }
    json_array_foreach(array, index, value)
    {
        struct egress_rule *rule = &p->out->egress[p->out->egress_count];
        char *host = json_is_string(value) ? copy(p, json_string_value(value)) : NULL;
        for (char *c = host; c && *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c += 32;
        if (!host || !split_rule(host, rule) || !host_ok(rule->host)) {
            free(host);
            refuse(p, "egress: number %zu is not HOST, *.HOST or HOST:PORT", index);
            return;
        }
        p->out->egress_count++;
    }
}

static void take_peers(struct parse *p, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || strcmp(text, "request") != 0 || json_string_length(value) != strlen(text))
        refuse(p, "peers: the only value is \"request\"; leave it out if clients are not to be asked");
    else
        p->out->request_peers = true;
}

static void take_members(struct parse *p, const json_t *object)
{
    const char *member;
    json_t *value;
    if (!json_is_object(object)) {
        refuse(p, "the settings are not a JSON object");
        return;
    }
    json_object_foreach((json_t *)object, member, value)
    {
        if (!strcmp(member, "environment"))
            take_map(p, member, value, &p->out->environment, "=");
        else if (!strcmp(member, "config"))
            take_map(p, member, value, &p->out->config, "");
        else if (!strcmp(member, "arguments"))
            take_arguments(p, value, &p->out->arguments);
        else if (!strcmp(member, "egress"))
            take_egress(p, value);
        else if (!strcmp(member, "peers"))
            take_peers(p, value);
        else
            refuse(p, "%.64s: there is no such setting", member);
    }
}

/* False: no memory. */
static bool digest(struct app_settings *s)
{
    size_t size = strlen(s->json);
    uint8_t *text = malloc(SETTINGS_SALT_SIZE + size);
    if (!text)
        return false;
    memcpy(text, s->salt, SETTINGS_SALT_SIZE);
    memcpy(text + SETTINGS_SALT_SIZE, s->json, size);
    SHA256(text, SETTINGS_SALT_SIZE + size, s->digest);
    OPENSSL_clear_free(text, SETTINGS_SALT_SIZE + size);
    return true;
}

struct app_settings *app_settings_parse(const char *json, size_t size, const uint8_t salt[SETTINGS_SALT_SIZE],
                                        char *error, size_t error_size)
{
    json_error_t where;
    struct parse p = {calloc(1, sizeof *p.out), error, error_size, false};
    if (!p.out) {
        refuse(&p, "out of memory");
        return NULL;
    }
    atomic_store(&p.out->refs, 1);
    memcpy(p.out->salt, salt, SETTINGS_SALT_SIZE);
    json_t *object = size <= SETTINGS_SIZE_MAX ? json_read(json, size, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (size > SETTINGS_SIZE_MAX)
        refuse(&p, "more than %u bytes of settings", SETTINGS_SIZE_MAX);
    else if (!object)
        refuse(&p, "not JSON: line %d: %.100s", where.line, where.text);
    else
        take_members(&p, object);
    p.out->json = p.failed ? NULL : json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    if (!p.failed && (!p.out->json || !digest(p.out)))
        refuse(&p, "out of memory");
    json_decref(object);
    if (p.failed) {
        app_settings_unref(p.out);
        return NULL;
    }
    return p.out;
}

struct app_settings *app_settings_ref(struct app_settings *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void wipe(const char *text)
{
    if (text)
        OPENSSL_clear_free((char *)text, strlen(text));
}

static void free_list(struct setting_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free((char *)list->items[i].name);
        wipe(list->items[i].value);
    }
    free(list->items);
}

void app_settings_unref(struct app_settings *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_list(&s->environment);
    free_list(&s->arguments);
    free_list(&s->config);
    for (size_t i = 0; i < s->egress_count; i++)
        free((char *)s->egress[i].host);
    free(s->egress);
    wipe(s->json);
    free(s);
}

bool app_settings_empty(const struct app_settings *s)
{
    return strcmp(s->json, "{}") == 0;
}

static bool rule_matches(const struct egress_rule *rule, const char *host, uint16_t port)
{
    if (rule->port != port)
        return false;
    if (strncmp(rule->host, "*.", 2) != 0)
        return strcasecmp(rule->host, host) == 0;
    size_t end = strlen(rule->host + 1), size = strlen(host);
    return size > end && strcasecmp(rule->host + 1, host + size - end) == 0;
}

bool app_settings_may_connect(const struct app_settings *s, const char *host, uint16_t port)
{
    for (size_t i = 0; i < s->egress_count; i++)
        if (rule_matches(&s->egress[i], host, port))
            return true;
    return false;
}

const char *setting_find(const struct setting_list *list, const char *name, size_t name_size)
{
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->items[i].name) == name_size && memcmp(list->items[i].name, name, name_size) == 0)
            return list->items[i].value;
    return NULL;
}
