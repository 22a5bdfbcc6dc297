/* See settings.h. The texts are those of the parsed JSON, copied into one arena each. */
#include "enclave/wasm/settings.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/ensure.h"
#include "common/references.h"
#include "common/json.h"
#include "enclave/wasm/settings_hostnames.h"
#include "enclave/wasm/settings_limits.h"

#define HOST_MAX 253u /* RFC 1035, section 2.3.4 */

struct parse {
    struct app_settings *out;
    char *why;
    size_t why_size;
    bool failed;
};

static void refuse(struct parse *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!p->failed)
        vsnprintf(p->why, p->why_size, format, arguments);
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

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a text";
    case JSON_NULL:
        return "null";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "a number";
    }
}

/* A text that C can hold; NULL otherwise. It is what everything in the settings becomes for the guest. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* What is wrong with a value that is no text; for after its place and a colon. */
static void refuse_value(struct parse *p, const char *place, const json_t *value)
{
    if (json_is_string(value))
        refuse(p, "%s: the text has \\u0000 in it, which nothing here can hold", place);
    else
        refuse(p, "%s: the value is not a text but %s: write it in quotes", place, kind_of(value));
}

/* What the server says of each request to a command (wasi/command.c): beside another value of that name, which of the
 * two a program sees would be its library's choice. */
static bool is_servers_variable(const char *name)
{
    static const char *const of_server[] = {"GATEWAY_INTERFACE", "SERVER_SOFTWARE", "SERVER_PROTOCOL", "SERVER_NAME",
                                            "SERVER_PORT",       "REQUEST_METHOD",  "SCRIPT_NAME",     "PATH_INFO",
                                            "QUERY_STRING",      "HTTPS",           "REMOTE_ADDR",     "CONTENT_TYPE",
                                            "CONTENT_LENGTH"};
    for (size_t i = 0; i < sizeof of_server / sizeof *of_server; i++)
        if (!strcmp(name, of_server[i]))
            return true;
    return strncmp(name, "HTTP_", 5) == 0;
}

static void refuse_setting(struct parse *p, const char *member, const char *name, const char *not_in_name,
                           const json_t *value)
{
    char place[96];
    snprintf(place, sizeof place, "%s: %.64s", member, name);
    if (name[0] == 0)
        refuse(p, "%s: a name is empty", member);
    else if (strpbrk(name, not_in_name))
        refuse(p, "%s: not a name: it must not have '%s' in it", place, not_in_name);
    else
        refuse_value(p, place, value);
}

static void take_map(struct parse *p, const char *member, const json_t *map, struct setting_list *list,
                     const char *not_in_name)
{
    const char *name;
    json_t *value;
    if (!json_is_object(map)) {
        refuse(p, "%s: not an object but %s: expected {\"NAME\": \"value\"}", member, kind_of(map));
        return;
    }
    if (!reserve(p, list, json_object_size(map)))
        return;
    json_object_foreach((json_t *)map, name, value)
    {
        if (!text_of(value) || name[0] == 0 || strpbrk(name, not_in_name)) {
            refuse_setting(p, member, name, not_in_name, value);
            return;
        }
        if (list == &p->out->environment && is_servers_variable(name)) {
            refuse(p, "%s: %.64s: the server gives this name a value for each request to a command", member, name);
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
        refuse(p, "arguments: not an array but %s: expected [\"value\"]", kind_of(array));
        return;
    }
    if (!reserve(p, list, json_array_size(array)))
        return;
    json_array_foreach(array, index, value)
    {
        if (!text_of(value)) {
            char place[48];
            snprintf(place, sizeof place, "arguments: number %zu", index + 1);
            refuse_value(p, place, value);
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

/* What keeps text from being a rule: the most likely mistakes by name. */
static const char *judge_rule(const char *text)
{
    if (text[0] == 0)
        return "it is empty";
    if (strstr(text, "://"))
        return "it is a URL";
    if (strchr(text, '/'))
        return "it has a path: a rule is for all of a server";
    const char *port = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
    if (text[0] != '[' && port && strchr(port + 1, ':'))
        return "an IPv6 address stands in brackets";
    uint16_t ignored;
    port = port && text[0] == '[' ? port + 1 : port;
    if (port && *port && (*port != ':' || !port_of(port + 1, &ignored)))
        return "its port is no number from 1 to 65535";
    if (strchr(text[0] == '*' ? text + 1 : text, '*'))
        return "* stands for the first labels of a name alone, and only as the whole of one";
    return "it is no server's name or address";
}

static void refuse_rule(struct parse *p, size_t index, const json_t *value)
{
    const char *text = text_of(value);
    char place[48];
    snprintf(place, sizeof place, "egress: number %zu", index + 1);
    if (text)
        refuse(p, "%s, \"%.64s\": %s; expected HOST, *.HOST or HOST:PORT", place, text, judge_rule(text));
    else
        refuse_value(p, place, value);
}

static void take_egress(struct parse *p, const json_t *array)
{
    size_t index;
    json_t *value;
    if (!json_is_array(array)) {
        refuse(p, "egress: not an array but %s: expected [\"HOST\"]", kind_of(array));
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
        char *host = text_of(value) ? copy(p, text_of(value)) : NULL;
        for (char *c = host; c && *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c += 32;
        if (!host || !split_rule(host, rule) || !host_ok(rule->host)) {
            free(host);
            refuse_rule(p, index, value);
            return;
        }
        p->out->egress_count++;
    }
}

static void take_peers(struct parse *p, const json_t *value)
{
    const char *text = text_of(value);
    if (!text || strcmp(text, "request") != 0)
        refuse(p, "peers: the only value is \"request\"%s%.32s%s; leave it out if clients are not to be asked",
               text ? ", not \"" : "", text ? text : "", text ? "\"" : "");
    else
        p->out->request_peers = true;
}

static void take_durable(struct parse *p, const json_t *value)
{
    const char *text = text_of(value);
    if (!text || strcmp(text, "witnessed") != 0)
        refuse(p, "durable: the only value is \"witnessed\"%s%.32s%s; leave it out if the disk is enough",
               text ? ", not \"" : "", text ? text : "", text ? "\"" : "");
    else
        p->out->witnessed = true;
}

static void take_members(struct parse *p, const json_t *object)
{
    const char *member;
    json_t *value;
    if (!json_is_object(object)) {
        refuse(p, "the settings are not a JSON object but %s: {} stands for none", kind_of(object));
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
        else if (!strcmp(member, "durable"))
            take_durable(p, value);
        else if (!strcmp(member, "limits"))
            p->failed = p->failed || !settings_limits_take(value, &p->out->limits, p->why, p->why_size);
        else if (!strcmp(member, "hostnames"))
            p->failed = p->failed || !settings_hostnames_take(value, &p->out->hostnames, p->why, p->why_size);
        else
            refuse(
                p,
                "%.64s: there is no such setting; there are environment, arguments, config, egress, hostnames, peers, "
                "durable and limits",
                member);
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

/* What keeps the text from being read at all. */
static void refuse_json(struct parse *p, size_t size, const json_error_t *where)
{
    enum json_error_code code = json_error_code(where);
    if (size == 0)
        refuse(p, "not JSON: it is empty; {} stands for no settings");
    else if (code == json_error_null_byte_in_key)
        refuse(p, "line %d: a name has \\u0000 in it, which nothing here can hold", where->line);
    else if (code == json_error_duplicate_key)
        refuse(p, "line %d: the same name is given twice: %.100s", where->line, where->text);
    else
        refuse(p, "not JSON: line %d: %.100s", where->line, where->text);
}

struct app_settings *app_settings_parse(const char *json, size_t size, const uint8_t salt[SETTINGS_SALT_SIZE],
                                        char *why, size_t why_size)
{
    json_error_t where;
    struct parse p = {calloc(1, sizeof *p.out), why, why_size, false};
    if (!p.out) {
        refuse(&p, "out of memory");
        return NULL;
    }
    atomic_store(&p.out->refs, 1);
    memcpy(p.out->salt, salt, SETTINGS_SALT_SIZE);
    json_t *object =
        size <= SETTINGS_SIZE_MAX ? json_read(json, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where) : NULL;
    if (size > SETTINGS_SIZE_MAX)
        refuse(&p, "more than %u bytes of settings: %zu", SETTINGS_SIZE_MAX, size);
    else if (!object)
        refuse_json(&p, size, &where);
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
    references_take(&s->refs);
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
    if (!s || !references_give(&s->refs))
        return;
    free_list(&s->environment);
    free_list(&s->arguments);
    free_list(&s->config);
    for (size_t i = 0; i < s->egress_count; i++)
        free((char *)s->egress[i].host);
    free(s->egress);
    ENSURE(s->hostnames.count <= APP_HOSTNAMES_MAX);
    settings_hostnames_free(&s->hostnames);
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

/* Whether outer reaches all that inner does: the same, or all names that end as inner's do. */
static bool rule_covers(const struct egress_rule *outer, const struct egress_rule *inner)
{
    bool many = strncmp(inner->host, "*.", 2) == 0;
    return outer->port == inner->port &&
           (strcmp(outer->host, inner->host) == 0 ||
            (strncmp(outer->host, "*.", 2) == 0 && rule_matches(outer, inner->host + many, inner->port)));
}

const struct egress_rule *app_settings_egress_beyond(const struct app_settings *s, const struct app_settings *bound)
{
    for (size_t i = 0; bound && i < s->egress_count; i++) {
        bool covered = false;
        for (size_t j = 0; j < bound->egress_count && !covered; j++)
            covered = rule_covers(&bound->egress[j], &s->egress[i]);
        if (!covered)
            return &s->egress[i];
    }
    return NULL;
}

const char *setting_find(const struct setting_list *list, const char *name, size_t name_size)
{
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->items[i].name) == name_size && memcmp(list->items[i].name, name, name_size) == 0)
            return list->items[i].value;
    return NULL;
}
